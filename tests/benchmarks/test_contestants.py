from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.contestants.fabric import PlainFabric, tensors
from benchmarks.contestants.material import Material, check_material, read_material
from benchmarks.contestants.notebook import Notebook, PairDataset, write_pairs
from benchmarks.contestants.plain import PlainConcat, val_loss
from benchmarks.contestants.product import COUNT, Product
from benchmarks.contestants.project import Project
from benchmarks.contestants.spec import Contestant, Spec, field, peaks
from benchmarks.plan import FUSION
from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.inputs.inputs import lidar_batch, rgb_batch
from fusebench.models import registry
from fusebench.models.base import Fusion, ModelSpec, flatten
from fusebench.models.weights import initialize
from fusebench.training.loop import Task, TrainingState, fit, start

PARAMETERS = 191_042


# --- Who takes part ---


def test_on_a_processor_with_bf16_the_project_takes_part_twice() -> None:
    names = [spec.name for spec in field("cpu", "bf16", 2)]
    assert names == ["project-bf16", "project-fp32", "notebook-fp32", "fabric-fp32"]


def test_where_the_project_is_fp32_it_takes_part_once() -> None:
    assert [each.name for each in field("cpu", "fp32", 2)] == [
        "project-fp32", "notebook-fp32", "fabric-fp32",
    ]  # fmt: skip


def test_on_a_gpu_the_project_takes_part_alone() -> None:
    specs = field("cuda", "bf16", 2)
    assert [spec.name for spec in specs] == ["project-bf16", "project-fp32"]
    assert {spec.device for spec in specs} == {"cuda"}


def test_there_is_a_product_for_each_precision_on_the_same_device_and_threads() -> None:
    specs = peaks(field("cuda", "bf16", 3))
    assert specs == [Spec("product", "bf16", "cuda", 3), Spec("product", "fp32", "cuda", 3)]
    assert [spec.name for spec in peaks(field("cpu", "fp32", 1))] == ["product-fp32"]


def test_a_spec_survives_its_way_to_the_process() -> None:
    spec = Spec("notebook", "fp32", "cpu", 2)
    assert Spec(**spec.fields()) == spec


# --- What all work on ---


def test_the_material_is_that_of_split_seed_0(material: Material) -> None:
    assert (len(material.train), len(material.val)) == (30, 20)
    assert material.size == (64, 64)
    assert material.settings.batch_size == 8


@pytest.mark.parametrize("missing", ["data/samples", "data/split.csv"])
def test_missing_material_is_said_in_one_line(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {"data/samples", "data/split.csv"} - {missing}:
        (tmp_path / name).mkdir(parents=True)
    line = f"{missing}: no such file; 'dvc repro split' makes it"
    for read in (check_material, read_material):
        with pytest.raises(ArtifactError, match=f"^{line}$"):
            read()


# --- The notebook's data ---


def test_files_hold_what_the_arrays_hold(material: Material, tmp_path: Path) -> None:
    rows = material.train[:3]
    pairs = write_pairs(material.samples, rows, tmp_path / "train")
    assert [pair.label for pair in pairs] == [row.label for row in rows]
    for pair, row in zip(pairs, rows, strict=True):
        with Image.open(pair.rgb) as image:
            assert image.mode == "RGBA"
            pixels = np.array(image)
        assert np.array_equal(pixels[:, :, :3], material.samples.rgb[row.row])
        assert (pixels[:, :, 3] == 255).all()
        assert np.array_equal(np.load(pair.lidar), material.samples.lidar[row.row])


def test_maps_are_the_projects_but_for_the_scaling_of_ranges(
    material: Material, tmp_path: Path
) -> None:
    rows = material.train[:5]
    dataset = PairDataset(write_pairs(material.samples, rows, tmp_path), material.samples)
    metres = material.lidar.model_copy(update={"normalize": False})
    rgb = rgb_batch(material.samples, rows, metres)
    lidar = lidar_batch(material.samples, rows, metres)
    assert len(dataset) == len(rows)
    for position, row in enumerate(rows):
        made_rgb, made_lidar, label = dataset[position]
        assert label == row.label
        assert torch.equal(made_rgb, rgb[position])
        torch.testing.assert_close(made_lidar, lidar[position], rtol=1e-6, atol=1e-5)


def test_fabric_gets_the_projects_maps_in_torchs_layout(material: Material) -> None:
    rgb, lidar, labels = tensors(material, material.val).tensors
    assert torch.equal(rgb, rgb_batch(material.samples, material.val, material.lidar))
    assert torch.equal(lidar, lidar_batch(material.samples, material.val, material.lidar))
    assert labels.tolist() == [row.label for row in material.val]
    assert rgb.is_contiguous()
    assert lidar.is_contiguous()


# --- The models ---


def same_weights(plain: PlainConcat, model: Fusion) -> None:
    """Give a plain model the weights of the project's, whose last layer reads another order."""
    height, width = 4, 4
    places = torch.arange(128.0 * height * width).reshape(1, 128, height, width)
    order = flatten(places)[0].long()
    held = dict(model.named_parameters())
    last = held.pop("classifier.weight")
    with torch.no_grad():
        plain.classifier.weight[:, order] = last
        others = [each for each in plain.parameters() if each is not plain.classifier.weight]
        for mine, theirs in zip(others, held.values(), strict=True):
            mine.copy_(theirs)


@pytest.fixture
def plain_models(material: Material, tmp_path: Path) -> dict[str, nn.Module]:
    """The untrained models of the notebook's way and of Fabric, on this project's samples."""
    fabric = PlainFabric(material).model
    return {
        "notebook": Notebook(material, tmp_path, workers=0).model,
        "fabric": getattr(fabric, "module", fabric),
    }


@pytest.mark.parametrize("kind", ["notebook", "fabric"])
def test_a_plain_model_is_the_projects_function(
    kind: str, plain_models: dict[str, nn.Module]
) -> None:
    plain = plain_models[kind]
    assert isinstance(plain, PlainConcat)
    assert sum(each.numel() for each in plain.parameters()) == PARAMETERS
    model = registry.build(ModelSpec(FUSION, 2, (64, 64), "max", "fp32"))
    initialize(model, 3)
    same_weights(plain, model)
    generator = torch.Generator().manual_seed(0)
    rgb, lidar = (torch.randn(4, 4, 64, 64, generator=generator) for _ in range(2))
    with torch.no_grad():
        theirs = model({"rgb": rgb, "lidar": lidar})
        torch.testing.assert_close(plain(rgb, lidar), theirs, rtol=0, atol=1e-5)
        # Each input has its own stem.
        assert not torch.allclose(plain(lidar, rgb), theirs, rtol=0, atol=1e-5)


def test_val_loss_is_the_mean_over_samples_not_over_batches() -> None:
    class Constant(nn.Module):
        def forward(self, rgb: torch.Tensor, _lidar: torch.Tensor) -> torch.Tensor:
            return rgb

    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 0])
    parts = [(logits[:2], logits[:2], labels[:2]), (logits[2:], logits[2:], labels[2:])]
    expected = nn.functional.cross_entropy(logits, labels).item()
    assert val_loss(Constant(), parts) == pytest.approx(expected, rel=1e-6)


# --- Their turns ---


def contestants(material: Material, device: Device, folder: Path) -> dict[str, Contestant]:
    return {
        "project": Project(material, device, "fp32"),
        "notebook": Notebook(material, folder, workers=0),
        "fabric": PlainFabric(material),
    }


@pytest.fixture
def made(material: Material, cpu: Device, tmp_path: Path) -> dict[str, Contestant]:
    """Each training contestant, in this process."""
    return contestants(material, cpu, tmp_path)


KINDS = ["project", "notebook", "fabric"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_contestant_learns(kind: str, made: dict[str, Contestant]) -> None:
    contestant = made[kind]
    contestant.start(0)
    losses = [contestant.turn() or 0.0 for _ in range(4)]
    assert losses[-1] < losses[0]
    assert all(0 < loss < 10 for loss in losses)


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_begins_anew_and_the_seed_decides(kind: str, made: dict[str, Contestant]) -> None:
    contestant = made[kind]
    losses = []
    for seed in (0, 0, 1):
        contestant.start(seed)
        losses.append([contestant.turn(), contestant.turn()])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_the_projects_turn_is_an_epoch_of_its_own_loop(material: Material, cpu: Device) -> None:
    project = Project(material, cpu, "fp32")
    project.start(1)
    losses = [project.turn() for _ in range(2)]

    def ignore(_task: Task, _state: TrainingState) -> None:
        pass

    settings = material.settings.model_copy(update={"epochs": 2})
    task = Task(
        ModelSpec(FUSION, 2, material.size, settings.pooling, "fp32"), settings, 1,
        project.task.train, project.task.val, 1, cpu.device,
    )  # fmt: skip
    records = fit(task, start(task), ignore).records
    assert losses == [record.val_loss for record in records]


def test_the_project_computes_in_the_precision_that_is_asked_for(
    material: Material, cpu: Device
) -> None:
    assert Project(material, cpu, "bf16").task.spec.precision == "bf16"


@pytest.mark.parametrize(("precision", "kind"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_product_is_made_in_its_precision(
    precision: str, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def mm(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        seen.append((left.dtype, right.dtype, left.shape))
        return left

    monkeypatch.setattr(torch, "mm", mm)
    product = Product(torch.device("cpu"), "bf16" if precision == "bf16" else "fp32", size=4)
    product.start(0)
    product.turn()
    assert seen == [(kind, kind, (4, 4))] * COUNT

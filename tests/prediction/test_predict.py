import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import RUNTIME
from tests.datasets import dataset_of
from tests.sealing import rewrite

import predict_parts as stage
from fusebench.device import Device, Precision
from fusebench.errors import ArtifactError
from fusebench.files import write_json
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import ModelSpec, build
from fusebench.models.description import Description, SeedDescription
from fusebench.prediction.predict import KeptModels, predict_fusion
from fusebench.prediction.predictions import SCHEMA, read_predictions
from fusebench.samples.manifest import HOLDOUT, Manifest
from fusebench.samples.samples import Samples

SEEDS = (0, 1)
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
CLASSES = ("cubes", "spheres")
# Of the 64 rows and columns of its maps.
ANGLES = tuple(np.linspace(-0.3, 0.3, 64).tolist())


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def predicted(trained: Path, cpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which `add` was trained, and predicted by the stage's script. Read-only."""
    root = shutil.copytree(trained, tmp_path_factory.mktemp("predicted") / "project")
    write_json(root / "params.yaml", {"runtime": RUNTIME | {"threads": cpu.threads}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(sys, "argv", ["predict_parts.py", "add"])
        stage.main()
    return root


# --- What is kept ---


def test_logits_are_those_of_the_models_for_val_and_test(
    predicted: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    predictions = read_predictions(predicted / "predictions/add")
    model = build(ModelSpec("add", 2, (64, 64), "max", "fp32")).eval()
    assert tuple(predictions.seeds) == SEEDS
    for seed, parts in predictions.seeds.items():
        weights.load(predicted / f"models/add/seed_{seed}.safetensors", model)
        assert set(parts) == {"val", "test"}
        for part, kept in parts.items():
            rows = manifest.part(seed, part)
            for column, values in (("id", kept.ids), ("class", kept.classes),
                                   ("digest", kept.digests), ("label", kept.labels)):  # fmt: skip
                assert values.tolist() == rows[column].tolist()
            inputs = Inputs.load(samples, rows, LIDAR, model.inputs, cpu.device)
            maps, _ = inputs.batch(torch.arange(len(rows)))
            logits = model(maps).detach().numpy()
            np.testing.assert_allclose(kept.logits, logits, atol=1e-5)


def test_samples_beyond_the_memory_budget_are_predicted_to_the_same_bits(
    predicted: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    small = replace(cpu, memory_budget=0)
    predict_fusion(predicted / "models/add", samples, manifest, small, tmp_path / "add")
    kept = predicted / "predictions/add"
    for file in kept.iterdir():
        assert (tmp_path / "add" / file.name).read_bytes() == file.read_bytes()


def digest_of(root: Path, seed: int) -> str:
    content = (root / f"predictions/add/seed_{seed}.npz").read_bytes()
    return blake2b(content, digest_size=16).hexdigest()


def test_info_tells_what_a_reader_needs(predicted: Path) -> None:
    described = read(predicted / "models/add/model.json")
    assert read(predicted / "predictions/add/info.json") == {
        "schema": SCHEMA, "fusion": "add", "strategy": "intermediate", "inputs": ["rgb", "lidar"],
        "parameters": 117_314, "classes": list(CLASSES), "positive": "spheres",
        "synthetic": True,
        "task": "shape", "seeds": [0, 1],
        "train_counts": {seed: described["seeds"][seed]["train_counts"] for seed in "01"},
        "settings": described["settings"],
        "files": {f"seed_{seed}.npz": digest_of(predicted, seed) for seed in SEEDS},
        "digest": read(predicted / "predictions/add/info.json")["digest"],
    }  # fmt: skip


def test_predictions_repeat_to_the_bit(
    predicted: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    predict_fusion(predicted / "models/add", samples, manifest, cpu, tmp_path / "add")
    for path in (predicted / "predictions/add").iterdir():
        assert (tmp_path / "add" / path.name).read_bytes() == path.read_bytes()


def test_any_part_is_predicted_to_the_bits_of_the_kept_ones(
    predicted: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    """As the holdout is: with the rows of test under another name, and without val."""
    columns = {f"seed_{seed}": manifest.table[f"seed_{seed}"] for seed in SEEDS}
    renamed = {
        name: column.astype(str).replace("test", HOLDOUT) for name, column in columns.items()
    }
    held_out = Manifest(manifest.table.assign(**renamed))
    models = KeptModels.open(predicted / "models/add", "add", samples, held_out, cpu)
    kept = read_predictions(predicted / "predictions/add")
    answers = dict(models.predict([HOLDOUT]))
    assert tuple(answers) == SEEDS
    for seed, parts in answers.items():
        assert list(parts) == [HOLDOUT]
        test = kept.seeds[seed]["test"]
        assert parts[HOLDOUT].logits.tobytes() == test.logits.tobytes()
        assert parts[HOLDOUT].digests.tolist() == test.digests.tolist()
    assert {**models.info, "seeds": list(SEEDS)} == kept.info


def store_model(
    root: Path,
    classes: tuple[str, ...] = CLASSES,
    seed: int = 0,
    size: int = 64,
    precision: Precision = "fp32",
) -> Path:
    """Store an untrained model as one of `add`; return its folder."""
    folder = root / "models/add"
    spec = ModelSpec("add", len(classes), (size, size), "max", precision)
    model = build(spec)
    folder.mkdir(parents=True)
    weights.initialize(model, seed)
    weights.save(folder / f"seed_{seed}.safetensors", model.state_dict())
    seeds = {seed: SeedDescription(1, dict.fromkeys(classes, 3))}
    dataset = dataset_of(classes)
    Description(spec, LIDAR, dataset, ANGLES, ANGLES, seeds, {"lr": 1e-3}).write(folder)
    return folder


def test_three_classes_are_predicted(samples: Samples, cpu: Device, tmp_path: Path) -> None:
    labels = samples.table["row"] % 3
    table = samples.table.assign(label=labels, **{"class": labels.map(lambda label: "abc"[label])})
    dataset = replace(samples.dataset, classes=("a", "b", "c"), positive="b")
    manifest = Manifest(table.assign(seed_4=["test", "val", "train", "unused"] * 25))
    models = store_model(tmp_path, ("a", "b", "c"), 4)
    three = replace(samples, table=table, dataset=dataset, folder=None)
    predict_fusion(models, three, manifest, cpu, tmp_path / "add")
    predictions = read_predictions(tmp_path / "add")
    assert predictions.seeds[4]["test"].logits.shape == (25, 3)
    assert predictions.positive == 1


# --- What goes wrong ---


@pytest.fixture
def refusal(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> Callable[[Path], str]:
    """Predict with the models of a folder, which must fail and leave older predictions."""

    def predict(models: Path) -> str:
        folder = tmp_path / "predictions/add"
        folder.mkdir(parents=True)
        (folder / "info.json").write_text("older")
        with pytest.raises(ArtifactError) as caught:
            predict_fusion(models, samples, manifest, cpu, folder)
        assert [path.read_text() for path in folder.parent.rglob("*.*")] == ["older"]
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value)

    return predict


Refusal = Callable[[Path], str]


@pytest.mark.parametrize("classes", [("spheres", "cubes"), ("cubes", "cones"), ("a", "b", "c")])
def test_model_of_other_classes_is_refused(
    classes: tuple[str, ...], refusal: Refusal, tmp_path: Path
) -> None:
    models = store_model(tmp_path, classes)
    assert refusal(models).startswith(
        f"{models / 'model.json'}: trained on classes {list(classes)}, the samples have "
        "['cubes', 'spheres']"
    )


def test_model_of_another_image_size_is_refused(refusal: Refusal, tmp_path: Path) -> None:
    models = store_model(tmp_path, size=32)
    message = "trained on image size [32, 32], the samples have [64, 64]"
    assert message in refusal(models)


def test_models_of_another_fusion_are_refused(
    project: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"model\.json: models of fusion 'add', not of 'late'"):
        predict_fusion(project / "models/add", samples, manifest, cpu, tmp_path / "late")


def test_model_in_bf16_is_refused_in_portable_mode(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    models = store_model(tmp_path, precision="bf16")
    portable = replace(cpu, portable=True)
    with pytest.raises(ArtifactError) as caught:
        predict_fusion(models, samples, manifest, portable, tmp_path / "kept/add")
    assert str(caught.value) == (
        f"{models / 'model.json'}: trained in bf16, and runtime.portable is true; "
        "'dvc repro -s -f train@add' trains anew"
    )


def test_seed_that_the_manifest_does_not_have_is_refused(refusal: Refusal, tmp_path: Path) -> None:
    assert "no seed 9" in refusal(store_model(tmp_path, seed=9))


@pytest.mark.parametrize("file", ["model.json", "seed_1.safetensors"])
@pytest.mark.parametrize("how", ["missing", "broken"])
def test_missing_or_broken_model_file_is_named(
    file: str, how: str, refusal: Refusal, project: Path
) -> None:
    path = project / "models/add" / file
    path.unlink()
    if how == "broken":
        path.write_text("broken")
    assert refusal(path.parent).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        *((lambda content, key=key: content.pop(key), f"'{key}'")
          for key in ("spec", "lidar", "dataset", "azimuth", "zenith", "seeds", "settings")),
        (lambda content: content.pop("schema"), "of another version of fusebench"),
        (lambda content: content.update(schema=1), "of another version of fusebench"),
        (lambda content: content["spec"].pop("pooling"), "'spec.pooling' is missing"),
        (lambda content: content["spec"].update(width=3), "unknown key 'spec.width'"),
        (lambda content: content["lidar"].update(align="upside down"), "align = 'upside down'"),
    ],
)  # fmt: skip
def test_spoilt_description_is_named(
    spoil: Callable[[dict[str, Any]], object], reason: str, refusal: Refusal, project: Path
) -> None:
    path = project / "models/add/model.json"
    rewrite(path, spoil)
    message = refusal(path.parent)
    assert message.startswith(f"{path}: ")
    assert reason in message

"""What is equal between fusions: one test for each line of the contract in the README.

Every test runs over the registry, so a new fusion is held to the contract by being there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.datasets import sensors_of
from torch import Tensor, nn

from fusebench.baselines.predict import majority_rule, predict_baseline, threshold_rule
from fusebench.device import Device
from fusebench.evaluation.measure import fusion_metrics
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import Classifier, ModelSpec, build, fusion_class
from fusebench.models.description import Description
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName
from fusebench.prediction.predict import predict_fusion
from fusebench.prediction.predictions import read_predictions
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training import train
from fusebench.training.loop import Task, TrainingState, fit, start
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams

NAMES = FUSIONS.names()
each_stem = pytest.mark.parametrize("stem", STEMS)
# Fusions whose inputs have one stem together, which no other fusion has.
ENCODED_TOGETHER = ("early",)
SEEDS = (0, 1)
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
PARAMS = TrainParams(
    seeds=SEEDS, epochs=2, batch_size=16, lr=0.001, weight_decay=0.0, schedule="constant",
    class_weights="none", augment=(), pooling="max", precision="fp32",
)  # fmt: skip

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]
Rows = list[int]


@pytest.fixture(scope="module")
def small(samples: Samples) -> Samples:
    """The small samples, every fourth pixel and cell of them."""
    sensors = sensors_of(image_size=[16, 16], size=[16, 16])
    return replace(
        samples,
        rgb=samples.rgb[:, ::4, ::4].copy(),
        lidar=samples.lidar[:, ::4, ::4].copy(),
        azimuth=samples.azimuth[::4],
        zenith=samples.zenith[::4],
        dataset=replace(samples.dataset, sensors=sensors),
        folder=None,
    )


@dataclass
class Run:
    """A fusion, trained and predicted on the small samples, and what that asked for."""

    folder: Path
    tasks: list[Task] = field(default_factory=list)
    read_in_training: list[Rows] = field(default_factory=list)
    read_in_prediction: list[Rows] = field(default_factory=list)

    @property
    def models(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "models").iterdir()}


def train_at(folder: Path, name: str, samples: Samples, manifest: Manifest, device: Device) -> Path:
    paths = train.OutputPaths(folder / "models", folder / "curve.csv", folder / "measured.json")
    recipe = Recipe(name, PARAMS, LIDAR, "fp32")
    training = Training(recipe, samples, manifest, device, "")
    train.train_fusion(training, Progress("off", len(SEEDS)), paths)
    return folder


def run(folder: Path, name: str, samples: Samples, manifest: Manifest, device: Device) -> Run:
    """Train and predict a fusion, taking down its tasks and the rows whose inputs were made."""
    recorded, load = Run(folder), Inputs.load
    into = recorded.read_in_training

    def recorded_load(samples: Samples, rows: pd.DataFrame, *rest: Any) -> Inputs:
        into.append(rows["row"].tolist())
        return load(samples, rows, *rest)

    def recorded_fit(task: Task, *rest: Any) -> TrainingState:
        recorded.tasks.append(task)
        return fit(task, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inputs, "load", staticmethod(recorded_load))
        patch.setattr(train, "fit", recorded_fit)
        train_at(folder, name, samples, manifest, device)
        into = recorded.read_in_prediction
        predict_fusion(folder / "models", samples, manifest, device, folder / "predictions" / name)
    return recorded


@pytest.fixture(scope="module")
def runs(
    small: Samples, manifest: Manifest, cpu: Device, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """Every fusion, trained and predicted. Read-only."""
    return {name: run(tmp_path_factory.mktemp(name), name, small, manifest, cpu) for name in NAMES}


def ignore(_task: Task, _state: TrainingState) -> None:
    pass


def rows_of(manifest: Manifest, seed: int, part: str) -> Rows:
    return [int(row) for row in manifest.part(seed, part)["row"]]


def assert_all_equal(by_fusion: Mapping[str, object]) -> None:
    """Hold each fusion's value to that of the first."""
    first = by_fusion[NAMES[0]]
    assert first, "nothing was looked at"
    assert [name for name, value in by_fusion.items() if value != first] == []


# --- The contract ---


def test_samples_of_a_seed_are_the_same(runs: dict[str, Run], manifest: Manifest) -> None:
    drawn = [rows_of(manifest, seed, part) for seed in SEEDS for part in ("val", "train")]
    assert_all_equal({name: of.read_in_training for name, of in runs.items()})
    assert_all_equal({name: of.read_in_prediction for name, of in runs.items()})
    assert runs[NAMES[0]].read_in_training == drawn
    assert drawn[0] != drawn[2]


def test_inputs_are_prepared_alike_for_every_fusion_that_reads_them(runs: dict[str, Run]) -> None:
    for source in ("rgb", "lidar"):
        readers = [name for name in NAMES if source in fusion_class(name).inputs]
        assert len(readers) > 1
        for number in range(len(SEEDS)):
            tasks = [runs[name].tasks[number] for name in readers]
            for part in ("train", "val"):
                maps = [getattr(task, part).maps[source] for task in tasks]
                assert all(torch.equal(other, maps[0]) for other in maps), source


@dataclass(frozen=True)
class RecordingInputs(Inputs):
    """Inputs that remember which positions were asked for."""

    asked: list[list[int]] = field(default_factory=list)

    def batch(self, positions: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        self.asked.append(positions.tolist())
        return super().batch(positions)


def test_order_of_samples_is_the_same_in_every_epoch_of_a_seed(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    inputs = tiny_inputs([0, 1] * 10)
    asked: dict[int, dict[str, list[list[int]]]] = {seed: {} for seed in SEEDS}
    for seed, by_fusion in asked.items():
        for name in NAMES:
            recording = RecordingInputs(inputs.maps, inputs.labels)
            task = tiny_task(name, seed=seed, train=recording, epochs=2)
            fit(task, start(task), ignore)
            by_fusion[name] = recording.asked
        assert_all_equal(by_fusion)
    batches = asked[0][NAMES[0]]
    assert [len(batch) for batch in batches] == [8, 8, 4] * 2
    for epoch in (batches[:3], batches[3:]):
        assert sorted(position for batch in epoch for position in batch) == list(range(20))
    assert batches[:3] != batches[3:]
    assert batches != asked[1][NAMES[0]]


@each_stem
@pytest.mark.parametrize("seed", SEEDS)
def test_start_of_layers_of_the_same_name_and_shape_is_equal(
    seed: int, stem: StemName, tiny_task: MakeTask
) -> None:
    starts: dict[tuple[str, torch.Size], list[dict[str, Tensor]]] = {}
    for name in NAMES:
        for key, layer in start(tiny_task(name, seed=seed, stem=stem)).model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                starts.setdefault((key, layer.weight.shape), []).append(layer.state_dict())
    stems = [key for key, _ in starts if key.startswith("stems.")]
    # A stem per input, in every fusion that encodes inputs apart; early's own.
    layers_of = {
        name: {key.partition(f"stems.{name}.")[2] for key in stems if key.split(".")[1] == name}
        for name in ("rgb", "lidar", "early")
    }
    assert len(stems) == sum(map(len, layers_of.values()))
    assert layers_of["rgb"] == layers_of["lidar"] == layers_of["early"]
    assert len(layers_of["rgb"]) == 2 if stem == "notebook" else len(layers_of["rgb"]) >= 20
    for source in ("rgb", "lidar"):
        readers = [
            name
            for name in NAMES
            if source in fusion_class(name).inputs and name not in ENCODED_TOGETHER
        ]
        of_source = [len(layers) for (key, _), layers in starts.items()
                     if key.startswith(f"stems.{source}.")]  # fmt: skip
        assert of_source == [len(readers)] * len(layers_of[source])
        assert len(readers) > 1
    for (key, _), layers in starts.items():
        for part, value in layers[0].items():
            assert all(torch.equal(other[part], value) for other in layers), key


def test_settings_are_the_same_and_stand_with_the_models(runs: dict[str, Run]) -> None:
    assert all(task.settings == PARAMS for of in runs.values() for task in of.tasks)
    described = {name: Description.read(of.folder / "models") for name, of in runs.items()}
    assert_all_equal({name: of.settings for name, of in described.items()})
    assert described[NAMES[0]].settings == PARAMS.model_dump(exclude={"seeds", "augment"})


def test_steps_learning_rates_and_losses_are_the_same(
    tiny_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: dict[str, list[Any]] = {name: [] for name in NAMES}
    losses: dict[str, list[Any]] = {name: [] for name in NAMES}
    loss = torch.nn.functional.cross_entropy
    for name in NAMES:

        def recorded_step(optimizer: Any, *_: Any, into: list[Any] = steps[name]) -> None:
            (group,) = optimizer.param_groups
            settings = {key: value for key, value in group.items() if key != "params"}
            into.append((type(optimizer), settings))

        def recorded_loss(
            logits: Tensor, labels: Tensor, into: list[Any] = losses[name], **rest: Any
        ) -> Tensor:
            into.append((labels.tolist(), repr(rest)))
            return loss(logits, labels, **rest)

        monkeypatch.setattr(torch.nn.functional, "cross_entropy", recorded_loss)
        task = tiny_task(name, epochs=2, schedule="cosine", class_weights="balanced")
        state = start(task)
        state.optimizer.register_step_pre_hook(recorded_step)
        fit(task, state, ignore)
    assert_all_equal(steps)
    assert_all_equal(losses)
    assert len(steps[NAMES[0]]) == 2 * 3  # 21 samples in batches of 8, two epochs.


@pytest.mark.slow
def test_selected_is_the_epoch_of_the_lowest_val_loss(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    val = tiny_inputs([0, 1, 0, 1, 0, 1], seed=1)
    chosen = []
    # With flipped labels, what is learnt makes the val loss worse: an early epoch is the best.
    for labels in (val.labels, 1 - val.labels):
        for name in NAMES:
            task = tiny_task(name, val=Inputs(val.maps, labels), epochs=5, lr=0.003)
            after: list[dict[str, Tensor]] = []

            def keep(
                _task: Task, now: TrainingState, into: list[dict[str, Tensor]] = after
            ) -> None:
                into.append({key: value.clone() for key, value in now.model.state_dict().items()})

            state = fit(task, start(task), keep)
            losses = [record.val_loss for record in state.records]
            best = losses.index(min(losses))
            chosen.append(best)
            assert (state.best_epoch, state.best_loss) == (best + 1, losses[best]), name
            for key, value in state.best_weights.items():
                assert torch.equal(value, after[best][key]), name
    assert {0, 4} <= set(chosen), "the case would show nothing"


@each_stem
@pytest.mark.parametrize(
    ("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_precision_is_the_same_in_every_layer_and_logits_are_fp32(
    precision: str, expected: torch.dtype, stem: StemName, tiny_task: MakeTask
) -> None:
    for name in NAMES:
        task = tiny_task(name, precision=precision, stem=stem)
        model = start(task).model
        formats: dict[str, torch.dtype] = {}
        for key, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(
                    lambda _layer, _given, out, key=key, into=formats: into.update({key: out.dtype})
                )
        logits = model(task.val.batch(torch.arange(4))[0])
        (last,) = [key for key, layer in model.named_modules() if isinstance(layer, Classifier)]
        assert formats.pop(last) == logits.dtype == torch.float32, name
        assert len(formats) >= 3, name
        assert set(formats.values()) == {expected}, name


def keys_of(content: Any) -> Any:
    """Return the keys of nested mappings."""
    if isinstance(content, Mapping):
        return {key: keys_of(value) for key, value in content.items()}
    return None


def test_evaluation_keeps_and_measures_every_answer_by_the_same_code(
    runs: dict[str, Run], small: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    folders = {name: of.folder / "predictions" / name for name, of in runs.items()}
    for name, folder in folders.items():
        model = build(ModelSpec(name, 2, (16, 16), "max", "fp32")).eval()
        weights.load(runs[name].folder / "models/seed_1.safetensors", model)
        rows = manifest.part(1, "test")
        inputs = Inputs.load(small, rows, LIDAR, model.inputs, cpu.device)
        maps, _ = inputs.batch(torch.arange(len(rows)))
        plain = model(maps).detach().numpy()
        kept = read_predictions(folder).seeds[1]["test"].logits
        np.testing.assert_allclose(kept, plain, atol=1e-5, err_msg=name)
    for rule in (majority_rule(small), threshold_rule(small)):
        folders[rule.name] = tmp_path / rule.name
        predict_baseline(rule, small, manifest, folders[rule.name])
    keys, kept_samples = {}, {}
    for name, folder in folders.items():
        with np.load(folder / "seed_0.npz", allow_pickle=False) as stored:
            kept_samples[name] = {
                key: stored[key].tolist() for key in stored.files if key != "logits"
            } | {"shape": stored["logits"].shape}
        keys[name] = keys_of(fusion_metrics(read_predictions(folder)))
    assert_all_equal(kept_samples)
    assert_all_equal(keys)


@pytest.mark.slow
def test_test_part_selects_no_epoch_and_is_read_after_training(
    runs: dict[str, Run], small: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    # Without the samples that neither train nor validate a seed, its training is the same.
    used = {
        row for seed in SEEDS for part in ("train", "val") for row in rows_of(manifest, seed, part)
    }
    others = [row for row in range(len(small.table)) if row not in used]
    test = rows_of(manifest, 0, "test")
    assert test
    assert set(test) <= set(others)
    rgb, lidar = small.rgb.copy(), small.lidar.copy()
    rgb[others], lidar[others] = 7, 3.0
    spoilt = replace(small, rgb=rgb, lidar=lidar)
    for name in NAMES:
        retrained = Run(train_at(tmp_path / name, name, spoilt, manifest, cpu))
        assert retrained.models == runs[name].models, name
        assert test not in runs[name].read_in_training
        assert runs[name].read_in_prediction.count(test) == 1

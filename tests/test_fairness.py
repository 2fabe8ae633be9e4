"""What is equal between fusions: one test for each line of the contract in the README.

Every test runs over the registry, so a new fusion is held to the contract by being there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fusebench.training.optimizer import Adam
from fusebench.training.progress import Progress
from torch import Tensor, nn

from fusebench.baselines.threshold import predict_threshold
from fusebench.device import Device
from fusebench.evaluation.metrics import fusion_metrics
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import registry, weights
from fusebench.models.base import Classifier, ModelSpec
from fusebench.models.description import Description
from fusebench.prediction.predict import predict_fusion
from fusebench.prediction.predictions import read_predictions
from fusebench.report.provenance import differences
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import SampleRow, Samples
from fusebench.training import train
from fusebench.training.loop import Task, TrainingState, fit, start
from fusebench.training.settings import TrainOverride, TrainParams, with_override

NAMES = registry.names()
SEEDS = (0, 1)
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
PARAMS = TrainParams(
    seeds=SEEDS, epochs=2, batch_size=16, lr=0.001, weight_decay=0.0, schedule="constant",
    class_weights="none", pooling="max", precision="fp32",
)  # fmt: skip

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]
Rows = tuple[SampleRow, ...]


@dataclass
class Run:
    """A fusion, trained and evaluated on the small samples, and what that asked for."""

    folder: Path
    tasks: list[Task] = field(default_factory=list)
    read_in_training: list[Rows] = field(default_factory=list)
    read_in_evaluation: list[Rows] = field(default_factory=list)

    @property
    def models(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "models").iterdir()}


def train_at(folder: Path, name: str, samples: Samples, manifest: Manifest, device: Device) -> Path:
    places = train.Places(folder / "models", folder / "curve.csv", folder / "measured.json")
    recipe = train.Recipe(name, PARAMS, LIDAR, "fp32")
    train.train_fusion(recipe, samples, manifest, device, Progress("off", len(SEEDS)), places)
    return folder


def run(folder: Path, name: str, samples: Samples, manifest: Manifest, device: Device) -> Run:
    """Train and evaluate a fusion, taking down its tasks and the rows whose inputs were made."""
    found, load = Run(folder), Inputs.load
    into = found.read_in_training

    def recorded_load(samples: Samples, rows: Sequence[SampleRow], *rest: Any) -> Inputs:
        into.append(tuple(rows))
        return load(samples, rows, *rest)

    def recorded_fit(task: Task, *rest: Any) -> TrainingState:
        found.tasks.append(task)
        return fit(task, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inputs, "load", staticmethod(recorded_load))
        patch.setattr(train, "fit", recorded_fit)
        train_at(folder, name, samples, manifest, device)
        into = found.read_in_evaluation
        predict_fusion(folder / "models", samples, manifest, device, folder / "predictions")
    return found


@pytest.fixture(scope="module")
def runs(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """Every fusion, trained and evaluated. Read-only."""
    return {
        name: run(tmp_path_factory.mktemp(name), name, samples, manifest, cpu) for name in NAMES
    }


def ignore(_task: Task, _state: TrainingState) -> None:
    pass


def assert_all_equal(found: Mapping[str, object]) -> None:
    """Hold each fusion's value to that of the first."""
    first = found[NAMES[0]]
    assert first, "nothing was looked at"
    assert [name for name in NAMES if found[name] != first] == []


# --- The contract ---


def test_samples_and_split_of_a_seed_are_the_same(runs: dict[str, Run], manifest: Manifest) -> None:
    drawn = [tuple(manifest.rows_of(seed, part)) for seed in SEEDS for part in ("train", "val")]
    assert_all_equal({name: each.read_in_training for name, each in runs.items()})
    assert_all_equal({name: each.read_in_evaluation for name, each in runs.items()})
    assert runs[NAMES[0]].read_in_training == drawn
    assert drawn[0] != drawn[2]


def test_inputs_are_prepared_alike_for_every_fusion_that_reads_them(runs: dict[str, Run]) -> None:
    for source in ("rgb", "lidar"):
        readers = [name for name in NAMES if source in registry.fusion_class(name).inputs]
        assert len(readers) > 1
        for place in range(len(SEEDS)):
            tasks = [runs[name].tasks[place] for name in readers]
            for part in ("train", "val"):
                maps = [getattr(task, part).maps[source] for task in tasks]
                assert all(torch.equal(each, maps[0]) for each in maps), source


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
    held = tiny_inputs([0, 1] * 10)
    asked: dict[int, dict[str, list[list[int]]]] = {seed: {} for seed in SEEDS}
    for seed, found in asked.items():
        for name in NAMES:
            inputs = RecordingInputs(held.maps, held.labels)
            task = tiny_task(name, seed=seed, train=inputs, epochs=3)
            fit(task, start(task), ignore)
            found[name] = inputs.asked
        assert_all_equal(found)
    assert asked[0] != asked[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_layers_of_the_same_name_and_shape_start_equal(seed: int, tiny_task: MakeTask) -> None:
    starts: dict[tuple[str, torch.Size], list[dict[str, Tensor]]] = {}
    for name in NAMES:
        for key, layer in start(tiny_task(name, seed=seed)).model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                starts.setdefault((key, layer.weight.shape), []).append(layer.state_dict())
    stems = [key for key, _ in starts if key.startswith("stems.")]
    assert len(stems) == len(set(stems)) == 2 * 2  # Two stems of two convolutions.
    for (key, _), layers in starts.items():
        for part, value in layers[0].items():
            assert all(torch.equal(each[part], value) for each in layers), key


def test_settings_are_the_same_and_an_override_is_told(runs: dict[str, Run]) -> None:
    assert {replace_seeds(task.settings) for each in runs.values() for task in each.tasks} == {
        replace_seeds(PARAMS)
    }
    described = {name: Description.read(each.folder / "models") for name, each in runs.items()}
    trained = {
        name: {"settings": each.settings, "environment": each.environment}
        for name, each in described.items()
    }
    here = {key: described["add"].environment[key] for key in
            ("processor", "threads", "python", "torch", "numpy")}  # fmt: skip
    assert differences(trained, here) == []
    for key, value in {"lr": 0.1, "epochs": 9, "pooling": "strided", "batch_size": 3}.items():
        override = TrainOverride.model_validate({key: value})
        recipe = train.Recipe("add", with_override(PARAMS, override), LIDAR, "fp32")
        changed = trained | {"add": {**trained["add"], "settings": recipe.settings}}
        (line,) = differences(changed, here)
        assert line == (
            f"add was trained with {key} {value}, the others with {getattr(PARAMS, key)}"
        )


def replace_seeds(params: TrainParams) -> str:
    return json.dumps(params.model_dump(exclude={"seeds"}))


def test_steps_learning_rates_and_losses_are_the_same(
    tiny_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    losses: dict[str, list[tuple[Any, Any]]] = {name: [] for name in NAMES}
    step, loss = Adam.step, torch.nn.functional.cross_entropy
    for name in NAMES:

        def recorded_step(self: Adam, lr: float, into: list[float] = rates[name]) -> None:
            into.append(lr)
            step(self, lr)

        def recorded_loss(
            logits: Tensor, labels: Tensor, into: list[Any] = losses[name], **rest: Any
        ) -> Tensor:
            into.append((labels.tolist(), repr(rest)))
            return loss(logits, labels, **rest)

        monkeypatch.setattr(Adam, "step", recorded_step)
        monkeypatch.setattr(torch.nn.functional, "cross_entropy", recorded_loss)
        task = tiny_task(name, epochs=3, schedule="cosine", class_weights="balanced")
        fit(task, start(task), ignore)
    assert_all_equal(rates)
    assert_all_equal(losses)
    assert len(rates[NAMES[0]]) == 3 * 3  # 21 samples in batches of 8, three epochs.


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
                into.append({key: each.clone() for key, each in now.model.state_dict().items()})

            state = fit(task, start(task), keep)
            losses = [record.val_loss for record in state.records]
            best = losses.index(min(losses))
            chosen.append(best)
            assert state.best_epoch == best + 1, name
            for key, value in state.best_weights.items():
                assert torch.equal(value, after[best][key]), name
    assert {0, 4} <= set(chosen), "the case would show nothing"


def taking_down(into: dict[str, torch.dtype], key: str) -> Callable[..., None]:
    """Return a hook that takes down in which format a layer answers."""

    def hook(_layer: nn.Module, _given: Any, out: Tensor) -> None:
        into[key] = out.dtype

    return hook


@pytest.mark.parametrize(("precision", "expected"), [("fp32", torch.float32),
                                                     ("bf16", torch.bfloat16)])  # fmt: skip
def test_precision_is_the_same_in_every_layer_and_logits_are_fp32(
    precision: str, expected: torch.dtype, tiny_task: MakeTask
) -> None:
    for name in NAMES:
        task = tiny_task(name, precision=precision)
        model = start(task).model
        seen: dict[str, torch.dtype] = {}
        for key, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(taking_down(seen, key))
        logits = model(task.val.batch(torch.arange(4))[0])
        last = [key for key, layer in model.named_modules() if isinstance(layer, Classifier)]
        assert len(seen) >= 4, name
        assert {key for key, kind in seen.items() if kind != expected} <= set(last), name
        assert [seen[key] for key in last] == [logits.dtype] == [torch.float32], name


def test_every_answer_is_kept_and_measured_by_the_same_code(
    runs: dict[str, Run], samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    folders = {name: each.folder / "predictions" for name, each in runs.items()}
    for name, folder in folders.items():
        model = registry.build(ModelSpec(name, 2, (64, 64), "max", "fp32")).eval()
        weights.load(runs[name].folder / "models/seed_1.safetensors", model)
        rows = manifest.rows_of(1, "test")
        inputs = Inputs.load(samples, rows, LIDAR, model.inputs, cpu.device)
        plain = model(dict(inputs.maps)).detach().numpy()
        kept = read_predictions(folder).seeds[1]["test"].logits
        np.testing.assert_allclose(kept, plain, atol=1e-5, err_msg=name)
    predict_threshold(samples, manifest, tmp_path / "threshold")
    shapes, kept_samples = {}, {}
    for name, folder in {**folders, "threshold": tmp_path / "threshold"}.items():
        with np.load(folder / "seed_0.npz", allow_pickle=False) as stored:
            kept_samples[name] = {
                key: stored[key].tolist() for key in stored.files if key != "logits"
            } | {"shape": stored["logits"].shape}
        shapes[name] = shape_of(fusion_metrics(read_predictions(folder)))
    for found in (kept_samples, shapes):
        assert_all_equal(found)
        assert found["threshold"] == found[NAMES[0]]


def shape_of(content: Any) -> Any:
    """Return the keys of nested mappings."""
    if isinstance(content, Mapping):
        return {key: shape_of(value) for key, value in content.items()}
    return None


@pytest.mark.parametrize("name", NAMES)
def test_test_is_looked_at_once_after_training(
    name: str, runs: dict[str, Run], samples: Samples, manifest: Manifest, cpu: Device,
    tmp_path: Path,
) -> None:  # fmt: skip
    # Without the samples that neither train nor validate a seed, its training is the same.
    held = [
        {row.row for row in manifest.rows_of(seed, part)}
        for seed in SEEDS for part in ("train", "val")
    ]  # fmt: skip
    others = [row.row for row in samples.rows if row.row not in set().union(*held)]
    test = tuple(manifest.rows_of(0, "test"))
    assert {row.row for row in test} <= set(others)
    rgb, lidar = samples.rgb[:].copy(), samples.lidar[:].copy()
    rgb[others], lidar[others] = 7, 3.0
    spoilt = replace(samples, rgb=rgb, lidar=lidar)
    again = Run(train_at(tmp_path, name, spoilt, manifest, cpu))
    assert again.models == runs[name].models
    assert test not in runs[name].read_in_training
    assert runs[name].read_in_evaluation.count(test) == 1

import csv
import json
import shutil
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

import train as stage
from fusebench.device import Device
from fusebench.errors import ArtifactError, FusebenchError, ParamsError, TrainingError
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import registry, weights
from fusebench.models.base import ModelSpec, predict
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training.loop import EpochRecord, Task, TrainingState
from fusebench.training.progress import Progress
from fusebench.training.settings import TrainParams
from fusebench.training.train import Places, Recipe, train_fusion

SEEDS = (0, 1)
EPOCHS = 2
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
SETTINGS = {
    "seeds": SEEDS,
    "epochs": EPOCHS,
    "batch_size": 16,
    "lr": 0.001,
    "weight_decay": 0.0,
    "schedule": "constant",
    "class_weights": "none",
    "pooling": "max",
    "precision": "fp32",
}


def recipe(**changes: Any) -> Recipe:
    return Recipe("add", TrainParams.model_validate({**SETTINGS, **changes}), LIDAR, "fp32")


def places(root: Path) -> Places:
    found = Places.of("add")
    return Places(root / found.models, root / found.curve, root / found.metrics)


def curve(root: Path) -> list[dict[str, str]]:
    with (root / "plots/training/add.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- What is written ---


def test_models_are_one_file_per_seed_and_what_rebuilds_them(trained: Path) -> None:
    names = {path.name for path in (trained / "models/add").iterdir()}
    assert names == {"model.json", "seed_0.safetensors", "seed_1.safetensors"}
    assert list(trained.rglob(".*")) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_models_can_be_rebuilt_and_are_those_of_the_lowest_val_loss(
    seed: int, trained: Path, samples: Samples, manifest: Manifest
) -> None:
    folder = trained / "models/add"
    described = read(folder / "model.json")
    model = registry.build(ModelSpec.parse(described["spec"]))
    weights.load(folder / f"seed_{seed}.safetensors", model)
    lidar = LidarParams(**described["lidar"])
    assert lidar == LIDAR
    rows = manifest.rows_of(seed, "val")
    inputs = Inputs.load(samples, rows, lidar, model.inputs, torch.device("cpu"))
    loss = torch.nn.functional.cross_entropy(predict(model, inputs, 7), inputs.labels)
    lines = [line for line in curve(trained) if line["seed"] == str(seed)]
    best = min(lines, key=lambda line: float(line["val_loss"]))
    assert float(loss) == pytest.approx(float(best["val_loss"]), rel=1e-4)
    assert described["seeds"][str(seed)]["best_epoch"] == int(best["epoch"])


def test_description_tells_what_was_trained_on(trained: Path, manifest: Manifest) -> None:
    described = read(trained / "models/add/model.json")
    assert described["classes"] == ["cubes", "spheres"]
    assert described["spec"] == {
        "fusion": "add",
        "classes": 2,
        "image_size": [64, 64],
        "pooling": "max",
        "precision": "fp32",
    }
    for seed in SEEDS:
        held = Counter(row.class_name for row in manifest.rows_of(seed, "train"))
        assert described["seeds"][str(seed)]["train_counts"] == held


def test_description_tells_settings_and_environment_of_the_training(trained: Path) -> None:
    described = read(trained / "models/add/model.json")
    expected = {name: value for name, value in SETTINGS.items() if name != "seeds"}
    assert described["settings"] == expected
    measured = read(trained / "metrics/training/add.json")
    assert described["environment"] == measured["environment"]


def test_learning_curve_has_a_line_per_seed_and_epoch(trained: Path) -> None:
    lines = curve(trained)
    assert list(lines[0]) == [field.name for field in fields(EpochRecord)]
    assert set(lines[0]) >= {
        "seed", "epoch", "train_loss", "val_loss", "accuracy", "balanced_accuracy", "f1",
    }  # fmt: skip
    expected = [(str(seed), str(epoch)) for seed in SEEDS for epoch in range(1, EPOCHS + 1)]
    assert [(line["seed"], line["epoch"]) for line in lines] == expected
    for line in lines:
        assert 0 < float(line["train_loss"]) < 2
        assert 0 <= float(line["accuracy"]) <= 100


def test_measurements_hold_time_memory_and_environment(trained: Path) -> None:
    found = read(trained / "metrics/training/add.json")
    seconds = found["seconds_per_epoch"]
    assert 0 < seconds["min"] <= seconds["median"] <= seconds["max"] < 60
    assert found["memory"]["peak_mb"] > 50
    assert found["memory"]["measured"] == "peak resident set of the process"
    environment = found["environment"]
    assert set(environment) >= {
        "device", "processor", "threads", "precision", "python", "torch", "numpy",
    }  # fmt: skip
    assert (environment["device"], environment["precision"]) == ("cpu", "fp32")
    assert environment["threads"] == 1


def test_results_repeat_to_the_bit(
    trained: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    train_fusion(recipe(), samples, manifest, cpu, Progress("off", 2), places(tmp_path))
    assert contents(tmp_path / "models/add") == contents(trained / "models/add")
    assert contents(tmp_path / "plots/training") == contents(trained / "plots/training")


def test_seeds_do_not_influence_each_other(
    trained: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    alone = recipe(seeds=(1,))
    train_fusion(alone, samples, manifest, cpu, Progress("off", 1), places(tmp_path))
    name = "models/add/seed_1.safetensors"
    assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_screen_tells_of_each_seed(
    samples: Samples,
    manifest: Manifest,
    cpu: Device,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress("plain", 1, sys.stdout)
    train_fusion(recipe(seeds=(1,), epochs=1), samples, manifest, cpu, progress, places(tmp_path))
    assert capsys.readouterr().out.startswith("add seed 1 (1/1): best by val loss is epoch 1 of 1")


# --- What goes wrong ---


class Stopping(Progress):
    """Progress during which something happens in the first epoch of the second seed."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("off", len(SEEDS))
        self.error = error

    def epoch(self, task: Task, state: TrainingState) -> None:
        super().epoch(task, state)
        if task.seed == SEEDS[1]:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), TrainingError("no number"), OSError(28, "No space left on device")],
    ids=["interrupt", "no number", "full disk"],
)
@pytest.mark.parametrize("older", [True, False], ids=["trained before", "first time"])
def test_run_that_stops_leaves_everything_as_it_was(
    older: bool,
    error: BaseException,
    samples: Samples,
    manifest: Manifest,
    cpu: Device,
    tmp_path: Path,
) -> None:
    held = places(tmp_path)
    if older:
        for path in (held.models / "model.json", held.curve, held.metrics):
            path.parent.mkdir(parents=True)
            path.write_text("older")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(type(error)):
        train_fusion(recipe(), samples, manifest, cpu, Stopping(error), held)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    assert list(tmp_path.rglob("*.partial")) == []


class Spoiling(Progress):
    """Progress during which the model's last weights are lost."""

    def epoch(self, task: Task, state: TrainingState) -> None:
        super().epoch(task, state)
        if state.epoch == task.settings.epochs:
            with torch.no_grad():
                for parameter in state.model.parameters():
                    parameter.zero_()


def test_weights_that_are_kept_are_the_best_not_the_last(
    trained: Path, samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    train_fusion(recipe(), samples, manifest, cpu, Spoiling("off", 2), places(tmp_path))
    assert contents(tmp_path / "models/add") == contents(trained / "models/add")


def test_older_models_are_replaced_as_a_whole(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    held = places(tmp_path)
    held.models.mkdir(parents=True)
    (held.models / "seed_99.safetensors").write_text("older")
    train_fusion(recipe(epochs=1, seeds=(0,)), samples, manifest, cpu, Progress("off", 1), held)
    assert {p.name for p in held.models.iterdir()} == {"model.json", "seed_0.safetensors"}


def test_seed_that_the_manifest_does_not_have_is_named(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"no seed 5, only \[0, 1\]"):
        train_fusion(
            recipe(seeds=(5,)), samples, manifest, cpu, Progress("off", 1), places(tmp_path)
        )
    assert not (tmp_path / "models/add").exists()


# --- The stage's script ---


@pytest.fixture
def quick(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose params ask for one seed and one epoch, entered, nothing trained."""
    shutil.rmtree(project / "models")
    text = (project / "params.yaml").read_text("utf-8")
    text = text.replace("epochs: 15", "epochs: 1").replace("  - 1\n  - 2\n", "")
    text = text.replace("device: auto", "device: cpu").replace("threads: auto", "threads: 1")
    (project / "params.yaml").write_text(text, "utf-8")
    (project / "checked/override").mkdir(parents=True)
    (project / "checked/override/add.json").write_text("{}\n")
    monkeypatch.chdir(project)
    return project


def run_stage(fusion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", fusion])
    stage.main()


@pytest.mark.usefixtures("cpu")
def test_stage_says_which_seeds_and_device(
    quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_stage("add", monkeypatch)
    first, *rest = capsys.readouterr().out.splitlines()
    for part in ("add", "seeds 0", "runtime.device is cpu", "1 thread"):
        assert part in first
    assert len(rest) == 1
    assert len(curve(quick)) == 1
    assert (quick / "metrics/training/add.json").exists()


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(
    ("wanted", "able", "used"),
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("fp32", True, "fp32")],
)
def test_stage_says_and_records_the_precision(
    wanted: str,
    able: bool,
    used: str,
    quick: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})
    override = quick / "checked/override/add.json"
    override.write_text(json.dumps({"precision": wanted}))
    run_stage("add", monkeypatch)
    assert f"{used} (train.precision is {wanted})" in capsys.readouterr().out.splitlines()[0]
    assert read(quick / "metrics/training/add.json")["environment"]["precision"] == used
    described = read(quick / "models/add/model.json")
    found = [described[key]["precision"] for key in ("spec", "settings", "environment")]
    assert found == [used] * 3


@pytest.mark.usefixtures("cpu")
def test_stage_trains_as_the_checked_override_says(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override = {"pooling": "strided", "epochs": 3}
    (quick / "checked/override/add.json").write_text(json.dumps(override))
    run_stage("add", monkeypatch)
    described = read(quick / "models/add/model.json")
    assert described["spec"]["pooling"] == "strided"
    assert {name: described["settings"][name] for name in override} == override
    assert len(curve(quick)) == 3


@pytest.mark.usefixtures("quick")
def test_stage_refuses_a_name_that_is_no_fusion(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FusebenchError) as caught:
        run_stage("hadamrd", monkeypatch)
    assert "hadamard" in str(caught.value)


def test_stage_refuses_a_wrong_override_before_it_trains(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quick / "checked/override/add.json").write_text('{"lr": "abc"}')
    with pytest.raises(ParamsError, match=r"override\.add.*lr = 'abc'"):
        run_stage("add", monkeypatch)
    assert not (quick / "models").exists()

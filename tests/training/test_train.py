import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.conftest import RUNTIME
from tests.project import SENSORS

import train as stage
from fusebench.device import Device
from fusebench.errors import ArtifactError, FusebenchError, TrainingError
from fusebench.files import write_json
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import ModelSpec, build, predict
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training import train
from fusebench.training.loop import EpochRecord, Task, TrainingState, fit
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams
from fusebench.training.train import OutputPaths, train_fusion

TrainAdd = Callable[..., OutputPaths]
SEEDS = (0, 1)
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
SETTINGS: dict[str, Any] = {
    "epochs": 2, "batch_size": 16, "lr": 0.001, "weight_decay": 0.0, "schedule": "constant",
    "class_weights": "none", "augment": (),
    "pooling": "max", "precision": "fp32",
}  # fmt: skip


@pytest.fixture
def train_add(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> Callable[..., OutputPaths]:
    """Train `add` below `tmp_path`; keywords: mode of progress, manifest, changed settings."""

    def train_add(
        seeds: tuple[int, ...] = SEEDS,
        mode: str = "off",
        manifest: Manifest = manifest,
        **changes: Any,
    ) -> OutputPaths:
        params = TrainParams.model_validate({**SETTINGS, "seeds": seeds, **changes})
        recipe, paths = Recipe("add", params, LIDAR, "fp32"), OutputPaths.of("add", tmp_path)
        train_fusion(
            Training(recipe, samples, manifest, cpu, ""), Progress(mode, len(seeds)), paths
        )
        return paths

    return train_add


def curve(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "plots/training/add.csv")


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- What is written ---


def test_models_are_one_file_per_seed_and_what_rebuilds_them(trained: Path) -> None:
    names = {path.name for path in (trained / "models/add").iterdir()}
    assert names == {"model.json", "seed_0.safetensors", "seed_1.safetensors"}


@pytest.mark.parametrize("seed", SEEDS)
def test_models_can_be_rebuilt_and_are_those_of_the_lowest_val_loss(
    seed: int, trained: Path, samples: Samples, manifest: Manifest
) -> None:
    folder = trained / "models/add"
    described = read(folder / "model.json")
    model = build(ModelSpec.parse(described["spec"]))
    weights.load(folder / f"seed_{seed}.safetensors", model)
    lidar = LidarParams(**described["lidar"])
    assert lidar == LIDAR
    inputs = Inputs.load(
        samples, manifest.part(seed, "val"), lidar, model.inputs, torch.device("cpu")
    )
    loss = torch.nn.functional.cross_entropy(predict(model, inputs, 7), inputs.labels)
    table = curve(trained).query("seed == @seed")
    best = table.loc[table["val_loss"].idxmin()]
    assert float(loss) == pytest.approx(best["val_loss"], rel=1e-4)
    assert described["seeds"][str(seed)]["best_epoch"] == best["epoch"]


def test_description_tells_model_data_and_settings(
    trained: Path, manifest: Manifest, samples: Samples
) -> None:
    described = read(trained / "models/add/model.json")
    assert described["schema"] == 4
    assert described["dataset"] == {
        "classes": ["cubes", "spheres"], "positive": "spheres", "synthetic": True, "task": "shape",
        "layout": "class_folders", "sensors": yaml.safe_load(SENSORS),
    }  # fmt: skip
    for name in ("azimuth", "zenith"):
        assert np.array_equal(np.float32(described[name]), getattr(samples, name))
    assert described["spec"] == {
        "fusion": "add", "classes": 2, "image_size": [64, 64], "pooling": "max",
        "precision": "fp32",
    }  # fmt: skip
    for seed in SEEDS:
        counts = manifest.part(seed, "train")["class"].value_counts().to_dict()
        assert described["seeds"][str(seed)]["train_counts"] == counts
    assert described["settings"] == {key: SETTINGS[key] for key in SETTINGS if key != "augment"}
    assert "environment" not in described, "another machine is told in metrics/training"


def test_learning_curve_has_a_line_per_seed_and_epoch(trained: Path) -> None:
    table = curve(trained)
    assert list(table) == [column.name for column in fields(EpochRecord)]
    assert table[["seed", "epoch"]].values.tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert table["train_loss"].between(0, 2).all()
    assert table[["accuracy", "balanced_accuracy", "f1"]].stack().between(0, 100).all()


def test_measurements_hold_time_memory_and_environment(trained: Path) -> None:
    measured = read(trained / "metrics/training/add.json")
    seconds = measured["seconds_per_epoch"]
    assert 0 < seconds["min"] <= seconds["median"] <= seconds["max"]
    assert measured["memory"]["peak_mb"] > 50
    assert measured["memory"]["measured"] == "peak resident set of the process"
    environment = measured["environment"]
    values = [environment[key] for key in ("device", "precision", "threads", "stacked")]
    assert values == ["cpu", "fp32", 1, False]


@pytest.mark.slow
def test_results_repeat_to_the_bit_and_kept_weights_are_not_the_last(
    trained: Path, train_add: TrainAdd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(task: Task, state: TrainingState, *callbacks: Any) -> TrainingState:
        fit(task, state, *callbacks)
        for parameter in state.model.parameters():
            torch.nn.init.zeros_(parameter)
        return state

    monkeypatch.setattr(train, "fit", spoiling)
    train_add()
    for name in ("models/add/model.json", "models/add/seed_0.safetensors",
                 "models/add/seed_1.safetensors", "plots/training/add.csv"):  # fmt: skip
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name


def test_seeds_do_not_influence_each_other_and_older_models_are_replaced(
    trained: Path, train_add: TrainAdd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = OutputPaths.of("add", tmp_path)
    paths.models.mkdir(parents=True)
    (paths.models / "seed_99.safetensors").write_text("older")
    train_add((1,), mode="plain")
    assert {path.name for path in paths.models.iterdir()} == {"model.json", "seed_1.safetensors"}
    name = "models/add/seed_1.safetensors"
    assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()
    assert capsys.readouterr().out.startswith("add seed 1 (1/1): best by val loss is epoch ")


# --- What goes wrong ---


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), TrainingError("no number"), OSError(28, "No space left on device")],
    ids=["interrupt", "no number", "full disk"],
)
@pytest.mark.parametrize("older", [True, False], ids=["trained before", "first time"])
def test_run_that_stops_leaves_everything_as_it_was(
    older: bool,
    error: BaseException,
    train_add: TrainAdd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopping(task: Task, state: TrainingState, *callbacks: Any) -> TrainingState:
        if task.seed == SEEDS[1]:
            raise error
        return fit(task, state, *callbacks)

    monkeypatch.setattr(train, "fit", stopping)
    paths = OutputPaths.of("add", tmp_path)
    if older:
        for path in (paths.models / "model.json", paths.curve, paths.metrics):
            path.parent.mkdir(parents=True)
            path.write_text("older")
    before = contents(tmp_path)
    with pytest.raises(type(error)):
        train_add(epochs=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wrong", ["seed", "samples"])
def test_manifest_that_does_not_fit_is_refused(
    wrong: str, train_add: TrainAdd, manifest: Manifest, tmp_path: Path
) -> None:
    if wrong == "seed":
        with pytest.raises(ArtifactError, match=r"has no seed 5, only \[0, 1\]"):
            train_add((5,))
    else:
        with pytest.raises(ArtifactError, match=r"has 99 samples, samples.csv has 100"):
            train_add(manifest=Manifest(manifest.table[1:]))
    assert contents(tmp_path) == {}


# --- The stage's script ---


@pytest.fixture
def stage_folder(project: Path, monkeypatch: pytest.MonkeyPatch, cpu: Device) -> Path:
    """A project with settings of one seed and one epoch, entered."""
    runtime = RUNTIME | {"threads": cpu.threads, "progress": "plain"}
    write_json(project / "params.yaml", {"runtime": runtime})
    write_json(project / "dvc.yaml", {"stages": {"train": {"deps": []}}})
    store_settings(project)
    monkeypatch.chdir(project)
    return project


def store_settings(root: Path, **changes: Any) -> None:
    train = {**SETTINGS, "seeds": [0], "epochs": 1, **changes}
    write_json(root / "checked/settings/add.json", {"train": train, "lidar": LIDAR.settings()})


def run_stage(fusion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", fusion])
    stage.main()


@pytest.mark.parametrize(
    ("wanted", "able", "used"),
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("fp32", True, "fp32")],
)
def test_stage_trains_by_the_checked_settings_and_says_on_what(
    wanted: str,
    able: bool,
    used: str,
    stage_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    units = dict.fromkeys(("amx_bf16", "amx_tile", "avx512_bf16"), able)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    store_settings(stage_folder, precision=wanted, pooling="strided")
    run_stage("add", monkeypatch)
    first, *rest = capsys.readouterr().out.splitlines()
    for part in ("add: seeds 0 on ", "(runtime.device is cpu), 1 thread(s)",
                 f"{used} (train.precision is {wanted})"):  # fmt: skip
        assert part in first
    assert len(rest) == len(curve(stage_folder)) == 1
    described = read(stage_folder / "models/add/model.json")
    assert [described[key]["pooling"] for key in ("spec", "settings")] == ["strided"] * 2
    measured = read(stage_folder / "metrics/training/add.json")["environment"]
    recorded = [described[key]["precision"] for key in ("spec", "settings")]
    assert [*recorded, measured["precision"]] == [used] * 3


def test_stage_says_which_training_of_how_many_it_is(
    stage_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fusebench.stages.place", lambda name: f"{name} 2 of 7, at most 5 to come")
    run_stage("add", monkeypatch)
    first, seed = capsys.readouterr().out.splitlines()
    assert first.startswith("add (add 2 of 7, at most 5 to come): seeds 0 on ")
    assert seed.startswith("add seed 0 (1/1; add 2 of 7): best by val loss is epoch 1 of 1, ")
    assert len(curve(stage_folder)) == 1


def test_stage_trains_seeds_in_one_pass_where_params_say_so(
    stage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = read(stage_folder / "params.yaml")
    params["runtime"]["stacked"] = True
    write_json(stage_folder / "params.yaml", params)
    store_settings(stage_folder, seeds=[0, 1])
    run_stage("add", monkeypatch)
    measured = read(stage_folder / "metrics/training/add.json")
    assert measured["environment"]["stacked"] is True


@pytest.mark.usefixtures("stage_folder")
def test_stage_refuses_a_name_that_is_no_fusion(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FusebenchError, match="did you mean 'hadamard'"):
        run_stage("hadamrd", monkeypatch)


def test_stage_refuses_wrong_settings_before_it_trains(
    stage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_settings(stage_folder, lr="abc")
    before = contents(stage_folder)
    with pytest.raises(ArtifactError, match=r"checked/settings/add\.json: train.*lr = 'abc'"):
        run_stage("add", monkeypatch)
    assert contents(stage_folder) == before

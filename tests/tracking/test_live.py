"""A training told while it goes on: the same bits, each epoch once, whoever trains the seeds."""

import os
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import RUNTIME
from tests.tracking.made_up import package
from tests.tracking.readers import READERS, Reading

from fusebench.device import TRACKERS, Device, RuntimeParams
from fusebench.files import read_table
from fusebench.inputs.lidar import LidarParams
from fusebench.progress import EpochFigures, Progress, Shows
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.tracking.live import told
from fusebench.tracking.session import Session
from fusebench.training.kept import NOTHING_KEPT, KeptSeeds
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams
from fusebench.training.train import OutputPaths, Trainer, one_by_one, train_fusion
from fusebench.training.workers import trainer_of

pytestmark = pytest.mark.slow
SETTINGS: dict[str, Any] = {
    "seeds": [1, 0], "epochs": 2, "batch_size": 16, "lr": 0.001, "weight_decay": 0.0,
    "schedule": "constant", "class_weights": "none", "augment": (), "pooling": "max",
    "precision": "fp32",
}  # fmt: skip
LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
NAMES = {
    "epoch": "epoch", "loss": "train_loss", "val_loss": "val_loss", "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy", "f1": "f1",
}  # fmt: skip
Train = Callable[..., OutputPaths]


@pytest.fixture(scope="module")
def training(samples: Samples, manifest: Manifest, cpu: Device) -> Training:
    params = TrainParams.model_validate(SETTINGS)
    return Training(Recipe("add", params, LIDAR, "fp32"), samples, manifest, cpu, "code")


def trained(
    training: Training,
    tracker: str,
    folder: Path,
    kept: KeptSeeds = NOTHING_KEPT,
    trainer: Trainer = one_by_one,
    shows: Shows | None = None,
) -> OutputPaths:
    """Train two seeds of `add` as the stage does, into a folder; return what was written."""
    paths, shown = OutputPaths.of("add", folder), shows or Progress("off", 2)
    with Session(tracker, "add") as session, told(session, training, paths, shown) as progress:
        train_fusion(training, progress, paths, kept, trainer)
    return paths


@pytest.fixture
def train(training: Training, checkout: Path) -> Train:
    """Train in the checkout."""

    def train(tracker: str, folder: str = "out", **options: Any) -> OutputPaths:
        return trained(training, tracker, checkout / folder, **options)

    return train


def with_state(train: Callable[[], OutputPaths]) -> tuple[dict[str, bytes], list[Any]]:
    """Train; return what was written, and how random numbers and threads are then."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    paths = train()
    drawn = [random.random(), np.random.rand(), float(torch.rand(()))]  # noqa: NPY002, S311
    return bits(paths), [*drawn, torch.get_num_threads(), threading.active_count()]


@pytest.fixture(scope="module")
def alone(
    training: Training, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], list[Any]]:
    """The bits without a tracker, and the state after it."""
    return with_state(lambda: trained(training, "none", tmp_path_factory.mktemp("alone")))


def bits(paths: OutputPaths) -> dict[str, bytes]:
    models = {path.name: path.read_bytes() for path in paths.models.iterdir()}
    return {**models, "curve": paths.curve.read_bytes()}


def check(readings: Mapping[str, Reading], paths: OutputPaths) -> None:
    """Hold what was read back of a tracker to what the training has written."""
    kinds = {"seed": int, "epoch": int} | dict.fromkeys(set(NAMES.values()) - {"epoch"}, float)
    table = read_table(paths.curve, kinds)
    assert {*readings} == {"add seed 0", "add seed 1"}
    for seed in (0, 1):
        reading, records = readings[f"add seed {seed}"], table[table["seed"] == seed]
        for name, column in NAMES.items():
            epochs, values = zip(*reading.epochs[name], strict=True)
            assert list(epochs) == records["epoch"].tolist() == [1, 2]
            assert list(values) == pytest.approx(records[column].tolist(), rel=1e-6)
        best = records.loc[records["val_loss"].idxmin()]
        assert reading.figures["best_epoch"] == best["epoch"]
        assert reading.figures["best_val_loss"] == pytest.approx(best["val_loss"], rel=1e-6)
        assert reading.figures["seconds_per_epoch"] > 0
        assert reading.figures["memory_mb"] > 0
        weights = (paths.models / f"seed_{seed}.safetensors").read_bytes()
        assert reading.files[f"model/seed_{seed}.safetensors"] == weights
        assert reading.files["model/model.json"] == (paths.models / "model.json").read_bytes()
        assert (reading.params["fusion"], reading.params["seed"]) == ("add", str(seed))
        assert reading.params["batch_size"] == "16"


@pytest.mark.parametrize("tracker", TRACKERS.names())
def test_a_tracker_hears_each_epoch_and_changes_no_bit(
    tracker: str, train: Train, alone: tuple[dict[str, bytes], list[Any]], checkout: Path
) -> None:
    before = dict(os.environ)
    assert with_state(lambda: train(tracker)) == alone
    assert dict(os.environ) == before
    check(READERS[tracker](checkout), OutputPaths.of("add", checkout / "out"))


def test_a_tracker_that_fails_changes_no_bit(
    train: Train,
    alone: tuple[dict[str, bytes], list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", "os._exit(7)"))
    assert with_state(lambda: train("dvclive")) == alone
    assert "warning: tracker dvclive: its process ended with exit code 7" in capsys.readouterr().out


class _Ends(Progress):
    """Is interrupted after the first epoch."""

    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None:
        super().epoch(label, epochs, rate, figures)
        if figures.epoch == 1:
            raise KeyboardInterrupt


def test_a_training_that_was_interrupted_goes_on_in_the_same_run(
    train: Train, checkout: Path
) -> None:
    kept = KeptSeeds(checkout / ".work/seeds", 0, 10**9)
    # It has heard of the first epoch or has not: that is told at the end.
    with pytest.raises(KeyboardInterrupt):
        train("dvclive", kept=kept, shows=_Ends("off", 2))
    paths = train("dvclive", kept=kept)
    check(READERS["dvclive"](checkout), paths)


def test_seeds_that_are_kept_are_told_from_what_was_written(train: Train, checkout: Path) -> None:
    kept = KeptSeeds(checkout / ".work/seeds", 0, 10**9)
    train("none", kept=kept)
    paths = train("dvclive", "again", kept=kept)
    check(READERS["dvclive"](checkout), paths)
    # A third time there is nothing to tell: the package is not even asked for.
    files = sorted(checkout.glob("tracking/dvclive/**/*.tsv"))
    times = [path.stat().st_mtime_ns for path in files]
    train("dvclive", "once more", kept=kept)
    assert [path.stat().st_mtime_ns for path in files] == times


def test_seeds_beside_each_other_are_told_as_well(train: Train, checkout: Path) -> None:
    beside = {"workers": 2, "save_every": 0, "tracker": "dvclive"}
    runtime = RuntimeParams.model_validate(RUNTIME | beside)
    paths = train("dvclive", trainer=trainer_of(runtime, 2))
    check(READERS["dvclive"](checkout), paths)

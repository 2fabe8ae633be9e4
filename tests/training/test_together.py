"""Stage train with runtime.stacked: what is written, kept, shown and recorded."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fusebench.device import Device
from fusebench.inputs.lidar import LidarParams
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training import stacked
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams
from fusebench.training.train import OutputPaths, train_fusion

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
SETTINGS: dict[str, Any] = {
    "seeds": [0, 1], "epochs": 2, "batch_size": 16, "lr": 0.001, "weight_decay": 0.0,
    "schedule": "constant", "class_weights": "none", "augment": (),
    "pooling": "max", "precision": "fp32",
}  # fmt: skip
Make = Callable[..., Training]


@pytest.fixture
def make(samples: Samples, manifest: Manifest, cpu: Device) -> Make:
    """Return a training in one pass; keywords change params of it."""

    def make(*, in_one_pass: bool = True, **changes: Any) -> Training:
        params = TrainParams.model_validate({**SETTINGS, **changes})
        recipe = Recipe("add", params, LIDAR, "fp32")
        return Training(recipe, samples, manifest, cpu, "", in_one_pass)

    return make


@pytest.fixture
def kept(tmp_path: Path) -> KeptSeeds:
    return KeptSeeds(tmp_path / "kept", 0, 10**9)


def train(
    training: Training, root: Path, kept: KeptSeeds | None = None, mode: str = "off"
) -> OutputPaths:
    paths = OutputPaths.of("add", root)
    with Progress(mode, len(training.recipe.train.seeds)) as progress:
        train_fusion(training, progress, paths, kept or KeptSeeds())
    return paths


def contents(paths: OutputPaths) -> dict[str, bytes]:
    """Return what repeats to the bit of what was written."""
    models = {path.name: path.read_bytes() for path in paths.models.iterdir()}
    return {**models, "curve": paths.curve.read_bytes()}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[int]]]:
    """Note the seeds of each epoch that is computed in one pass."""
    seen: list[list[int]] = []
    train_epoch = stacked.train_epoch

    def counting(tasks: Any, state: Any) -> Any:
        seen.append([task.seed for task in tasks])
        return train_epoch(tasks, state)

    with monkeypatch.context() as patch:
        patch.setattr(stacked, "train_epoch", counting)
        yield seen


def of_other_steps(training: Training) -> Training:
    """Leave seed 1 fewer samples, so that its epochs have fewer steps."""
    table = training.manifest.table.copy()
    of_train = table.index[table["seed_1"] == "train"]
    table.loc[of_train[12:], "seed_1"] = "unused"
    return replace(training, manifest=Manifest(table))


# --- What is written ---


def test_models_and_curves_are_those_of_seeds_trained_alone_but_for_rounding(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as epochs:
        paths = train(make(), tmp_path / "stacked")
    assert epochs == [[0, 1], [0, 1]]
    expected = train(make(in_one_pass=False), tmp_path / "alone")
    for seed in (0, 1):
        found, alone = (
            load_file(of.models / f"seed_{seed}.safetensors") for of in (paths, expected)
        )
        assert found.keys() == alone.keys()
        for name, weight in alone.items():
            off = torch.linalg.vector_norm(found[name] - weight)
            assert off < 0.01 * torch.linalg.vector_norm(weight), name
    columns = ["seed", "epoch", "train_loss", "val_loss"]
    curves = [pd.read_csv(of.curve)[columns] for of in (paths, expected)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-3)
    described = [json.loads((of.models / "model.json").read_bytes()) for of in (paths, expected)]
    assert described[0]["settings"] == described[1]["settings"]


@pytest.mark.parametrize("in_one_pass", [True, False])
def test_what_was_measured_says_how_seeds_were_trained(
    in_one_pass: bool, make: Make, tmp_path: Path
) -> None:
    measured = json.loads(train(make(in_one_pass=in_one_pass), tmp_path).metrics.read_bytes())
    assert measured["environment"]["stacked"] is in_one_pass


def test_seeds_of_other_steps_are_trained_alone_to_the_bit_and_a_line_says_why(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = train(of_other_steps(make()), tmp_path / "stacked", mode="plain")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == (
        "add: seeds are not trained in one pass: an epoch of seed 0 has 2 steps, of seed 1 1"
    )
    assert len(rest) == 2
    alone = train(of_other_steps(make(in_one_pass=False)), tmp_path / "alone")
    assert contents(paths) == contents(alone)
    assert json.loads(paths.metrics.read_bytes())["environment"]["stacked"] is False


def test_each_seed_has_its_line(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(make(), tmp_path, mode="plain")
    for number, line in enumerate(capsys.readouterr().out.splitlines(), 1):
        assert line.startswith(f"add seed {number - 1} ({number}/2): best by val loss is epoch ")


# --- What is kept ---


def test_a_finished_pass_is_taken_as_it_is(
    make: Make,
    kept: KeptSeeds,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = contents(train(make(), tmp_path / "first", kept))
    with counted(monkeypatch) as epochs:
        again = contents(train(make(), tmp_path / "again", kept, "plain"))
    assert epochs == []
    assert again == first
    for number, line in enumerate(capsys.readouterr().out.splitlines(), 1):
        assert line.startswith(f"add seed {number - 1} ({number}/2): kept from an earlier run")


def test_where_one_seed_is_not_kept_all_are_trained(
    make: Make, kept: KeptSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contents(train(make(), tmp_path / "first", kept))
    assert kept.root is not None
    gone = next(kept.root.glob("*/finished.*"))
    gone.unlink()
    with counted(monkeypatch) as epochs:
        assert contents(train(make(), tmp_path / "again", kept)) == first
    assert epochs == [[0, 1], [0, 1]]


@pytest.mark.parametrize("other", [{"in_one_pass": False}, {"seeds": [0, 1, 2]}])
def test_seeds_are_kept_for_the_same_pass_alone(
    other: dict[str, Any], make: Make, manifest: Manifest
) -> None:
    table = manifest.table.assign(seed_2=manifest.table["seed_1"])
    here, there = (
        replace(training, manifest=Manifest(table)) for training in (make(), make(**other))
    )
    assert here.key(0)["stacked"] == [0, 1]
    assert there.key(0)["stacked"] != [0, 1]
    assert {**here.key(0), "stacked": None} == {**there.key(0), "stacked": None}


def test_key_of_seeds_that_cannot_be_stacked_is_that_of_seeds_alone(make: Make) -> None:
    asked, alone = of_other_steps(make()), of_other_steps(make(in_one_pass=False))
    assert asked.key(0) == alone.key(0)
    assert alone.key(0)["stacked"] is None


def test_of_a_pass_that_was_ended_nothing_is_kept(
    make: Make, kept: KeptSeeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stacked, "predict", ending)
        with pytest.raises(KeyboardInterrupt):
            train(make(), tmp_path, kept)
    assert kept.root is not None
    assert {path.name for path in kept.root.glob("*/*")} == {"key.json", "lock"}
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_seeds_in_one_pass_share_the_memory_budget(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[int] = []
    task = Training.task

    def noted(self: Training, seed: int, beside: int = 1) -> Any:
        shares.append(beside)
        return task(self, seed, beside)

    monkeypatch.setattr(Training, "task", noted)
    train(make(epochs=1), tmp_path)
    assert shares == [2, 2]

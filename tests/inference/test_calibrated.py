"""Temperatures are used where they are of the models at hand, and nowhere else."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.inference.made_up_temperatures import write_lock, write_temperatures

from fusebench.evaluation.temperature import HIGHEST, LOWEST
from fusebench.inference.calibrated import kept_temperatures, remark
from fusebench.report.probabilities import PROBABILITIES
from fusebench.report.results import SOURCES

MODELS = Path("models/add")


@pytest.fixture(autouse=True)
def calibrated(root: Path) -> Path:
    write_temperatures(root, {0: 0.8, 1: 1.5})
    return root


def reason(models: Path = MODELS, seeds: tuple[int, ...] = (0, 1)) -> str:
    """Why there are no temperatures; there must be a reason, on one line."""
    known, why = kept_temperatures(models, "add", seeds)
    assert known == {}
    assert why.isprintable()
    assert why
    return why


def test_temperatures_of_these_very_models_are_found() -> None:
    assert kept_temperatures(MODELS, "add", (0, 1)) == ({0: 0.8, 1: 1.5}, "")
    assert kept_temperatures(MODELS, "add", (1,)) == ({1: 1.5}, "")


def test_they_are_found_from_any_folder(
    calibrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for models in (calibrated / MODELS, Path("../project") / MODELS):
        assert kept_temperatures(models, "add", (0, 1)) == ({0: 0.8, 1: 1.5}, "")


def test_they_are_of_the_models_whatever_params_say_now() -> None:
    Path("params.yaml").write_text("train: {lr: 1}", "utf-8")
    assert kept_temperatures(MODELS, "add", (0, 1)) == ({0: 0.8, 1: 1.5}, "")


def _change(path: str) -> None:
    Path(path).write_bytes(Path(path).read_bytes() + b"\n")


def _retrain() -> None:
    """Models and dvc.lock are new, predictions and what was made of them are not."""
    before = yaml.safe_load(Path("dvc.lock").read_text("utf-8"))
    _change("models/add/model.json")
    write_lock(Path())
    now = yaml.safe_load(Path("dvc.lock").read_text("utf-8"))
    now["stages"]["predict@add"]["deps"] = before["stages"]["predict@add"]["deps"]
    Path("dvc.lock").write_text(yaml.safe_dump(now), "utf-8")


def _predict_anew() -> None:
    """Models and predictions are new, the comparison is not."""
    _change("models/add/model.json")
    _change("predictions/add/info.json")
    write_lock(Path())


def _forget_prediction() -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text("utf-8"))
    del lock["stages"]["predict@add"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock), "utf-8")


def _leave_out() -> None:
    SOURCES.write_text(json.dumps({"predictions": {"late": "0"}}), "utf-8")


OTHER_MODELS = f"{PROBABILITIES}: dvc.lock has no predictions of the models that are in models/add"
OTHER_PREDICTIONS = (
    f"{PROBABILITIES}: made from other predictions than those of these models, by {SOURCES}"
)
BROKEN = f"{PROBABILITIES}: dvc.lock or {SOURCES} is broken, which say what it was made from"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda: _change("models/add/model.json"), OTHER_MODELS),
        (_retrain, OTHER_MODELS),
        (_forget_prediction, OTHER_MODELS),
        (_predict_anew, OTHER_PREDICTIONS),
        (_leave_out, OTHER_PREDICTIONS),
        (
            lambda: _change(str(PROBABILITIES)),
            f"{PROBABILITIES}: is not what dvc.lock says stage compare made",
        ),
        (lambda: Path("dvc.lock").write_text("{", "utf-8"), BROKEN),
        (lambda: SOURCES.write_text("[]", "utf-8"), BROKEN),
        *(
            (Path(name).unlink, f"{name}: no such file; 'dvc repro' makes it")
            for name in ("dvc.lock", str(PROBABILITIES), str(SOURCES))
        ),
    ],
)
def test_temperatures_of_anything_else_are_not_used(
    spoil: Callable[[], object], expected: str
) -> None:
    spoil()
    assert reason() == expected


def test_a_broken_table_is_named() -> None:
    PROBABILITIES.write_text("fusion,seed\n", "utf-8")
    write_lock(Path())
    assert reason().startswith(f"{PROBABILITIES}: column 'temperature' is missing")


def test_one_seed_without_a_temperature_leaves_all_without(root: Path) -> None:
    write_temperatures(root, {0: 0.8, 1: math.nan})
    assert reason() == f"{PROBABILITIES}: has no temperature of add for seed(s) 1"
    assert kept_temperatures(MODELS, "add", (0,)) == ({0: 0.8}, "")
    write_temperatures(root, {})
    assert reason() == f"{PROBABILITIES}: has no temperature of add for seed(s) 0, 1"


@pytest.mark.parametrize("name", ["models/copy", "add", "kept/add"])
def test_a_copy_of_the_models_has_none(name: str) -> None:
    shutil.copytree(MODELS, name)
    assert reason(Path(name)) == (
        f"{name} is not models/add of a project, which keeps temperatures"
    )


def test_what_is_to_be_said_is_said() -> None:
    assert remark({}, "of others") == "not calibrated: of others"
    assert remark({0: 0.8, 1: 1.5}, "") == ""
    assert remark({}, "") == "", "not asked for"
    assert remark({0: LOWEST, 1: 1.5, 4: HIGHEST}, "").startswith(
        "temperatures at a bound: 0.05 (seed 0), 20 (seed 4); "
    )

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import precision
from benchmarks.precision import SEEDS, Arm, Study, compared, interval, section, study, table


@pytest.fixture
def plan() -> Study:
    return Study.of_params()


def test_every_fusion_is_trained_in_both_precisions_with_both_scalings(plan: Study) -> None:
    names = [arm.name for arm in plan.arms()]
    assert len(names) == len(set(names)) == 4 * len(plan.fusions)
    assert names[:2] == [f"{plan.fusions[0]} scaled fp32", f"{plan.fusions[0]} scaled bf16"]
    assert plan.train.seeds == SEEDS
    assert len(SEEDS) == 10


def test_interval_is_students() -> None:
    values = [1.0, 2.5, 2.0, 4.0]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((low, high))


@pytest.mark.parametrize(("shift", "agree"), [(0.0, True), (0.1, True), (5.0, False)])
def test_precisions_agree_where_each_mean_lies_in_the_others_interval(
    shift: float, agree: bool
) -> None:
    values = list(np.random.default_rng(0).normal(90, 1, 10))
    found = compared(values, [value + shift for value in values])
    assert found["agree"] is agree
    assert found["difference"]["mean"] == pytest.approx(shift, abs=1e-6)


def test_a_narrow_interval_that_misses_the_other_mean_is_no_agreement() -> None:
    wide, narrow = [80.0, 100.0, 90.0], [92.0, 92.01, 92.02]
    assert interval(wide)[0] < 92 < interval(wide)[1]
    assert compared(wide, narrow)["agree"] is False


def measured(arm: Arm) -> dict[str, Any]:
    offset = 0.5 if arm.precision == "bf16" else 0.0
    return {
        "threads": 1,
        "nll": [0.1 + offset / 100 + seed / 1000 for seed in range(10)],
        "balanced_accuracy": [90.0 + offset + seed / 10 for seed in range(10)],
    }


class Inline:
    """A pool that works at once, in this process."""

    def __init__(self, *_arguments: object, **_keywords: object) -> None:
        pass

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, work: Any, *arguments: Any) -> Any:
        future: Future[Any] = Future()
        future.set_result(work(*arguments))
        return future


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which arms were measured."""
    names: list[str] = []

    def remember(arm: Arm, _plan: Study) -> dict[str, Any]:
        names.append(arm.name)
        return measured(arm)

    monkeypatch.setattr(precision, "measure", remember)
    monkeypatch.setattr(precision, "ProcessPoolExecutor", Inline)
    return names


ENVIRONMENT = {"processor": "P", "torch": "T", "commit": "abc", "threads": 2}


def test_arms_that_are_there_are_not_trained_again(
    plan: Study, measures: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "precision.json"
    found = study(plan, ENVIRONMENT, path)
    assert json.loads(path.read_text()) == found
    arms = len(measures)
    assert arms == len(found["arms"]) == len(list(plan.arms()))
    lacking = {**found, "arms": dict(list(found["arms"].items())[:-1])}
    path.write_text(json.dumps(lacking))
    assert study(plan, {**ENVIRONMENT, "commit": "def"}, path)["summary"] == found["summary"]
    assert len(measures) == arms + 1
    assert json.loads(path.read_text())["arms"][measures[-1]]["commit"] == "def"


@pytest.mark.parametrize("key", ["code", "settings", "environment"])
def test_arms_of_other_code_settings_or_machines_are_trained_again(
    key: str, plan: Study, measures: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "precision.json"
    found = study(plan, ENVIRONMENT, path)
    arms = len(measures)
    path.write_text(json.dumps({**found, key: "other"}))
    study(plan, ENVIRONMENT, path)
    assert len(measures) == 2 * arms


def test_table_shows_both_and_their_paired_difference(
    plan: Study, measures: list[str], tmp_path: Path
) -> None:
    found = study(plan, ENVIRONMENT, tmp_path / "precision.json")
    assert measures
    lines = table(found).splitlines()
    assert len(lines) == 2 + len(found["summary"])
    line = next(each for each in lines if "| metres | `concat` | balanced" in each)
    assert "90.45 [" in line
    assert "90.95 [" in line
    assert "0.50 [0.50, 0.50]" in line
    assert "commit abc; 10 seeds" in section(found)

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks import precision
from benchmarks.library import StudySettings
from benchmarks.precision import (
    CODE,
    LIBRARY,
    METRICS,
    PRECISIONS,
    Arm,
    arms_of,
    compare,
    findings,
    run_study,
    section,
    summarize,
    word,
)
from fusebench.files import read_json, write_json

ENVIRONMENT = {"processor": "P", "torch": "T", "commit": "abc", "threads": 2}


# Of three seeds: t's 0.975 quantile for 2 degrees of freedom, over √3; times a deviation of 1.
HALF = 4.302653 / 3**0.5


def test_means_and_intervals_are_students_over_seeds() -> None:
    comparison = compare([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    assert list(comparison) == ["fp32", "bf16", "difference"]
    assert comparison["fp32"]["mean"] == 2.0
    assert comparison["fp32"]["interval"] == pytest.approx([2 - HALF, 2 + HALF], abs=1e-6)
    # Paired: what both seeds' values have in common does not widen it.
    assert comparison["difference"] == {"mean": 1.0, "interval": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("mean", "deviation", "equivalent", "shown", "said"),
    [
        (-0.5, 0.4, True, None, "equivalent"),
        # Not shown to differ, which is not equal: each mean lies in the other's interval.
        (-0.5, 1.0, False, None, "open: a loss of up to 2.98 points is not ruled out"),
        (0.5, 1.0, False, None, "open: a loss of up to 1.98 points is not ruled out"),
        (-9.0, 1.0, False, "worse", "worse"),
        (9.0, 1.0, False, "better", "better"),
        (-1.0, 0.1, True, "worse", "worse, by less than 2 points: equivalent"),
        (1.0, 0.1, True, "better", "better, by less than 2 points: equivalent"),
        # Shown to be worse, but not by less than the margin.
        (-1.5, 0.4, False, "worse", "worse"),
        (0.0, 2.01 / HALF, False, None, "open: a loss of up to 2.01 points is not ruled out"),
        (0.0, 1.99 / HALF, True, None, "equivalent"),
    ],
)
def test_a_difference_is_judged_by_where_its_interval_lies(
    mean: float, deviation: float, equivalent: bool, shown: str | None, said: str
) -> None:
    fp32 = [70.0, 90.0, 80.0]
    steps = (-deviation, 0.0, deviation)
    line = compare(fp32, [value + mean + step for value, step in zip(fp32, steps, strict=True)], 2)
    assert (line["equivalent"], line["shown"]) == (equivalent, shown)
    assert line["loss"] == pytest.approx(max(0.0, HALF * deviation - mean), abs=1e-6)
    assert word(line, METRICS["balanced_accuracy"]) == said


def study_of(**losses: tuple[float, float, float]) -> dict[str, Any]:
    """Return a study of three seeds in which bf16 costs each fusion that much accuracy."""
    arms: dict[str, Any] = {}
    for fusion, scaled, precision_ in product(losses, (True, False), PRECISIONS):
        accuracy = [90.0 - loss * (precision_ == "bf16") for loss in losses[fusion]]
        values = {"nll": [0.1, 0.2, 0.3], "balanced_accuracy": accuracy}
        arms[Arm(fusion, scaled, precision_).name] = {"commit": "abc", **values}
    settings = {"fusions": list(losses), "train": {"seeds": [0, 1, 2]}}
    return {"environment": ENVIRONMENT, "settings": settings, "arms": arms}


def test_the_findings_count_what_is_shown() -> None:
    study = study_of(add=(0.1, -0.1, 0.0), late=(-5.0, 5.0, 0.0))
    assert findings(study) == (
        "Equivalent within 2 points: 2 of 4 comparisons of balanced accuracy (`add` scaled, `add` "
        "metres). No loss is shown; the largest that is not ruled out is 12.42 points (`late` "
        "scaled)."
    )
    study = study_of(late=(5.0, 6.0, 7.0))
    del study["arms"]["late metres bf16"]
    assert findings(study) == (
        "Equivalent within 2 points: 0 of 1 comparisons of balanced accuracy. A loss is shown in 1 "
        "(`late` scaled); the largest that is not ruled out is 8.48 points (`late` scaled)."
    )


def test_a_section_says_first_what_is_shown_and_judges_no_metric_without_a_margin() -> None:
    study = study_of(add=(0.1, -0.1, 0.0))
    # What an earlier version left in a file is not read.
    text = section({**study, "summary": [{"agree": True}]})
    assert text.startswith(f"{findings(study)}\n\n| ranges | fusion |")
    rows = {row.split(" | ")[2]: row for row in text.splitlines() if row.startswith("| scaled")}
    assert rows["balanced accuracy, %"].endswith("| equivalent |")
    assert rows["NLL, nats"].endswith("0.0000 [0.0000, 0.0000] |  |")
    assert text.endswith(
        "3 seeds, mean and 95 % interval over seeds, each interval by itself: not "
        "adjusted for their number."
    )


def test_the_digest_covers_code_that_exists() -> None:
    assert all((LIBRARY / name).exists() for name in CODE)


@pytest.mark.usefixtures("tiny_root")
def test_only_missing_arms_of_the_same_code_and_settings_are_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def measure(arm: Arm, settings: StudySettings) -> dict[str, Any]:
        trained.append(arm.name)
        values = [float(seed + (arm.precision == "bf16")) for seed in settings.train.seeds]
        return {"nll": values, "balanced_accuracy": values}

    monkeypatch.setattr(precision, "measure", measure)
    monkeypatch.setattr(
        precision,
        "ProcessPoolExecutor",
        lambda _workers, mp_context: ThreadPoolExecutor(1),  # noqa: ARG005
    )
    settings, path = StudySettings.read((0, 1, 2)), tmp_path / "study.json"
    study = run_study(settings, ENVIRONMENT, path)
    names = [arm.name for arm in arms_of(settings)]
    assert trained == names
    assert len(names) == 4 * len(settings.fusions)
    assert read_json(path) == study
    assert all(line["difference"]["mean"] == 1.0 for line in summarize(study))
    assert len(summarize(study)) == 4 * len(settings.fusions)

    arms = {name: arm for name, arm in study["arms"].items() if name != names[1]}
    write_json(path, {**study, "arms": arms})
    again = run_study(settings, {**ENVIRONMENT, "commit": "def"}, path)
    assert trained == [*names, names[1]]
    assert again["arms"][names[1]]["commit"] == "def"
    assert summarize(again) == summarize(study)
    write_json(path, {**study, "code": "other"})
    run_study(settings, ENVIRONMENT, path)
    assert trained == [*names, names[1], *names]

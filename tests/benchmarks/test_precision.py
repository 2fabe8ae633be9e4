from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import precision
from benchmarks.library import StudySettings
from benchmarks.precision import CODE, LIBRARY, Arm, arms_of, compare, run_study
from fusebench.files import read_json, write_json

ENVIRONMENT = {"processor": "P", "torch": "T", "commit": "abc", "threads": 2}


@pytest.mark.parametrize(("shift", "agree"), [(0.1, True), (5.0, False)])
def test_precisions_agree_where_each_mean_lies_in_the_others_interval(
    shift: float, agree: bool
) -> None:
    values = [89.0, 90.0, 91.5, 90.5]
    comparison = compare(values, [value + shift for value in values])
    assert comparison["agree"] is agree
    assert comparison["difference"] == {"mean": shift, "interval": [shift, shift]}
    # Mean 2, standard error 1/√3, 0.975 quantile of t with 2 degrees of freedom.
    low, high = compare([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])["fp32"]["interval"]
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)
    # One that lies in a wide interval, whose own narrow one misses the other mean.
    assert compare([80.0, 100.0, 90.0], [92.0, 92.01, 92.02])["agree"] is False


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
    assert all(line["difference"]["mean"] == 1.0 for line in study["summary"])

    arms = {name: arm for name, arm in study["arms"].items() if name != names[1]}
    write_json(path, {**study, "arms": arms})
    again = run_study(settings, {**ENVIRONMENT, "commit": "def"}, path)
    assert trained == [*names, names[1]]
    assert again["arms"][names[1]]["commit"] == "def"
    assert again["summary"] == study["summary"]
    write_json(path, {**study, "code": "other"})
    run_study(settings, ENVIRONMENT, path)
    assert trained == [*names, names[1], *names]

"""Which stored results a card may show: those of the very models, and no stale ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tests.report.made_up import BEST as BEST_ROW
from tests.report.made_up import PAIR, WORSE, findings_of, write_results

from fusebench.export import results as module
from fusebench.export.results import behind, read_results
from fusebench.files import write_table
from fusebench.report.best import BEST
from fusebench.report.chance import with_chance
from fusebench.report.pairs import PAIRS
from fusebench.report.probabilities import PROBABILITIES, probabilities_table
from fusebench.report.results import read_comparison
from fusebench.report.robustness_files import SUMMARY
from fusebench.report.table import TABLE
from fusebench.stale import Stale

NAMES = ("late", "hadamard")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which two fusions were compared. Read-only."""
    root = write_results(tmp_path_factory.mktemp("results"), NAMES)
    comparison = read_comparison(root, NAMES)
    findings = findings_of(comparison, PAIR, best=(BEST_ROW, WORSE))
    of_models = with_chance(findings.table, comparison)
    of_models.loc[of_models["Model"] == "late", ["Collapsed To", "At Chance"]] = (
        "1 × cubes", "nll f1",
    )  # fmt: skip
    for path, table in ((TABLE, of_models), (PAIRS, findings.pairs), (BEST, findings.best)):
        write_table(root / path, table)
    write_table(root / PROBABILITIES, probabilities_table(comparison, temperature=True))
    return root


@pytest.fixture
def root(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as working directory, whose results belong to its params."""
    monkeypatch.chdir(results)
    monkeypatch.setattr(module, "stale", lambda _read: Stale())
    return results


@pytest.fixture
def turns_stale(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Stale], None]:
    """Let something of it be stale."""
    assert root.is_dir()
    return lambda state: monkeypatch.setattr(module, "stale", lambda _read: state)


TurnsStale = Callable[[Stale], None]


@pytest.mark.usefixtures("root")
def test_results_are_those_of_the_fusion_and_its_seeds() -> None:
    comparison = read_comparison(Path(), NAMES)
    (late, *_) = comparison.results
    found = read_results("late", (1,), "")
    assert found.unknown == {}
    assert found.metrics is not None
    for name in ("balanced_accuracy", "nll", "auroc"):
        assert found.metrics[name] == pytest.approx(late.metrics["test"][name], abs=1e-6)
    assert (found.seeds, found.fingerprint) == (2, comparison.fingerprint)
    assert (found.collapsed, found.at_chance) == ("1 × cubes", ["nll", "f1"])
    assert found.best == BEST_ROW
    assert found.robustness is not None
    assert found.robustness.fusion == "late"
    assert [(row.fusion, row.seed) for row in found.probabilities] == [("late", 1)]
    assert found.environment is not None
    assert found.environment["device"] == "cpu"


@pytest.mark.usefixtures("root")
def test_temperatures_of_other_models_are_not_shown() -> None:
    found = read_results("late", (0, 1), "made from other predictions")
    assert found.probabilities == []
    assert found.unknown == {"calibration": "made from other predictions"}


KEYS = ("metrics", "best", "robustness", "calibration")


@pytest.mark.parametrize(
    ("state", "unknown"),
    [
        (Stale(rows={"late": "trained anew"}), dict.fromkeys(KEYS, "trained anew")),
        (Stale(unknown="no dvc.lock"), dict.fromkeys(KEYS, "no dvc.lock")),
        (Stale(rows={"hadamard": "trained anew"}),
         {"best": "metrics/best.csv compares fusions of which some are stale"}),
        (Stale(verdict="made with another margin"),
         {"best": "metrics/best.csv compares fusions of which some are stale"}),
        (Stale(files={str(SUMMARY): "made anew"}), {"robustness": f"{SUMMARY}: made anew"}),
        (Stale(files={str(TABLE): "of another summary"}),
         {"robustness": f"{TABLE}: of another summary"}),
        (Stale(files={"plots/samples.png": "made anew"}), {}),
    ],
)  # fmt: skip
def test_what_is_stale_is_not_shown_and_why(
    turns_stale: TurnsStale, state: Stale, unknown: dict[str, str]
) -> None:
    turns_stale(state)
    found = read_results("late", (0, 1), "")
    assert found.unknown == unknown
    shown = {
        "metrics": found.metrics, "best": found.best, "robustness": found.robustness,
        "calibration": found.probabilities or None,
    }  # fmt: skip
    assert {key for key, value in shown.items() if value is None} == {*unknown}


def test_a_table_of_an_earlier_version_is_not_shown(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root / "metrics", tmp_path / "metrics")
    monkeypatch.chdir(tmp_path)
    write_table(TABLE, pd.read_csv(TABLE, keep_default_na=False).drop(columns="At Chance"))
    assert read_results("late", (0, 1), "").unknown["metrics"] == (
        "metrics/comparison.csv: of an earlier version, without At Chance"
    )


@pytest.mark.usefixtures("root")
def test_a_fusion_that_was_not_compared_has_no_results() -> None:
    found = read_results("concat", (0,), "none")
    assert found.unknown == {
        "training": "metrics/training/concat.json: no such file",
        **dict.fromkeys(KEYS, "concat is not in metrics/comparison.csv"),
    }


def test_without_a_comparison_there_are_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read_results("late", (0,), "none")
    assert found.metrics is None
    assert found.unknown["metrics"].startswith("there is no metrics/sources.json")


# --- Whether models belong to split and predictions ---


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params_text: str
) -> Callable[[Stale], None]:
    """Let this be said of the predictions of a project."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")

    def say(state: Stale) -> None:
        monkeypatch.setattr(module, "stale_predictions", lambda _read: state)

    return say


def test_models_are_behind_where_their_predictions_are(told: TurnsStale) -> None:
    told(Stale(rows={"late": "data/split.csv was made anew since"}))
    assert behind("late") == "data/split.csv was made anew since"
    assert behind("concat") == ""
    told(Stale(unknown="dvc.lock: broken"))
    assert behind("concat") == "dvc.lock: broken"


def test_what_is_known_of_a_fusion_that_params_do_not_list_is_nothing(told: TurnsStale) -> None:
    told(Stale())
    assert behind("gated") == "gated is not among fusions of params.yaml"


def test_without_a_lock_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params_text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(params_text, "utf-8")
    assert behind("late").startswith("dvc.lock: no such file")

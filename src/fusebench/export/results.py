"""What stored results say of a fusion; of what does not belong to its models, why it does not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fusebench.config import PARAMS_FILE, load_keys
from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import METRICS
from fusebench.files import reader
from fusebench.models.registry import FusionParams
from fusebench.report.best import BEST, Best, best_rows
from fusebench.report.findings import Findings
from fusebench.report.probabilities import PROBABILITIES, Probability, probability_rows
from fusebench.report.robustness_files import SUMMARY, Kept
from fusebench.report.stored import read_measured
from fusebench.report.table import AT_CHANCE, RESULTS, TABLE
from fusebench.stale import Stale, stale, stale_predictions

TRAINING = Path("metrics/training")
_COLLAPSED = "Collapsed To"
# What tables of earlier versions may lack.
_COLUMNS = (RESULTS, AT_CHANCE, _COLLAPSED)


@dataclass(frozen=True)
class Results:
    """Stored results of a fusion.

    Attributes
    ----------
    metrics : dict or None
        Of each metric on test: mean and deviation over seeds (None: one seed).
    seeds : int
        Those of `metrics`.
    fingerprint : str
        What names the comparison.
    collapsed : str
        How many of those seeds answer one class for every test sample, by class; empty: none does.
    at_chance : list of str
        Metrics on test on which they are not shown to be better than chance.
    best : Best or None
    robustness : Kept or None
    probabilities : list of Probability
        Of the seeds that were asked for; without temperatures, empty.
    environment : dict or None
        What trained it.
    unknown : dict of str to str
        Why each of these is not there: "metrics", "best", "robustness", "calibration", "training".
    """

    metrics: dict[str, dict[str, float | None]] | None = None
    seeds: int = 0
    fingerprint: str = ""
    collapsed: str = ""
    at_chance: list[str] = field(default_factory=list)
    best: Best | None = None
    robustness: Kept | None = None
    probabilities: list[Probability] = field(default_factory=list)
    environment: dict[str, Any] | None = None
    unknown: dict[str, str] = field(default_factory=dict)


def behind(fusion: str) -> str:
    """Return why a fusion's models and predictions do not belong to split and params, or ""."""
    if fusion not in load_keys(PARAMS_FILE, FusionParams).fusions:
        return f"{fusion} is not among fusions of {PARAMS_FILE}"
    found = stale_predictions(reader(Path()))
    return found.unknown or found.rows.get(fusion, "")


def read_results(fusion: str, seeds: tuple[int, ...], uncalibrated: str) -> Results:
    """Read what is stored of a fusion in the working directory.

    Parameters
    ----------
    uncalibrated : str
        Why no temperatures are of these models; empty: they are.
    """
    environment, no_training = _environment(fusion)
    unknown = {"training": no_training} if no_training else {}
    read = reader(Path())
    state = stale(read)
    reason = state.unknown or state.rows.get(fusion, "")
    try:
        findings = Findings.read(read)
    except ArtifactError as error:
        reason = reason or str(error).partition(";")[0]
    reason = reason or _lacking(fusion, findings.table)
    if reason:
        keys = ("metrics", "best", "robustness", "calibration")
        return Results(environment=environment, unknown=unknown | dict.fromkeys(keys, reason))
    row = findings.table.set_index("Model").loc[fusion]
    best, unknown_best = _best(fusion, findings, state)
    kept, unknown_kept = _kept(fusion, findings, state)
    rows = [] if findings.probabilities is None else probability_rows(findings.probabilities)
    of_models = {"best": unknown_best, "robustness": unknown_kept, "calibration": uncalibrated}
    return Results(
        _metrics(row), int(row["Seeds"]), str(row[RESULTS]), str(row[_COLLAPSED]),
        str(row[AT_CHANCE]).split(), best, kept,
        [each for each in rows if (each.fusion, each.seed) in {(fusion, seed) for seed in seeds}
         and not uncalibrated],
        environment, unknown | {key: why for key, why in of_models.items() if why},
    )  # fmt: skip


def _lacking(fusion: str, table: pd.DataFrame) -> str:
    """Return what metrics/comparison.csv lacks, or ""."""
    if fusion not in table["Model"].tolist():
        return f"{fusion} is not in {TABLE}"
    missing = [column for column in _COLUMNS if column not in table]
    return f"{TABLE}: of an earlier version, without {', '.join(missing)}" if missing else ""


def _environment(fusion: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return dict(read_measured(TRAINING / f"{fusion}.json")["environment"]), ""
    except ArtifactError as error:
        return None, str(error).partition(";")[0]


def _metrics(row: "pd.Series[Any]") -> dict[str, dict[str, float | None]]:
    """Return the metrics on test of a row of metrics/comparison.csv."""
    return {
        name: {
            "mean": _known(row[f"Test {metric.heading}"]),
            "deviation": _known(row[f"Test {metric.heading} Deviation"]),
        }
        for name, metric in METRICS.items()
    }


def _best(fusion: str, findings: Findings, state: Stale) -> tuple[Best | None, str]:
    # The bound is one to all other fusions.
    if state:
        return None, f"{BEST} compares fusions of which some are stale"
    found = [row for row in best_rows(findings.best) if row.fusion == fusion]
    return (found[0], "") if found else (None, f"{fusion} is not in {BEST}")


def _kept(fusion: str, findings: Findings, state: Stale) -> tuple[Kept | None, str]:
    for path in (SUMMARY, TABLE):
        if why := state.files.get(path.as_posix()):
            return None, f"{path}: {why}"
    if findings.robustness is None:
        return None, f"{SUMMARY}: no such file"
    kept = findings.robustness.kept.get(fusion)
    return (kept, "") if kept else (None, f"{fusion} is not in {SUMMARY}")


def _known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


FILES = (TABLE, BEST, PROBABILITIES, SUMMARY)
"""What is read of metrics/, beside what is of one fusion."""

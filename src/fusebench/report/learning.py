"""How fusions do with fewer and more samples: metrics/learning_curve/summary.csv.

`make learning-curve` writes it, and git keeps it; without a row the study was not run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fusebench.report.studies import read_rows, write_rows

SUMMARY = Path("metrics/learning_curve/summary.csv")


class LearningRow(NamedTuple):
    """A fusion with so many samples to train on; a row of the table. NaN: not known.

    Attributes
    ----------
    fusion : str
    train_samples : int
        Of each training part.
    share : float
        What of all pairs that is: `split.train`.
    epochs, steps : int
        Of each training; steps of the optimiser, in all epochs together.
    seeds : int
        How many were trained, 1 or more.
    balanced_accuracy : float
        On test, in %, mean over seeds.
    low, high : float
        95 % interval of that mean by Student's t over seeds; NaN with one.
    nll : float
        On test, in nats, mean over seeds.
    best_within_margin : int
        1 at the smallest size from which on the fusion is within the margin of its own best mean,
        else 0.
    """

    fusion: str
    train_samples: int
    share: float
    epochs: int
    steps: int
    seeds: int
    balanced_accuracy: float
    low: float
    high: float
    nll: float
    best_within_margin: int


def write_learning(path: Path, rows: Iterable[LearningRow]) -> None:
    """Write the table in one step."""
    write_rows(path, rows, LearningRow)


def read_learning(path: Path = SUMMARY) -> list[LearningRow]:
    """Return what was measured, by fusion and size; none: the study was not run.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or says what cannot be.
    """
    return read_rows(path, LearningRow, ("fusion", "train_samples"), _wrong)


def _wrong(row: LearningRow) -> str:
    if not row.fusion:
        return "fusion is empty"
    for name in ("train_samples", "epochs", "steps", "seeds"):
        if getattr(row, name) < 1:
            return f"{name} = {getattr(row, name)}: must be 1 or more"
    if not 0 < row.share < 1:
        return f"share = {row.share}: must be between 0 and 1"
    if not 0 <= row.balanced_accuracy <= 100:
        return f"balanced_accuracy = {row.balanced_accuracy}: must be between 0 and 100"
    if row.low > row.balanced_accuracy or row.high < row.balanced_accuracy:
        return f"low, high = {row.low}, {row.high}: must be around {row.balanced_accuracy}"
    if not row.nll >= 0:
        return f"nll = {row.nll}: must be 0 or more"
    if row.best_within_margin not in (0, 1):
        return f"best_within_margin = {row.best_within_margin}: must be 0 or 1"
    return ""

"""What training on corrupted samples buys each fusion: metrics/robust/summary.csv.

`make robust` writes it, and git keeps it; without a row the study was not run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fusebench.report.studies import read_rows, write_rows

SUMMARY = Path("metrics/robust/summary.csv")
BY_CORRUPTION = Path("metrics/robust/by_corruption.csv")


class RobustRow(NamedTuple):
    """A fusion that was trained on corrupted samples; a row of the table. NaN: not known.

    A change is that from the same fusion and seeds, trained on clean samples alone.

    Attributes
    ----------
    fusion : str
    recipe : str
        What befell training samples: "dropout", "dropout-noise".
    clean_balanced_accuracy, clean_change : float
        On clean samples: mean over seeds in %, and its change in points.
    robustness, robustness_change : float
        As in metrics/robustness_summary.csv; NaN where there is none.
    low, high : float
        95 % interval of that change over seeds, paired; linearized, robustness being a ratio.
    corrupted_balanced_accuracy, corrupted_change : float
        Mean over seeds, severities and corruptions, each sensor counting the same, in %; its
        change in points.
    corrupted_low, corrupted_high, clean_low, clean_high : float
        95 % intervals of the changes in points over seeds, paired, by Student's t.
    corrupted_p, clean_p : float
        Of "no change", by the same t.
    seeds : int
        How many were trained, 1 or more.
    """

    fusion: str
    recipe: str
    clean_balanced_accuracy: float
    clean_change: float
    robustness: float
    robustness_change: float
    low: float
    high: float
    corrupted_balanced_accuracy: float
    corrupted_change: float
    corrupted_low: float
    corrupted_high: float
    clean_low: float
    clean_high: float
    corrupted_p: float
    clean_p: float
    seeds: int


class CorruptionRow(NamedTuple):
    """A fusion under one corruption; a row of metrics/robust/by_corruption.csv. NaN: not known.

    Attributes
    ----------
    sensor : str
        The one that is corrupted.
    in_training : int
        1 where the corruption befell training samples, too, else 0.
    balanced_accuracy, change : float
        Mean over seeds and severities in %; its change in points.
    low, high : float
        95 % interval of the change over seeds, paired, by Student's t.
    """

    fusion: str
    recipe: str
    corruption: str
    sensor: str
    in_training: int
    balanced_accuracy: float
    change: float
    low: float
    high: float
    seeds: int


def write_robust(
    rows: Iterable[RobustRow], by_corruption: Iterable[CorruptionRow], folder: Path = SUMMARY.parent
) -> None:
    """Write both tables."""
    write_rows(folder / SUMMARY.name, rows, RobustRow)
    write_rows(folder / BY_CORRUPTION.name, by_corruption, CorruptionRow)


def read_robust(path: Path = SUMMARY) -> list[RobustRow]:
    """Return what was measured, by recipe and fusion; none: the study was not run.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or says what cannot be.
    """
    return read_rows(path, RobustRow, ("fusion", "recipe"), _wrong)


def read_by_corruption(path: Path = BY_CORRUPTION) -> list[CorruptionRow]:
    """Return the same by corruption; raise ArtifactError as `read_robust`."""
    return read_rows(path, CorruptionRow, ("fusion", "recipe", "corruption"), _wrong)


def _wrong(row: RobustRow | CorruptionRow) -> str:
    for name in ("fusion", "recipe"):
        if not getattr(row, name):
            return f"{name} is empty"
    if row.seeds < 1:
        return f"seeds = {row.seeds}: must be 1 or more"
    accuracies = [name for name in row._fields if name.endswith("balanced_accuracy")]
    for name in accuracies:
        if not 0 <= getattr(row, name) <= 100:
            return f"{name} = {getattr(row, name)}: must be between 0 and 100"
    if row.low > row.high:
        return f"low, high = {row.low}, {row.high}: must be in this order"
    return ""

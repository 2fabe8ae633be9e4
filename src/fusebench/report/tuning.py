"""What an equal budget of tuning made of each fusion: metrics/tuning/summary.csv.

`make tune` writes it, and git keeps it. The header alone says that nothing was run yet.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pandas as pd

from fusebench.files import write_table
from fusebench.report.studies import parse_rows, read_rows

SUMMARY = Path("metrics/tuning/summary.csv")
_DIGITS = 6
_SCHEDULES = ("constant", "cosine")
_RANKS = ("default_rank", "tuned_rank")


class TuningRow(NamedTuple):
    """A fusion and the values chosen for it; a row of metrics/tuning/summary.csv. NaN: not known.

    Attributes
    ----------
    fusion : str
    lr : float
        The chosen learning rate.
    schedule : str
        "constant" or "cosine".
    epochs : int
    trials : int
        How many were compared, the default among them; the same for every fusion.
    val_nll : float
        Of the chosen one, in nats: a mean over val of one seed, in the epoch that is kept.
    default_balanced_accuracy, tuned_balanced_accuracy : float
        On test, in percent, mean over seeds: with the values of metrics/verdict, and with these.
    default_rank, tuned_rank : float
        Place in the order of those means among the fusions that have both, the highest first: 1, 2,
        …; the lower one where they are equal.
    default_seeds, tuned_seeds : int
        How many those means are over.
    """

    fusion: str
    lr: float
    schedule: str
    epochs: int
    trials: int
    val_nll: float
    default_balanced_accuracy: float
    tuned_balanced_accuracy: float
    default_rank: float
    tuned_rank: float
    default_seeds: int
    tuned_seeds: int


TUNING_KINDS: dict[str, type] = get_type_hints(TuningRow)
"""Columns of metrics/tuning/summary.csv and their types, in their order."""


def write_tuning(path: Path, rows: Iterable[TuningRow]) -> None:
    """Write the table in one step, figures to six digits and ranks whole."""
    table = pd.DataFrame(rows, columns=list(TUNING_KINDS)).astype(TUNING_KINDS).round(_DIGITS)
    write_table(path, table.astype(dict.fromkeys(_RANKS, "Int64")))


def read_tuning(path: Path = SUMMARY) -> list[TuningRow]:
    """Return what tuning made of each fusion; none where it was not run yet.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or says what cannot be.
    """
    return read_rows(path, TuningRow, ("fusion",), _wrong)


def parse_tuning(text: str, path: Path = SUMMARY) -> list[TuningRow]:
    """Return what the text of the table holds; columns beside those of `TuningRow` are left out.

    Raises
    ------
    ArtifactError
        A column is missing, a cell is of another kind, or a row says what cannot be.
    """
    return parse_rows(text, path, TuningRow, ("fusion",), _wrong)


def _wrong(row: TuningRow) -> str:
    """Return what of a row cannot be; "" if all can."""
    for name, (is_allowed, allowed) in _ALLOWED.items():
        value = getattr(row, name)
        if not is_allowed(value):
            return f"{name} = {value if value != '' else 'empty'}: must be {allowed}"
    return ""


def _is_percent(value: float) -> bool:
    return math.isnan(value) or 0 <= value <= 100


def _is_rank(value: float) -> bool:
    return math.isnan(value) or (1 <= value < math.inf and value == int(value))


_PERCENT = (_is_percent, "between 0 and 100, or empty")
_RANK = (_is_rank, "1, 2, …, or empty")
_COUNT = (lambda value: value >= 1, "1 or more")
_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "fusion": (bool, "a name"),
    "lr": (lambda value: 0 < value < math.inf, "above 0"),
    "schedule": (lambda value: value in _SCHEDULES, " or ".join(_SCHEDULES)),
    "epochs": _COUNT,
    "trials": _COUNT,
    "val_nll": (lambda value: 0 <= value < math.inf, "0 or more"),
    "default_balanced_accuracy": _PERCENT,
    "tuned_balanced_accuracy": _PERCENT,
    "default_rank": _RANK,
    "tuned_rank": _RANK,
    "default_seeds": _COUNT,
    "tuned_seeds": _COUNT,
}

"""The tables that the page is made of: what each must hold, and what makes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import read_table
from fusebench.report import learning, robust, tuning

_BAND = {"low": float, "high": float}


@dataclass(frozen=True)
class Stored:
    """A table in a CSV file.

    Attributes
    ----------
    path : str
        From the project's root.
    kinds : mapping of str to {str, int, float}
        Columns that it must have; others are read as text.
    command : str
        Runs what writes it, where that need not have been run; "": it must be there.
    rows : callable, optional
        Reads its rows, all columns of them, where there is more to be checked than kinds.
    """

    path: str
    kinds: Mapping[str, type] = field(default_factory=dict)
    command: str = ""
    rows: Callable[[Path], Sequence[tuple[Any, ...]]] | None = None

    def read(self, root: Path) -> pd.DataFrame:
        """Return the table; without a row where a file that may be missing is.

        Raises
        ------
        ArtifactError
            The file is broken, lacks a column, or is missing and must not be.
        """
        path = root / self.path
        if self.command and not path.exists():
            return pd.DataFrame(columns=list(self.kinds))
        try:
            if self.rows is not None:
                return pd.DataFrame(self.rows(path), columns=list(self.kinds))
            return read_table(path, self.kinds)
        except ArtifactError as error:
            # Named as the user sees it from the root.
            raise ArtifactError(str(error).replace(str(path), self.path)) from None


TABLES = {
    "best": Stored(
        "plots/curves/best.csv",
        {"fusion": str, "distance": float, "below": float, "margin": float, "said": str,
         "axis": str},
    ),
    "intervals": Stored(
        "plots/curves/intervals.csv",
        {"pair": str, "difference": float, **_BAND, "fixed_low": float, "fixed_high": float,
         "shown": str, "group": str, "axis": str,
         "left": str, "right": str},
    ),
    "training": Stored(
        "plots/curves/training.csv", {"fusion": str, "epoch": int, "val_loss": float, **_BAND}
    ),
    "roc": Stored(
        "plots/curves/roc.csv",
        {"panel": str, "fusion": str, "seed": int, "point": int, "false_positive_rate": float,
         "true_positive_rate": float, "chance": float},
    ),
    "precision_recall": Stored(
        "plots/curves/precision_recall.csv",
        {"panel": str, "fusion": str, "seed": int, "point": int, "recall": float,
         "precision": float, "chance": float},
    ),
    "robustness": Stored(
        "metrics/robustness.csv",
        {"fusion": str, "corruption": str, "sensor": str, "severity": int, "amount": float,
         "unit": str, "balanced_accuracy": float, **_BAND},
        "dvc repro robustness",
    ),
    "robustness_summary": Stored(
        "metrics/robustness_summary.csv",
        {"fusion": str, "robustness": float, "worst": str, "worst_robustness": float},
        "dvc repro robustness",
    ),
    "pareto": Stored(
        "plots/curves/pareto.csv",
        {"fusion": str, "nll": float, "nll_low": float, "nll_high": float, "latency_ms": float,
         "parameters": float, "mflops": float, "on_front_latency": int,
         "on_front_parameters": int},
        "dvc repro compare",
    ),
    "reliability": Stored(
        "plots/curves/reliability.csv",
        {"fusion": str, "scaled": int, "bin": int, "confidence": float, "accuracy": float,
         "count": float},
        "dvc repro compare",
    ),
    "probabilities": Stored(
        "metrics/probabilities.csv",
        {"fusion": str, "seed": int, "temperature": float, "nll": float, "brier": float,
         "calibration_error": float, "scaled_nll": float, "scaled_brier": float,
         "scaled_calibration_error": float},
        "dvc repro compare",
    ),
    "learning_curve": Stored(
        str(learning.SUMMARY), get_type_hints(learning.LearningRow), "make learning-curve",
        learning.read_learning,
    ),
    "tuning": Stored(
        str(tuning.SUMMARY), get_type_hints(tuning.TuningRow), "make tune", tuning.read_tuning
    ),
    "robust": Stored(
        str(robust.SUMMARY), get_type_hints(robust.RobustRow), "make robust", robust.read_robust
    ),
}  # fmt: skip
STUDIES = ("learning_curve", "tuning", "robust")
"""Of `TABLES`, those that studies write, beside `declared.ORIGIN`."""


def read_tables(root: Path) -> dict[str, pd.DataFrame]:
    """Return all tables by their names; raise ArtifactError as `Stored.read` does."""
    return {name: stored.read(root) for name, stored in TABLES.items()}


def packed(table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns as JSON has them, short: many curves are many rows.

    Returns
    -------
    dict
        By column: a list of figures, to six digits, None where there is none; of texts, `names`,
        each once, and `codes`, their positions.
    """
    return {str(name): _packed(table[name].tolist()) for name in table}


def _packed(cells: list[Any]) -> Any:
    if not any(isinstance(cell, str) for cell in cells):
        return [_plain(cell) for cell in cells]
    names = list(dict.fromkeys(cells))
    places = {name: place for place, name in enumerate(names)}
    return {"names": names, "codes": [places[cell] for cell in cells]}


def _plain(cell: Any) -> Any:
    if not isinstance(cell, float):
        return cell
    # NaN, too, is no JSON; of infinity a chart can draw nothing either.
    if not abs(cell) < float("inf"):
        return None
    short = float(f"{cell:.6g}")
    return int(short) if short.is_integer() else short

"""Curves of all fusions in one file each, for `dvc plots` and for the pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fusebench.evaluation.metrics import log_odds
from fusebench.evaluation.ranking import precision_recall_curve, roc_curve
from fusebench.report.results import Comparison
from fusebench.samples.samples import read_csv

Row = dict[str, str | int | float]

ROC = ("false_positive_rate", "true_positive_rate")
PRECISION_RECALL = ("recall", "precision")

# Points of a drawn curve, but for its ends; more would be invisible and swell the repository.
_POINTS = 100
_DIGITS = 4


def training_rows(folder: Path, fusions: Sequence[str]) -> list[Row]:
    """Return mean, lowest and highest val loss over seeds, per fusion and epoch.

    Parameters
    ----------
    folder : Path
        Holds <fusion>.csv with the columns seed, epoch and val_loss.
    """
    rows: list[Row] = []
    for name in fusions:
        losses: dict[int, list[float]] = {}
        for line in read_csv(folder / f"{name}.csv", ("epoch", "val_loss")):
            losses.setdefault(int(line["epoch"]), []).append(float(line["val_loss"]))
        rows += [
            {
                "fusion": name,
                "epoch": epoch,
                "val_loss": _significant(float(np.mean(held))),
                "low": _significant(min(held)),
                "high": _significant(max(held)),
            }
            for epoch, held in losses.items()
        ]
    return rows


def _significant(loss: float) -> float:
    """Return a loss to six digits; never 0, which a logarithmic axis cannot show."""
    return float(f"{max(loss, 1e-12):.6g}")


def ranking_rows(comparison: Comparison) -> tuple[list[Row], list[Row]]:
    """Return the points of ROC and precision-recall on test, per fusion and seed, in percent.

    Both are those of the positive class against the rest. A threshold has one point of each and no
    curve.
    """
    roc: list[Row] = []
    precision_recall: list[Row] = []
    for name in comparison.trained:
        predictions = comparison.predictions[name]
        for seed, parts in predictions.seeds.items():
            part, positive = parts["test"], predictions.positive
            truth, scores = part.labels == positive, log_odds(part.logits, positive)
            false_rate, true_rate, _ = roc_curve(truth, scores)
            precision, recall, _ = precision_recall_curve(truth, scores)
            key: Row = {"fusion": name, "seed": seed}
            roc += _points(
                key, ("false_positive_rate", "true_positive_rate"), false_rate, true_rate
            )
            precision_recall += _points(key, ("recall", "precision"), recall, precision)
    return roc, precision_recall


def _points(key: Row, names: Sequence[str], *columns: npt.NDArray[np.float64]) -> list[Row]:
    """Return some `_POINTS` points of a curve, its first and its last among them.

    They are evenly spaced along the curve, so that steep parts keep their shape.
    """
    steps = np.sum([np.abs(np.diff(column)) for column in columns], axis=0)
    length = np.concatenate(([0.0], np.cumsum(steps)))
    chosen = np.unique(np.searchsorted(length, np.linspace(0, length[-1], _POINTS)))
    chosen = np.union1d(chosen, [0, len(length) - 1])
    return [
        key
        | {"point": place}
        | {
            name: round(100 * float(column[each]), _DIGITS)
            for name, column in zip(names, columns, strict=True)
        }
        for place, each in enumerate(chosen)
    ]


def accuracy_rows(comparison: Comparison) -> list[Row]:
    """Return balanced accuracy on test, per row of the comparison: mean ± deviation over seeds."""
    rows: list[Row] = []
    for result in comparison.results:
        found = result.metrics["test"]["balanced_accuracy"]
        spread = found["deviation"] or 0.0
        rows.append(
            {
                "fusion": result.name,
                "balanced_accuracy": found["mean"],
                "low": round(found["mean"] - spread, 6),
                "high": round(found["mean"] + spread, 6),
            }
        )
    return rows

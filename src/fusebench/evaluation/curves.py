"""Points of ROC and precision-recall curves on test, per fusion and seed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from fusebench.evaluation.metrics import Floats, log_odds
from fusebench.prediction.predictions import FusionPredictions

# Points of a drawn curve, but for its ends; more would be invisible and swell the repository.
_POINTS = 100
_DIGITS = 4


def roc_points(fusions: Mapping[str, FusionPredictions]) -> pd.DataFrame:
    """Return points of the ROC curve of the positive class against the rest.

    Returns
    -------
    DataFrame
        fusion, seed, point (number along the curve), false_positive_rate, true_positive_rate, the
        last two in percent.
    """

    def curve(truth: Any, scores: Floats) -> dict[str, Floats]:
        false_positive_rate, true_positive_rate, _ = roc_curve(truth, scores)
        return {
            "false_positive_rate": false_positive_rate,
            "true_positive_rate": true_positive_rate,
        }

    return _curves(fusions, curve)


def precision_recall_points(fusions: Mapping[str, FusionPredictions]) -> pd.DataFrame:
    """Return points of precision over recall of the positive class against the rest.

    Returns
    -------
    DataFrame
        fusion, seed, point (number along the curve), recall, precision, the last two in percent.
    """

    def curve(truth: Any, scores: Floats) -> dict[str, Floats]:
        precision, recall, _ = precision_recall_curve(truth, scores)
        return {"recall": recall, "precision": precision}

    return _curves(fusions, curve)


def _curves(
    fusions: Mapping[str, FusionPredictions], curve: Callable[[Any, Floats], dict[str, Floats]]
) -> pd.DataFrame:
    tables = []
    for name, predictions in fusions.items():
        for seed, parts in predictions.seeds.items():
            part, positive = parts["test"], predictions.positive
            columns = curve(part.labels == positive, log_odds(part.logits, positive))
            table = pd.DataFrame({key: _thinned(columns, key) for key in columns})
            table.insert(0, "point", np.arange(len(table)))
            table.insert(0, "seed", seed)
            table.insert(0, "fusion", name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _thinned(columns: Mapping[str, Floats], key: str) -> Floats:
    """Return a column at some `_POINTS` points of the curve, its ends among them, in percent.

    They are evenly spaced along the curve, so that steep parts keep their shape.
    """
    steps = np.sum([np.abs(np.diff(column)) for column in columns.values()], axis=0)
    length = np.concatenate(([0.0], np.cumsum(steps)))
    chosen = np.searchsorted(length, np.linspace(0, length[-1], _POINTS))
    chosen = np.union1d(chosen, [0, len(length) - 1])
    points: Floats = np.round(100 * columns[key][chosen], _DIGITS)
    return points

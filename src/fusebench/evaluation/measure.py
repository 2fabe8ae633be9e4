"""Stage evaluate: from kept predictions to the metrics of a fusion, per seed and over seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import MEASURED_PARTS, FusionPredictions, PartPredictions

# Beyond this, digits are those of the processor, not of the model; and JSON stays readable.
_DIGITS = 6


def fusion_metrics(predictions: FusionPredictions) -> dict[str, Any]:
    """Return the metrics of a fusion from its kept predictions alone.

    Returns
    -------
    dict
        parameters, collapsed_seeds (on test), and per part: mean and deviation (sample standard
        deviation; null for one seed) of each metric over seeds, and each seed's own metrics.
    """
    parts = {part: seed_metrics(predictions, part) for part in MEASURED_PARTS}
    collapsed = [metrics["collapsed"] for metrics in parts["test"].values()]
    return {
        "parameters": predictions.info["parameters"],
        "collapsed_seeds": sum(collapsed),
        **{
            part: {**summarize(list(seeds.values())), "seeds": seeds}
            for part, seeds in parts.items()
        },
    }


def seed_metrics(predictions: FusionPredictions, part: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of each seed on one part, and whether it collapsed there."""
    return {
        str(seed): part_metrics(parts[part], predictions.positive)
        | {"collapsed": is_collapsed(parts[part], int(predictions.train_counts(seed).argmax()))}
        for seed, parts in predictions.seeds.items()
    }


def part_metrics(part: PartPredictions, positive: int) -> dict[str, Any]:
    """Return all metrics of one model on one part, and its confusion counts (row: true class)."""
    metrics: dict[str, Any] = {
        name: round(metric.function(part, positive), _DIGITS) for name, metric in METRICS.items()
    }
    return metrics | {"confusion": _confusion(part).tolist()}


def is_collapsed(part: PartPredictions, majority: int) -> bool:
    """Tell whether a model answers the majority class for every sample."""
    return bool((part.logits.argmax(axis=1) == majority).all())


def summarize(seeds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return mean and sample standard deviation over seeds of each metric."""
    summary: dict[str, dict[str, float | None]] = {}
    for name in METRICS:
        values = np.array([metrics[name] for metrics in seeds])
        deviation = round(float(values.std(ddof=1)), _DIGITS) if len(values) > 1 else None
        summary[name] = {"mean": round(float(values.mean()), _DIGITS), "deviation": deviation}
    return summary


def confusion_table(predictions: FusionPredictions) -> pd.DataFrame:
    """Return the confusion on test: a row per actual and predicted class.

    Returns
    -------
    DataFrame
        actual, predicted; count: mean over seeds of the number of samples; share: its percentage
        of the actual class.
    """
    counts = np.mean([_confusion(parts["test"]) for parts in predictions.seeds.values()], axis=0)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    classes = predictions.classes
    return pd.DataFrame(
        {
            "actual": np.repeat(classes, len(classes)),
            "predicted": np.tile(classes, len(classes)),
            "count": counts.ravel().round(4),
            "share": shares.ravel().round(4),
        }
    )


def _confusion(part: PartPredictions) -> Any:
    labels = range(part.logits.shape[1])
    return confusion_matrix(part.labels, part.logits.argmax(axis=1), labels=labels)

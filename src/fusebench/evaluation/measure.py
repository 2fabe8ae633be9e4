"""Stage evaluate: from kept predictions to the metrics of a fusion, per seed and over seeds."""

from collections import Counter
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
        deviation; null for one seed) of each metric over seeds, and each seed's own metrics, with
        the class that it collapsed to (null: it has not).
    """
    parts = {part: seed_metrics(predictions, part) for part in MEASURED_PARTS}
    collapsed = [metrics["collapsed"] is not None for metrics in parts["test"].values()]
    return {
        "parameters": predictions.info["parameters"],
        "collapsed_seeds": sum(collapsed),
        **{
            part: {**summarize(list(seeds.values())), "seeds": seeds}
            for part, seeds in parts.items()
        },
    }


def seed_metrics(predictions: FusionPredictions, part: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of each seed on one part, and the class that it collapsed to, or None."""
    measured = {}
    for seed, parts in predictions.seeds.items():
        label = constant_answer(parts[part])
        collapsed = None if label is None else predictions.classes[label]
        metrics = part_metrics(parts[part], predictions.positive)
        measured[str(seed)] = metrics | {"collapsed": collapsed}
    return measured


def part_metrics(part: PartPredictions, positive: int) -> dict[str, Any]:
    """Return all metrics of one model on one part, and its confusion counts (row: true class)."""
    metrics: dict[str, Any] = {
        name: round(metric.function(part, positive), _DIGITS) for name, metric in METRICS.items()
    }
    return metrics | {"confusion": _confusion(part).tolist()}


def constant_answer(part: PartPredictions) -> int | None:
    """Return the class that a collapsed model answers for every sample; None: it has not collapsed.

    Whichever class it is. In a part that holds one class only, a right answer is constant, too:
    there nothing is called collapsed. A model that answers another class now and then is not
    collapsed, either; whether it is better than chance is another question (docs/statistics.md).
    """
    answers = part.logits.argmax(axis=1)
    if np.ptp(answers) or not np.ptp(part.labels):
        return None
    return int(answers[0])


def collapsed_classes(metrics: dict[str, Any]) -> dict[str, int]:
    """Return how many seeds collapsed to each class on test, from what `fusion_metrics` returned.

    The class of most seeds first; empty: none has collapsed.
    """
    marks = [seed["collapsed"] for seed in metrics["test"]["seeds"].values()]
    return dict(Counter(mark for mark in marks if mark is not None).most_common())


def collapse_text(metrics: dict[str, Any]) -> str:
    """Return in words which seeds collapsed: "2 of 3 seeds answer cubes for every sample"."""
    classes, total = collapsed_classes(metrics), len(metrics["test"]["seeds"])
    seeds = f"of {total} seed" + "s" * (total > 1)
    if not classes:
        return f"0 {seeds} collapsed"
    said = [
        f"{count} {seeds} {'answers' if count == 1 else 'answer'} {name}"
        for name, count in classes.items()
    ]
    return f"{', '.join(said)} for every sample"


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

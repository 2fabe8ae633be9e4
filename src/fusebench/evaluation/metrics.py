"""Quality metrics of predictions: per seed, and their mean and deviation over seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.evaluation.counts import confusion_counts, rates
from fusebench.evaluation.ranking import auroc, average_precision
from fusebench.prediction.predictions import FusionPredictions, PartPredictions

PARTS = ("test", "val")
RATES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auroc", "average_precision")
# Beyond this, digits are those of the processor, not of the model; and JSON stays readable.
_DIGITS = 6


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return probabilities (n, k) of logits (n, k), in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def nll_per_sample(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return −log p(true class), in nats, shape (n,); finite even where p would round to 0."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    losses: npt.NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return losses


def part_metrics(part: PartPredictions, positive: int) -> dict[str, Any]:
    """Return the metrics of one model on one part.

    Rates are in percent, NLL in nats per sample. For two classes precision, recall, F1, AUROC and
    average precision are those of the positive class; for more, macro means over classes
    (AUROC one class against the rest).

    Parameters
    ----------
    positive : int
        Label of the positive class.
    """
    classes = part.logits.shape[1]
    predicted = part.logits.argmax(axis=1).astype(np.int64)
    counts = confusion_counts(part.labels, predicted, classes)
    found = rates(counts, positive) | _ranking(part, positive)
    found["nll"] = float(nll_per_sample(part.logits, part.labels).mean())
    return {name: round(value, _DIGITS) for name, value in found.items()} | {
        "confusion": counts.tolist()
    }


def log_odds(logits: npt.NDArray[np.float32], label: int) -> npt.NDArray[np.float64]:
    """Return the log odds of one class against the rest, shape (n,).

    They order as the probabilities do, without the ties where those round to 0 or 1. What differs
    by the rounding of the sum alone is made equal, being a tie.
    """
    exact = logits.astype(np.float64)
    rest = np.logaddexp.reduce(np.delete(exact, label, axis=1), axis=1)
    odds: npt.NDArray[np.float64] = np.round(exact[:, label] - rest, 9)
    return odds


def _ranking(part: PartPredictions, positive: int) -> dict[str, float]:
    """Return AUROC and average precision, in percent."""
    classes = part.logits.shape[1]
    labels = [positive] if classes == 2 else range(classes)
    scores = [(part.labels == label, log_odds(part.logits, label)) for label in labels]
    return {
        "auroc": 100 * float(np.mean([auroc(*each) for each in scores])),
        "average_precision": 100 * float(np.mean([average_precision(*each) for each in scores])),
    }


def is_stuck(part: PartPredictions, majority: int) -> bool:
    """Tell whether a model says "majority class" of every sample."""
    return bool((part.logits.argmax(axis=1) == majority).all())


def fusion_metrics(predictions: FusionPredictions) -> dict[str, Any]:
    """Return the metrics of a fusion from its kept predictions alone.

    Returns
    -------
    dict
        parameters, stuck_seeds (on test), and per part: mean and deviation (sample standard
        deviation; null for one seed) of each metric over seeds, and each seed's own metrics.
    """
    parts = {part: seed_metrics(predictions, part) for part in PARTS}
    stuck = [found["stuck_at_majority"] for found in parts["test"].values()]
    return {
        "parameters": predictions.info["parameters"],
        "stuck_seeds": sum(stuck),
        **{
            part: {**summarize(list(seeds.values())), "seeds": seeds}
            for part, seeds in parts.items()
        },
    }


def seed_metrics(predictions: FusionPredictions, part: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of each seed on one part, and whether it is stuck there."""
    return {
        str(seed): part_metrics(parts[part], predictions.positive)
        | {"stuck_at_majority": is_stuck(parts[part], int(predictions.train_counts(seed).argmax()))}
        for seed, parts in predictions.seeds.items()
    }


def summarize(seeds: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return mean and sample standard deviation over seeds of each metric that is a number."""
    summary: dict[str, dict[str, float | None]] = {}
    for name in (*RATES, "nll"):
        values = np.array([found[name] for found in seeds])
        deviation = round(float(values.std(ddof=1)), _DIGITS) if len(values) > 1 else None
        summary[name] = {"mean": round(float(values.mean()), _DIGITS), "deviation": deviation}
    return summary

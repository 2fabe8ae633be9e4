"""Plot data of one fusion: ROC and precision-recall points, and the confusion of labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

from fusebench.data.samples import write_csv
from fusebench.evaluation.predictions import FusionPredictions, PartPredictions
from fusebench.files import replace_file

# Points of a curve that is drawn; more would be invisible and swell the repository.
_POINTS = 200


def _thinned(*columns: npt.NDArray[np.float64]) -> list[tuple[float, ...]]:
    """Return at most `_POINTS` rows, the first and the last among them, in percent."""
    chosen = np.unique(np.linspace(0, len(columns[0]) - 1, _POINTS).round().astype(int))
    return [tuple(round(100 * float(column[row]), 4) for column in columns) for row in chosen]


def _scores(
    part: PartPredictions, positive: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return truth and score of the positive class against the rest, each of shape (n,)."""
    logits = part.logits.astype(np.float64)
    others = np.delete(logits, positive, axis=1)
    return part.labels == positive, logits[:, positive] - np.logaddexp.reduce(others, axis=1)


def write_curves(folder: Path, predictions: FusionPredictions) -> None:
    """Write roc.csv, precision_recall.csv and confusion.csv of the test part into a folder.

    ROC and precision-recall are those of the positive class against the rest, per seed, in
    percent; confusion lists true and predicted class of each test sample of each seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    roc: list[Sequence[str | int | float]] = []
    precision_recall: list[Sequence[str | int | float]] = []
    confusion: list[Sequence[str | int | float]] = []
    for seed, parts in predictions.seeds.items():
        truth, scores = _scores(parts["test"], predictions.positive)
        false_rate, true_rate, _ = roc_curve(truth, scores)
        precision, recall, _ = precision_recall_curve(truth, scores)
        roc += [(seed, *point) for point in _thinned(false_rate, true_rate)]
        precision_recall += [(seed, *point) for point in _thinned(recall, precision)]
        predicted = parts["test"].logits.argmax(axis=1)
        confusion += [
            (seed, str(true), predictions.classes[said])
            for true, said in zip(parts["test"].classes, predicted, strict=True)
        ]
    for name, header, lines in (
        ("roc", ["seed", "false_positive_rate", "true_positive_rate"], roc),
        ("precision_recall", ["seed", "recall", "precision"], precision_recall),
        ("confusion", ["seed", "actual", "predicted"], confusion),
    ):
        with replace_file(folder / f"{name}.csv") as aside:
            write_csv(aside, header, lines)

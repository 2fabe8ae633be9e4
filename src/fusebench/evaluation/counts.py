"""Rates that follow from confusion counts alone; numpy only, so training needs nothing more."""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def confusion_counts(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> Counts:
    """Return counts (k, k): row = true class, column = predicted class."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(
        classes, classes
    )


def _ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> list[float]:
    """Return part / whole, and 0 where there is nothing to divide, as scikit-learn does."""
    quotients = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return [float(each) for each in quotients]


def rates(counts: Counts, positive: int) -> dict[str, float]:
    """Return accuracy, balanced accuracy, precision, recall and F1, in percent.

    Precision, recall and F1 are those of the positive class for two classes, and unweighted means
    over classes (macro) for more. A rate whose denominator is 0 is 0.

    Parameters
    ----------
    counts : array of int, shape (k, k)
        Row = true class, column = predicted class.
    positive : int
        Label of the positive class.
    """
    hits = np.diag(counts).astype(np.float64)
    true, predicted = counts.sum(1).astype(np.float64), counts.sum(0).astype(np.float64)
    present = true > 0
    by_class = {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, true),
        "f1": _ratio(2 * hits, true + predicted),
    }
    result = {
        "accuracy": float(hits.sum() / max(1.0, true.sum())),
        "balanced_accuracy": float(np.mean(np.array(by_class["recall"])[present])),
    }
    for name, values in by_class.items():
        result[name] = values[positive] if len(counts) == 2 else float(np.mean(values))
    return {name: 100 * value for name, value in result.items()}

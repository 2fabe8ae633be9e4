"""How well scores rank the positive samples: ROC, precision-recall, and the area under each.

Numpy only: importing sklearn.metrics takes half as long as importing torch. Points, ends and ties
are those of scikit-learn, to which the tests hold this module.

References
----------
Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006: the curve from one
sort (algorithm 1), one point per group of ties.
Hanley & McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
curve", Radiology 143, 1982: that area as the statistic of Mann and Whitney.
Davis & Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006: why points
of precision and recall are not joined by straight lines.
"""

import warnings

import numpy as np
import numpy.typing as npt

Truth = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def auroc(truth: Truth, scores: npt.NDArray[np.floating]) -> float:
    """Return the area under the ROC curve, as a fraction 0…1; NaN where a class is missing.

    It is the share of pairs of a positive and a negative sample in which the positive one scores
    higher, ties counting half: U / (positives · negatives) of Mann and Whitney.

    Parameters
    ----------
    truth : array of bool, shape (n,)
        Whether each sample is of the positive class.
    scores : array of float, shape (n,)
        Higher where the positive class is more likely; in any unit, only their order counts.

    Warns
    -----
    UserWarning
        All samples are of one class.

    Raises
    ------
    ValueError
        There are no samples, the lengths differ, or a score is not finite.
    """
    false_positive_rate, true_positive_rate, _ = roc_curve(truth, scores)
    return float(np.trapezoid(true_positive_rate, false_positive_rate))


def average_precision(truth: Truth, scores: npt.NDArray[np.floating]) -> float:
    """Return average precision, as a fraction 0…1; 0 where there is no positive sample.

    It is Σ (Rᵢ - Rᵢ₋₁) Pᵢ over falling thresholds, with recall R and precision P: the area below
    the steps of the precision-recall curve. Lines between its points would promise too much.

    Parameters, warnings and errors are those of `precision_recall_curve`.
    """
    precision, recall, _ = precision_recall_curve(truth, scores)
    return max(0.0, float(-np.sum(np.diff(recall) * precision[:-1])))


def roc_curve(truth: Truth, scores: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Return the ROC curve from (0, 0) to (1, 1), without the points on a straight line.

    Left out is a point before and after which both counts rise by the same numbers.

    Parameters
    ----------
    truth : array of bool, shape (n,)
        Whether each sample is of the positive class.
    scores : array of float, shape (n,)
        Higher where the positive class is more likely.

    Returns
    -------
    false_positive_rate, true_positive_rate : array of float64, shape (k,)
        Rising fractions 0…1; all NaN where the class to divide by is missing.
    thresholds : array of float64, shape (k,)
        Falling from infinity; samples that score at least this are called positive.

    Warns
    -----
    UserWarning
        All samples are of one class.

    Raises
    ------
    ValueError
        There are no samples, the lengths differ, or a score is not finite.
    """
    false, true, thresholds = _counts_at_thresholds(truth, scores)
    corners = _corners(false, true)
    return (
        _rate(false[corners], "no negative sample, so the false positive rate is undefined"),
        _rate(true[corners], "no positive sample, so the true positive rate is undefined"),
        np.concatenate(([np.inf], thresholds[corners])),
    )


def precision_recall_curve(
    truth: Truth, scores: npt.NDArray[np.floating]
) -> tuple[Floats, Floats, Floats]:
    """Return precision and recall at every distinct score, by rising score.

    Parameters
    ----------
    truth : array of bool, shape (n,)
        Whether each sample is of the positive class.
    scores : array of float, shape (n,)
        Higher where the positive class is more likely.

    Returns
    -------
    precision, recall : array of float64, shape (k + 1,)
        Fractions 0…1, recall falling from 1. The last point is precision 1 at recall 0, which has
        no threshold. Recall is 1 throughout where there is no positive sample.
    thresholds : array of float64, shape (k,)
        The distinct scores; samples that score at least this are called positive.

    Warns
    -----
    UserWarning
        There is no positive sample.

    Raises
    ------
    ValueError
        There are no samples, the lengths differ, or a score is not finite.
    """
    false, true, thresholds = _counts_at_thresholds(truth, scores)
    if true[-1]:
        recall = true / true[-1]
    else:
        warnings.warn("no positive sample, so recall is taken as 1", stacklevel=2)
        recall = np.ones_like(true)
    precision = true / (true + false)
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1]


def _counts_at_thresholds(
    truth: Truth, scores: npt.NDArray[np.floating]
) -> tuple[Floats, Floats, Floats]:
    """Return false positives, true positives and threshold, by falling distinct score."""
    if len(truth) != len(scores) or not len(scores):
        raise ValueError(f"{len(truth)} samples with {len(scores)} scores: expected one each")
    if not np.isfinite(scores).all():
        raise ValueError("expected finite scores, found NaN or infinity")
    order = np.argsort(scores)[::-1]
    falling = scores[order].astype(np.float64)
    # Counts are read at the last sample of each group of ties: the order within has no effect.
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    true = np.cumsum(truth[order], dtype=np.float64)[last]
    return 1.0 + last - true, true, falling[last]


def _corners(false: Floats, true: Floats) -> npt.NDArray[np.intp]:
    """Return the places of both ends and of each point where a count rises by another number."""
    bends = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    return np.union1d(np.flatnonzero(bends) + 1, [0, len(true) - 1])


def _rate(counts: Floats, otherwise: str) -> Floats:
    """Return 0 and then counts / the last of them; NaN and a warning where that one is 0."""
    if not counts[-1]:
        warnings.warn(otherwise, stacklevel=3)
        return np.full(len(counts) + 1, np.nan)
    rates: Floats = np.concatenate(([0.0], counts)) / counts[-1]
    return rates

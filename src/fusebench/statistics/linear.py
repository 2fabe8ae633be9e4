"""What each sample adds to a metric that is no mean over samples, to the first order.

Counting sample j once more changes the metric by about its effect (the influence function: Hampel,
Journal of the American Statistical Association 69, 1974); the variance of a sum of effects is the
sampling variance of the metric. For the area under the ROC curve it is that of DeLong, DeLong &
Clarke-Pearson (Biometrics 44, 1988).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from fusebench.statistics.paired import Floats

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Linear:
    """A metric, taken apart by sample, in percent.

    Attributes
    ----------
    value : float
    effects : array, shape (n,)
        Derivative of the metric by how often each sample counts; their sum is 0.
    step : float
        What one sample can change of the metric, about.
    """

    value: float
    effects: Floats
    step: float


def ratio(numerator: Floats, denominator: Floats, most: float) -> Linear:
    """Take a ratio of two sums over samples apart, such as precision, recall or F1.

    Parameters
    ----------
    numerator, denominator : array, shape (n,)
        The ratio is 0 where the sum of the second is 0.
    most : float
        The largest numerator that a sample can have.
    """
    total = float(denominator.sum())
    if not total:
        return Linear(0.0, np.zeros(len(numerator)), 0.0)
    value = float(numerator.sum()) / total
    return Linear(100 * value, 100 * (numerator - value * denominator) / total, 100 * most / total)


def auroc(truth: Bools, scores: Floats) -> Linear:
    """Take the area under the ROC curve apart; both classes must be there.

    Parameters
    ----------
    truth : array of bool, shape (n,)
        Whether each sample is of the positive class.
    scores : array, shape (n,)
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    ranks = rankdata(scores)
    # For each sample, the share of the other class that it is on the right side of.
    won = np.empty(len(truth))
    won[truth] = (ranks[truth] - rankdata(scores[truth])) / negatives
    won[~truth] = 1 - (ranks[~truth] - rankdata(scores[~truth])) / positives
    value = float(won[truth].mean())
    effects = (won - value) / np.where(truth, positives, negatives)
    return Linear(100 * value, 100 * effects, 100 / min(positives, negatives))


def average_precision(truth: Bools, scores: Floats) -> Linear:
    """Take average precision apart: the mean over positive samples of precision at their score.

    Parameters
    ----------
    truth : array of bool, shape (n,)
        Whether each sample is of the positive class; one at least is.
    scores : array, shape (n,)
    """
    _, places = np.unique(scores, return_inverse=True)
    here = np.bincount(places, weights=truth)
    above = np.cumsum(np.bincount(places)[::-1])[::-1]
    precision = np.cumsum(here[::-1])[::-1] / above
    positives = float(here.sum())
    value = float(here @ precision) / positives
    # A sample also changes the precision at every score that is not above its own.
    gained = np.cumsum(here / above)[places]
    lost = np.cumsum(here * precision / above)[places]
    effects = (truth * (precision[places] - value + gained) - lost) / positives
    return Linear(100 * value, 100 * effects, 100 / positives)


def mean(parts: Sequence[Linear]) -> Linear:
    """Return the mean of several metrics of the same samples."""
    return Linear(
        float(np.mean([part.value for part in parts])),
        np.mean([part.effects for part in parts], axis=0),
        float(np.mean([part.step for part in parts])),
    )

"""What an answer that does not look at the sample reaches: the chance level of each metric.

Of all such answers (a constant one, or one drawn at random at any rates) the best counts, given
how many samples of each class the test part has. Two classes: of the positive one where a metric
speaks of one class; more: the mean over classes.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

Counts = npt.NDArray[np.int64]
Chance = Callable[[Counts, int], float]
"""From the samples of each class, shape (k,), and the positive class to the metric's value; NaN:
there is no such level."""


def none(_counts: Counts, _positive: int) -> float:
    """Return NaN: an answer that does not look can reach the best value, or any value."""
    return math.nan


def accuracy(counts: Counts, _positive: int) -> float:
    """Return the share of the largest class, answered always, in percent."""
    return 100 * float(counts.max() / counts.sum())


def balanced_accuracy(counts: Counts, _positive: int) -> float:
    """Return 100 / classes that have samples: the rates of the answers sum to 1."""
    return 100 / int((counts > 0).sum())


def precision(counts: Counts, positive: int) -> float:
    """Return the share of the positive class, in percent; of k > 2 classes the mean share, 1/k."""
    return 100 * float(counts[positive] / counts.sum()) if len(counts) == 2 else 100 / len(counts)


def recall(counts: Counts, _positive: int) -> float:
    """Return NaN for two classes: "always positive" has 100 %. Of k > 2 the mean is 100/k."""
    return math.nan if len(counts) == 2 else 100 / len(counts)


def f1(counts: Counts, positive: int) -> float:
    """Return what "always positive" has, 2p / (1 + p), in percent; for k > 2 classes 100/k.

    A class of share p that is answered at rate q has 2pq / (p + q). For one class that is largest
    at q = 1 (Lipton et al., "Optimal thresholding of classifiers to maximize F1 measure", ECML
    2014); the mean over classes, where the rates sum to 1, at q = p: there it is the mean of p.
    """
    if len(counts) > 2:
        return 100 / len(counts)
    share = float(counts[positive] / counts.sum())
    return 100 * 2 * share / (1 + share)


def auroc(_counts: Counts, _positive: int) -> float:
    """Return 50: of a positive and a negative sample, either scores higher as often."""
    return 50.0


def average_precision(counts: Counts, positive: int) -> float:
    """Return the expected value for a random order, in percent; about the share of the class.

    Of n samples, r positive: (H_n + (n − H_n)(r − 1)/(n − 1)) / n, where H_n = 1 + 1/2 + … + 1/n
    (Bestgen, "Exact expected average precision of the random baseline for system evaluation",
    Prague Bulletin of Mathematical Linguistics 103, 2015). Equal scores have the share itself.
    """
    size = int(counts.sum())
    harmonic = float((1 / np.arange(1, size + 1)).sum())
    chosen = counts[[positive]] if len(counts) == 2 else counts
    others = np.maximum(chosen - 1, 0) / max(size - 1, 1)
    levels = (harmonic + (size - harmonic) * others) / size
    return 100 * float(np.where(chosen > 0, levels, 0.0).mean())


def nll(counts: Counts, _positive: int) -> float:
    """Return the entropy of the shares in nats: no constant probabilities lose less (Gibbs)."""
    return float(entropy(counts))


def brier(counts: Counts, _positive: int) -> float:
    """Return (1 − Σ share²) / 2: what the shares have as probabilities, the best constant ones."""
    shares = counts / counts.sum()
    return float(1 - (shares**2).sum()) / 2

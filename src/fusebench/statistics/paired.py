"""Two fusions side by side: what each test id adds to the difference of a metric, per seed.

Only for metrics that are means over samples, plain or weighted by class: there the difference of
two fusions is a sum over ids, and its variance can be taken apart.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A stratum with fewer ids says too little about its own variance.
_SMALLEST_STRATUM = 5


@dataclass(frozen=True)
class Paired:
    """The difference of two fusions, first − second, taken apart.

    Attributes
    ----------
    contributions : array, shape (s, j)
        What each of j ids adds to the difference in each of s seeds, in the metric's unit: the sum
        over a row is the difference of that seed. Samples of one id are one group.
    strata : array of int, shape (j,)
        Stratum of each id: which classes it has samples of. How many ids there are of each stratum
        was fixed when test was drawn, so ids vary within their stratum only.
    weights, counts : array, shape (c,)
        For each class of the test part: what one sample can change of the metric, and the number of
        samples. Weights are 0 for a metric without bounds (NLL).
    """

    contributions: Floats
    strata: Ints
    weights: Floats
    counts: Ints

    @property
    def difference(self) -> float:
        """The difference, mean over seeds."""
        return float(self.contributions.sum(axis=1).mean())

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return len(self.contributions)

    @property
    def discordant(self) -> int:
        """How many ids add anything to the difference, in any seed."""
        return int((self.contributions != 0).any(axis=0).sum())


def pair(
    first: Floats,
    second: Floats,
    ids: npt.NDArray[np.str_] | Ints,
    labels: Ints,
    weights: Floats,
    span: float,
) -> Paired:
    """Pair the values of two fusions, by seed and sample.

    Parameters
    ----------
    first, second : array, shape (s, n)
        Value of each sample in each seed, in the metric's unit.
    ids, labels : array, shape (n,)
        Id and class of each sample.
    weights : array, shape (n,)
        What each sample's value counts in the metric; their sum is 1.
    span : float
        How much one sample's value can change; 0 where there is no bound.
    """
    names, positions = np.unique(ids, return_inverse=True)
    contributions = [
        np.bincount(positions, weights=row, minlength=len(names))
        for row in first * weights - second * weights
    ]
    _, examples, counts = np.unique(labels, return_index=True, return_counts=True)
    return Paired(
        np.array(contributions),
        strata(positions, labels),
        span * weights[examples],
        counts.astype(np.int64),
    )


def strata(ids: Ints, labels: Ints) -> Ints:
    """Return the stratum of each id, shape (j,); strata of too few ids join the largest.

    Parameters
    ----------
    ids : array of int, shape (n,)
        Position of each sample's id among the j different ones.
    labels : array of int, shape (n,)
    """
    present = np.zeros((int(ids.max()) + 1, int(labels.max()) + 1), bool)
    present[ids, labels] = True
    _, combinations, counts = np.unique(present, axis=0, return_inverse=True, return_counts=True)
    small = counts[combinations] < _SMALLEST_STRATUM
    return np.where(small, int(counts.argmax()), combinations).astype(np.int64)

"""Two fusions side by side: what each test id adds to the difference of a metric, per seed.

Where the data name groups, a group is what is called an id here, and in the rest of the room.

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
        over a row is the difference of that seed. Samples of one id count as one.
    strata : array of int, shape (j,)
        Stratum of each id: which classes it has samples of. How many ids there are of each stratum
        was fixed when test was drawn, so ids vary within their stratum only.
    weights, counts : array, shape (c,)
        For each class of the test part: what one id can change of the metric by its samples of that
        class, and how many ids have some. Weights are 0 for a metric without bounds (NLL).
    by_size : array, shape (s, j), or None
        What of the contributions is there because an id has more samples than others of its
        stratum, or fewer; see `sizes`. None: no id has two samples of a class.
    """

    contributions: Floats
    strata: Ints
    weights: Floats
    counts: Ints
    by_size: Floats | None = None

    @property
    def varying(self) -> Floats:
        """The contributions as far as they vary from id to id in a mean over samples, (s, j).

        The sum over a row is the same. An id of many samples adds much to the mean, but they count
        in its denominator, too.
        """
        return self.contributions if self.by_size is None else self.contributions - self.by_size

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
    effects = first * weights - second * weights
    contributions = [np.bincount(positions, weights=row, minlength=len(names)) for row in effects]
    _, examples = np.unique(labels, return_index=True)
    counts, samples = by_class(positions, labels)
    return Paired(
        np.array(contributions),
        strata(positions, labels),
        span * weights[examples] * samples,
        counts,
        sizes(effects, positions, labels),
    )


def sizes(effects: Floats, ids: Ints, labels: Ints) -> Floats | None:
    """Return what ids add to a mean by the number of their samples alone, shape (s, j).

    With n_jk samples of class k in id j, each of which adds e_k on average: Σ_k (n_jk − mean of
    n_jk in the stratum of j) · e_k. The mean is a ratio of two sums over ids; without this, what is
    left of an id's contribution is its residual (Cochran, "Sampling techniques", 1977, chapter 6,
    for each class by itself), and the sum over a stratum is what it was.

    Parameters
    ----------
    effects : array, shape (s, n)
        What each sample adds.
    ids, labels : array of int, shape (n,)
        As in `strata`.

    Returns
    -------
    array or None
        None: no id has two samples of a class, so there is no ratio.
    """
    kinds, classes = np.unique(labels, return_inverse=True)
    numbers = np.zeros((int(ids.max()) + 1, len(kinds)))
    np.add.at(numbers, (ids, classes), 1)
    if numbers.max() < 2:
        return None
    each = [np.bincount(classes, weights=row) / numbers.sum(axis=0) for row in effects]
    chosen = strata(ids, labels)
    for stratum in np.unique(chosen):
        numbers[chosen == stratum] -= numbers[chosen == stratum].mean(axis=0)
    by_size: Floats = np.array(each) @ numbers.T
    return by_size


def by_class(ids: Ints, labels: Ints) -> tuple[Ints, Floats]:
    """Return how many ids have samples of each class that is there, and how many each on average.

    Shapes (c,), by rising label.
    """
    pairs = np.unique(np.stack([labels, ids]), axis=1)
    counts = np.unique(pairs[0], return_counts=True)[1].astype(np.int64)
    return counts, np.unique(labels, return_counts=True)[1] / counts


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

"""The two-way bootstrap: seeds and test ids drawn anew, both at once.

Owen, Annals of Applied Statistics 1, 2007; there "pigeonhole bootstrap". It counts seed × id more
than once, but its percentiles know nothing of how few seeds there are. A cross-check of the
intervals for means, and for other metrics the way to their sampling variance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fusebench.seeds import derive_seed
from fusebench.statistics.paired import Floats, Ints, Paired

RESAMPLES = 2000
# A metric that is no mean has to be computed anew for each resample, fusion and seed.
RESAMPLES_OF_OTHERS = 400


@dataclass(frozen=True)
class Resamples:
    """How often each seed and each id is drawn, in each of r resamples.

    Attributes
    ----------
    seeds : array of float64, whole numbers, shape (r, s)
    ids : array of float64, whole numbers, shape (r, j)
        Of each stratum of ids as many as there are.
    """

    seeds: Floats
    ids: Floats

    @classmethod
    def make(cls, seeds: int, strata: Ints, count: int) -> Self:
        """Draw; the same for the same arguments, so that results repeat and fusions are paired."""
        source = np.random.default_rng(derive_seed("bootstrap"))
        ids = np.zeros((count, len(strata)))
        for stratum in np.unique(strata):
            members = strata == stratum
            size = int(members.sum())
            ids[:, members] = source.multinomial(size, np.full(size, 1 / size), size=count)
        times = source.multinomial(seeds, np.full(seeds, 1 / seeds), size=count)
        return cls(times.astype(np.float64), ids)

    def mean(self, values: Floats) -> Floats:
        """Return the mean over the drawn seeds of values of shape (r, s), shape (r,)."""
        # What a seed that is not drawn would have, does not count, even if it is no number.
        drawn = np.where(self.seeds > 0, values, 0.0)
        means: Floats = (drawn * self.seeds).sum(axis=1) / self.seeds.shape[1]
        return means


def of_means(paired: Paired, resamples: Resamples) -> Floats:
    """Return the difference in each resample, shape (r,), for a metric that is a mean."""
    by_id = resamples.seeds @ paired.varying / paired.seeds
    differences: Floats = (by_id * resamples.ids).sum(axis=1)
    return differences


def of_any(metrics: Sequence[Callable[[Ints], float]], ids: Ints, resamples: Resamples) -> Floats:
    """Return any metric of one fusion, mean over the drawn seeds, in each resample, shape (r,).

    Parameters
    ----------
    metrics : sequence of s callables
        Of each seed: the metric on the samples at some positions, of which some come again.
    ids : array of int, shape (n,)
        Position of each sample's id among the j different ones.
    """
    values = np.zeros(resamples.seeds.shape)
    for row, (seeds, times) in enumerate(zip(resamples.seeds, resamples.ids, strict=True)):
        positions = np.repeat(np.arange(len(ids)), times[ids].astype(np.int64))
        for seed in np.flatnonzero(seeds).tolist():
            values[row, seed] = metrics[seed](positions)
    return resamples.mean(values)


def percentiles(values: Floats, level: float) -> tuple[float, float]:
    """Return the percentile interval of bootstrapped values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

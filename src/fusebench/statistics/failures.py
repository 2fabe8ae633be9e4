"""What a mean over seeds hides: seeds that fail, seen or not.

A mean and its Student interval speak for seeds that scatter around it. Where some seeds fail and
the others do not, the mean belongs to neither, and with few seeds its interval is wrong: then the
share of seeds that succeed is compared. And a failure that no seed shows may still befall some.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, shapiro

from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from fusebench.statistics.paired import Floats

Bools = npt.NDArray[np.bool_]

# Normal seeds are called irregular about once in a hundred fusions.
_IRREGULAR = 0.01


def irregular(values: Floats, relevant: float) -> bool:
    """Tell whether seeds are visibly skewed or fall apart (Shapiro & Wilk, Biometrika 52, 1965).

    Parameters
    ----------
    values : array, shape (s,)
        The metric of each seed.
    relevant : float
        Seeds that differ by no more than this, in the metric's unit, do no harm.
    """
    spread = float(np.ptp(values))
    if len(values) < FEWEST_SEEDS or spread <= relevant:
        return False
    return bool(shapiro(values).pvalue < _IRREGULAR)


@cache
def rate_at_most(failures: int, seeds: int) -> float:
    """Return the largest share of failing seeds that is not ruled out, between 0 and 1.

    Exact, one-sided, with 95 % confidence (Clopper & Pearson, Biometrika 26, 1934).
    """
    bound = binomtest(failures, seeds, alternative="less").proportion_ci(LEVEL, method="exact")
    return float(bound.high)


def paired_p(first: Bools, second: Bools) -> float:
    """Return the exact two-sided p of "both succeed equally often", paired by seed.

    Only the seeds in which one of the two succeeds count (McNemar, Psychometrika 12, 1947, with the
    binomial distribution in place of χ²).

    Parameters
    ----------
    first, second : array of bool, shape (s,)
        Whether each seed succeeds.
    """
    alone, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(alone, alone + other).pvalue) if alone + other else 1.0


@dataclass(frozen=True)
class SeedValues:
    """The metric that decides, seed by seed, of one fusion.

    Attributes
    ----------
    values : array, shape (s,)
        In the metric's unit.
    collapsed : array of bool, shape (s,)
        Whether the seed's model answers one class for every sample.
    succeeded : array of bool, shape (s,)
        Whether it is beyond the middle between chance and the best seed of all fusions.
    chance : float
        What an answer reaches that does not look at the sample.
    irregular : bool
        Whether the seeds are visibly skewed or fall apart.
    """

    values: Floats
    collapsed: Bools
    succeeded: Bools
    chance: float
    irregular: bool

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(self.values.mean())

    @property
    def collapse_rate(self) -> float:
        """The largest share of collapsing seeds that is not ruled out."""
        return rate_at_most(int(self.collapsed.sum()), len(self.collapsed))

    @property
    def mean_at_collapse_rate(self) -> float:
        """What the mean would be if so many seeds collapsed."""
        if self.collapsed.all():
            return self.mean
        healthy = float(self.values[~self.collapsed].mean())
        level = float(self.values[self.collapsed].mean()) if self.collapsed.any() else self.chance
        return (1 - self.collapse_rate) * healthy + self.collapse_rate * level


def seed_values(
    values: Mapping[str, Floats],
    collapsed: Mapping[str, Bools],
    chance: float,
    margin: float | None,
    *,
    higher_is_better: bool,
) -> dict[str, SeedValues]:
    """Return what is known of the seeds of several fusions, compared with each other.

    Parameters
    ----------
    values, collapsed : mapping of str to array, shape (s,)
        Of each fusion, as in `SeedValues`; the best seed of all tells what success is.
    chance : float
    margin : float or None
        Seeds that differ by no more are not called irregular.
    """
    middle = success_beyond(list(values.values()), chance, higher_is_better=higher_is_better)
    return {
        name: SeedValues(
            seeds,
            collapsed[name],
            seeds > middle if higher_is_better else seeds < middle,
            chance,
            irregular(seeds, margin or 0.0),
        )
        for name, seeds in values.items()
    }


def success_beyond(values: list[Floats], chance: float, *, higher_is_better: bool) -> float:
    """Return the middle between chance and the best seed of all fusions; NaN without a chance."""
    if math.isnan(chance):
        return math.nan
    every = np.concatenate(values)
    return (chance + float(every.max() if higher_is_better else every.min())) / 2

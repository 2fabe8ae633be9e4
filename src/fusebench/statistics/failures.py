"""What a mean over seeds hides: seeds that fail, seen or not.

A mean and its Student interval speak for seeds that scatter around it. Where some seeds fail and
the others do not, the mean belongs to neither, and with few seeds its interval is wrong: then the
share of seeds that succeed is compared. And a failure that no seed shows may still befall some.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, shapiro

from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from fusebench.statistics.paired import Floats

Bools = npt.NDArray[np.bool_]

# So often normal differences are called irregular, at most.
_IRREGULAR = 0.01
# A rare failure among many seeds leaves their mean near enough to a normal one.
_FEW = 0.1


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
    success_beyond : float
        That middle.
    chance : float
        What an answer reaches that does not look at the sample.
    """

    values: Floats
    collapsed: Bools
    succeeded: Bools
    success_beyond: float
    chance: float

    @property
    def mixed(self) -> bool:
        """Whether some seeds succeed and some do not, one in ten at least of both."""
        count = len(self.succeeded)
        succeeded = int(self.succeeded.sum())
        return min(succeeded, count - succeeded) >= _FEW * count > 0

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


def irregular(first: SeedValues, second: SeedValues, margin: float | None) -> bool:
    """Tell whether two fusions differ over seeds in a way that their means do not describe.

    So they do where some seeds of a fusion succeed and some do not, and the differences are visibly
    skewed or in heaps (Shapiro & Wilk, Biometrika 52, 1965). By the differences and not by each
    fusion's values: what both have, such as a ceiling, does no harm to Student's t.

    Parameters
    ----------
    margin : float or None
        Differences that are within a range of so much, in the metric's unit, do no harm.
    """
    differences = first.values - second.values
    spread = float(np.ptp(differences))
    if len(differences) < FEWEST_SEEDS or spread <= (margin or 0.0):
        return False
    return (first.mixed or second.mixed) and bool(shapiro(differences).pvalue < _IRREGULAR)


def seed_values(
    values: Mapping[str, Floats],
    collapsed: Mapping[str, Bools],
    chance: float,
    *,
    higher_is_better: bool,
) -> dict[str, SeedValues]:
    """Return what is known of the seeds of several fusions, compared with each other.

    Parameters
    ----------
    values, collapsed : mapping of str to array, shape (s,)
        Of each fusion, as in `SeedValues`; the best seed of all tells what success is.
    chance : float
    """
    every = np.concatenate(list(values.values()))
    middle = (chance + float(every.max() if higher_is_better else every.min())) / 2
    return {
        name: SeedValues(
            seeds,
            collapsed[name],
            seeds > middle if higher_is_better else seeds < middle,
            middle,
            chance,
        )
        for name, seeds in values.items()
    }

"""Whether seeds solve a task, and after how long: for outcomes that are all or nothing.

Where a seed either solves a task or stays at chance, a mean over seeds describes neither. Then the
share of seeds that solve it is estimated and compared, and the time that they take; a seed that
does not solve it within the budget is censored there: it might have, later.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import CensoredData, binomtest, ecdf
from scipy.stats import logrank as asymptotic

from fusebench.statistics.estimates import LEVEL
from fusebench.statistics.failures import Bools
from fusebench.statistics.paired import Floats, Ints

# Up to so many ways of splitting the seeds, each of them is looked at: ten seeds against ten.
_MOST_SPLITS = 200_000
# Sums of the same scores in another order differ by less; scores that differ, by more.
_EQUAL = 1e-9


@dataclass(frozen=True)
class Times:
    """When each seed solves a task.

    Attributes
    ----------
    ends : array, shape (s,)
        When it solves it, or until when it was watched; in any unit of time, such as epochs.
    solved : array of bool, shape (s,)
        Whether it solves it; a seed that does not is censored at its end.
    """

    ends: Floats
    solved: Bools

    @property
    def censored(self) -> CensoredData:
        """The same, as scipy takes it."""
        return CensoredData(uncensored=self.ends[self.solved], right=self.ends[~self.solved])


class Comparison(NamedTuple):
    """Two sets of times compared by a log-rank test.

    Attributes
    ----------
    excess : float
        Seeds of the first that solve it, less those that would if both had the same times; above 0
        where the first is sooner.
    p : float
        Two-sided p of "both have the same times".
    """

    excess: float
    p: float


def share_interval(solved: int, seeds: int) -> tuple[float, float]:
    """Return the exact two-sided 95 % interval of the share that solves it, between 0 and 1.

    Clopper & Pearson, Biometrika 26, 1934.
    """
    interval = binomtest(solved, seeds).proportion_ci(LEVEL, method="exact")
    return float(interval.low), float(interval.high)


def share_ruled_out(alone: int, other: int, seeds: int, tests: int = 1) -> float:
    """Return the difference of two shares of seeds that is ruled out either way, between 0 and 1.

    Paired by seed, the difference of the shares is the share of seeds that solve it with the first
    alone, less that of the second alone. So it is no larger than the first of these and no smaller
    than minus the second; both bounds are exact and one-sided (Clopper & Pearson), and hold
    together with 95 % (Bonferroni).

    Parameters
    ----------
    alone, other : int
        Seeds that solve it with the first alone, and with the second alone.
    tests : int
        Of how many such bounds that hold together.
    """
    level = 1 - (1 - LEVEL) / (2 * tests)
    bounds = (
        binomtest(count, seeds, alternative="less").proportion_ci(level, method="exact").high
        for count in (alone, other)
    )
    return float(max(bounds))


def median_time(times: Times) -> float | None:
    """Return the time by which half of the seeds solve it; None where fewer than half do.

    The first time at which the survival curve of Kaplan & Meier (Journal of the American
    Statistical Association 53, 1958) is not above one half.
    """
    curve = ecdf(times.censored).sf
    below = curve.probabilities <= 0.5 + _EQUAL
    return float(curve.quantiles[below][0]) if below.any() else None


def log_rank(first: Times, second: Times) -> Comparison:
    """Compare two sets of times by the log-rank test. It is unpaired.

    What seeds have in common, such as their draw of training data, is not used: where it makes
    times of a seed alike, less is shown than could be. Where no seed solves it, p is 1.

    The statistic is that of Mantel (Cancer Chemotherapy Reports 50, 1966), as a sum of scores of
    the seeds (Peto & Peto, Journal of the Royal Statistical Society A 135, 1972). Its p is exact,
    from all splits of the seeds into two such sets: with few seeds the normal distribution in its
    place claims too much. Of more than 200,000 splits it is the normal distribution's.
    """
    ends = np.concatenate([first.ends, second.ends])
    scores = _scores(Times(ends, np.concatenate([first.solved, second.solved])))
    count = len(first.ends)
    excess = float(scores[:count].sum())
    if not scores.any():
        return Comparison(0.0, 1.0)
    if math.comb(len(ends), count) > _MOST_SPLITS:
        return Comparison(excess, _asymptotic_p(first, second))
    sums = scores[_splits(len(ends), count)].sum(axis=1)
    return Comparison(excess, float((np.abs(sums) >= abs(excess) - _EQUAL).mean()))


def _scores(times: Times) -> Floats:
    """Return of each seed whether it solves it (1, 0), less what was to be expected by its end.

    Expected is the cumulative hazard of all seeds together (Nelson and Aalen). The sum over all is
    0; that over a group is what it solves more than expected.
    """
    events = np.unique(times.ends[times.solved])
    at_risk = (times.ends >= events[:, None]).sum(axis=1)
    solved = ((times.ends == events[:, None]) & times.solved).sum(axis=1)
    expected = ((times.ends[:, None] >= events) * (solved / at_risk)).sum(axis=1)
    scores: Floats = times.solved - expected
    # Where all solve it at the same time, rounding alone is left.
    scores[np.abs(scores) < _EQUAL] = 0.0
    return scores


@cache
def _splits(seeds: int, count: int) -> Ints:
    """Return every choice of some of the seeds, shape (choices, count)."""
    return np.array(list(combinations(range(seeds), count)), dtype=np.int64)


def _asymptotic_p(first: Times, second: Times) -> float:
    return float(asymptotic(first.censored, second.censored).pvalue)

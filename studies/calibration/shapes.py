"""How a fusion's luck with a seed may be distributed: normal, skewed, or in two heaps.

Each shape is a function of a standard normal score, so that all are drawn from the same stream;
each has the closed form

    right(mean, deviation, spread) = P(mean + deviation × shape + spread × normal > 0).
"""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from fusebench.statistics.paired import Floats

# Enough for functions as smooth as these to all digits shown.
_NODES = 48


class Shape(Protocol):
    """A distribution of mean 0."""

    def of(self, scores: Floats) -> Floats:
        """Return the value that stands at each standard normal score."""
        ...

    def right(self, mean: float, deviation: float, spread: float) -> float:
        """Return how likely a sum is above 0: the module says which."""
        ...

    def nodes(self) -> tuple[Floats, Floats]:
        """Return points and weights with which to integrate over it."""
        ...


@dataclass(frozen=True)
class Normal:
    """The normal distribution, deviation 1."""

    def of(self, scores: Floats) -> Floats:
        """Return the scores."""
        return scores

    def right(self, mean: float, deviation: float, spread: float) -> float:
        """Return Φ(mean / the deviation of both)."""
        total = float(np.hypot(deviation, spread))
        return float(ndtr(mean / total)) if total else float(mean > 0)

    def nodes(self) -> tuple[Floats, Floats]:
        """Return those of Gauss and Hermite."""
        return _hermite()


@dataclass(frozen=True)
class Skewed:
    """1 − an exponential variable: deviation 1, a long tail of bad seeds."""

    def of(self, scores: Floats) -> Floats:
        """Return the value at each score."""
        value: Floats = 1 + log_ndtr(scores)
        return value

    def right(self, mean: float, deviation: float, spread: float) -> float:
        """Return that of a normal variable less an exponential one."""
        most = mean + deviation
        if not deviation:
            return Normal().right(mean, 0.0, spread)
        if not spread:
            return float(-np.expm1(-most / deviation)) if most > 0 else 0.0
        ratio = spread / deviation
        tail = -most / deviation + ratio**2 / 2 + log_ndtr(most / spread - ratio)
        return float(ndtr(most / spread) - np.exp(tail))

    def nodes(self) -> tuple[Floats, Floats]:
        """Return those of Gauss and Laguerre."""
        points, weights = np.polynomial.laguerre.laggauss(_NODES)
        return 1 - points, weights


@dataclass(frozen=True)
class TwoHeaps:
    """Normal, deviation 1, but a share of seeds lies lower.

    Attributes
    ----------
    share : float
        Of seeds in the lower heap.
    gap : float
        From heap to heap.
    """

    share: float
    gap: float

    def of(self, scores: Floats) -> Floats:
        """Return the value at each score: the lowest scores make the lower heap."""
        levels = ndtr(scores)
        low = levels < self.share
        within = np.where(low, levels / self.share, (levels - self.share) / (1 - self.share))
        value: Floats = ndtri(within) - self.gap * (low - self.share)
        return value

    def right(self, mean: float, deviation: float, spread: float) -> float:
        """Return the mean of both heaps, by their shares."""
        high = mean + deviation * self.gap * self.share
        low = high - deviation * self.gap
        heaps = [Normal().right(level, deviation, spread) for level in (low, high)]
        return self.share * heaps[0] + (1 - self.share) * heaps[1]

    def nodes(self) -> tuple[Floats, Floats]:
        """Return those of both heaps."""
        points, weights = _hermite()
        high = points + self.gap * self.share
        shares = np.array([self.share, 1 - self.share])
        return np.concatenate([high - self.gap, high]), np.outer(shares, weights).ravel()


@cache
def _hermite() -> tuple[Floats, Floats]:
    points, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return points, weights / weights.sum()

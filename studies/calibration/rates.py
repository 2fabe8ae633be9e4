"""How often something happened in simulated studies, and how far chance explains it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from fusebench.statistics.estimates import LEVEL
from fusebench.statistics.planning import POWER

DIGITS = 4


@dataclass(frozen=True)
class Rate:
    """How many of the trials something happened in.

    Attributes
    ----------
    hits, trials : int
        There may be no trial: then nothing is known.
    """

    hits: int
    trials: int

    @classmethod
    def of(cls, happened: Iterable[bool]) -> "Rate":
        """Count."""
        outcomes = list(happened)
        return cls(sum(outcomes), len(outcomes))

    @property
    def percent(self) -> float:
        """Share of the trials; NaN where there was none."""
        return 100 * self.hits / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Exact binomial 95 % interval of the share, in percent (Clopper & Pearson, 1934)."""
        if not self.trials:
            return 0.0, 100.0
        interval = binomtest(self.hits, self.trials).proportion_ci(LEVEL, method="exact")
        return 100 * float(interval.low), 100 * float(interval.high)

    @property
    def often(self) -> bool:
        """Whether it happens in more than 5 %, beyond what chance explains."""
        return self.interval[0] > 100 * (1 - LEVEL)

    @property
    def seldom(self) -> bool:
        """Whether it happens in less than 95 %, beyond what chance explains."""
        return self.interval[1] < 100 * LEVEL

    @property
    def weak(self) -> bool:
        """Whether it happens in less than 80 %, beyond what chance explains."""
        return self.interval[1] < 100 * POWER

    def __str__(self) -> str:
        """Return the rate with its interval."""
        if not self.trials:
            return "–"
        low, high = self.interval
        return f"{self.percent:.1f} % ({low:.1f}–{high:.1f})"

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        low, high = (round(end, DIGITS) for end in self.interval)
        percent = round(self.percent, DIGITS) if self.trials else None
        return {"hits": self.hits, "trials": self.trials, "percent": percent,
                "low": low, "high": high}  # fmt: skip


def within(interval: tuple[float, float], truth: float) -> bool:
    """Tell whether an interval contains the truth."""
    return interval[0] <= truth <= interval[1]

"""What a calibration counted: rates with their intervals, by regime and number of seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import betaincinv

from fusebench.statistics.estimates import LEVEL

_DIGITS = 4


@dataclass(frozen=True)
class Rate:
    """How many of the trials something happened in."""

    hits: int
    trials: int

    @classmethod
    def of(cls, happened: Iterable[bool]) -> "Rate":
        """Count."""
        held = list(happened)
        return cls(sum(held), len(held))

    @property
    def percent(self) -> float:
        """Share of the trials."""
        return 100 * self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Exact binomial 95 % interval of the share, in percent (Clopper & Pearson, 1934)."""
        tail, missed = (1 - LEVEL) / 2, self.trials - self.hits
        low = betaincinv(self.hits, missed + 1, tail) if self.hits else 0.0
        high = betaincinv(self.hits + 1, missed, 1 - tail) if missed else 1.0
        return 100 * float(low), 100 * float(high)

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        low, high = (round(each, _DIGITS) for each in self.interval)
        percent = round(self.percent, _DIGITS)
        return {"hits": self.hits, "trials": self.trials, "percent": percent,
                "low": low, "high": high}  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """What was counted where the second fusion is worse.

    Attributes
    ----------
    points : float
        By how much, in percentage points of expected balanced accuracy.
    shown : Rate
        The fusion that is better, trained again, is said to be better.
    again, models : Rate
        The interval of the claim contains its truth.
    """

    points: float
    shown: Rate
    again: Rate
    models: Rate

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        return {"points": self.points, **{
            name: getattr(self, name).as_json() for name in ("shown", "again", "models")
        }}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What was counted in one regime with one number of seeds.

    Attributes
    ----------
    again : Rate
        With no difference: one is claimed of the fusions trained again, which is wrong. That is
        where the interval does not contain 0, so coverage is the rest.
    models : Rate
        With no difference between the fusions: the interval of the difference between these
        trained models does not contain it. Theirs is not 0: seeds made them what they are.
    detectable : float
        What is said to be detectable of one pair, median of the trials without a difference, in
        percentage points.
    once, twice : Effect or None
        With a difference of one and two times that; None where it is more than a fusion can lose.
    """

    regime: str
    seeds: int
    again: Rate
    models: Rate
    detectable: float
    once: Effect | None
    twice: Effect | None

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        return {
            "regime": self.regime,
            "seeds": self.seeds,
            "false_again": self.again.as_json(),
            "missed_models": self.models.as_json(),
            "detectable": self.detectable,
            "at_detectable": self.once.as_json() if self.once else None,
            "at_twice_detectable": self.twice.as_json() if self.twice else None,
        }


@dataclass(frozen=True)
class Calibration:
    """All that was counted.

    Attributes
    ----------
    cells : sequence of Cell
        Regimes in their order, each with every number of seeds.
    families : dict of str to Rate
        By regime: any false claim among the 21 pairs of seven like fusions, after Holm.
    bootstrap : dict of str to Rate
        By regime: the two-way bootstrap's interval contains the truth.
    """

    cells: Sequence[Cell]
    families: dict[str, Rate]
    bootstrap: dict[str, Rate]

    def as_json(self) -> dict[str, Any]:
        """Return docs/calibration.json."""
        return {
            "cells": [each.as_json() for each in self.cells],
            "families": {name: rate.as_json() for name, rate in self.families.items()},
            "bootstrap": {name: rate.as_json() for name, rate in self.bootstrap.items()},
        }

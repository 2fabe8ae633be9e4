"""How often the statistics are wrong, counted in simulated studies whose truth is known."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fusebench.statistics.estimates import LEVEL, exact_bound, fixed_models, holm, retrained
from fusebench.statistics.resampling import RESAMPLES, Resamples, of_means, percentiles
from studies.calibration.scenarios import SCENARIOS, Scenario, of_seven
from studies.calibration.simulation import STRATA, Simulated, Trial, simulate

SEEDS = (3, 5, 8, 10, 20)
# What takes longer is counted in a part of the trials, with this many seeds.
USUAL = 10
_FAMILY_TRIALS, _BOOTSTRAP_TRIALS = 0.5, 0.125
FAMILIES = ("both", "collapsed 0.1")
BOOTSTRAPPED = ("ids", "seeds", "interaction")
_DIGITS = 4


@dataclass(frozen=True)
class Rate:
    """How many of the trials something happened in."""

    hits: int
    trials: int

    @classmethod
    def of(cls, happened: Iterable[bool]) -> "Rate":
        """Count."""
        outcomes = list(happened)
        return cls(sum(outcomes), len(outcomes))

    @property
    def percent(self) -> float:
        """Share of the trials."""
        return 100 * self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Exact binomial 95 % interval of the share, in percent (Clopper & Pearson, 1934)."""
        interval = binomtest(self.hits, self.trials).proportion_ci(LEVEL, method="exact")
        return 100 * float(interval.low), 100 * float(interval.high)

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        low, high = (round(end, _DIGITS) for end in self.interval)
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
    power : Rate
        The fusion that is better is said to be better when retrained.
    coverage, fixed_coverage : Rate
        The interval of the claim about retrained and about fixed models contains its truth.
    """

    points: float
    power: Rate
    coverage: Rate
    fixed_coverage: Rate

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        names = ("power", "coverage", "fixed_coverage")
        return {"points": self.points, **{name: getattr(self, name).as_json() for name in names}}


@dataclass(frozen=True)
class Cell:
    """What was counted in one scenario with one number of seeds.

    Attributes
    ----------
    type_1_error : Rate
        With no difference: one is claimed of the fusions, retrained. That is where the interval
        does not contain 0, so coverage is the rest.
    fixed_noncoverage : Rate
        With no difference between the fusions: the interval of the difference between the fixed
        models does not contain it. Theirs is not 0: seeds made them what they are.
    minimum_detectable : float
        Of one pair, median of the trials without a difference, in percentage points.
    once, twice : Effect or None
        With a difference of one and two times that; None where it is more than a fusion can lose.
    """

    scenario: str
    seeds: int
    type_1_error: Rate
    fixed_noncoverage: Rate
    minimum_detectable: float
    once: Effect | None
    twice: Effect | None

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        return {
            "scenario": self.scenario,
            "seeds": self.seeds,
            "type_1_error": self.type_1_error.as_json(),
            "fixed_noncoverage": self.fixed_noncoverage.as_json(),
            "minimum_detectable": self.minimum_detectable,
            "at_minimum_detectable": self.once.as_json() if self.once else None,
            "at_twice_minimum_detectable": self.twice.as_json() if self.twice else None,
        }


@dataclass(frozen=True)
class Calibration:
    """All that was counted.

    Attributes
    ----------
    cells : sequence of Cell
        Scenarios in their order, each with every number of seeds.
    families : dict of str to Rate
        By scenario: any type I error among the 21 pairs of seven like fusions, after Holm.
    bootstrap : dict of str to Rate
        By scenario: coverage of the two-way bootstrap's interval.
    """

    cells: Sequence[Cell]
    families: dict[str, Rate]
    bootstrap: dict[str, Rate]

    def as_json(self) -> dict[str, Any]:
        """Return docs/calibration.json."""
        return {
            "cells": [cell.as_json() for cell in self.cells],
            "families": {name: rate.as_json() for name, rate in self.families.items()},
            "bootstrap": {name: rate.as_json() for name, rate in self.bootstrap.items()},
        }


def calibrate(trials: int, report: Callable[[str], None] = print) -> Calibration:
    """Count everything.

    Parameters
    ----------
    trials : int
        Per cell.
    report : callable
        Gets a line when a scenario is done.
    """
    cells = []
    for scenario in SCENARIOS:
        cells += cells_of(scenario, trials)
        report(f"{scenario.name}: {len(SEEDS)} × {trials:,} studies")
    families = {name: family_rate(of_seven(name), _share(trials, _FAMILY_TRIALS))
                for name in FAMILIES}  # fmt: skip
    report(f"Holm over 21 pairs: {', '.join(FAMILIES)}")
    resamples = Resamples.make(USUAL, STRATA, RESAMPLES)
    few = _share(trials, _BOOTSTRAP_TRIALS)
    bootstrap = {scenario.name: bootstrap_rate(scenario, few, resamples)
                 for scenario in SCENARIOS if scenario.name in BOOTSTRAPPED}  # fmt: skip
    report(f"bootstrap: {', '.join(BOOTSTRAPPED)}")
    return Calibration(cells, families, bootstrap)


def _share(trials: int, share: float) -> int:
    return max(1, math.floor(trials * share))


@dataclass(frozen=True)
class _Outcome:
    """What the statistics say in one trial, against the truth."""

    claimed: bool
    shown: bool
    covered: bool
    fixed_covered: bool
    minimum_detectable: float


def _examine(trial: Trial, truth: float) -> _Outcome:
    claim, fixed = retrained(trial.paired), fixed_models(trial.paired)
    claimed = claim.p <= 1 - LEVEL
    return _Outcome(
        claimed,
        claimed and claim.difference > 0,
        _within(claim.interval(), truth),
        _within(fixed.interval(), trial.truth),
        max(claim.minimum_detectable(1), exact_bound(trial.paired, 1)),
    )


def _within(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def cells_of(scenario: Scenario, trials: int) -> list[Cell]:
    """Count one scenario: without a difference, then with what is detectable by that."""
    null: dict[int, list[_Outcome]] = {seeds: [] for seeds in SEEDS}
    for study in simulate(scenario, max(SEEDS), trials, "null"):
        for seeds, outcomes in null.items():
            outcomes.append(_examine(study.trial(scenario, seeds), scenario.truth))
    least = {
        seeds: round(
            float(np.median([outcome.minimum_detectable for outcome in outcomes])), _DIGITS
        )
        for seeds, outcomes in null.items()
    }
    effects = _effects(scenario, least, trials)
    return [
        Cell(
            scenario.name,
            seeds,
            Rate.of(outcome.claimed for outcome in outcomes),
            Rate.of(not outcome.fixed_covered for outcome in outcomes),
            least[seeds],
            effects.get((seeds, 1)),
            effects.get((seeds, 2)),
        )
        for seeds, outcomes in null.items()
    ]


def _effects(
    scenario: Scenario, least: dict[int, float], trials: int
) -> dict[tuple[int, int], Effect]:
    """Return what is counted by number of seeds and how many times the least detectable."""
    shifted = {
        (seeds, times): scenario.worse(times * points)
        for seeds, points in least.items()
        for times in (1, 2)
        if scenario.fusions[1].can_lose(times * points)
    }
    counted: dict[tuple[int, int], list[_Outcome]] = {key: [] for key in shifted}
    for study in simulate(scenario, max(SEEDS), trials, "effect"):
        for key, changed in shifted.items():
            counted[key].append(_examine(study.trial(changed, key[0]), changed.truth))
    return {
        key: Effect(
            round(shifted[key].truth, _DIGITS),
            Rate.of(outcome.shown for outcome in outcomes),
            Rate.of(outcome.covered for outcome in outcomes),
            Rate.of(outcome.fixed_covered for outcome in outcomes),
        )
        for key, outcomes in counted.items()
    }


def family_rate(scenario: Scenario, trials: int) -> Rate:
    """Count the studies of several like fusions in which any pair is claimed to differ."""
    pairs = list(combinations(range(len(scenario.fusions)), 2))
    studies = simulate(scenario, USUAL, trials, "null")
    return Rate.of(_any_claim(study, scenario, pairs) for study in studies)


def _any_claim(study: Simulated, scenario: Scenario, pairs: Sequence[tuple[int, int]]) -> bool:
    values = [retrained(study.trial(scenario, USUAL, *pair).paired).p for pair in pairs]
    return min(holm(values)) <= 1 - LEVEL


def bootstrap_rate(scenario: Scenario, trials: int, resamples: Resamples) -> Rate:
    """Count the studies in which the two-way bootstrap's interval contains the truth."""
    intervals = (
        percentiles(of_means(study.trial(scenario, USUAL).paired, resamples), LEVEL)
        for study in simulate(scenario, USUAL, trials, "null")
    )
    return Rate.of(_within(interval, scenario.truth) for interval in intervals)

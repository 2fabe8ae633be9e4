"""Two fusions compared by themselves: how often a single contrast errs, and what intervals hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fusebench.report import study
from fusebench.statistics.estimates import LEVEL, fixed_models, retrained
from fusebench.statistics.failures import SeedValues
from fusebench.statistics.resampling import Resamples, of_means, percentiles
from studies.calibration.rates import Rate, within
from studies.calibration.scenarios import Scenario
from studies.calibration.simulation import (
    MARGIN,
    PART,
    Simulated,
    pair_right,
    seeds_of,
    simulate,
)

SEEDS = (3, 5, 10, 20, 40)
USUAL = 10
EFFECT = 5.0
"""By how much the second fusion is made worse, in points."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Outcome:
    """What the statistics say of two fusions in one study, against the truth.

    Attributes
    ----------
    false : bool
        A difference is claimed of what is compared, means or successes, that is not so in truth.
    claimed, shown : bool
        One of means is claimed, if they are what is compared or not; one in favour of the first.
    covered, fixed_covered : bool
        The interval of that claim, and of the one about these models, contains its truth.
    irregular : bool
        Seeds are called irregular, so means are not what is compared.
    bounds : tuple of bool
        Of each fusion that collapses in some seeds: its true rate is not above the bound.
    """

    false: bool
    claimed: bool
    shown: bool
    covered: bool
    fixed_covered: bool
    irregular: bool
    bounds: tuple[bool, ...]


def outcomes(
    scenario: Scenario, seeds: Sequence[int], trials: int, start: int
) -> list[list[tuple[Outcome, Outcome]]]:
    """Simulate some studies of two fusions: alike, and one worse; of each number of seeds.

    Parameters
    ----------
    start : int
        How many studies come before the first.
    """
    worse = scenario.worse(EFFECT)
    found: list[list[tuple[Outcome, Outcome]]] = [[] for _ in seeds]
    for simulated in simulate(scenario, max(seeds), trials, "pair", start):
        for place, count in enumerate(seeds):
            both = examine(simulated, scenario, count), examine(simulated, worse, count)
            found[place].append(both)
    return found


def examine(simulated: Simulated, scenario: Scenario, count: int) -> Outcome:
    """Compare two fusions with the first `count` seeds."""
    first, second = simulated.rights(scenario, count)
    paired = pair_right(first, second, simulated.part)
    claim, fixed = retrained(paired), fixed_models(paired)
    values = seeds_of({"first": first, "second": second}, simulated.part)
    figures = study.by_seeds(values["first"], values["second"], MARGIN, higher_is_better=True)
    claimed = claim.p <= 1 - LEVEL
    irregular = figures["compares"] == study.SUCCESSES
    return Outcome(
        _false_success(figures, values, scenario)
        if irregular
        else claimed and claim.difference * scenario.truth <= _ROUNDING,
        claimed,
        claimed and claim.difference > 0,
        within(claim.interval(), scenario.truth),
        within(fixed.interval(), simulated.truth(scenario, count)),
        irregular,
        tuple(
            fusion.collapsed <= of.collapse_rate
            for fusion, of in zip(scenario.fusions, values.values(), strict=True)
            if fusion.collapsed
        ),
    )


def _false_success(
    figures: study.Figures, values: Mapping[str, SeedValues], scenario: Scenario
) -> bool:
    """Tell whether one is said to succeed more often that does not."""
    if figures["success_p"] > 1 - LEVEL:
        return False
    beyond = values["first"].success_beyond
    truth = scenario.success(0, beyond) - scenario.success(1, beyond)
    return bool((figures["first_succeeded"] - figures["second_succeeded"]) * truth <= 0)


@dataclass(frozen=True)
class Cell:
    """What was counted in one scenario with one number of seeds.

    Attributes
    ----------
    scenario : str
    seeds : int
    irregular : Rate
        With no difference of means: successes are compared, the differences being irregular.
    type_1_error : Rate
        With no difference of means: one is claimed of what is compared that is not so.
    by_means : Rate
        The same if means were always compared.
    coverage, power : Rate
        With a difference of `EFFECT`, means always: the interval contains it; it is shown.
    fixed_noncoverage, fixed_coverage : Rate
        With no difference between the fusions: the interval of the difference between the fixed
        models does not contain it. Theirs is not 0: seeds made them what they are. And with one.
    bounded : Rate
        Fusions that collapse in some seeds, whose true rate is not above what is not ruled out.
    """

    scenario: str
    seeds: int
    irregular: Rate
    type_1_error: Rate
    by_means: Rate
    coverage: Rate
    power: Rate
    fixed_noncoverage: Rate
    fixed_coverage: Rate
    bounded: Rate

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        rates = (
            "irregular", "type_1_error", "by_means", "coverage", "power", "fixed_noncoverage",
            "fixed_coverage", "bounded",
        )  # fmt: skip
        return {
            "scenario": self.scenario,
            "seeds": self.seeds,
            **{name: getattr(self, name).as_json() for name in rates},
        }


def cell_of(scenario: Scenario, seeds: int, found: Sequence[tuple[Outcome, Outcome]]) -> Cell:
    """Count the outcomes of one scenario with so many seeds."""
    null, effect = zip(*found, strict=True)
    return Cell(
        scenario.name,
        seeds,
        Rate.of(one.irregular for one in null),
        Rate.of(one.false for one in null),
        Rate.of(one.claimed for one in null),
        Rate.of(one.covered for one in effect),
        Rate.of(one.shown for one in effect),
        Rate.of(not one.fixed_covered for one in null),
        Rate.of(one.fixed_covered for one in effect),
        Rate.of(bound for one in null for bound in one.bounds),
    )


@cache
def _resamples(count: int) -> Resamples:
    return Resamples.make(USUAL, PART.strata, count)


def bootstrapped(scenario: Scenario, count: int, trials: int, start: int) -> list[list[bool]]:
    """Tell of some studies whether the two-way bootstrap's interval contains the truth.

    Parameters
    ----------
    count : int
        Of resamples.
    """
    resamples, found = _resamples(count), []
    for simulated in simulate(scenario, USUAL, trials, "bootstrap", start):
        resampled = of_means(simulated.trial(scenario, USUAL).paired, resamples)
        found.append(within(percentiles(resampled, LEVEL), scenario.truth))
    return [found]

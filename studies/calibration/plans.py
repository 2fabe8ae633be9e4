"""Studies planned from a pilot: does one of so many seeds show the difference as often as promised?

The second fusion is worse in truth. A pilot of a few seeds says how many a new study needs; that
study is then simulated, of its own seeds and test ids, as large as was said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from fusebench.report import study
from fusebench.report.pairs import PAIR_KINDS, Pair
from fusebench.report.plan import pilot_of
from fusebench.statistics import planning
from fusebench.statistics.estimates import LEVEL, retrained
from fusebench.statistics.failures import irregular
from studies.calibration.rates import Rate
from studies.calibration.scenarios import SCENARIOS, Scenario
from studies.calibration.simulation import (
    MARGIN,
    PART,
    Simulated,
    pair_right,
    seeds_of,
    simulate,
)
from studies.calibration.worlds import PLANNED_PAIRS

PILOTS = (5, 10, 20)
"""Seeds at hand; the first are fewer than a plan is made of."""
TESTS = len(PLANNED_PAIRS)


@dataclass(frozen=True)
class Plan:
    """What is planned: two fusions, one of which is worse.

    Attributes
    ----------
    name : str
        Of the scenario.
    points : float
        By how much the second fusion is worse.
    ids : int
        How many times as many test ids the new study has.
    """

    name: str
    points: float
    ids: int

    @property
    def scenario(self) -> Scenario:
        """The two fusions."""
        named = next(scenario for scenario in SCENARIOS if scenario.name == self.name)
        return named.worse(self.points)


# In others with 2 points hardly any pilot finds a number of seeds to be enough: test is too small.
PLANS = (
    Plan("seeds", 5.0, 1),
    Plan("both", 5.0, 1),
    Plan("both", 2.0, 4),
    Plan("ids", 5.0, 1),
    Plan("interaction", 5.0, 1),
    Plan("interaction", 2.0, 2),
    Plan("uneven", 5.0, 1),
)


@dataclass(frozen=True)
class Outcome:
    """What comes of one pilot.

    Attributes
    ----------
    seeds : int or None
        That are planned; None: no number is enough.
    shown : bool
        The new study shows the difference of means in the first of Holm's steps.
    irregular : bool
        Its seeds are called irregular, so the verdict would not compare means.
    """

    seeds: int | None
    shown: bool
    irregular: bool


def outcomes(plan: Plan, pilots: Sequence[int], trials: int, start: int) -> list[list[Outcome]]:
    """Simulate some pilots, of each number of seeds, and the studies planned from them.

    Parameters
    ----------
    start : int
        How many pilots come before the first.
    """
    scenario = plan.scenario
    found: list[list[Outcome]] = [[] for _ in pilots]
    stream = f"{plan.points:g} points, {plan.ids} times the ids"
    for number, simulated in enumerate(
        simulate(scenario, max(pilots), trials, f"pilot, {stream}", start), start
    ):
        for place, count in enumerate(pilots):
            seeds = planned(simulated, plan, count)
            if seeds is None:
                found[place].append(Outcome(None, shown=False, irregular=False))
                continue
            (new,) = simulate(
                scenario, seeds, 1, f"after {count} seeds, {stream}", number, PART.times(plan.ids)
            )
            found[place].append(_outcome(new, scenario, seeds))
    return found


def planned(simulated: Simulated, plan: Plan, count: int) -> int | None:
    """Return the seeds that a pilot of `count` seeds plans, as `show.py plan` says them."""
    paired = simulated.trial(plan.scenario, count).paired
    figures = dict.fromkeys(PAIR_KINDS, float("nan")) | {
        "difference": paired.difference, **study.by_components(paired, None)
    }  # fmt: skip
    return planning.seeds_needed(pilot_of(Pair(**figures)), plan.points, TESTS, plan.ids)


def _outcome(new: Simulated, scenario: Scenario, seeds: int) -> Outcome:
    first, second = new.rights(scenario, seeds)
    claim = retrained(pair_right(first, second, new.part))
    values = seeds_of({"first": first, "second": second}, new.part)
    return Outcome(
        seeds,
        claim.difference > 0 and claim.p <= (1 - LEVEL) / TESTS,
        irregular(values["first"], values["second"], MARGIN),
    )


@dataclass(frozen=True)
class Planned:
    """What was counted of a plan with pilots of so many seeds.

    Attributes
    ----------
    plan : Plan
    pilot : int
        Seeds of the pilot.
    impossible : Rate
        Pilots from which no number of seeds is enough.
    median, most : float
        Seeds planned, where some number is enough; NaN where none ever is.
    power : Rate
        Of the new studies: those that show the difference, by means.
    as_printed : Rate
        Those in which no seeds are called irregular besides, so that the verdict compares means.
    """

    plan: Plan
    pilot: int
    impossible: Rate
    median: float
    most: float
    power: Rate
    as_printed: Rate

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        known = self.power.trials > 0
        return {
            "scenario": self.plan.name,
            "points": self.plan.points,
            "ids": self.plan.ids,
            "pilot": self.pilot,
            "impossible": self.impossible.as_json(),
            "median": self.median if known else None,
            "most": self.most if known else None,
            "power": self.power.as_json(),
            "as_printed": self.as_printed.as_json(),
        }


def planned_of(plan: Plan, pilot: int, found: Sequence[Outcome]) -> Planned:
    """Count the outcomes of a plan with pilots of so many seeds."""
    new = [outcome for outcome in found if outcome.seeds is not None]
    seeds = [outcome.seeds for outcome in new if outcome.seeds is not None]
    return Planned(
        plan,
        pilot,
        Rate.of(outcome.seeds is None for outcome in found),
        float(median(seeds)) if seeds else float("nan"),
        float(max(seeds)) if seeds else float("nan"),
        Rate.of(outcome.shown for outcome in new),
        Rate.of(outcome.shown and not outcome.irregular for outcome in new),
    )

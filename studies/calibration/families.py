"""Seven fusions compared at once: how often what a verdict says of them is wrong.

Each simulated study goes through the functions that make metrics/pairs.csv, metrics/best.csv and
the words of a verdict; here it is only held against the truth.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusebench.report import best, pairs, roles, study, verdict
from fusebench.report.verdict import State
from fusebench.statistics.failures import SeedValues
from studies.calibration.rates import within
from studies.calibration.simulation import MARGIN, Simulated, pair_right, seeds_of, simulate
from studies.calibration.worlds import INFOS, NAMES, OTHER_PAIRS, PLANNED_PAIRS, World

SEEDS = (5, 10, 20)
_PRIMARY = "balanced_accuracy"
_ROLES = ((roles.PLANNED, PLANNED_PAIRS), (roles.UNPLANNED, OTHER_PAIRS))


@dataclass(frozen=True)
class Said:
    """What is said in one study, against the truth.

    Attributes
    ----------
    false : bool
        A planned contrast is said to be better or worse, and what it compares is not so in truth.
    missed : bool
        A simultaneous interval of a planned contrast that compares means lacks the truth.
    beyond : bool
        A fusion whose seeds are not called irregular is farther below the best than its bound.
    dismissed : bool
        The best in truth, its seeds not called irregular, is said not to be the best.
    good, false_good : bool
        A fusion is called as good as the best; one that is farther below it than the margin.
    """

    false: bool
    missed: bool
    beyond: bool
    dismissed: bool
    good: bool
    false_good: bool


@dataclass(frozen=True)
class Outcome:
    """What comes of one study.

    Attributes
    ----------
    said : Said
        As it is printed.
    by_means : Said
        As it would be if no seeds were called irregular, so that means were always compared.
    shown, shown_by_means : int
        Planned contrasts whose means differ by more than the margin that are shown, rightly: as it
        is printed, of means; and if means were always compared.
    irregular : bool
        Planned contrasts are called irregular, and compare successes.
    collapsing, unseen, bounded : int
        Fusions that collapse in some seeds; of them, those that show no such seed here, and those
        whose true rate is not above what is said not to be ruled out.
    """

    said: Said
    by_means: Said
    shown: int
    shown_by_means: int
    irregular: bool
    collapsing: int
    unseen: int
    bounded: int


def outcomes(world: World, seeds: Sequence[int], trials: int, start: int) -> list[list[Outcome]]:
    """Simulate some studies, and look at the first of their seeds, as many as are asked for.

    Parameters
    ----------
    start : int
        How many studies come before the first.

    Returns
    -------
    list of list of Outcome
        For each number of seeds, in each study.
    """
    found: list[list[Outcome]] = [[] for _ in seeds]
    for simulated in simulate(world.scenario, max(seeds), trials, "family", start):
        for place, count in enumerate(seeds):
            found[place].append(examine(simulated, world, count))
    return found


def examine(simulated: Simulated, world: World, count: int) -> Outcome:
    """Say what the project would say of a study with so many seeds, and hold it against truth."""
    rights = dict(zip(NAMES, simulated.rights(world.scenario, count), strict=True))
    seeds = seeds_of(rights)
    estimated = [
        {
            "metric": _PRIMARY, "role": role, "first": first, "second": second,
            "difference": seeds[first].mean - seeds[second].mean,
            "first_mean": seeds[first].mean, "second_mean": seeds[second].mean,
            **study.by_components(pair_right(rights[first], rights[second]), None),
        }
        for role, chosen in _ROLES
        for first, second in chosen
    ]  # fmt: skip
    said, shown, irregular = _said(estimated, seeds, world, MARGIN)
    by_means, shown_by_means = said, shown
    if irregular:
        # No differences are beyond this, so none are called irregular.
        by_means, shown_by_means, _ = _said(estimated, seeds, world, math.inf)
    rates = dict(zip(NAMES, (fusion.collapsed for fusion in world.scenario.fusions), strict=True))
    collapsing = [name for name in NAMES if rates[name]]
    return Outcome(
        said,
        by_means,
        shown,
        shown_by_means,
        irregular,
        len(collapsing),
        sum(not seeds[name].collapsed.any() for name in collapsing),
        sum(rates[name] <= seeds[name].collapse_rate for name in collapsing),
    )


def _said(
    estimated: Sequence[Mapping[str, Any]],
    seeds: Mapping[str, SeedValues],
    world: World,
    margin: float,
) -> tuple[Said, int, bool]:
    """Return what is said, how many true differences are shown, and whether any are irregular.

    Parameters
    ----------
    margin : float
        Differences over seeds within a range of so much are not called irregular.
    """
    rows = [
        row
        | study.by_seeds(seeds[row["first"]], seeds[row["second"]], margin, higher_is_better=True)
        for row in map(dict, estimated)
    ]
    table = pairs.correct(pairs.frame_of(rows))
    ranked = best.best_rows(best.best_of(table, seeds, INFOS, _PRIMARY, MARGIN))
    contrasts = pairs.pair_rows(table, roles.PLANNED)
    beyond = next(iter(seeds.values())).success_beyond
    states = [verdict.state(pair) for pair in contrasts]
    means = [pair for pair in contrasts if pair.compares == study.MEANS]
    to_best = {name: world.difference(world.best, name) for name in NAMES}
    bounds = [row for row in ranked if not row.is_irregular]
    good = [row.fusion for row in ranked if row.as_good]
    said = Said(
        any(
            contradicts(pair, state, world, beyond)
            for pair, state in zip(contrasts, states, strict=True)
        ),
        any(not _holds(pair, world) for pair in means),
        # Files have six digits.
        any(to_best[row.fusion] > row.below + 1e-6 for row in bounds),
        any(row.fusion == world.best and not row.may_be_best for row in bounds),
        bool(good),
        any(to_best[name] > MARGIN for name in good),
    )
    shown = sum(
        _claims(state) * world.difference(pair.first, pair.second) > MARGIN
        for pair, state in zip(contrasts, states, strict=True)
        if pair.compares == study.MEANS
    )
    return said, shown, len(means) < len(contrasts)


def contradicts(pair: pairs.Pair, state: State, world: World, beyond: float) -> bool:
    """Tell whether a difference is claimed that is not there in truth, or is the other way."""
    if not _claims(state):
        return False
    if pair.compares == study.SUCCESSES:
        truth = world.success(pair.first, pair.second, beyond)
    else:
        truth = world.difference(pair.first, pair.second)
    return _claims(state) * truth <= 0


def _claims(state: State) -> int:
    """Return 1 where the first fusion is said to be better, −1 where it is said to be worse."""
    return {State.BETTER: 1, State.WORSE: -1}.get(state, 0)


def _holds(pair: pairs.Pair, world: World) -> bool:
    interval = pair.simultaneous_low - 1e-6, pair.simultaneous_high + 1e-6
    return within(interval, world.difference(pair.first, pair.second))

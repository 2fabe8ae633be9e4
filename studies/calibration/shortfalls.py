"""Which promises of the statistics a calibration found broken, in words made of its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fusebench.statistics.estimates import FEWEST_SEEDS
from studies.calibration.calibration import Calibration
from studies.calibration.cells import EFFECT, Cell
from studies.calibration.families import Family
from studies.calibration.plans import Planned
from studies.calibration.rates import Rate
from studies.calibration.scenarios import TITLES as SCENARIO_TITLES
from studies.calibration.worlds import TITLES as WORLD_TITLES

_Counted = TypeVar("_Counted", Family, Cell, Planned)


@dataclass(frozen=True)
class _Promise(Generic[_Counted]):
    """Something that is to hold of everything that is counted.

    Attributes
    ----------
    words : str
        What is wrong where it is broken; the rates follow.
    rate : callable
        Of what is counted.
    broken : callable
        Whether a rate breaks it.
    """

    words: str
    rate: Callable[[_Counted], Rate]
    broken: Callable[[Rate], bool]

    def sentence(self, title: str, counted: Sequence[tuple[str, _Counted]]) -> list[str]:
        """Return the sentence on what is counted under one title; none where it is kept."""
        rates = [(where, self.rate(one)) for where, one in counted]
        broken = [f"{rate} with {where}" for where, rate in rates if self.broken(rate)]
        return [f"{capitalized(title)}: {self.words} {', '.join(broken)}."] if broken else []


def _often(rate: Rate) -> bool:
    return rate.often


def _seldom(rate: Rate) -> bool:
    return rate.seldom


def _weak(rate: Rate) -> bool:
    return rate.weak


_OF_FAMILIES: tuple[_Promise[Family], ...] = (
    _Promise(
        "a false claim among the planned contrasts in", lambda one: one.said["false"], _often
    ),
    _Promise(
        "where a fusion collapses and no seed shows it, a false claim in",
        lambda one: one.unseen_false, _often,
    ),
    _Promise(
        "all simultaneous intervals of means hold in", lambda one: one.said["coverage"], _seldom
    ),
    _Promise("all bounds to the best hold in", lambda one: one.said["bounds"], _seldom),
    _Promise(
        "the best in truth is not shown to be worse in", lambda one: one.said["candidate"], _seldom
    ),
    _Promise(
        "a fusion is wrongly called as good as the best in", lambda one: one.said["false_good"],
        _often,
    ),
    _Promise(
        "where a fusion collapses and no seed shows it, one is wrongly called as good as the best "
        "in", lambda one: one.unseen_good, _often,
    ),
    _Promise("the bound of the collapse rate holds in", lambda one: one.bounded, _seldom),
)  # fmt: skip
_OF_CELLS: tuple[_Promise[Cell], ...] = (
    _Promise("a single contrast is wrongly shown in", lambda one: one.type_1_error, _often),
    _Promise(
        f"with a difference of {EFFECT:g} points, the interval of means holds in",
        lambda one: one.coverage, _seldom,
    ),
    _Promise(
        "the interval for fixed models misses its truth in",
        lambda one: one.fixed_noncoverage, _often,
    ),
    _Promise(
        f"with a difference of {EFFECT:g} points, the interval for fixed models holds in",
        lambda one: one.fixed_coverage, _seldom,
    ),
)  # fmt: skip
_OF_PLANS: tuple[_Promise[Planned], ...] = (
    _Promise("by means, a planned study shows it in", lambda one: one.power, _weak),
    _Promise(
        "as printed, with successes compared where seeds are irregular, a planned study shows it "
        "in", lambda one: one.as_printed, _weak,
    ),
)  # fmt: skip


def shortfalls(calibration: Calibration) -> list[str]:
    """Return a sentence for each promise and world that breaks it; none where all were kept."""
    sentences: list[str] = []
    for name in dict.fromkeys(family.world for family in calibration.families):
        families = [
            (f"{family.seeds} seeds", family)
            for family in calibration.families
            if family.world == name
        ]
        for family_promise in _OF_FAMILIES:
            sentences += family_promise.sentence(WORLD_TITLES[name], families)
    for name in dict.fromkeys(cell.scenario for cell in calibration.cells):
        cells = [
            (f"{cell.seeds} seeds", cell)
            for cell in calibration.cells
            if cell.scenario == name and cell.seeds >= FEWEST_SEEDS
        ]
        for cell_promise in _OF_CELLS:
            sentences += cell_promise.sentence(f"two fusions, {SCENARIO_TITLES[name]}", cells)
    for plan in dict.fromkeys(planned.plan for planned in calibration.plans):
        plans = [
            (f"pilots of {planned.pilot} seeds", planned)
            for planned in calibration.plans
            if planned.plan == plan
        ]
        title = (
            f"plans for {plan.points:g} points with {said_ids(plan.ids)}, "
            f"{SCENARIO_TITLES[plan.name]}"
        )
        for plan_promise in _OF_PLANS:
            sentences += plan_promise.sentence(title, plans)
    return sentences + [
        f"Two fusions, {SCENARIO_TITLES[name]}: the two-way bootstrap's interval holds in {rate}."
        for name, rate in calibration.bootstrap.items()
        if rate.seldom
    ]


def too_few(calibration: Calibration) -> list[str]:
    """Return what would be wrong, had a claim so few seeds that none is made."""
    return [
        f"{capitalized(SCENARIO_TITLES[cell.scenario])}: a single contrast would wrongly be shown "
        f"in {cell.type_1_error} with {cell.seeds} seeds."
        for cell in calibration.cells
        if cell.seeds < FEWEST_SEEDS and cell.type_1_error.often
    ]


def said_ids(times: int) -> str:
    """Return how many test ids a plan has."""
    return "the test ids as they are" if times == 1 else f"{times} times the test ids"


def capitalized(words: str) -> str:
    """Return words as a sentence begins."""
    return words[:1].upper() + words[1:]

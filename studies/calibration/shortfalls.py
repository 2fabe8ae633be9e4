"""Which promises of the statistics a calibration found broken, in words made of its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fusebench.statistics.estimates import FEWEST_SEEDS
from fusebench.statistics.planning import FEWEST_AT_HAND
from studies.calibration.calibration import Calibration
from studies.calibration.cells import EFFECT, Cell
from studies.calibration.counts import Family
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


def _of_said(what: str, words: str, broken: Callable[[Rate], bool]) -> list[_Promise[Family]]:
    """Return a promise of all studies, and of those in which a collapse is not seen."""
    return [
        _Promise(words, lambda family: family.said[what], broken),
        _Promise(
            f"in studies in which a fusion that collapses shows no such seed, {words}",
            lambda family: family.unseen[what], broken,
        ),
    ]  # fmt: skip


_OF_FAMILIES: list[_Promise[Family]] = [
    *_of_said("false", "a claim among the planned contrasts is false in", _often),
    *_of_said("coverage", "all simultaneous intervals of means hold in", _seldom),
    *_of_said("bounds", "all bounds to the best hold in", _seldom),
    *_of_said("candidate", "the best in truth is not shown to be worse in", _seldom),
    *_of_said("false_good", "a fusion is wrongly called as good as the best in", _often),
    _Promise("the bound of the collapse rate holds in", lambda family: family.bounded, _seldom),
]
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
    _Promise("the bound of the collapse rate holds in", lambda one: one.bounded, _seldom),
)  # fmt: skip
_OF_PLANS: tuple[_Promise[Planned], ...] = (
    _Promise("a planned study shows it in", lambda one: one.as_printed, _weak),
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
            if planned.plan == plan and planned.pilot >= FEWEST_AT_HAND
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


def bought(families: Sequence[Family]) -> str:
    """Return what comparing successes of irregular seeds gains and costs at most; may be empty."""
    if not families:
        return ""
    gain = max(families, key=lambda one: one.by_means["false"].percent - one.said["false"].percent)
    sentences = []
    if gain.by_means["false"].hits > gain.said["false"].hits:
        sentences.append(
            f"The most that the rule gains: false claims in {gain.said['false'].percent:.1f} % in "
            f"place of {gain.by_means['false'].percent:.1f} % ({WORLD_TITLES[gain.world]}; "
            f"{gain.seeds} seeds)."
        )
    different = [one for one in families if one.power < one.power_by_means]
    if different:
        cost = max(different, key=lambda one: one.power_by_means - one.power)
        sentences.append(
            f"The most that it costs: power of {cost.power:.1f} % in place of "
            f"{cost.power_by_means:.1f} % ({WORLD_TITLES[cost.world]}; {cost.seeds} seeds)."
        )
    return " ".join(sentences)


def said_ids(times: int) -> str:
    """Return how many test ids a plan has."""
    return "the test ids as they are" if times == 1 else f"{times} times the test ids"


def capitalized(words: str) -> str:
    """Return words as a sentence begins."""
    return words[:1].upper() + words[1:]

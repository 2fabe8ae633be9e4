"""Which promises of the statistics a calibration found broken, in words made of its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL, POWER
from studies.calibration.calibration import USUAL
from studies.calibration.rates import Calibration, Cell, Rate
from studies.calibration.scenarios import REGIMES

TITLES = {regime.name: regime.title for regime in REGIMES}


def often(rate: Rate) -> bool:
    """Tell whether it happens in more than 5 % of studies, beyond what chance explains."""
    return rate.interval[0] > 100 * (1 - LEVEL)


def seldom(rate: Rate) -> bool:
    """Tell whether it happens in less than 95 % of studies, beyond what chance explains."""
    return rate.interval[1] < 100 * LEVEL


def weak(rate: Rate) -> bool:
    """Tell whether a difference is shown in less than 80 % of studies, beyond chance."""
    return rate.interval[1] < 100 * POWER


def said(rate: Rate) -> str:
    """Return a rate with its interval."""
    low, high = rate.interval
    return f"{rate.percent:.1f} % ({low:.1f}–{high:.1f})"


@dataclass(frozen=True)
class _Promise:
    """Something that is to hold in every cell of enough seeds.

    Attributes
    ----------
    words : str
        What is wrong where it is broken; the rates follow.
    rate : callable
        Of a cell; None where it was not counted.
    broken : callable
        Whether a rate breaks it.
    seeds : sequence of int
        Where it is given; empty: from as many seeds on as a claim needs.
    """

    words: str
    rate: Callable[[Cell], Rate | None]
    broken: Callable[[Rate], bool]
    seeds: Sequence[int] = ()

    def breaks(self, cell: Cell) -> bool:
        """Tell whether a cell breaks it."""
        given = cell.seeds in self.seeds if self.seeds else cell.seeds >= FEWEST_SEEDS
        rate = self.rate(cell)
        return given and rate is not None and self.broken(rate)

    def told(self, cells: Sequence[Cell]) -> list[str]:
        """Return the sentence on the cells of one regime; none where all keep the promise."""
        rates = [(cell, self.rate(cell)) for cell in cells if self.breaks(cell)]
        held = [f"{said(rate)} with {cell.seeds} seeds" for cell, rate in rates if rate]
        return [f"{_title(cells[0].regime)}: {self.words} {', '.join(held)}."] if held else []


_PROMISES = (
    _Promise("a difference is claimed where there is none, in", lambda cell: cell.again, often),
    _Promise(
        "the interval for these trained models misses in", lambda cell: cell.models, often
    ),
    _Promise(
        "the interval holds a difference as large as is called detectable only in",
        lambda cell: cell.once.again if cell.once else None, seldom,
    ),
    _Promise(
        "the interval holds a difference twice as large as is called detectable only in",
        lambda cell: cell.twice.again if cell.twice else None, seldom,
    ),
    _Promise(
        "the interval for these trained models, of fusions that differ so, holds only in",
        lambda cell: cell.once.models if cell.once else None, seldom,
    ),
    _Promise(
        "the interval for these trained models, of fusions that differ twice so, holds only in",
        lambda cell: cell.twice.models if cell.twice else None, seldom,
    ),
    _Promise(
        "the difference that is called detectable is shown only in",
        lambda cell: cell.once.shown if cell.once else None, weak,
    ),
    _Promise(
        "twice the difference that is called detectable is shown only in",
        lambda cell: cell.twice.shown if cell.twice else None,
        lambda rate: rate.percent < 100 * POWER, (USUAL,),
    ),
)  # fmt: skip


def shortfalls(calibration: Calibration) -> list[str]:
    """Return a sentence for each promise and regime that breaks it; none where all were kept."""
    found = [line for cells in _by_regime(calibration) for line in _of_regime(cells)]
    found += [
        f"{_title(name)}, seven like fusions: any false claim after Holm in {said(rate)}."
        for name, rate in calibration.families.items()
        if often(rate)
    ]
    return found + [
        f"{_title(name)}: the two-way bootstrap's interval holds the truth only in {said(rate)}."
        for name, rate in calibration.bootstrap.items()
        if seldom(rate)
    ]


def _of_regime(cells: Sequence[Cell]) -> list[str]:
    found = [line for promise in _PROMISES for line in promise.told(cells)]
    beyond = [str(each.seeds) for each in cells if each.seeds >= FEWEST_SEEDS and not each.once]
    if beyond:
        found.append(
            f"{_title(cells[0].regime)}: what is called detectable is more than a fusion can lose, "
            f"so nothing can be shown, with {', '.join(beyond)} seeds."
        )
    return found


def too_few(calibration: Calibration) -> list[str]:
    """Return what would be wrong, had a claim so few seeds that none is made."""
    claims = _Promise(
        "a difference would be claimed where there is none, in",
        lambda cell: cell.again, often,
        range(FEWEST_SEEDS),
    )  # fmt: skip
    return [line for cells in _by_regime(calibration) for line in claims.told(cells)]


def _by_regime(calibration: Calibration) -> list[list[Cell]]:
    names = dict.fromkeys(cell.regime for cell in calibration.cells)
    return [[cell for cell in calibration.cells if cell.regime == name] for name in names]


def _title(name: str) -> str:
    return TITLES[name][0].upper() + TITLES[name][1:]

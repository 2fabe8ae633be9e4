"""Which promises of the statistics a calibration found broken, in words made of its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL, POWER
from studies.calibration.calibration import USUAL, Calibration, Cell, Rate
from studies.calibration.scenarios import TITLES


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

    def sentences(self, cells: Sequence[Cell]) -> list[str]:
        """Return the sentence on the cells of one scenario; none where all keep the promise."""
        rates = [(cell, self.rate(cell)) for cell in cells if self.breaks(cell)]
        broken = [f"{said(rate)} with {cell.seeds} seeds" for cell, rate in rates if rate]
        return [f"{_title(cells[0].scenario)}: {self.words} {', '.join(broken)}."] if broken else []


_PROMISES = (
    _Promise("type I error is", lambda cell: cell.type_1_error, often),
    _Promise(
        "the interval for fixed models misses its truth in", lambda cell: cell.fixed_noncoverage,
        often,
    ),
    _Promise(
        "at the minimum detectable difference, coverage is",
        lambda cell: cell.once.coverage if cell.once else None, seldom,
    ),
    _Promise(
        "at twice the minimum detectable difference, coverage is",
        lambda cell: cell.twice.coverage if cell.twice else None, seldom,
    ),
    _Promise(
        "at the minimum detectable difference, coverage of the interval for fixed models is",
        lambda cell: cell.once.fixed_coverage if cell.once else None, seldom,
    ),
    _Promise(
        "at twice the minimum detectable difference, coverage of the interval for fixed models is",
        lambda cell: cell.twice.fixed_coverage if cell.twice else None, seldom,
    ),
    _Promise(
        "at the minimum detectable difference, power is",
        lambda cell: cell.once.power if cell.once else None, weak,
    ),
    _Promise(
        "at twice the minimum detectable difference, power is",
        lambda cell: cell.twice.power if cell.twice else None,
        lambda rate: rate.percent < 100 * POWER, (USUAL,),
    ),
)  # fmt: skip


def shortfalls(calibration: Calibration) -> list[str]:
    """Return a sentence for each promise and scenario that breaks it; none where all were kept."""
    by_scenario = _by_scenario(calibration)
    sentences = [sentence for cells in by_scenario for sentence in _of_scenario(cells)]
    sentences += [
        f"{_title(name)}, seven like fusions: any type I error after Holm in {said(rate)}."
        for name, rate in calibration.families.items()
        if often(rate)
    ]
    return sentences + [
        f"{_title(name)}: coverage of the two-way bootstrap's interval is {said(rate)}."
        for name, rate in calibration.bootstrap.items()
        if seldom(rate)
    ]


def _of_scenario(cells: Sequence[Cell]) -> list[str]:
    sentences = [sentence for promise in _PROMISES for sentence in promise.sentences(cells)]
    beyond = [str(cell.seeds) for cell in cells if cell.seeds >= FEWEST_SEEDS and not cell.once]
    if beyond:
        sentences.append(
            f"{_title(cells[0].scenario)}: the minimum detectable difference is more than a fusion "
            f"can lose, so nothing can be shown, with {', '.join(beyond)} seeds."
        )
    return sentences


def too_few(calibration: Calibration) -> list[str]:
    """Return what would be wrong, had a claim so few seeds that none is made."""
    promise = _Promise(
        "type I error would be", lambda cell: cell.type_1_error, often, range(FEWEST_SEEDS)
    )
    return [line for cells in _by_scenario(calibration) for line in promise.sentences(cells)]


def _by_scenario(calibration: Calibration) -> list[list[Cell]]:
    names = dict.fromkeys(cell.scenario for cell in calibration.cells)
    return [[cell for cell in calibration.cells if cell.scenario == name] for name in names]


def _title(name: str) -> str:
    return TITLES[name][0].upper() + TITLES[name][1:]

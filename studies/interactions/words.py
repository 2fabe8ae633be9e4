"""How fusions, shares of seeds and p-values are called in sentences."""

import math
from collections.abc import Sequence

from fusebench.report.recommendation import listed
from fusebench.report.suite import SuiteRow
from studies.interactions.plan import CEILINGS, CHANCE, SINGLE, Cell
from studies.interactions.tables import Contrast

# So many fusions that are left out are named in place of those that are not.
_FEW = 3
_SEES = {"rgb_only": "the image", "lidar_only": "the LiDAR map"}


def telling(cell: Cell) -> str:
    """Return which sensors alone tell the class of a task."""
    tells = [_SEES[name] for name in SINGLE if CEILINGS[cell.task][name] > CHANCE]
    if len(tells) == len(SINGLE):
        return "each sensor alone tells the class"
    return f"{tells[0]} alone tells the class" if tells else "only both sensors tell the class"


def able(cell: Cell) -> list[str]:
    """Return the fusions of a cell that see what tells the class."""
    return [name for name in cell.fusions if CEILINGS[cell.task].get(name, math.inf) > CHANCE]


def named(some: Sequence[str], cell: Cell) -> str:
    """Return fusions of a cell in few words: "every fusion of both sensors but film"."""
    every = able(cell)
    others = [name for name in every if name not in some]
    if set(some) <= set(every) and len(others) <= _FEW and len(others) < len(some):
        but = f" but {listed(others)}" if others else ""
        return f"{_every(cell)}{but}"
    return listed(some)


def _every(cell: Cell) -> str:
    tells = [_SEES[name] for name in SINGLE if CEILINGS[cell.task][name] > CHANCE]
    if len(tells) == len(SINGLE):
        return "every fusion"
    return f"every fusion that sees {tells[0]}" if tells else "every fusion of both sensors"


def share(row: SuiteRow) -> str:
    """Return how many seeds solve a task, with the interval of their share."""
    return f"{row.solved} of {row.seeds} seeds ({interval(row)})"


def interval(row: SuiteRow) -> str:
    """Return the 95 % interval of a share of seeds."""
    low, high = 100 * row.solved_low, 100 * row.solved_high
    return f"95 % interval {low:.0f} to {high:.0f} %"


def counts(row: Contrast) -> str:
    """Return how many seeds solve a task with the first and the second."""
    return f"in {row.first_solved} and {row.second_solved} of {row.seeds} seeds"


def p_value(value: float) -> str:
    """Return a p-value with two digits, or a bound."""
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"


def percent(value: float) -> str:
    """Return an accuracy."""
    return f"{value:.1f} %"


def capitalized(words: str) -> str:
    """Return words as a sentence begins."""
    return words[:1].upper() + words[1:]

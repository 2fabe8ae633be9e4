"""The differences of the metric that decides, with intervals: as a table and as a picture."""

import math
from collections.abc import Sequence
from typing import NamedTuple, get_type_hints

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.report.drawing import styled
from fusebench.report.looks import GREY, LIGHT_GREY, SHOWN, TEXT_GREY, note, title
from fusebench.report.pairs import Pair, primary_pairs
from fusebench.report.results import Comparison
from fusebench.report.roles import PLANNED
from fusebench.report.verdict import State, state
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

_SHOWN, _NOT_SHOWN, _NOT_TESTED = "shown", "not shown", "not tested"
_TOO_FEW = "too few seeds to say"
_PLANNED, _OTHERS = "planned contrasts", "other pairs, not tested"


class Interval(NamedTuple):
    """A pair as it is drawn: the fusion with the better mean stands first.

    Attributes
    ----------
    pair : str
        What the row is called.
    difference : float
        Better − other, mean over seeds, in the metric's unit.
    low, high : float
        Interval of the claim about the fusions, trained again, within what a difference can be.
    fixed_low, fixed_high : float
        The same of these trained models.
    shown : str
        "shown" (after Holm), "not shown", "not tested" or "too few seeds to say".
    group : str
        "planned contrasts" or "other pairs, not tested".
    axis : str
        What the figures are, with their unit.
    left, right : str
        Which fusion of a pair the side below and above 0 speaks for.
    seeds : int
    """

    pair: str
    difference: float
    low: float
    high: float
    fixed_low: float
    fixed_high: float
    shown: str
    group: str
    axis: str
    left: str
    right: str
    seeds: int


def intervals_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs on the primary metric as `Interval`s: the planned, then the others.

    The largest difference stands first.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    """
    rows = sorted(
        map(_interval, primary_pairs(pairs)),
        key=lambda row: (row.group != _PLANNED, -abs(row.difference)),
    )
    kinds = get_type_hints(Interval)
    return pd.DataFrame(rows, columns=list(Interval._fields)).astype(kinds)


def _interval(pair: Pair) -> Interval:
    metric = METRICS[pair.metric]
    ends = [pair.retrained_low, pair.retrained_high, pair.fixed_low, pair.fixed_high]
    difference, first, second = pair.difference, pair.first, pair.second
    if difference and (difference > 0) is not metric.higher_is_better:
        difference, first, second = -difference, second, first
        ends = [-ends[1], -ends[0], -ends[3], -ends[2]]
    # A difference of two values cannot be larger than what lies between the bounds of one.
    reach = metric.bounds[1] - metric.bounds[0]
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    sides = ("← favours the second", "favours the first →")
    if not metric.higher_is_better:
        sides = ("← favours the first", "favours the second →")
    low, high, fixed_low, fixed_high = np.clip(ends, -reach, reach).tolist()
    return Interval(
        f"{title(first)} − {title(second)}", difference, low, high, fixed_low, fixed_high,
        _said(pair), _PLANNED if pair.role == PLANNED else _OTHERS,
        f"difference of test {metric.label}{unit}", *sides, pair.seeds,
    )  # fmt: skip


def _said(pair: Pair) -> str:
    said = state(pair)
    if pair.role != PLANNED:
        return _NOT_TESTED
    if said is State.TOO_FEW_SEEDS:
        return _TOO_FEW
    return _SHOWN if said in (State.BETTER, State.WORSE) else _NOT_SHOWN


def pairs_figure(comparison: Comparison, pairs: pd.DataFrame) -> Figure:
    """Draw the primary metric's differences: a dot, and the interval of each claim.

    Thick and dark: trained again; coloured where the difference is shown after Holm. Thin and
    light: these trained models. Below a line stand the pairs that are not tested, hollow.
    """
    with styled():
        figure = Figure(figsize=pairs_size(pairs))
        figure.suptitle(draw_pairs(figure.subplots(), pairs), fontsize=11)
        note(figure, comparison)
    return figure


def pairs_size(pairs: pd.DataFrame) -> tuple[float, float]:
    """Return width and height of the picture of some pairs, in inches."""
    return 8, 1.9 + 0.27 * max(1, len(primary_pairs(pairs)))


def draw_pairs(axes: Axes, pairs: pd.DataFrame) -> str:
    """Draw what `pairs_figure` shows, but for its title, which is returned."""
    table = intervals_table(pairs)
    rows = [Interval(*row) for row in table.itertuples(index=False, name=None)]
    for position, row in enumerate(rows):
        _draw(axes, position, row)
    axes.axvline(0, color="#555555", linewidth=1)
    tested = sum(row.group == _PLANNED for row in rows)
    if 0 < tested < len(rows):
        axes.axhline(tested - 0.5, color=LIGHT_GREY, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row.pair for row in rows])
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    if rows:
        _label(axes, rows[0], METRICS[primary_pairs(pairs)[0].metric])
    return _title(rows)


def _draw(axes: Axes, position: int, row: Interval) -> None:
    colour = SHOWN if row.shown == _SHOWN else GREY
    # Where an interval is not known (NaN), nothing is drawn.
    for low, high, line, offset, width in (
        (row.low, row.high, colour, 0.0, 2.6),
        (row.fixed_low, row.fixed_high, LIGHT_GREY, 0.24, 1.2),
    ):
        axes.plot(
            [low, high], [position + offset] * 2, color=line, linewidth=width,
            solid_capstyle="butt",
        )  # fmt: skip
    fill = colour if row.group == _PLANNED else "white"
    axes.plot(row.difference, position, marker="o", ms=5, color=colour, mfc=fill)


def _label(axes: Axes, row: Interval, metric: Metric) -> None:
    """Say what is on the axis and which side of 0 speaks for whom, with room for the words."""
    low, high = axes.get_xlim()
    width = max(high - low, 1e-9)
    low, high = min(low, -0.3 * width), max(high, 0.3 * width)
    reach = metric.bounds[1] - metric.bounds[0]
    edge = reach if math.isfinite(reach) else math.inf
    axes.set_xlim(max(low, -edge), min(high, edge))
    axes.set_xlabel(row.axis)
    for text, align, shift in ((row.left, "right", -6), (row.right, "left", 6)):
        axes.annotate(
            text, (0, 1), xycoords=("data", "axes fraction"), xytext=(shift, 5),
            textcoords="offset points", ha=align, va="bottom", fontsize=9, color=TEXT_GREY,
        )  # fmt: skip


def _title(rows: Sequence[Interval]) -> str:
    if not rows:
        return "One fusion: nothing to compare"
    seeds, level = rows[0].seeds, f"{100 * LEVEL:.0f} %"
    if seeds < FEWEST_SEEDS:
        return (
            f"{level} intervals; {seeds} seed(s) are too few for a verdict\n"
            "thick: trained again; thin: these models alone; hollow: not tested"
        )
    return (
        f"{level} intervals, each by itself, over {seeds} seeds\n"
        "blue: shown after Holm; thin: these models alone; hollow: not tested"
    )

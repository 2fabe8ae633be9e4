"""How far each fusion can be below the best: as a table for `dvc plots` and as a picture."""

import math
from typing import NamedTuple, get_type_hints

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.evaluation.metrics import METRICS
from fusebench.report.best import best_rows
from fusebench.report.drawing import styled
from fusebench.report.looks import GREY, LIGHT_GREY, SHOWN, note, title
from fusebench.report.results import Comparison
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

AS_GOOD, MAYBE, NOT = "as good as the best", "may be the best", "shown not to be the best"
UNKNOWN, APART = "too few seeds to say", "bound not calibrated"
_MARKERS = {AS_GOOD: "o", MAYBE: "D", NOT: "X", UNKNOWN: "o", APART: "^"}
_COLOURS = {AS_GOOD: SHOWN, MAYBE: GREY, NOT: LIGHT_GREY, UNKNOWN: LIGHT_GREY, APART: LIGHT_GREY}


class Distance(NamedTuple):
    """A fusion as it is drawn.

    Attributes
    ----------
    fusion : str
        What the row is called.
    distance : float
        Of its mean to the best mean, in the metric's unit, 0 or more to the worse side.
    below : float
        At most so far from the best; NaN where seeds are too few.
    margin : float
        NaN where none is declared.
    said : str
        "as good as the best", "may be the best", "shown not to be the best", "bound not
        calibrated" or "too few seeds to say".
    axis : str
        What the figures are, with their unit.
    seeds : int
    """

    fusion: str
    distance: float
    below: float
    margin: float
    said: str
    axis: str
    seeds: int


def distances_table(best: pd.DataFrame) -> pd.DataFrame:
    """Return the fusions as `Distance`s, the best mean first.

    Parameters
    ----------
    best : DataFrame
        As metrics/best.csv.
    """
    rows = best_rows(best)
    drawn = []
    for row in rows:
        metric = METRICS[row.metric]
        side = "below" if metric.higher_is_better else "above"
        unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
        if math.isnan(row.below):
            said = UNKNOWN
        elif row.is_irregular:
            said = APART
        else:
            said = AS_GOOD if row.as_good else MAYBE if row.may_be_best else NOT
        drawn.append(
            Distance(
                title(row.fusion), abs(rows[0].mean - row.mean), row.below, row.margin, said,
                f"test {metric.label} {side} the best{unit}", row.seeds,
            )
        )  # fmt: skip
    return pd.DataFrame(drawn, columns=list(Distance._fields)).astype(get_type_hints(Distance))


def best_figure(comparison: Comparison, best: pd.DataFrame) -> Figure:
    """Draw how far each fusion can be from the best: a line up to its bound; a mark at its mean.

    The declared margin is a dashed line: what ends left of it is as good as the best.
    """
    table = distances_table(best)
    rows = [Distance(*row) for row in table.itertuples(index=False, name=None)]
    with styled():
        figure = Figure(figsize=(8, 1.9 + 0.3 * len(rows)))
        axes = figure.subplots()
        for position, row in enumerate(rows):
            _draw(axes, position, row)
        if not math.isnan(rows[0].margin):
            axes.axvline(rows[0].margin, color="#555555", linewidth=1.2, linestyle=(0, (4, 2)))
            axes.annotate(
                f"margin {rows[0].margin:g}", (rows[0].margin, 1),
                xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
                ha="center", va="bottom", fontsize=9, color="#555555",
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.fusion for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        # With room for the legend, beside the bars.
        drawn = [end for row in rows for end in (row.distance, row.below, row.margin)]
        axes.set_xlim(0, 1.45 * max((end for end in drawn if end > 0), default=1))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(rows[0].axis)
        figure.suptitle(_title(rows[0]), fontsize=11)
        handles, labels = axes.get_legend_handles_labels()
        if len(labels) > 1:
            axes.legend(handles, labels, loc="upper right", fontsize=9)
        note(figure, comparison)
    return figure


def _draw(axes: Axes, position: int, row: Distance) -> None:
    colour = _COLOURS[row.said]
    axes.plot([0, row.below], [position] * 2, color=colour, linewidth=2.6, solid_capstyle="butt")
    axes.plot(row.below, position, marker="|", ms=11, mew=2, color=colour, linestyle="none")
    named = {text.get_label() for text in axes.get_lines()}
    axes.plot(
        row.distance, position, marker=_MARKERS[row.said], ms=8, color=colour, mec="white",
        linestyle="none", clip_on=False, zorder=3, label="_" if row.said in named else row.said,
    )  # fmt: skip


def _title(row: Distance) -> str:
    if row.seeds < FEWEST_SEEDS:
        return f"Distance of the means to the best; {row.seeds} seed(s) are too few for bounds"
    return (
        f"At most so far from the best, all together with {100 * LEVEL:.0f} %, {row.seeds} seeds\n"
        "mark: distance of the means; bar: the bound"
    )

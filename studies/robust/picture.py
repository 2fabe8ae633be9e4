"""What training on corrupted samples changes: metrics/robust/robust.png."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusebench.report.drawing import styled
from fusebench.report.looks import GREY, INK, TEXT_GREY, looks, title
from fusebench.statistics.estimates import LEVEL
from studies.common.study import Kept
from studies.robust.tables import ALL, CLEAN, Results

_PANELS = {ALL: "under corruptions", CLEAN: "on clean samples"}
# Marker of each recipe in turn, and whether it is filled.
_MARKS = (("o", True), ("o", False), ("D", False), ("s", True))
# Recipes of a fusion stand above each other, within so much of a line.
_SPREAD = 0.6


def robust_picture(results: Results) -> Figure:
    """Draw the change of each fusion in points, by recipe: under corruptions and on clean samples.

    Recipes are told apart by marker and filling, fusions by colour.
    """
    fusions = results.fusions
    with styled({"axes.grid.axis": "x"}):
        figure = Figure(figsize=(8, 1.9 + 0.46 * len(fusions)))
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, (of, where) in zip(panels, _PANELS.items(), strict=True):
            axes.axvline(0, color=GREY, linewidth=0.9, linestyle="--", zorder=1)
            for number, recipe in enumerate(results.kept):
                _draw_recipe(axes, results, recipe, number, of)
            axes.set_title(where, fontsize=10, loc="left", color=INK)
            axes.set_xlabel("change of balanced accuracy (points)", fontsize=9)
        panels[0].set_yticks(range(len(fusions)), [title(name) for name in fusions])
        panels[0].set_ylim(len(fusions) - 0.5, -0.5)
        figure.suptitle("What each recipe changes against the plain models", fontsize=11)
        figure.legend(
            handles=[_handle(recipe, number) for number, recipe in enumerate(results.kept)],
            loc="outside right upper", fontsize=9,
        )  # fmt: skip
        figure.supxlabel(_legend(results), x=0.01, ha="left", fontsize=8, color=TEXT_GREY)
    return figure


def _draw_recipe(axes: Axes, results: Results, recipe: Kept, number: int, of: str) -> None:
    offset = _SPREAD * ((number + 0.5) / len(results.kept) - 0.5)
    chosen = looks(results.fusions)
    for place, row in enumerate(results.rows(recipe)):
        change = row.clean_change if of == CLEAN else row.corrupted_change
        ends = np.array(results.band(recipe, row.fusion, of))
        colour = chosen[row.fusion].colour
        axes.plot(ends, [place + offset] * 2, color=colour, linewidth=1.4, zorder=2)
        marker, filled = _MARKS[number % len(_MARKS)]
        axes.plot(
            change, place + offset, marker, ms=5.5, color=colour, zorder=3,
            mfc=colour if filled else "white",
        )  # fmt: skip


def _handle(recipe: Kept, number: int) -> Line2D:
    marker, filled = _MARKS[number % len(_MARKS)]
    return Line2D(
        [], [], marker=marker, linestyle="", color=INK, mfc=INK if filled else "white",
        label=recipe["recipe"],
    )  # fmt: skip


def _legend(results: Results) -> str:
    bar = (
        f"{100 * LEVEL:.0f} % interval over {results.seeds} seeds, paired"
        if results.by_interval
        else f"from the lowest to the highest of {results.seeds} seed(s), paired"
    )
    return (
        f"Mark: mean over seeds; line: {bar}. Under corruptions: mean over all of them and their "
        "severities,\neach sensor counting the same."
    )

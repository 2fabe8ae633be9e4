"""ROC and precision-recall curves: whole, and the corner in which good fusions differ."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from fusebench.evaluation.curves import precision_recall_points, roc_points
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.drawing import styled
from fusebench.report.looks import GREY, looks, note, title
from fusebench.report.results import Comparison

Floats = npt.NDArray[np.float64]
WHOLE, CORNER = "whole", "corner"
# Sides that a corner may have, in percent.
_SIDES = (1, 2, 5, 10, 20, 40)
# Percent of all curves that have their knee well within the corner.
_SHARE = 50


class Corner(NamedTuple):
    """The part of a plot that is drawn again, larger; in percent."""

    x: tuple[float, float]
    y: tuple[float, float]


def roc_table(fusions: Mapping[str, FusionPredictions]) -> pd.DataFrame:
    """Return the points of ROC curves on test, and again those in the corner.

    Returns
    -------
    DataFrame
        panel ("whole" or "corner"), fusion, seed, point, false_positive_rate, true_positive_rate,
        and chance: what an answer by chance has at this x, NaN in the corner. Rates in percent.
    """
    points = roc_points(fusions)
    points["chance"] = points["false_positive_rate"]
    return _with_corner(points, roc_corner(points))


def precision_recall_table(fusions: Mapping[str, FusionPredictions]) -> pd.DataFrame:
    """Return the points of precision over recall on test, and again those in the corner.

    Returns
    -------
    DataFrame
        As `roc_table`, with recall and precision; chance is the share of the positive class.
    """
    points = precision_recall_points(fusions)
    points["chance"] = round(prevalence(fusions), 4)
    return _with_corner(points, precision_recall_corner(points))


def prevalence(fusions: Mapping[str, FusionPredictions]) -> float:
    """Return the share of the positive class among test samples, mean over seeds, in percent."""
    predictions = next(iter(fusions.values()))
    shares = [
        (parts["test"].labels == predictions.positive).mean()
        for parts in predictions.seeds.values()
    ]
    return 100 * float(np.mean(shares))


def roc_corner(points: pd.DataFrame) -> Corner:
    """Return the upper left corner in which most curves have their knee."""
    wide, high = _sides(points["false_positive_rate"], 100 - points["true_positive_rate"], points)
    return Corner((0, wide), (100 - high, 100))


def precision_recall_corner(points: pd.DataFrame) -> Corner:
    """Return the upper right corner in which most curves have their knee."""
    wide, high = _sides(100 - points["recall"], 100 - points["precision"], points)
    return Corner((100 - wide, 100), (100 - high, 100))


def _sides(
    x: "pd.Series[float]", y: "pd.Series[float]", points: pd.DataFrame
) -> tuple[float, float]:
    """Return the sides of a corner, from how far each point is from the perfect one, by x and y.

    The knee of a curve is its point that is nearest by the sum of both.
    """
    gaps = pd.DataFrame({"x": x, "y": y, "both": x + y})
    knees = gaps.loc[gaps.groupby([points["fusion"], points["seed"]], sort=False)["both"].idxmin()]
    wanted = [2 * float(np.percentile(knees[side], _SHARE)) for side in ("x", "y")]
    wide, high = (next((side for side in _SIDES if side >= gap), _SIDES[-1]) for gap in wanted)
    return wide, high


def _with_corner(points: pd.DataFrame, corner: Corner) -> pd.DataFrame:
    """Return the points of both panels; in the corner, curves end where they leave it."""
    x, y = points.columns[-3:-1]
    inside = []
    for (fusion, seed), curve in points.groupby(["fusion", "seed"], sort=False):
        within = _within(curve[x].to_numpy(float), curve[y].to_numpy(float), corner)
        table = pd.DataFrame(within.round(4), columns=[x, y])
        inside.append(table.assign(fusion=fusion, seed=seed, point=range(len(table))))
    near = pd.concat(inside).assign(panel=CORNER, chance=np.nan)
    both = pd.concat([points.assign(panel=WHOLE), near], ignore_index=True)
    return both[["panel", "fusion", "seed", "point", x, y, "chance"]]


def _within(x: Floats, y: Floats, corner: Corner) -> Floats:
    """Return the points of a line within a corner, those where it crosses the edge with them."""
    along = np.arange(len(x), dtype=float)
    places = [along]
    for values, limits in ((x, corner.x), (y, corner.y)):
        for limit in limits:
            before, after = values[:-1] - limit, values[1:] - limit
            crosses = np.flatnonzero(before * after < 0)
            places.append(crosses + before[crosses] / (before[crosses] - after[crosses]))
    at = np.unique(np.concatenate(places))
    points = np.stack([np.interp(at, along, x), np.interp(at, along, y)], axis=1)
    low, high = (np.array([corner.x[end], corner.y[end]]) for end in (0, 1))
    kept: Floats = points[((points > low - 1e-9) & (points < high + 1e-9)).all(axis=1)]
    return kept


def roc_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw ROC on test, a thin line per seed; `table` as of `roc_table`."""
    points = table[table["panel"] == WHOLE]
    return _figure(comparison, points, roc_corner(points), "ROC")


def precision_recall_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw precision over recall on test, a thin line per seed."""
    points = table[table["panel"] == WHOLE]
    return _figure(comparison, points, precision_recall_corner(points), "Precision and recall")


def _figure(comparison: Comparison, points: pd.DataFrame, corner: Corner, name: str) -> Figure:
    x, y = points.columns[-3:-1]
    with styled():
        figure = Figure(figsize=(10, 4.6))
        panels = figure.subplots(1, 2)
        for axes in panels:
            _draw_lines(axes, comparison, points)
            axes.set(xlabel=f"{x.replace('_', ' ')} (%)", ylabel=f"{y.replace('_', ' ')} (%)")
        whole, near = panels
        whole.set(xlim=(-2, 102), ylim=(-2, 102), title="Whole")
        _zoom(near, corner)
        (left, right), (low, high) = corner
        whole.add_patch(
            Rectangle((left, low), right - left, high - low, fill=False, edgecolor=GREY, zorder=3)
        )
        figure.suptitle(
            f"{name} on test, positive class {comparison.positive}: one line per seed", fontsize=11
        )
        figure.legend(handles=_legend(comparison), loc="outside right center")
        note(figure, comparison)
    return figure


def _zoom(axes: Axes, corner: Corner) -> None:
    # With a margin, so that lines along the edge are seen.
    for (low, high), limit in ((corner.x, axes.set_xlim), (corner.y, axes.set_ylim)):
        margin = 0.02 * (high - low)
        limit(low - margin, high + margin)
    axes.set_title("The corner in the frame")


def _draw_lines(axes: Axes, comparison: Comparison, points: pd.DataFrame) -> None:
    names = list(comparison.fusions)
    chosen = looks(names)
    x, y = points.columns[-3:-1]
    # Later lines are thinner, so that they hide no earlier one that they run along.
    widths = dict(zip(names, np.linspace(2.4, 1.0, len(names)).tolist(), strict=True))
    chance = points.sort_values(x)
    axes.plot(chance[x], chance["chance"], color=GREY, linewidth=1, linestyle=":", zorder=1)
    for (name, _), curve in points.groupby(["fusion", "seed"], sort=False):
        look = chosen[name]
        axes.plot(
            curve[x], curve[y], color=look.colour, linestyle=look.linestyle, alpha=0.85,
            linewidth=widths[name],
        )  # fmt: skip


def _legend(comparison: Comparison) -> list[Line2D]:
    chosen = looks(list(comparison.fusions))
    lines = [
        Line2D([], [], color=chosen[name].colour, linestyle=chosen[name].linestyle, linewidth=2,
               label=title(name))
        for name in comparison.fusions
    ]  # fmt: skip
    return [*lines, Line2D([], [], color=GREY, linewidth=1, linestyle=":", label="by chance")]

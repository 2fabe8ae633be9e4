"""Balanced accuracy by training samples: metrics/learning_curve/learning_curve.png."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fusebench.report.drawing import styled
from fusebench.report.looks import CONTEXT, INK, TEXT_GREY, Look, looks, title
from fusebench.statistics.estimates import LEVEL
from studies.learning_curve.tables import Results

_COLUMNS = 4
_WIDTH, _HEIGHT = 2.35, 2.1
# Room beyond the highest and the lowest point, as a share of what is between.
_ROOM = 0.06


def learning_picture(results: Results) -> Figure:
    """Draw a panel per fusion: its means by training samples, with band, others grey behind."""
    fusions = results.fusions
    columns = min(_COLUMNS, len(fusions))
    rows = math.ceil(len(fusions) / columns)
    chosen = looks(fusions)
    with styled():
        figure = Figure(figsize=(max(4.8, _WIDTH * columns + 0.4), _HEIGHT * rows + 0.9))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, fusion in zip(panels, fusions, strict=False):
            _draw_context(axes, results, [name for name in fusions if name != fusion])
            _draw_fusion(axes, results, fusion, chosen[fusion])
        for axes in panels[len(fusions) :]:
            axes.set_visible(False)
        for axes in panels[max(0, len(fusions) - columns) : len(fusions)]:
            # The last of each column, where the row below is not full.
            axes.tick_params(labelbottom=True)
        _scale(panels[0], results)
        figure.suptitle("Balanced accuracy on test by training samples (%)", fontsize=11)
        figure.supxlabel(_legend(results), x=0.01, ha="left", fontsize=8, color=TEXT_GREY)
    return figure


def _sizes(results: Results) -> list[int]:
    return [int(size["train_samples"]) for size in results.kept]


def _means(results: Results, fusion: str) -> list[float]:
    return [float(results.values(size, fusion).mean()) for size in results.kept]


def _draw_context(axes: Axes, results: Results, others: Sequence[str]) -> None:
    for name in others:
        axes.plot(_sizes(results), _means(results, name), color=CONTEXT, linewidth=0.9, zorder=1)


def _draw_fusion(axes: Axes, results: Results, fusion: str, look: Look) -> None:
    sizes, means = _sizes(results), _means(results, fusion)
    bands = [results.band(size, fusion) for size in results.kept]
    low, high = zip(*bands, strict=True)
    axes.fill_between(sizes, low, high, color=look.colour, alpha=0.2, linewidth=0, zorder=2)
    axes.plot(
        sizes, means, color=look.colour, linestyle=look.linestyle, marker=look.marker, ms=4.5,
        zorder=3,
    )  # fmt: skip
    enough = results.enough(fusion)
    if enough is not None:
        place = results.kept.index(enough)
        axes.plot(
            sizes[place], means[place], "o", ms=11, mfc="none", mec=INK, mew=1, zorder=4,
            label="enough",
        )  # fmt: skip
    axes.set_title(title(fusion), fontsize=10, loc="left", color=INK)


def _scale(axes: Axes, results: Results) -> None:
    """Set the scales that all panels have in common; no accuracy is above 100 %."""
    sizes = _sizes(results)
    ends = [
        end for name in results.fusions for size in results.kept for end in results.band(size, name)
    ]
    low, high = max(0.0, min(ends)), min(100.0, max(ends))
    room = _ROOM * max(high - low, 1.0)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    axes.set_ylim(low - room, high + room)


def _legend(results: Results) -> str:
    band = (
        f"{100 * LEVEL:.0f} % interval of the mean over {results.seeds} seeds"
        if results.by_interval
        else f"from the lowest to the highest of {results.seeds} seed(s)"
    )
    lines = [f"Line: mean over seeds; band: {band}; grey: the other fusions."]
    if results.margin is not None:
        how = "by interval" if results.by_interval else "by means"
        lines.append(
            f"Circle: from here on within {results.margin:g} points of the fusion's own best mean, "
            f"{how}."
        )
    return "\n".join(lines)

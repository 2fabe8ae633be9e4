"""Every pair's difference with its intervals, as a picture."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.report.pairs import Pair, primary_pairs
from fusebench.report.style import STYLE_SHEET, title
from fusebench.report.verdict import State, metric_name, state, unit
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

mpl.use("Agg")

_SHOWN, _NOT_SHOWN, _MODELS = "#0072B2", "#8A8A8A", "#B5B5B5"
_ROW_INCHES = 0.27


def pairs_picture(pairs: Sequence[Pair]) -> Figure:
    """Draw the primary metric's differences: a dot, and the interval of each claim.

    Thick and dark: trained again; coloured where the difference is shown after Holm. Thin and
    light: these trained models.
    """
    held = primary_pairs(pairs)
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(7, 1.5 + _ROW_INCHES * max(1, len(held))))
        axes = figure.subplots()
        for place, pair in enumerate(held):
            _draw(axes, place, pair)
        axes.axvline(0, color="#555555", linewidth=1)
        axes.set_yticks(
            range(len(held)), [f"{title(each.first)} − {title(each.second)}" for each in held]
        )
        axes.set_ylim(max(1, len(held)) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(_axis(held))
        axes.set_title(_heading(held))
    return figure


def _draw(axes: Axes, place: int, pair: Pair) -> None:
    colour = _SHOWN if state(pair) in (State.BETTER, State.WORSE) else _NOT_SHOWN
    if pair.again_low is not None and pair.again_high is not None:
        axes.plot(
            [pair.again_low, pair.again_high], [place, place], color=colour, linewidth=2.6,
            solid_capstyle="butt",
        )  # fmt: skip
    if pair.models_low is not None and pair.models_high is not None:
        axes.plot(
            [pair.models_low, pair.models_high], [place + 0.22, place + 0.22], color=_MODELS,
            linewidth=1.2, solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(pair.difference, place, marker="o", ms=4.5, color=colour)


def _axis(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return ""
    return f"difference of test {metric_name(pairs[0].metric)} ({unit(pairs[0].metric)})"


def _heading(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "One fusion: nothing to compare"
    seeds, level = pairs[0].seeds, f"{100 * LEVEL:.0f} %"
    if seeds < FEWEST_SEEDS:
        return f"{level} intervals; {seeds} seed(s) are too few for a verdict"
    return (
        f"{level} intervals, each by itself, over {seeds} seeds\n"
        "blue: shown after Holm; thin: these trained models alone"
    )

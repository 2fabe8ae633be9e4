"""Which fusion solves which task, as a picture: metrics/interactions/interactions.png."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fusebench.report.drawing import styled
from fusebench.report.looks import CONTEXT, GREY, INK, PALETTE, SHOWN, TEXT_GREY, title
from fusebench.report.suite import SuiteRow
from studies.interactions.outcomes import Kept
from studies.interactions.plan import CEILINGS, CHANCE, FUSIONS, SINGLE, SOLVED, Cell
from studies.interactions.sentences import solved_by_some
from studies.interactions.tables import Results

_SHARES = LinearSegmentedColormap.from_list(
    "shares", [(0.0, "#FFFFFF"), (0.9, "#8CBFDD"), (1.0, SHOWN)]
)
# From this share on, white letters are easier to read than black ones.
_DARK = 0.95
_UNSOLVED = PALETTE[1]
# By the single sensors that tell the class.
_TELLS = {
    SINGLE: "either sensor", SINGLE[:1]: "image alone", SINGLE[1:]: "map alone", (): "both needed",
}  # fmt: skip
# The part of a tile's width that an interval of 0 to 100 % takes, and where it begins.
_WIDTH, _LEFT = 0.8, -0.4
# Balanced accuracy, in %, at the left end of a panel of single sensors, and what is marked there.
_LOWEST, _TICKS = 40.0, (50, 75, 100)


def interactions_picture(results: Results) -> Figure:
    """Draw the share of seeds that solve each task, and how single sensors do, by task.

    A tile says how many seeds of a fusion solve a task, by which epoch half of them do, and as a
    line the exact 95 % interval of the share. Below, each seed of the single sensors beside what
    their sensor allows.
    """
    cells = [cell for cell in results.plan if not cell.probe]
    done = {kept.cell.name: kept for kept in results.kept}
    with styled({"axes.grid": False}):
        figure = Figure(figsize=(9, 7.6))
        tiles, single = figure.subplots(2, 1, sharex=True, height_ratios=(len(FUSIONS), 2.2))
        _draw_grid(tiles, cells, results)
        _draw_single(single, cells, done)
        figure.suptitle(
            f"Seeds that solve a task: {SOLVED:g} % balanced accuracy or more on test", fontsize=11
        )
        figure.supxlabel(_legend(results), x=0.01, ha="left", fontsize=8, color=TEXT_GREY)
    return figure


def _legend(results: Results) -> str:
    lines = [
        "Line in a tile: exact 95 % interval of the share of seeds, from 0 to 100 %. ep: epoch by "
        "which half of the seeds solve it; –: fewer do.",
        "Below: test balanced accuracy in % of each seed; bar: what the sensor allows; dashed: "
        f"chance ({CHANCE:g}).",
    ]
    if any(kept.cell.probe for kept in results.kept):
        lines[1] += " †: solved in some seeds with more or other training."
    return "\n".join(lines)


def _draw_grid(axes: Axes, cells: Sequence[Cell], results: Results) -> None:
    """Draw a row per fusion and a column per cell."""
    done = {kept.cell.name: kept for kept in results.kept}
    for column, cell in enumerate(cells):
        rows = {row.fusion: row for row in results.rows(cell)}
        probed = _solved_by_probes(cell, results)
        for place, fusion in enumerate(FUSIONS):
            if fusion in rows:
                _draw_tile(axes, column, place, rows[fusion], fusion in probed)
            else:
                _draw_absent(axes, column, place, "" if cell.name in done else "not run")
    axes.set_xlim(-0.5, len(cells) - 0.5)
    axes.set_ylim(len(FUSIONS) - 0.5, -0.5)
    axes.set_yticks(range(len(FUSIONS)), [title(name) for name in FUSIONS])
    for column, cell in enumerate(cells):
        unsolved = cell.name in done and not solved_by_some(results.rows(cell))
        axes.text(
            column, -0.6, _heading(cell, done.get(cell.name), results), ha="center", va="bottom",
            fontsize=9.5, color=_UNSOLVED if unsolved else INK,
        )  # fmt: skip
    axes.axhline(len(FUSIONS) - len(SINGLE) - 0.5, color=INK, linewidth=1)
    axes.tick_params(length=0, labelbottom=False)
    axes.spines[:].set_visible(False)


def _heading(cell: Cell, kept: Kept | None, results: Results) -> str:
    """Return what stands above a column: the task, which sensor tells it, and what is run."""
    if kept is None:
        state = "not run"
    elif solved_by_some(results.rows(cell)):
        state = f"{cell.epochs} epochs"
    else:
        state = f"unsolved in {cell.epochs}"
    return f"{cell.name}\n{_TELLS[tuple(_telling(cell))]}\n{state}"


def _telling(cell: Cell) -> list[str]:
    return [name for name in SINGLE if CEILINGS[cell.task][name] > CHANCE]


def _solved_by_probes(cell: Cell, results: Results) -> set[str]:
    return {
        row.fusion
        for probe in results.probes(cell)
        for row in results.rows(probe.cell)
        if row.solved
    }


def _draw_tile(axes: Axes, column: int, place: int, row: SuiteRow, probed: bool) -> None:
    share = row.solved / row.seeds
    ink = "white" if share >= _DARK else INK
    axes.add_patch(
        Rectangle((column - 0.48, place - 0.45), 0.96, 0.9, facecolor=_SHARES(share),
                  edgecolor=CONTEXT, linewidth=0.6)
    )  # fmt: skip
    mark = "†" if probed else ""
    axes.text(column - 0.42, place - 0.08, f"{row.solved}/{row.seeds}{mark}", ha="left",
              va="center", color=ink, fontsize=10.5)  # fmt: skip
    when = "–" if math.isnan(row.median_epoch) else f"{row.median_epoch:g} ep"
    axes.text(column + 0.42, place - 0.08, when, ha="right", va="center", color=ink, fontsize=8.5)
    low, high = (_LEFT + _WIDTH * end for end in (row.solved_low, row.solved_high))
    axes.plot([column + low, column + high], [place + 0.32] * 2, color=ink, linewidth=1.2,
              solid_capstyle="butt")  # fmt: skip
    axes.plot(column + _LEFT + _WIDTH * share, place + 0.32, "o", ms=3, color=ink)


def _draw_absent(axes: Axes, column: int, place: int, words: str) -> None:
    axes.add_patch(
        Rectangle((column - 0.48, place - 0.45), 0.96, 0.9, facecolor="none", edgecolor=CONTEXT,
                  linewidth=0.6, linestyle=":")
    )  # fmt: skip
    axes.text(column, place, words, ha="center", va="center", color=GREY, fontsize=8.5)


def _draw_single(axes: Axes, cells: Sequence[Cell], done: Mapping[str, Kept]) -> None:
    """Draw the accuracy of each seed of the single sensors, and their ceilings, by cell."""
    for column, cell in enumerate(cells):
        axes.plot([_across(column, CHANCE)] * 2, [-0.5, len(SINGLE) - 0.5], color=GREY,
                  linewidth=0.9, linestyle="--", zorder=1)  # fmt: skip
        for place, name in enumerate(SINGLE):
            axes.plot([_across(column, CEILINGS[cell.task][name])] * 2,
                      [place - 0.4, place + 0.4], color=CONTEXT, linewidth=7,
                      solid_capstyle="butt", zorder=2)  # fmt: skip
            kept = done.get(cell.name)
            if kept is not None and name in kept.cell.fusions:
                _draw_seeds(axes, column, place, [row.accuracy for row in kept.of(name).outcomes])
    axes.set_ylim(len(SINGLE) - 0.5, -0.5)
    ticks = [(column, tick) for column in range(len(cells)) for tick in _TICKS]
    axes.set_xticks([_across(*tick) for tick in ticks], [str(tick) for _, tick in ticks])
    axes.set_yticks(range(len(SINGLE)), [title(name) for name in SINGLE])
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _draw_seeds(axes: Axes, column: int, place: int, accuracies: Sequence[float]) -> None:
    """Draw a circle per seed, the first highest, so that equal ones are told apart."""
    heights = np.linspace(place - 0.28, place + 0.28, len(accuracies))
    across = [_across(column, accuracy) for accuracy in accuracies]
    axes.plot(across, heights, "o", ms=3.6, mfc="none", mec=SHOWN, mew=1, zorder=3)


def _across(column: int, accuracy: float) -> float:
    """Return where an accuracy stands in a column's panel, whose width is 1."""
    return column + _LEFT + _WIDTH * (accuracy - _LOWEST) / (100 - _LOWEST)

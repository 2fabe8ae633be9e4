"""What is paid for how good a fusion is: test NLL against latency and against parameters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, FuncFormatter, LogLocator, NullLocator

from fusebench.report.drawing import styled
from fusebench.report.looks import GREY, looks, note, title
from fusebench.report.placing import place_labels
from fusebench.report.results import Comparison
from fusebench.statistics.estimates import mean_over_seeds

_DIGITS = 6
# From this ratio of the largest to the smallest on, a linear axis hides differences of the small.
_WIDE = 10


class Panel(NamedTuple):
    """What a panel has along x: a column of the table, and that of its front."""

    cost: str
    front: str
    label: str


PANELS = (
    Panel("latency_ms", "on_front_latency", "latency of one sample (ms)"),
    Panel("parameters", "on_front_parameters", "parameters"),
)


def pareto_table(comparison: Comparison) -> pd.DataFrame:
    """Return how good each fusion is, and what it costs.

    Returns
    -------
    DataFrame
        fusion; nll: of test, mean over seeds, in nats, with the 95 % interval of that mean by
        Student's t (nll_low, nll_high; NaN with one seed); latency_ms, parameters, mflops (per
        sample); on_front_latency, on_front_parameters: 1 where no other fusion is as good and as
        cheap, and better in one of the two.
    """
    rows: list[dict[str, Any]] = []
    for result in comparison.results:
        if result.cost is None:
            continue
        claim = mean_over_seeds(np.array(result.metric_of_seeds("nll")))
        low, high = claim.interval()
        rows.append(
            {"fusion": result.name, "nll": round(claim.difference, _DIGITS),
             "nll_low": round(max(low, 0.0), _DIGITS), "nll_high": round(high, _DIGITS),
             "latency_ms": result.cost["latency_ms"]["median"],
             "parameters": result.cost["parameters"],
             "mflops": result.cost["mflops_per_sample"]}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    for panel in PANELS:
        front = on_front(table["nll"].tolist(), table[panel.cost].tolist())
        table[panel.front] = np.array(front, int)
    return table


def on_front(losses: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Return of each point whether no other has both as low, and one of them lower."""
    points = list(zip(losses, costs, strict=True))
    return [
        not any(
            loss <= own_loss and cost <= own_cost and (loss < own_loss or cost < own_cost)
            for loss, cost in points
        )
        for own_loss, own_cost in points
    ]


def pareto_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw test NLL against each cost: a mark per fusion, and the front as a line in steps."""
    with styled():
        figure = Figure(figsize=(10, 4.8))
        panels = figure.subplots(1, len(PANELS), sharey=True)
        for axes, panel in zip(panels, PANELS, strict=True):
            _draw(axes, panel, list(comparison.fusions), table)
        _scale_nll(panels[0], table)
        panels[0].set_ylabel("test NLL (nats per sample)")
        interval = " and 95 % interval" if len(comparison.seeds) > 1 else ""
        figure.suptitle(
            f"Test NLL against cost: mean{interval} over seeds; lower left is better\n"
            "the grey line joins those of which no other has both as low, and one of them lower",
            fontsize=11,
        )
        note(figure, comparison)
        # Labels are placed by where the points are in pixels.
        figure.draw_without_rendering()
        for axes, panel in zip(panels, PANELS, strict=True):
            places = list(zip(table[panel.cost], table["nll"], strict=True))
            spans = list(zip(table["nll_low"], table["nll_high"], strict=True))
            place_labels(axes, [title(name) for name in table["fusion"]], places, spans)
    return figure


def _draw(axes: Axes, panel: Panel, names: Sequence[str], table: pd.DataFrame) -> None:
    chosen = looks(names)
    front = table[table[panel.front] == 1].sort_values([panel.cost, "nll"])
    axes.plot(
        front[panel.cost], front["nll"], color=GREY, linewidth=1.2, drawstyle="steps-post", zorder=1
    )
    for row in table.to_dict("records"):
        look, cost = chosen[row["fusion"]], row[panel.cost]
        axes.plot([cost] * 2, [row["nll_low"], row["nll_high"]], color=look.colour, linewidth=1.2,
                  alpha=0.6)  # fmt: skip
        axes.plot(cost, row["nll"], look.marker, ms=7, color=look.colour, mec="white", mew=0.5,
                  zorder=3)  # fmt: skip
    axes.set_xscale("log")
    # So wide that one of 1, 2 and 5 times a power of ten is within, and the labels are, too.
    axes.set_xlim(table[panel.cost].min() / 1.6, table[panel.cost].max() * 1.8)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.set_xlabel(panel.label)


def _short(value: float, _position: int) -> str:
    """Return a tick's label: 200k, 5M; below a thousand as it is."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _scale_nll(axes: Axes, table: pd.DataFrame) -> None:
    """Scale y by the means: an interval of few seeds may be many times as wide as they differ."""
    least, most = table["nll"].min(), table["nll"].max()
    ends = table[["nll_low", "nll_high"]].to_numpy(float)
    low, high = np.nanmin([least, ends.min()]), np.nanmax([most, ends.max()])
    if least > 0 and most > _WIDE * least:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.set_ylim(max(low, least / 4) / 1.2, min(high, 4 * most) * 1.2)
        return
    room = max(0.08 * (min(high, 4 * most) - low), 1e-3)
    axes.set_ylim(low - room, min(high, 4 * most) + room)

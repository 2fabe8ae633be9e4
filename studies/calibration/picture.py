"""The calibration as a picture: docs/calibration.png."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.report.style import MARKERS, PALETTE, STYLE_SHEET
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from studies.calibration.calibration import SEEDS
from studies.calibration.rates import Calibration, Cell, Rate
from studies.calibration.scenarios import REGIMES

mpl.use("Agg")

# Distance between the lines of one regime's numbers of seeds; regimes are 1 apart.
_STEP = 0.15


def calibration_picture(calibration: Calibration) -> Figure:
    """Draw false claims and coverage of the claim about fusions trained again, by regime."""
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(8.2, 6.2))
        false, held = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
        for place, regime in enumerate(REGIMES):
            cells = [cell for cell in calibration.cells if cell.regime == regime.name]
            for axes in (false, held):
                if place % 2:
                    axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
            _draw_rates(false, place, [(cell, cell.again) for cell in cells])
            _draw_rates(held, place, [(cell, cell.once.again) for cell in cells if cell.once])
        false.axvline(100 * (1 - LEVEL), color="black", linewidth=1.2)
        held.axvline(100 * LEVEL, color="black", linewidth=1.2)
        false.set_yticks(range(len(REGIMES)), [regime.title for regime in REGIMES])
        false.set(
            ylim=(len(REGIMES) - 0.5, -0.5), xlabel="% of studies (line: 5 %)", title="False claims"
        )
        held.set(xlabel="% of studies (line: 95 %)", title="Interval holds a true difference")
        held.set_xlim(right=100.5)
        false.set_xlim(left=-0.3)
        for axes in (false, held):
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        handles, labels = false.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(SEEDS))
    return figure


def _draw_rates(axes: Axes, place: int, rates: Sequence[tuple[Cell, Rate]]) -> None:
    for cell, rate in rates:
        order = SEEDS.index(cell.seeds)
        low, high = rate.interval
        axes.errorbar(
            rate.percent,
            place + _STEP * (order - (len(SEEDS) - 1) / 2),
            xerr=[[rate.percent - low], [high - rate.percent]],
            color=PALETTE[order],
            marker=MARKERS[order],
            markersize=5,
            # Hollow: no claim is made with so few.
            markerfacecolor="white" if cell.seeds < FEWEST_SEEDS else PALETTE[order],
            linewidth=1.2,
            label=_label(cell.seeds) if place == 0 else None,
        )


def _label(seeds: int) -> str:
    return f"{seeds} seeds" + (" (no claim made)" if seeds < FEWEST_SEEDS else "")

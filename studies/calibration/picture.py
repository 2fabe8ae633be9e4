"""The calibration as a picture: docs/calibration.png."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.report.drawing import STYLE_SHEET
from fusebench.report.looks import MARKERS, PALETTE
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from studies.calibration.calibration import SEEDS, Calibration, Cell, Rate
from studies.calibration.scenarios import SCENARIOS

mpl.use("Agg")

# Distance between the lines of one scenario's numbers of seeds; scenarios are 1 apart.
_STEP = 0.15


def calibration_picture(calibration: Calibration) -> Figure:
    """Draw type I error and coverage of the claim about fusions, retrained, by scenario."""
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(8.2, 6.2))
        errors, coverage = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
        for place, scenario in enumerate(SCENARIOS):
            cells = [cell for cell in calibration.cells if cell.scenario == scenario.name]
            for axes in (errors, coverage):
                if place % 2:
                    axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
            _draw_rates(errors, place, [(cell, cell.type_1_error) for cell in cells])
            covered = [(cell, cell.once.coverage) for cell in cells if cell.once]
            _draw_rates(coverage, place, covered)
        _label_axes(errors, coverage)
        handles, labels = errors.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(SEEDS))
    return figure


def _label_axes(errors: Axes, coverage: Axes) -> None:
    titles = [scenario.title for scenario in SCENARIOS]
    errors.axvline(100 * (1 - LEVEL), color="black", linewidth=1.2)
    errors.set(xlabel="% of studies (line: 5 %)", title="Type I error")
    errors.set_yticks(range(len(titles)), titles)
    errors.set_ylim(len(titles) - 0.5, -0.5)
    errors.set_xlim(left=-0.3)
    coverage.axvline(100 * LEVEL, color="black", linewidth=1.2)
    coverage.set(xlabel="% of studies (line: 95 %)", title="Coverage of the\nminimum detectable")
    coverage.set_xlim(right=100.5)
    for axes in (errors, coverage):
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)


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

"""The calibration as a picture: docs/calibration.png."""

from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.report.drawing import styled
from fusebench.report.looks import MARKERS, PALETTE
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from studies.calibration.calibration import Calibration
from studies.calibration.rates import Rate
from studies.calibration.scenarios import TITLES
from studies.calibration.worlds import TITLES as WORLD_TITLES

# Distance between the lines of one world's numbers of seeds; worlds are 1 apart.
_STEP = 0.15
# Titles of worlds are broken after so many letters.
_WIDTH = 44


def calibration_picture(calibration: Calibration) -> Figure:
    """Draw false claims and coverage: of seven fusions at once, then of two."""
    false: dict[str, dict[int, Rate]] = {}
    holds: dict[str, dict[int, Rate]] = {}
    for family in calibration.families:
        title = f"7: {WORLD_TITLES[family.world]}"
        false.setdefault(title, {})[family.seeds] = family.said["false"]
        holds.setdefault(title, {})[family.seeds] = family.said["coverage"]
    for cell in calibration.cells:
        title = f"2: {TITLES[cell.scenario]}"
        false.setdefault(title, {})[cell.seeds] = cell.type_1_error
        holds.setdefault(title, {})[cell.seeds] = cell.coverage
    with styled():
        figure = Figure(figsize=(9.2, 8.4))
        errors, coverage = figure.subplots(1, 2, sharey=True)
        seeds = sorted({count for rates in false.values() for count in rates})
        for axes, drawn in ((errors, false), (coverage, holds)):
            _draw(axes, drawn, seeds)
        worlds = len({family.world for family in calibration.families})
        _label_axes(errors, coverage, list(false), worlds)
        found: dict[str, Artist] = {}
        for handle, label in zip(*errors.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
        ordered = {name: found[name] for name in map(_label, seeds)}
        figure.legend(
            list(ordered.values()), list(ordered), loc="outside lower center", ncols=len(ordered)
        )
    return figure


def _label_axes(errors: Axes, coverage: Axes, titles: list[str], worlds: int) -> None:
    errors.axvline(100 * (1 - LEVEL), color="black", linewidth=1.2)
    errors.set(xlabel="% of studies (line: 5 %)", title="False claims")
    errors.set_yticks(range(len(titles)), [_broken(title) for title in titles])
    errors.set_ylim(len(titles) - 0.5, -0.5)
    errors.set_xlim(left=-0.3)
    coverage.axvline(100 * LEVEL, color="black", linewidth=1.2)
    coverage.set(xlabel="% of studies (line: 95 %)", title="Intervals hold")
    coverage.set_xlim(right=100.5)
    for axes in (errors, coverage):
        axes.axhline(worlds - 0.5, color="black", linewidth=0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)


def _broken(title: str) -> str:
    """Return a title on two lines where it is long."""
    if len(title) <= _WIDTH:
        return title
    place = title.rfind(" ", 0, len(title) // 2 + 5)
    return f"{title[:place]}\n{title[place + 1 :]}"


def _draw(axes: Axes, drawn: Mapping[str, Mapping[int, Rate]], order: Sequence[int]) -> None:
    for place, rates in enumerate(drawn.values()):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
        for seeds, rate in rates.items():
            look = order.index(seeds)
            low, high = rate.interval
            axes.errorbar(
                rate.percent,
                place + _STEP * (look - (len(order) - 1) / 2),
                xerr=[[rate.percent - low], [high - rate.percent]],
                color=PALETTE[look],
                marker=MARKERS[look],
                markersize=4,
                # Hollow: no claim is made with so few.
                markerfacecolor="white" if seeds < FEWEST_SEEDS else PALETTE[look],
                linewidth=1.2,
                label=_label(seeds),
            )


def _label(seeds: int) -> str:
    return f"{seeds} seeds" + (" (no claim made)" if seeds < FEWEST_SEEDS else "")

"""Tables of the calibration's page."""

from collections.abc import Mapping, Sequence

import pandas as pd

from studies.calibration.cells import Cell
from studies.calibration.counts import Family
from studies.calibration.plans import Planned
from studies.calibration.rates import Rate
from studies.calibration.scenarios import SCENARIOS, TITLES, Scenario
from studies.calibration.shapes import Normal, Skewed
from studies.calibration.worlds import NAMES, WORLDS, World
from studies.calibration.worlds import TITLES as WORLD_TITLES

_NONE = "–"


def worlds_table() -> str:
    """Return the worlds of seven fusions."""
    return _markdown([_world(world) for world in WORLDS])


def _world(world: World) -> dict[str, str]:
    deviations = world.scenario.deviations()
    fusions = zip(NAMES, world.scenario.fusions, deviations, strict=True)
    cells = {
        name: f"{fusion.expected:.1f} ± {deviation:.1f}"
        + (f", {100 * fusion.collapsed:.0f} % collapsed" if fusion.collapsed else "")
        + ("" if isinstance(fusion.shape, Normal) else f", {_shape(fusion.shape)}")
        for name, fusion, deviation in fusions
    }
    return {"world": world.scenario.title, **cells}


def _shape(shape: object) -> str:
    return "skewed" if isinstance(shape, Skewed) else "two heaps"


def families_table(counted: Sequence[Family]) -> str:
    """Return what was counted of seven fusions at once, as it is printed."""
    return _markdown([_family(family) for family in counted])


def _family(family: Family) -> dict[str, str]:
    return {
        **_judged(family, family.said),
        "power (%)": _percent(family.power),
        "irregular (%)": f"{family.irregular.percent:.1f}",
    }


def by_means_table(counted: Sequence[Family]) -> str:
    """Return the same as it would be if means were always compared."""
    return _markdown(
        [
            {**_judged(family, family.by_means), "power (%)": _percent(family.power_by_means)}
            for family in counted
        ]
    )


def _judged(family: Family, said: Mapping[str, Rate]) -> dict[str, str]:
    """Return how often what is said of a family is wrong, or right."""
    return {
        "world": WORLD_TITLES[family.world],
        "seeds": str(family.seeds),
        "false claim (%)": _rate(said["false"], said["false"].often),
        "all intervals hold (%)": _rate(said["coverage"], said["coverage"].seldom),
        "all bounds hold (%)": _rate(said["bounds"], said["bounds"].seldom),
        "best not dismissed (%)": _rate(said["candidate"], said["candidate"].seldom),
        "wrongly as good (%)": _rate(said["false_good"], said["false_good"].often),
        "as good (%)": f"{said['good'].percent:.1f}",
    }


def collapse_table(counted: Sequence[Family]) -> str:
    """Return what was counted where fusions collapse, apart where no seed shows it."""
    return _markdown(
        [
            {
                "world": WORLD_TITLES[family.world],
                "seeds": str(family.seeds),
                "hidden (%)": _rate(family.hidden, broken=False),
                "bound holds (%)": _rate(family.bounded, family.bounded.seldom),
                "studies": f"{said['false'].trials:,} {where}",
                "false claim (%)": _rate(said["false"], said["false"].often),
                "by means (%)": _rate(by_means["false"], by_means["false"].often),
                "best not dismissed (%)": _rate(said["candidate"], said["candidate"].seldom),
                "all intervals hold (%)": _rate(said["coverage"], said["coverage"].seldom),
                "wrongly as good (%)": _rate(said["false_good"], said["false_good"].often),
            }
            for family in counted
            for where, said, by_means in (
                ("hidden", family.unseen, family.unseen_by_means),
                ("seen", family.seen, family.seen_by_means),
            )
            if said["false"].trials
        ]
    )


def scenarios_table() -> str:
    """Return the circumstances in which two fusions are compared."""
    return _markdown([_scenario(scenario) for scenario in SCENARIOS])


def _scenario(scenario: Scenario) -> dict[str, str]:
    fusions = scenario.fusions
    return {
        "what varies": scenario.title,
        "expected balanced accuracy (%)": _both([f"{fusion.expected:.1f}" for fusion in fusions]),
        "deviation over seeds (points)": _both([f"{value:.1f}" for value in scenario.deviations()]),
        "collapsed (%)": _both([f"{100 * fusion.collapsed:.0f}" for fusion in fusions]),
        "shared": f"{scenario.shared:g}",
        "own_f": _both([f"{fusion.seed:g}" for fusion in fusions]),
        "difficulty": f"{scenario.difficulty:g}",
        "own_fj": f"{scenario.own:g}",
        "noise": f"{scenario.noise:g}",
    }


def _both(values: Sequence[str]) -> str:
    """Return what holds for both fusions, once where it is the same."""
    return values[0] if len(set(values)) == 1 else ", ".join(values)


def cells_table(counted: Sequence[Cell]) -> str:
    """Return what was counted of two fusions."""
    return _markdown([_cell(cell) for cell in counted])


def _cell(cell: Cell) -> dict[str, str]:
    return {
        "what varies": TITLES[cell.scenario],
        "seeds": str(cell.seeds),
        "wrongly shown (%)": _rate(cell.type_1_error, cell.type_1_error.often),
        "by means (%)": _rate(cell.by_means, cell.by_means.often),
        "irregular (%)": f"{cell.irregular.percent:.1f}",
        "interval holds (%)": _rate(cell.coverage, cell.coverage.seldom),
        "shown (%)": f"{cell.power.percent:.1f}",
        "fixed models: misses (%)": _rate(cell.fixed_noncoverage, cell.fixed_noncoverage.often),
        "fixed models: holds (%)": _rate(cell.fixed_coverage, cell.fixed_coverage.seldom),
        "collapse bound holds (%)": _rate(cell.bounded, cell.bounded.seldom),
    }


def plans_table(counted: Sequence[Planned]) -> str:
    """Return what was counted of plans."""
    return _markdown(
        [
            {
                "what varies": TITLES[planned.plan.name],
                "worse by (points)": f"{planned.plan.points:g}",
                "test ids": f"× {planned.plan.ids}",
                "seeds of pilot": str(planned.pilot),
                "none (%)": _rate(planned.impossible, broken=False),
                "seeds planned, median": _whole(planned.median),
                "most": _whole(planned.most),
                "shown (%)": _rate(planned.power, planned.power.weak),
                "as printed (%)": _rate(planned.as_printed, planned.as_printed.weak),
            }
            for planned in counted
        ]
    )


def _percent(value: float) -> str:
    return _NONE if value != value else f"{value:.1f}"


def _whole(value: float) -> str:
    return _NONE if value != value else f"{value:.0f}"


def _rate(rate: Rate, broken: bool) -> str:
    if not rate.trials:
        return _NONE
    low, high = rate.interval
    words = f"{rate.percent:.1f}"
    return f"{f'**{words}**' if broken else words} ({low:.1f}–{high:.1f})"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return ""
    table: str = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return table + "\n"

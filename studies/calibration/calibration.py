"""How often the statistics are wrong, counted in simulated studies whose truth is known."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fusebench.statistics.resampling import RESAMPLES
from studies.calibration import cells, families, plans
from studies.calibration.cells import Cell
from studies.calibration.counts import Family, family_of
from studies.calibration.plans import PILOTS, PLANS, Planned
from studies.calibration.rates import Rate
from studies.calibration.scenarios import SCENARIOS
from studies.calibration.work import Job, spread
from studies.calibration.worlds import WORLDS

# What takes longer is counted in a part of the trials.
_FAMILY_TRIALS, _PLAN_TRIALS, _BOOTSTRAP_TRIALS = 0.25, 0.15, 0.125
BOOTSTRAPPED = tuple(
    scenario for scenario in SCENARIOS if scenario.name in {"ids", "seeds", "interaction"}
)


@dataclass(frozen=True)
class Calibration:
    """All that was counted.

    Attributes
    ----------
    families : sequence of Family
        Worlds in their order, each with every number of seeds.
    cells : sequence of Cell
        Scenarios in their order, each with every number of seeds.
    plans : sequence of Planned
    bootstrap : dict of str to Rate
        By scenario: coverage of the two-way bootstrap's interval.
    """

    families: Sequence[Family]
    cells: Sequence[Cell]
    plans: Sequence[Planned]
    bootstrap: dict[str, Rate]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of docs/calibration.json."""
        return {
            "families": [family.as_json() for family in self.families],
            "cells": [cell.as_json() for cell in self.cells],
            "plans": [planned.as_json() for planned in self.plans],
            "bootstrap": {name: rate.as_json() for name, rate in self.bootstrap.items()},
        }


def calibrate(trials: int, report: Callable[[str], None] = print, workers: int = 1) -> Calibration:
    """Count everything.

    Parameters
    ----------
    trials : int
        Of each scenario with two fusions; of others a part of it.
    report : callable
        Gets a line when something is done.
    workers : int
        Processes; what is counted does not depend on it.
    """
    few = {share: max(1, math.floor(trials * share))
           for share in (_FAMILY_TRIALS, _PLAN_TRIALS, _BOOTSTRAP_TRIALS)}  # fmt: skip
    jobs = [
        *(Job(families.outcomes, (world, families.SEEDS), few[_FAMILY_TRIALS])
          for world in WORLDS),
        *(Job(cells.outcomes, (scenario, cells.SEEDS), trials) for scenario in SCENARIOS),
        *(Job(plans.outcomes, (plan, PILOTS), few[_PLAN_TRIALS]) for plan in PLANS),
        *(Job(cells.bootstrapped, (scenario, RESAMPLES), few[_BOOTSTRAP_TRIALS])
          for scenario in BOOTSTRAPPED),
    ]  # fmt: skip
    found = spread(jobs, workers)
    in_families, in_cells, in_plans, bootstrap = [], [], [], {}
    for world in WORLDS:
        for seeds, outcomes in zip(families.SEEDS, next(found), strict=True):
            in_families.append(family_of(world, seeds, outcomes))
        report(f"{world.name}: {few[_FAMILY_TRIALS]:,} studies of seven fusions")
    for scenario in SCENARIOS:
        for seeds, outcomes in zip(cells.SEEDS, next(found), strict=True):
            in_cells.append(cells.cell_of(scenario, seeds, outcomes))
        report(f"{scenario.name}: {trials:,} studies of two fusions")
    for plan in PLANS:
        for pilot, outcomes in zip(PILOTS, next(found), strict=True):
            in_plans.append(plans.planned_of(plan, pilot, outcomes))
        report(f"{plan.name}, {plan.points:g} points: {few[_PLAN_TRIALS]:,} plans")
    for scenario in BOOTSTRAPPED:
        (covered,) = next(found)
        bootstrap[scenario.name] = Rate.of(covered)
        report(f"{scenario.name}: {few[_BOOTSTRAP_TRIALS]:,} bootstraps")
    return Calibration(in_families, in_cells, in_plans, bootstrap)

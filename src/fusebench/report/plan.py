"""How large a study would show a difference: the table of `show.py plan`."""

import math
import textwrap

import pandas as pd
from rich.console import Console
from rich.table import Table

from fusebench.errors import ArtifactError, ParamsError
from fusebench.evaluation.metrics import METRICS
from fusebench.report.best import best_rows
from fusebench.report.pairs import Pair, pair_rows
from fusebench.report.roles import PLANNED
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from fusebench.statistics.planning import FEWEST_AT_HAND, MOST_SEEDS, POWER, Pilot, seeds_needed

_IDS = {1: "test ids as they are", 2: "twice the test ids", 4: "4 times the test ids"}


def pilot_of(pair: Pair) -> Pilot:
    """Return what a pair tells of a study to come."""
    return Pilot(
        pair.difference, pair.seeds, pair.seed_deviation, pair.id_deviation,
        pair.seed_id_deviation, pair.pseudo_deviation, pair.step,
    )  # fmt: skip


def plan_text(pairs: pd.DataFrame, best: pd.DataFrame, difference: float | None, width: int) -> str:
    """Return the seeds that each planned contrast needs, for a screen.

    Parameters
    ----------
    pairs, best : DataFrame
        As metrics/pairs.csv and metrics/best.csv.
    difference : float or None
        What is to be shown, in the metric's unit, above 0; None: the declared margin.

    Raises
    ------
    ParamsError
        The difference is not above 0, or none is given and no margin declared.
    ArtifactError
        There is no planned contrast, or there are too few seeds to plan with.
    """
    planned = pair_rows(pairs, PLANNED)
    if not planned:
        raise ArtifactError(
            "metrics/pairs.csv: no planned contrast among these fusions; compare.contrasts of "
            "params.yaml declares them"
        )
    if planned[0].seeds < FEWEST_AT_HAND:
        raise ArtifactError(
            f"metrics/pairs.csv: {planned[0].seeds} seed(s) are too few to plan with; from "
            f"{FEWEST_AT_HAND} on (make verdict trains 10; then make plan)"
        )
    metric = METRICS[planned[0].metric]
    if difference is None:
        difference = best_rows(best)[0].margin
        if math.isnan(difference):
            raise ParamsError(
                f"--difference: must be given, since compare.margin declares none for {metric.name}"
            )
    if not (difference > 0 and math.isfinite(difference)):
        raise ParamsError(f"--difference {difference:g}: must be above 0")
    tests = len(planned)
    table = Table(box=None, pad_edge=False)
    table.add_column("planned contrast")
    for heading in ("over seeds", "over ids", *_IDS.values()):
        table.add_column(heading, justify="right")
    for pair in planned:
        pilot = pilot_of(pair)
        needed = [seeds_needed(pilot, difference, tests, ids) for ids in _IDS]
        digits = metric.digits - 1
        table.add_row(
            f"{pair.first} − {pair.second}", f"{pilot.seed:.{digits}f}", f"{pilot.id:.{digits}f}",
            *(f"{count} seeds" if count else f"over {MOST_SEEDS:,}" for count in needed),
        )  # fmt: skip
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    amount = f"{difference:g} {metric.difference_unit}".rstrip()
    head = (
        f"Seeds that show a difference of {amount} of {metric.label} with {100 * POWER:.0f} %, in "
        f"the first of Holm's steps over {tests} contrasts ({100 * LEVEL:.0f} %)."
    )
    tail = (
        f"From {planned[0].seeds} seeds and {planned[0].ids} test ids at hand; over seeds, over "
        f"ids: standard deviations. The seeds' variance is known from {planned[0].seeds} seeds "
        "only: power is the mean over what it may be. Fewer than "
        f"{FEWEST_SEEDS} seeds are not planned."
    )
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([*textwrap.wrap(head, width), "", *lines, "", *textwrap.wrap(tail, width)])

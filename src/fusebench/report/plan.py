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
from fusebench.report.recommendation import measured
from fusebench.report.roles import PLANNED
from fusebench.report.study import SUCCESSES
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL
from fusebench.statistics.planning import FEWEST_AT_HAND, MOST_SEEDS, POWER, Pilot, seeds_needed

_TIMES = (1, 2, 4, 10)
"""How many times as many test ids are looked at."""


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
    tests, ids = len(planned), planned[0].ids
    table = Table(box=None, pad_edge=False)
    table.add_column("planned contrast", no_wrap=True)
    for heading in ("over seeds", "over ids", *(f"{times * ids:,} ids" for times in _TIMES)):
        table.add_column(heading, justify="right", no_wrap=True)
    apart = False
    for pair in planned:
        pilot, digits = pilot_of(pair), metric.digits - 1
        needed = [seeds_needed(pilot, difference, tests, times) for times in _TIMES]
        star = "*" if pair.compares == SUCCESSES else ""
        apart = apart or bool(star)
        table.add_row(
            f"{pair.first} − {pair.second}{star}", f"{pilot.seed:.{digits}f}",
            f"{pilot.id:.{digits}f}",
            *(f"{count:,} seeds" if count else f"> {MOST_SEEDS:,}" for count in needed),
        )  # fmt: skip
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    contrasts = f"{tests} contrasts" if tests > 1 else "1 contrast"
    head = (
        f"Seeds that show a difference of {measured(difference, metric)} of {metric.label} with "
        f"{100 * POWER:.0f} %, in the first of Holm's steps over {contrasts} "
        f"({100 * LEVEL:.0f} %), by how many test ids there are."
    )
    tail = (
        f"From {planned[0].seeds} seeds and {ids:,} test ids at hand; over seeds, over ids: "
        f"standard deviations. The seeds' variance is known from {planned[0].seeds} seeds only: "
        f"power is the mean over what it may be. Fewer than {FEWEST_SEEDS} seeds are not planned, "
        f"more than {MOST_SEEDS:,} not looked at."
    )
    note = "*: seeds fall apart, so successes are compared; the plan is of means." if apart else ""
    lines = [line.rstrip() for line in capture.get().splitlines()]
    below = [*textwrap.wrap(note, width), *textwrap.wrap(tail, width)]
    return "\n".join([*textwrap.wrap(head, width), "", *lines, "", *below])

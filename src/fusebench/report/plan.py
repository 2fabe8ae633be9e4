"""How large a study would show a difference: the table of `show.py plan`."""

import math
import textwrap
from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from fusebench.errors import ArtifactError, ParamsError
from fusebench.evaluation.metrics import METRICS, Metric
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
    planned = _planned(pairs)
    metric = METRICS[planned[0].metric]
    wanted = _wanted(difference, best_rows(best)[0].margin, metric)
    tests, seeds, ids = len(planned), planned[0].seeds, planned[0].ids
    contrasts = f"{tests} contrasts" if tests > 1 else "1 contrast"
    head = (
        f"Seeds that show a difference of {measured(wanted, metric)} of {metric.label} with "
        f"{100 * POWER:.0f} %, in the first of Holm's steps over {contrasts} "
        f"({100 * LEVEL:.0f} %), by how many test ids there are."
    )
    tail = (
        f"From {seeds} seeds and {ids:,} test ids at hand; over seeds, over ids: standard "
        f"deviations. The seeds' variance is known from {seeds} seeds only: power is the mean over "
        f"what it may be. Fewer than {FEWEST_SEEDS} seeds are not planned, more than "
        f"{MOST_SEEDS:,} not looked at. Where the data name groups, each counts as one id."
    )
    apart = any(pair.compares == SUCCESSES for pair in planned)
    note = "*: seeds fall apart, so successes are compared; the plan is of means." if apart else ""
    below = [*textwrap.wrap(note, width), *textwrap.wrap(tail, width)]
    lines = [*textwrap.wrap(head, width), "", *_table(planned, wanted, width), "", *below]
    return "\n".join(lines)


def _planned(pairs: pd.DataFrame) -> list[Pair]:
    """Return the planned contrasts, if there are some and seeds enough."""
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
    return planned


def _wanted(difference: float | None, margin: float, metric: Metric) -> float:
    """Return the difference that is to be shown: the one that is asked for, or the margin."""
    if difference is None:
        if math.isnan(margin):
            raise ParamsError(
                f"--difference: must be given, since compare.margin declares none for {metric.name}"
            )
        return margin
    if not (difference > 0 and math.isfinite(difference)):
        raise ParamsError(f"--difference {difference:g}: must be above 0")
    return difference


def _table(planned: Sequence[Pair], difference: float, width: int) -> list[str]:
    """Return the lines of the table: seeds by planned contrast and number of test ids."""
    table = Table(box=None, pad_edge=False)
    table.add_column("planned contrast", no_wrap=True)
    headings = (f"{times * planned[0].ids:,} ids" for times in _TIMES)
    for heading in ("over seeds", "over ids", *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    digits = METRICS[planned[0].metric].digits - 1
    for pair in planned:
        pilot = pilot_of(pair)
        needed = [seeds_needed(pilot, difference, len(planned), times) for times in _TIMES]
        star = "*" if pair.compares == SUCCESSES else ""
        table.add_row(
            f"{pair.first} − {pair.second}{star}", f"{pilot.seed:.{digits}f}",
            f"{pilot.id:.{digits}f}",
            *(f"{count:,} seeds" if count else f"> {MOST_SEEDS:,}" for count in needed),
        )  # fmt: skip
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]

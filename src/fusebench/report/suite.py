"""What fusions did on demonstration tasks of known truth: metrics/interactions/summary.csv.

`make interactions` writes it, and git keeps it. From it comes the advice for data that look like a
task; it says what was measured on the task, and no more.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, get_type_hints

import pandas as pd

from fusebench.files import write_table
from fusebench.report.studies import parse_rows, read_rows
from fusebench.statistics.estimates import LEVEL

SUMMARY = Path("metrics/interactions/summary.csv")
_DIGITS = 6
_SHARE = f"{100 * LEVEL:.0f} % interval of that share"


class SuiteRow(NamedTuple):
    """A fusion on a task; a row of metrics/interactions/summary.csv. NaN: not known, or none.

    Attributes
    ----------
    task : str
        Name of the demonstration task.
    align : str
        `lidar.align` that it was trained with.
    fusion : str
    seeds : int
        How many were trained, 1 or more.
    solved : int
        How many of them solved the task.
    solved_low, solved_high : float
        Exact two-sided 95 % interval of the share of seeds that solve it, between 0 and 1.
    median_epoch : float
        Epoch by which half of the seeds solved it (Kaplan & Meier); NaN where fewer did.
    accuracy : float
        Balanced accuracy on test, in percent, mean over the seeds that solved it; NaN: none did.
    budget_epochs : int
        After so many epochs a seed has not solved it.
    train_samples : int
        Of each training part.
    image_size : int
        Height and width of the images and maps, in pixels.
    cell : str
        What the study calls the task with these params.
    probe : str
        The cell of which this is a probe: some fusions with other training. Empty: of none.
    """

    task: str
    align: str
    fusion: str
    seeds: int
    solved: int
    solved_low: float
    solved_high: float
    median_epoch: float
    accuracy: float
    budget_epochs: int
    train_samples: int
    image_size: int
    cell: str
    probe: str

    @property
    def words(self) -> str:
        """How many seeds solved it, with the 95 % interval of that share."""
        low, high = (f"{100 * share:.0f}" for share in (self.solved_low, self.solved_high))
        return (
            f"{self.solved} of {self.seeds} seeds; 95 % interval of that share: {low} to {high} %"
        )


SUITE_KINDS: dict[str, type] = get_type_hints(SuiteRow)
"""Columns of metrics/interactions/summary.csv and their types, in their order."""


def write_suite(path: Path, rows: Iterable[SuiteRow]) -> None:
    """Write the table in one step, figures to six digits."""
    write_table(path, pd.DataFrame(rows, columns=list(SUITE_KINDS)).round(_DIGITS))


def read_suite(path: Path = SUMMARY) -> list[SuiteRow]:
    """Return what was measured on the tasks; the file without a row says that nothing was.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or says what cannot be.
    """
    return read_rows(path, SuiteRow, ("fusion", "cell"), _wrong)


def parse_suite(text: str, path: Path = SUMMARY) -> list[SuiteRow]:
    """Return what the text of the table holds; columns beside those of `SuiteRow` are left out.

    Raises
    ------
    ArtifactError
        A column is missing, a cell is of another kind, or a row says what cannot be.
    """
    return parse_rows(text, path, SuiteRow, ("fusion", "cell"), _wrong)


def _wrong(row: SuiteRow) -> str:
    """Return what of a row cannot be; "" if all can."""
    for name in ("task", "align", "fusion", "cell"):
        if not getattr(row, name):
            return f"{name} is empty"
    for name in ("seeds", "budget_epochs", "train_samples", "image_size"):
        if getattr(row, name) < 1:
            return f"{name} = {getattr(row, name)}: must be 1 or more"
    if not 0 <= row.solved <= row.seeds:
        return f"solved = {row.solved}: must be between 0 and seeds, {row.seeds}"
    share = row.solved / row.seeds
    if not 0 <= row.solved_low <= share <= row.solved_high <= 1:
        return (
            f"solved_low, solved_high = {row.solved_low}, {row.solved_high}: must be between 0 "
            f"and 1, with {share:g} between them"
        )
    if row.solved and not 0 <= row.accuracy <= 100:
        return f"accuracy = {row.accuracy}: must be between 0 and 100"
    if row.median_epoch < 0 or row.median_epoch > row.budget_epochs:
        return f"median_epoch = {row.median_epoch}: must be between 0 and {row.budget_epochs}"
    return ""


def advice(tasks: Sequence[str], rows: Sequence[SuiteRow]) -> str:
    """Return what is known of fusions on data like some tasks.

    Parameters
    ----------
    tasks : sequence of str
        The tasks that the data look like; may be none.
    rows : sequence of SuiteRow
        What was measured.
    """
    if not tasks:
        return "So what fusions did on these tasks is no advice for such data."
    groups: dict[str, list[SuiteRow]] = {}
    for row in rows:
        # A probe trains some fusions otherwise than the rest: that compares nothing.
        if row.task in tasks and not row.probe:
            groups.setdefault(row.cell, []).append(row)
    named = {row.task for group in groups.values() for row in group}
    said = [_on_task(group) for group in groups.values()]
    if said:
        said.append("That was measured on the task, not on your data.")
    lacking = [task for task in tasks if task not in named]
    if lacking:
        said.append(
            f"Of fusions on task {' and '.join(lacking)} there are no kept results "
            "(make interactions)."
        )
    return " ".join(said)


def _on_task(rows: Sequence[SuiteRow]) -> str:
    """Say which fusions solved a task, trained alike, and how often."""
    first = rows[0]
    always = sorted((row for row in rows if row.solved == row.seeds), key=_soonest)
    tried = f"{len(rows)} fusions that were" if len(rows) > 1 else "one fusion that was"
    head = (
        f"On task {first.task} (lidar.align {first.align}, {first.image_size} × {first.image_size} "
        f"pixels, {first.train_samples} training samples, up to {first.budget_epochs} epochs), of "
        f"the {tried} tried, "
    )
    if always:
        return head + _always(always)
    often = max(rows, key=lambda row: row.solved / row.seeds)
    if not often.solved:
        return f"{head}none solved the task in any seed ({often.words})."
    return (
        f"{head}none solved the task in all its seeds; most often {often.fusion} ({often.words})."
    )


def _soonest(row: SuiteRow) -> float:
    return math.inf if math.isnan(row.median_epoch) else row.median_epoch


def _always(rows: Sequence[SuiteRow]) -> str:
    """Say which fusions solved a task in each seed, in the order of their epochs."""
    by_median: dict[str, list[str]] = {}
    for row in rows:
        median = "not timed" if math.isnan(row.median_epoch) else f"{row.median_epoch:g}"
        by_median.setdefault(median, []).append(row.fusion)
    named = [f"{', '.join(fusions)} ({median})" for median, fusions in by_median.items()]
    seeds = sorted({row.seeds for row in rows})
    count = f"all {seeds[0]} seeds" if len(seeds) == 1 else "all their seeds"
    # Of the fewest seeds, so that it holds for each.
    low = min(row.solved_low for row in rows)
    order = "; that order was not tested" if len(named) > 1 else ""
    return (
        f"{len(rows)} solved the task in {count} ({_SHARE}: {100 * low:.0f} to 100 %), by the "
        f"epoch in which half of the seeds had: {'; '.join(named)}{order}."
    )

"""The loop: each cell that is not done is run, kept, shown and committed, one after the other.

Ended at any point and started again, it goes on: a cell that is kept is not run again, finished
seeds of the one that was running are kept by stage train, and what is not committed yet is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fusebench.report.suite import SUMMARY, read_suite
from studies.common import repository
from studies.common.experiments import Read
from studies.interactions.experiment import read_outcomes, read_run, run_experiment
from studies.interactions.outcomes import (
    FOLDER,
    Kept,
    declared,
    read_all,
    read_kept,
    write_kept,
)
from studies.interactions.page import documents, own, write_results
from studies.interactions.plan import CELLS, Cell, check_params
from studies.interactions.tables import Results

Runner = Callable[[Cell], Read]
"""Runs a cell; returns what reads its files."""


@dataclass(frozen=True)
class Study:
    """What is run, and how.

    Attributes
    ----------
    plan : sequence of Cell
        All cells; those that are done are shown.
    runner : callable
        Runs one.
    commits : bool
        Whether each cell that is done is committed.
    say : callable
        Gets a line for each thing that is done.
    check : callable
        Refuses params that would make cells what the plan does not say.
    """

    plan: Sequence[Cell] = CELLS
    runner: Runner = run_experiment
    commits: bool = True
    say: Callable[[str], None] = print
    check: Callable[[], None] = check_params

    def run(self, names: Sequence[str] = (), *, again: bool = False) -> None:
        """Run the cells that are not done.

        Parameters
        ----------
        names : sequence of str
            Of cells of the plan; none: all.
        again : bool
            Run those that are done, too.

        Raises
        ------
        StudyError
            The checkout is in no state for this, DVC failed, or what is kept is broken.
        """
        self.show()
        cells = [cell for cell in self.plan if not names or cell.name in names]
        waiting = [cell for cell in cells if again or read_kept(cell) is None]
        for number, cell in enumerate(waiting, start=1):
            self.say(f"{cell.name}: {number} of {len(waiting)} to be run")
            self._run(cell)
        self.say(f"{len(read_all(self.plan))} of {len(self.plan)} cells are done: {FOLDER}/")
        if waiting:
            self.say("stage compare reads them, for its advice: 'dvc repro', and commit")

    def show(self) -> None:
        """Make all that follows from what is kept, and commit it, too; run nothing.

        An earlier run that was ended may have kept what is not shown or committed yet, and the plan
        or the words may have changed.

        Raises
        ------
        StudyError
            As `run`.
        """
        repository.check_ready()
        self._check_committed()
        for line in self._left_over():
            self.say(line)
        self._show("Interactions: what is kept, shown anew")

    def _check_committed(self) -> None:
        if self.commits:
            repository.check_committed(own())

    def _run(self, cell: Cell) -> None:
        # The hours since the last cell were long enough to change something.
        self._check_committed()
        self.check()
        commit, began = repository.head(own()), time.monotonic()
        read = self.runner(cell)
        seconds = round(time.monotonic() - began)
        about = {**declared(cell), "commit": commit, "seconds": seconds, **read_run(cell, read)}
        write_kept(Kept(cell, read_outcomes(cell, read), about))
        self._show(f"Interactions: {cell.name}")

    def _show(self, message: str) -> None:
        """Make all that follows from what is kept, and commit it."""
        kept = read_all(self.plan)
        # What was shown before goes, where nothing of it is of this plan any more.
        if not kept and not (SUMMARY.exists() and read_suite()):
            return
        self._check_committed()
        write_results(Results.of(self.plan, kept))
        if self.commits and repository.commit([FOLDER, *documents()], message):
            self.say(f"committed: {message}")

    def _left_over(self) -> Iterator[str]:
        """Say what is kept and not of this plan, so that it is not shown."""
        planned = {cell.name: cell for cell in self.plan}
        for path in sorted(FOLDER.glob("*.json")):
            cell = planned.get(path.stem)
            if cell is None:
                yield f"{path}: of a cell that is not in the plan; it is not shown"
            elif read_kept(cell) is None:
                yield f"{path}: of other params than the plan has now; it is not shown"


def unknown(names: Sequence[str], plan: Sequence[Cell] = CELLS) -> list[str]:
    """Return the names that are of no cell."""
    known = {cell.name for cell in plan}
    return [name for name in names if name not in known]

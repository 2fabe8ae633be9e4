"""The loop of a study: what is not done is run through DVC's queue, kept, shown and committed.

Ended at any point and started again, it goes on: what is kept is not run again, finished seeds of
what was running are kept by stage train, and what is not committed yet is.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError
from fusebench.report.declared import write_origin
from studies.common import repository
from studies.common.errors import StudyError
from studies.common.experiments import Experiment, Read, run_queued
from studies.common.kept import (
    Unit,
    is_done,
    kept_files,
    read_all,
    read_kept,
    write_kept,
)
from studies.common.repository import Own

Runner = Callable[[Sequence[Experiment]], Mapping[str, Read]]
"""Runs experiments; returns what reads the files of those that did not fail, by name."""
Kept = Mapping[str, Any]
"""What is kept of an experiment, as `read_all` returns it."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is run, and how.

    Attributes
    ----------
    title : str
        With which commits begin.
    folder : Path
        In which results are kept.
    params : mapping
        What decides results now, as `deciding_here` returns it; what is kept of others, or of other
        overrides than are planned, is not shown.
    planned : callable
        Returns all that the study consists of.
    find : callable
        Returns what is to be kept of an experiment, from the unit and what reads its files.
    write : callable
        Writes all that follows from what is kept, and from the names of what is planned.
    own : callable
        Returns what in a checkout is written by this study.
    runner : callable
    commits : bool
        Whether results are committed.
    say : callable
        Gets a line for each thing that is done.
    """

    title: str
    folder: Path
    params: Mapping[str, Any]
    planned: Callable[[], Sequence[Unit]]
    find: Callable[[Unit, Read], Mapping[str, Any]]
    write: Callable[[Sequence[Kept], Sequence[str]], None]
    own: Callable[[], Own]
    runner: Runner = run_queued
    commits: bool = True
    say: Callable[[str], None] = print

    def run(self, units: Sequence[Unit], *, again: bool = False) -> None:
        """Run the units that are not done.

        Parameters
        ----------
        again : bool
            Run those that are done, too.

        Raises
        ------
        StudyError
            The checkout is in no state for this, DVC failed, or what is kept is broken.
        """
        self.show()
        waiting = [unit for unit in units if again or not is_done(self.folder, unit)]
        if waiting:
            self.say(f"{self.title}: {_names(waiting)} to be run: {len(waiting)} of {len(units)}")
            self._run(waiting)
        done = [unit for unit in units if is_done(self.folder, unit)]
        self.say(f"{self.title}: {len(done)} of {len(units)} are done: {self.folder}/")

    def show(self) -> None:
        """Make all that follows from what is kept, and commit it, too; run nothing.

        An earlier run that was ended may have kept what is not shown or committed yet, and params
        or words may have changed.

        Raises
        ------
        StudyError
            As `run`.
        """
        repository.check_ready()
        self._check_committed()
        for line in self._left_over():
            self.say(line)
        self._show(f"{self.title}: what is kept, shown anew")

    def _check_committed(self) -> None:
        if self.commits:
            repository.check_committed(self.own())

    def _run(self, units: Sequence[Unit]) -> None:
        commit, began = repository.head(self.own()), time.monotonic()
        readers = self.runner([unit.experiment for unit in units])
        done = [unit for unit in units if unit.experiment.name in readers]
        for unit in done:
            self._keep(unit, readers[unit.experiment.name], commit)
        if done:
            self._show(f"{self.title}: {_names(done)}")
        minutes = (time.monotonic() - began) / 60
        self.say(f"{self.title}: {len(done)} experiments in {minutes:.0f} minutes")
        if failed := [unit for unit in units if unit not in done]:
            raise StudyError(
                f"{_names(failed)}: failed, as DVC says above; seeds that were finished are kept, "
                "and the same command goes on"
            )

    def _keep(self, unit: Unit, read: Read, commit: str) -> None:
        try:
            found = self.find(unit, read)
        except (ArtifactError, KeyError, TypeError, ValueError) as error:
            reason = str(error).partition(";")[0]
            raise StudyError(f"{unit.name}: its experiment cannot be read: {reason}") from None
        write_kept(self.folder, unit, {"commit": commit, **found})

    def _show(self, message: str) -> None:
        """Make all that follows from what is kept, and commit it."""
        self._check_committed()
        units = self.planned()
        kept, planned = self._shown(units), [unit.name for unit in units]
        self.write(list(kept.values()), planned)
        commits = [of["commit"] for of in kept.values()]
        write_origin(self.folder, self.params, commits, planned, list(kept))
        if self.commits and repository.commit([self.folder, *self.own().documents], message):
            self.say(f"committed: {message}")

    def _shown(self, units: Sequence[Unit]) -> dict[str, Kept]:
        """Return what is kept of units as they are planned, by their names."""
        declared = {unit.name: unit.declared for unit in units}
        kept = read_all(self.folder, self.params)
        return {name: of for name, of in kept.items() if of["declared"] == declared.get(name)}

    def _left_over(self) -> Iterator[str]:
        """Say what is kept of anything else, so that it is not shown."""
        shown = self._shown(self.planned())
        for path in kept_files(self.folder):
            if path.stem not in shown:
                same = read_kept(path)["declared"]["params"] == self.params
                of = "overrides" if same else "params or samples"
                yield f"{path}: of other {of} than there are now; it is not shown"


def _names(units: Sequence[Unit]) -> str:
    return ", ".join(unit.name for unit in units)

"""Tells a tracker what events say, in their order, each once."""

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from fusebench.tracking.ledger import Ledger, Lock
from fusebench.tracking.process import WAITS
from fusebench.tracking.run import Event, Outcome, Run
from fusebench.tracking.tracker import Told, Tracker, tracker_class


class Teller:
    """Tells one tracker.

    Parameters
    ----------
    name : str
        Of the tracker.
    root : Path
        The main checkout.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name, self._root = name, root
        self._ledger = Ledger(root, name, tracker_class(name).destination())
        self._runs: dict[str, Run] = {}
        self._told: dict[str, Told] = {}
        # Epochs that were told and may yet be lost, and the locks, by run.
        self._unsure: dict[str, list[int]] = {}
        self._locks: dict[str, Lock] = {}

    @cached_property
    def _tracker(self) -> Tracker:
        return tracker_class(self._name)(self._root)

    def take(self, event: Event) -> None:
        """Tell what an event says, unless it was told before."""
        match event["event"]:
            case "begin":
                self._begin(Run.of(event), again=event["again"])
            case "epoch":
                self._epoch(event)
            case "end":
                self._end(event["run"], Outcome.of(event))
                if lock := self._locks.pop(event["run"], None):
                    lock.close()

    def close(self) -> None:
        """End the runs of which nothing more will be told, as not finished."""
        for run in list(self._told):
            self._close(run, finished=False)
        for run in list(self._locks):
            self._locks.pop(run).close()

    def _close(self, run: str, *, finished: bool) -> None:
        self._told.pop(run).close(finished=finished)
        for epoch in self._unsure.pop(run, []):
            self._ledger.add(run, epoch=epoch)

    def _begin(self, run: Run, *, again: bool) -> None:
        if run.id not in self._locks:
            # As one that was interrupted and still tells what it has heard.
            waits = partial(print, f"{WAITS}{run.name}", flush=True)
            self._locks[run.id] = self._ledger.lock(run.id, waits)
        if again:
            self._ledger.forget(run.id)
        entry = self._ledger.entry(run.id)
        # Where folders are named by groups, it goes on in the one where it began.
        self._runs[run.id] = replace(run, group=entry.group or run.group)
        if not entry.ended:
            self._open(run.id, again=entry.replace)

    def _open(self, run: str, *, again: bool = False) -> Told:
        if run not in self._told:
            of = self._runs[run]
            self._told[run] = self._tracker.open(of, again=again)
            self._ledger.add(run, group=of.group)
            print(f"opened: {of.name}", flush=True)
        return self._told[run]

    def _epoch(self, event: Event) -> None:
        run, epoch = event["run"], event["epoch"]
        if epoch in self._ledger.entry(run).epochs or epoch in self._unsure.get(run, ()):
            return
        told = self._open(run)
        told.epoch(epoch, event["figures"])
        if told.kept_at_once:
            self._ledger.add(run, epoch=epoch)
        else:
            self._unsure.setdefault(run, []).append(epoch)
        print(f"told: {self._runs[run].name}, epoch {epoch}", flush=True)

    def _end(self, run: str, outcome: Outcome) -> None:
        if self._ledger.entry(run).ended == outcome.digest:
            return
        told = self._open(run)
        told.figures(outcome.figures)
        for name, table in outcome.tables.items():
            told.table(name, table)
        told.charts(outcome.charts)
        told.pictures(outcome.pictures)
        told.files(outcome.files)
        self._close(run, finished=True)
        self._ledger.add(run, ended=outcome.digest)
        print(f"told: {self._runs[run].name}, and what came of it", flush=True)

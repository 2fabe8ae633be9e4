"""What a tracker was told, so that it is told once: tracking/.told/<tracker>-<place>/<run id>.

Beside what trackers keep on this machine, since it is of no use without that. A line is added when
something was told. It is made anew from nothing, should it be lost: then the same runs are told
again, under the same ids.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fusebench import system
from fusebench.sealed import digest_of
from fusebench.tracking.journal import append

FOLDER = Path("tracking/.told")


@dataclass
class Entry:
    """What was told of a run.

    Attributes
    ----------
    group : str
        The one that it was begun under; empty: it was not.
    ended : str
        Digest of what was told to have come of it; empty: it was not.
    replace : bool
        What the tracker has of it is to be replaced, and was not yet.
    """

    group: str = ""
    epochs: set[int] = field(default_factory=set)
    ended: str = ""
    replace: bool = False


class Lock:
    """A run that no other process tells of, until this is closed or this process ends.

    Parameters
    ----------
    path : Path
        A file that is there meanwhile; a kill leaves it, and the next one to have it removes it.
    wait : callable
        Called before this waits for another process.
    """

    def __init__(self, path: Path, wait: Callable[[], None]) -> None:
        self._path, self._file = path, system.open_locked(path, wait)
        while not system.is_in_place(self._file):
            # Who had it has removed the file: nobody else would find this lock.
            self._file.close()
            self._file = system.open_locked(path, wait)

    def close(self) -> None:
        """Let others tell of the run."""
        # Windows removes nothing that is open, here or elsewhere. Others do at once: who waits for
        # this lock sees that its file is gone.
        if system.WINDOWS:
            self._file.close()
        with suppress(OSError):
            self._path.unlink()
        self._file.close()


class Ledger:
    """What was told to one tracker at one place.

    Parameters
    ----------
    root : Path
        The main checkout.
    destination : str
        As `Tracker.destination`.
    """

    def __init__(self, root: Path, tracker: str, destination: str) -> None:
        place = digest_of(destination.encode())[:16]
        self.folder = root / FOLDER / f"{tracker}-{place}"

    def entry(self, run: str) -> Entry:
        """Return what was told of a run."""
        entry = Entry()
        try:
            lines = (self.folder / run).read_bytes().split(b"\n")
        except FileNotFoundError:
            return entry
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                # Cut by a kill, or a full disk: as if it had not been told.
                continue
            entry.group = said.get("group", entry.group)
            entry.replace = said.get("replace", entry.replace and "group" not in said)
            entry.epochs |= {said["epoch"]} if "epoch" in said else set()
            entry.ended = said.get("ended", entry.ended)
        return entry

    def add(self, run: str, **said: Any) -> None:
        """Add what was told: `group`, `epoch` or `ended`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / run
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")
        append(path, said)

    def forget(self, run: str) -> None:
        """Take a run as one that was never told of, and that replaces what the tracker has."""
        (self.folder / run).unlink(missing_ok=True)
        self.add(run, replace=True)

    def lock(self, run: str, wait: Callable[[], None]) -> Lock:
        """Wait until no other process tells of a run, and let no other one; `wait` as in `Lock`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Lock(self.folder / f"{run}.lock", wait)

"""A telling, as the process that trains sees it: events are appended to a file, nothing else.

Whatever goes wrong is one line at its end: no error of a tracker is one of the training's.
"""

import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Self

from fusebench import cli
from fusebench.errors import FusebenchError, ParamsError, TrackerError, one_line
from fusebench.system import open_locked
from fusebench.tracking.journal import append
from fusebench.tracking.process import JOURNAL, LOCK, LOG, Process
from fusebench.tracking.run import CLOSE, Event
from fusebench.tracking.tracker import tracker_class

SECONDS = 30.0
"""What a tracker may take, after training has ended, to hear of what it was not told yet."""
_LIMIT = "FUSEBENCH_TRACKER_SECONDS"
# Folders of tellings, each with a journal and a log.
FOLDER = Path(".work/tracking/tellings")
# Folders of failed tellings that are kept, for their logs.
_KEPT = 20
COMMAND = "python src/track.py"


def main_checkout() -> Path:
    """Return the main checkout, also in an experiment that has a folder of its own."""
    return Path(os.environ.get("DVC_ROOT", ""))


class Session:
    """One telling; to be used in a `with`, at whose end the tracker has been told, or has failed.

    Parameters
    ----------
    tracker : str
        A tracker, or "none", which is told nothing.
    what : str
        What is told, for names of folders.
    """

    def __init__(self, tracker: str, what: str) -> None:
        self.tracker, self._what = tracker, what
        self.root = main_checkout()
        self._folder: Path | None = None
        self._process: Process | None = None
        # Why the tracker is not told all, or "".
        self.trouble = ""

    @property
    def wanted(self) -> bool:
        """Whether there is a tracker."""
        return self.tracker != "none"

    @property
    def log(self) -> str:
        """Where the log is; empty where none could be made."""
        if self._folder is None or not (self._folder / LOG).is_file():
            return ""
        try:
            return os.path.relpath(self._folder / LOG)
        except (OSError, ValueError):
            # There is no way from here: another drive, or this folder is gone.
            return str(self._folder / LOG)

    @property
    def where(self) -> str:
        """Where the log is, for the end of a message; empty where none could be made."""
        return f"; its log is {self.log}" if self.log else ""

    def __enter__(self) -> Self:
        if self.wanted:
            with self.harmless():
                print(self.line(), flush=True)
                # A wrong value is to be said before anything is told.
                _seconds()
                self._begin()
        return self

    def line(self) -> str:
        """Say where runs go."""
        return f"tracker {self.tracker}: {tracker_class(self.tracker).destination()}"

    def _begin(self) -> None:
        parent = self.root / FOLDER
        parent.mkdir(parents=True, exist_ok=True)
        name = f"{self.tracker}-{time.strftime('%Y%m%d-%H%M%S')}-{self._what}-"
        self._folder = Path(tempfile.mkdtemp(prefix=name, dir=parent))
        (self._folder / JOURNAL).touch()
        self._process = Process(self.tracker, self._folder, self.root)

    def tell(self, event: Event) -> None:
        """Append an event; after trouble, nothing."""
        if self._folder is not None and self._process is not None and not self.trouble:
            append(self._folder / JOURNAL, event)

    def tell_all(self, events: Iterable[Event], seconds: float) -> str:
        """Tell events and wait for the tracker; return why it was not told all, or "".

        Not for use in a `with`.

        Parameters
        ----------
        seconds : float
            How long it may be without a word.

        Raises
        ------
        TrackerError
            The disk is full, or the folder cannot be written to.
        """
        try:
            self._begin()
            for event in chain(events, [CLOSE]):
                self.tell(event)
        except BaseException as error:
            if self._process is not None:
                self._process.leave()
            if isinstance(error, OSError):
                raise TrackerError(
                    f"tracker {self.tracker}: {_words(error)}{self.where}"
                ) from error
            raise
        assert self._process is not None and self._folder is not None  # noqa: S101, PT018
        trouble = self._process.wait(seconds, since_a_word=True)
        if not trouble:
            shutil.rmtree(self._folder, ignore_errors=True)
        prune(self.root)
        return trouble

    @contextmanager
    def harmless(self) -> Iterator[None]:
        """Keep what goes wrong for the line at the end."""
        try:
            yield
        except Exception as error:
            self.trouble = self.trouble or _words(error)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.wanted:
            return
        with self.harmless():
            self._finish(interrupted=kind is not None and not issubclass(kind, Exception))
        if self.trouble:
            cli.show(
                f"warning: tracker {self.tracker}: {self.trouble}{self.where}; {COMMAND} tells it "
                "later"
            )

    def _finish(self, *, interrupted: bool) -> None:
        if self._process is None:
            return
        if not interrupted:
            with self.harmless():
                self.tell(CLOSE)
        if interrupted or self.trouble:
            # Who asks to end is not kept waiting; what was heard is told all the same.
            self._process.leave()
            return
        self.trouble = self._process.wait(_seconds())
        if not self.trouble and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        prune(self.root)


def _words(error: Exception) -> str:
    named = "" if isinstance(error, FusebenchError) else f"{type(error).__name__}: "
    return one_line(f"{named}{error}")


def _seconds() -> float:
    """Return how long a tracker may take after training has ended."""
    said = os.environ.get(_LIMIT)
    if not said:
        return SECONDS
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    # Neither NaN nor infinity is a limit.
    if not 0 <= seconds < math.inf:
        raise ParamsError(f"{_LIMIT} = '{said}': must be a number of seconds, 0 or more")
    return seconds


def prune(root: Path) -> None:
    """Remove all but the latest folders of tellings; not those that somebody tells from."""
    folders: dict[Path, float] = {}
    for folder in (root / FOLDER).glob("*"):
        with suppress(OSError):
            folders[folder] = folder.stat().st_mtime
    for folder in sorted(folders, key=folders.__getitem__, reverse=True)[_KEPT:]:
        with suppress(OSError):
            open_locked(folder / LOCK).close()
            shutil.rmtree(folder)

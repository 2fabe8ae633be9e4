"""What every tracker is: where it keeps runs, and how a run is told to it.

Its package is imported where a run is opened, in a process of its own (follow.py), nowhere else.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from fusebench.device import TRACKERS
from fusebench.errors import ParamsError
from fusebench.tracking.run import Lines, Run, Table

LOCAL = Path("tracking")
"""Folder of the main checkout for what is kept on this machine."""
PROJECT = "fusebench"
"""Name of the project, or experiment, where the environment names none."""
# What stands before a host, to the last "@" of a word: a password may hold one, or a slash.
_BEFORE_HOST = re.compile(r"(?<=://)\S*@")


class Told(ABC):
    """A run at a tracker, open to be told.

    Attributes
    ----------
    kept_at_once : bool
        What is told outlives a kill; otherwise it is sure to be there only after `close`.
    """

    kept_at_once: ClassVar[bool] = True

    @abstractmethod
    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Tell figures of an epoch, from 1."""

    @abstractmethod
    def figures(self, figures: Mapping[str, float]) -> None:
        """Tell figures of the whole run."""

    @abstractmethod
    def table(self, name: str, table: Table) -> None:
        """Tell a table."""

    def charts(self, charts: Mapping[str, Lines]) -> None:  # noqa: B027  (most draw epochs)
        """Draw charts, where the tracker does not draw them from what epochs were told."""

    @abstractmethod
    def pictures(self, pictures: Mapping[str, Path]) -> None:
        """Tell pictures, by name."""

    @abstractmethod
    def files(self, files: Mapping[str, Path]) -> None:
        """Tell files, by their paths at the tracker."""

    @abstractmethod
    def close(self, *, finished: bool) -> None:
        """End the run; one that is not finished may be opened again."""


class Tracker(ABC):
    """A tracker.

    Attributes
    ----------
    packages : tuple of str
        What must be installed.

    Parameters
    ----------
    root : Path
        The main checkout, also of an experiment that has a folder of its own.
    """

    packages: ClassVar[tuple[str, ...]]

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    @abstractmethod
    def destination(cls) -> str:
        """Say in one line where runs go, by the environment; without a password."""

    @abstractmethod
    def open(self, run: Run, *, again: bool) -> Told:
        """Begin a run, or go on with the one of its id; `again`: replace that one."""


def without_passwords(text: str) -> str:
    """Return a text whose addresses are without what stands before their hosts."""
    return _BEFORE_HOST.sub("", text)


def tracker_class(name: str) -> type[Tracker]:
    """Return the tracker of trackers/<name>.py.

    Raises
    ------
    ParamsError
        There is no such file.
    """
    kind: type[Tracker] = TRACKERS.load(name, Tracker)
    return kind


def check_tracker(name: str, named_by: str = "params.yaml: runtime.tracker =") -> None:
    """Refuse a tracker whose package is missing; "none" needs none.

    Parameters
    ----------
    named_by : str
        What names it, for the message.

    Raises
    ------
    ParamsError
        A package is missing, or there is no such tracker.
    """
    if name == "none":
        return
    missing = [package for package in tracker_class(name).packages if not _is_there(package)]
    if missing:
        raise ParamsError(
            f"{named_by} '{name}': needs {', '.join(missing)}, not installed here; "
            "'make setup-extras' installs it (without make: poe setup-extras)"
        )


def _is_there(package: str) -> bool:
    found = find_spec(package)
    # A folder of that name beside a script is none.
    return found is not None and found.origin is not None

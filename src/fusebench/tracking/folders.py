"""Trackers that keep a folder per run on this machine: tracking/<tracker>/<group>/<run>/."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from fusebench.tracking.run import Run
from fusebench.tracking.tracker import Told, Tracker


class FolderTracker(Tracker):
    """A tracker whose runs are folders.

    Attributes
    ----------
    local : Path
        Where they are, in the main checkout.
    """

    local: ClassVar[Path]

    @classmethod
    def destination(cls) -> str:
        """Return the folder."""
        return str(cls.local)

    def folder(self, run: Run, *, again: bool) -> Path:
        """Return the folder of a run, which may not be there; `again`: it is not."""
        if again:
            # It may have been told under another group.
            for old in (self.root / self.local).glob(f"*/{run.folder}"):
                shutil.rmtree(old)
        return self.root / self.local / as_folder(run.group) / run.folder


class FolderTold(Told):
    """A run that keeps files as they are.

    Parameters
    ----------
    kept_files : Path
        The folder for them.
    """

    def __init__(self, kept_files: Path) -> None:
        self._kept_files = kept_files

    def files(self, files: Mapping[str, Path]) -> None:
        """Copy files."""
        for name, path in files.items():
            target = self._kept_files / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def as_folder(group: str) -> str:
    """Return the name of a folder for a group, whose name may hold a slash."""
    name = re.sub(r"[^\w.-]", "-", group)
    return f"_{name}" if name.startswith(".") else name

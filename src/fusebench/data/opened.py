"""Opening what data.archive names: a zip, or a folder."""

import stat
from pathlib import Path

from fusebench.data.container import Container
from fusebench.data.settings import Limits
from fusebench.data.tree import Tree
from fusebench.data.zips import Zip
from fusebench.errors import ArchiveError


def open_container(path: Path, limits: Limits) -> Container:
    """Open a zip or a folder for reading.

    Raises
    ------
    ArchiveError
        There is nothing, it is neither, no readable zip, or has more members than `limits` allow.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(
            f"{path}: no such file or folder; put it there or set data.archive"
        ) from None
    if stat.S_ISDIR(mode):
        return Tree(path, limits)
    if not stat.S_ISREG(mode):
        # To open a pipe would wait for somebody who writes into it.
        raise ArchiveError(f"{path}: is no file; data.archive must name a zip or a folder")
    file = path.open("rb")
    try:
        return Zip(path, file, limits)
    except BaseException:
        file.close()
        raise

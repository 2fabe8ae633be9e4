"""A folder with samples: its files as members, none of which a link leads to."""

import os
import stat
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.settings import Limits
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError, one_line

# What tells whether a file is another: size in bytes, time of the last change in nanoseconds,
# inode and device.
_STATE = np.dtype([("size", "i8"), ("time", "i8"), ("inode", "u8"), ("device", "u8")])
# A pipe would wait for somebody who writes into it, a link lead out of the folder.
# Windows has neither, and reads text unless it is told not to.
_FLAGS = reduce(
    or_,
    (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")),
    os.O_RDONLY,
)


class Tree(Container):
    """The files below a folder, sorted by name.

    Links are members that cannot be read: DVC does not look at what they lead to, and so would not
    see it change. Of each file its name is kept, and 32 bytes that tell whether it is another.

    Raises
    ------
    ArchiveError
        A folder cannot be listed, there are more files than `limits` allow, or a name is no UTF-8.
    """

    kind, rename, again = "folder", "rename it", "leave one there"

    def __init__(self, path: Path, limits: Limits) -> None:
        self.source, self._path, self._limits = str(path), path, limits
        self._names = self._listed()
        self._states = self._found()

    def _listed(self) -> list[str]:
        """Return the names of all that is no folder, sorted; raise ArchiveError if too many."""
        names: list[str] = []
        seen = 0
        for folder, folders, files in os.walk(self._path, onerror=self._refuse):
            below = Path(folder).relative_to(self._path).as_posix()
            prefix = "" if below == "." else f"{below}/"
            # A link to a folder is not followed, and so is a member.
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            names += [f"{prefix}{name}" for name in (*files, *links)]
            seen += len(folders) + len(files)
            if seen > self._limits.members:
                raise self.beyond(
                    self._limits, "members", f"{seen:,} or more files and folders in it"
                )
        for name in names:
            if not name.isascii():
                self._check_text(name)
        return sorted(names)

    def _refuse(self, error: OSError) -> NoReturn:
        """Say what cannot be listed: what is in it would be missing without a word."""
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise self.changed() from None
        name = one_line(ascii(str(error.filename))[1:-1], 200)
        raise ArchiveError(f"{self.source}: {name} cannot be looked at ({error.strerror})")

    def _check_text(self, name: str) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ArchiveError(
                f"{self.source}: '{one_line(ascii(name)[1:-1], 160)}' has a name that is no UTF-8; "
                "rename it"
            ) from None

    def _found(self) -> npt.NDArray[np.void]:
        """Return the state of each file as it is now; raise ArchiveError if one is gone."""
        states = (self._state_of(name) for name in self._names)
        return np.fromiter(states, _STATE, len(self._names))

    def _state_of(self, name: str) -> tuple[int, int, int, int]:
        try:
            return _state((self._path / name).lstat())
        except OSError as error:
            self._refuse(error)

    def names(self) -> Iterator[str]:
        """Yield the paths of all files below the folder."""
        return iter(self._names)

    def name(self, member: int) -> str:
        """Return the path of a file below the folder."""
        return self._names[member]

    def check_limits(self, members: npt.NDArray[np.integer]) -> None:
        """Refuse files of more than `data.limits.total_bytes` together; raise ArchiveError."""
        sizes = self._states["size"][np.unique(members)]
        content = int(sizes[sizes <= self._limits.member_bytes].sum())
        if content > self._limits.total_bytes:
            raise self.beyond(self._limits, "total_bytes", f"its samples have {content:,} bytes")

    def read(self, member: int) -> bytes:
        """Return a file's content.

        Raises
        ------
        BadMemberError
            Too large, a link, no file at all, or not readable for this user.
        ArchiveError
            It is another file than the one that was listed.
        """
        name, size = self._names[member], int(self._states["size"][member])
        if size > self._limits.member_bytes:
            raise BadMemberError(
                f"{size:,} bytes; at most {self._limits.member_bytes:,} are allowed "
                "(data.limits.member_bytes)"
            )
        mode = self._mode_of(name)
        if stat.S_ISLNK(mode):
            raise BadMemberError("a symbolic link; put the file that it points to there")
        if not stat.S_ISREG(mode):
            raise BadMemberError("no file")
        try:
            descriptor = os.open(self._path / name, _FLAGS)
        except PermissionError:
            raise BadMemberError("may not be read by this user") from None
        except OSError:
            raise self.changed() from None
        with open(descriptor, "rb") as file:  # noqa: PTH123
            content = file.read(size)
            now = _state(os.fstat(descriptor))
        if now != self._states[member].item():
            raise self.changed()
        return content

    def _mode_of(self, name: str) -> int:
        try:
            return (self._path / name).lstat().st_mode
        except OSError as error:
            self._refuse(error)

    def check_unchanged(self) -> None:
        """Refuse a folder in which a file was changed, added or removed; raise ArchiveError."""
        if self._listed() != self._names or not np.array_equal(self._found(), self._states):
            raise self.changed()

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    # On Windows they may have 128 bits.
    inode, device = (number % 2**64 for number in (found.st_ino, found.st_dev))
    return found.st_size, found.st_mtime_ns, inode, device

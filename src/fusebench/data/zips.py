"""A zip as a whole: checked before it is read, and its members, read in bounded memory.

Nothing is ever unpacked to disk, so a name cannot lead anywhere.
"""

import os
import stat
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from fusebench.data.headers import Directory, check_header, find_directory, shown
from fusebench.data.settings import Limits
from fusebench.data.unpack import BadMemberError, unpacked
from fusebench.errors import ArchiveError

_ENTRY_SIGNATURE = b"PK\x01\x02"
# What the directory takes per member on average, with a long name and all that a writer adds.
_ENTRY_BYTES = 1024
# Systems whose members have a mode: Unix and macOS.
_UNIX = (3, 19)


def open_archive(path: Path, limits: Limits) -> "Zip":
    """Open a zip for reading.

    Raises
    ------
    ArchiveError
        The file is missing, is no readable zip, or has more members than `limits` allow.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(f"{path}: no such file; put it there or set data.archive") from None
    if stat.S_ISDIR(mode):
        raise ArchiveError(f"{path}: is a folder; data.archive must name a zip file")
    if not stat.S_ISREG(mode):
        # To open a pipe would wait for somebody who writes into it.
        raise ArchiveError(f"{path}: is no file; data.archive must name a zip file")
    file = path.open("rb")
    try:
        return Zip(path, file, limits)
    except BaseException:
        file.close()
        raise


class Zip:
    """An open zip whose directory was checked; see `open_archive`.

    Attributes
    ----------
    source : str
        The path, for errors.
    names : list of str
        Names of all members, as they stand in the zip.
    comment : bytes
        What the writer says of the zip.
    """

    def __init__(self, path: Path, file: BinaryIO, limits: Limits) -> None:
        self.source, self._path, self._file, self._limits = str(path), path, file, limits
        self._state = _state(os.fstat(file.fileno()))
        try:
            directory = find_directory(file)
            self._check_count(directory.start, directory.length, directory.members)
            listed = _listed(file, directory)
        except (
            zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error
        ) as error:  # fmt: skip
            raise ArchiveError(
                f"{path}: not a readable zip archive ({shown(str(error))}); copy it anew"
            ) from None
        self.comment = listed.comment
        # By the names as they are written: what else zipfile takes for a name differs by version.
        self.names = [info.orig_filename for info in listed.filelist]
        self._infos = dict(zip(self.names, listed.filelist, strict=True))
        offsets = {info.header_offset for info in listed.filelist}
        # The directory ends the last member; what begins behind it is refused when it is read.
        before = {offset for offset in offsets if offset < directory.start}
        self._starts = [*sorted(before), directory.start]

    def _check_count(self, start: int, length: int, members: int) -> None:
        """Refuse too many members before an object is made of each; their number may be a lie."""
        most = self._limits.members
        if length > _ENTRY_BYTES * most:
            raise self._beyond("members", f"its directory has {length:,} bytes")
        self._file.seek(start)
        count = max(members, self._file.read(length).count(_ENTRY_SIGNATURE))
        if count > most:
            raise self._beyond("members", f"{count:,} members")

    def check_limits(self, names: Iterable[str]) -> None:
        """Refuse members that would unpack to too much, by what the directory says of them.

        Those above `data.limits.member_bytes` do not count: they are never unpacked.

        Raises
        ------
        ArchiveError
            Together they are above `data.limits.total_bytes` or `data.limits.ratio`.
        """
        infos = [info for name in names if not self._is_large(info := self._infos[name])]
        content = sum(info.file_size for info in infos)
        packed = max(1, sum(info.compress_size for info in infos))
        if content > self._limits.total_bytes:
            raise self._beyond("total_bytes", f"its samples unpack to {content:,} bytes")
        if content > self._limits.ratio * packed:
            times = f"{content / packed:,.0f} times their size"
            raise self._beyond("ratio", f"its samples unpack to {times}, as those of a zip bomb")

    def read(self, name: str) -> bytes:
        """Return a member's content.

        Memory: what the member takes in the zip, and its content, each at most
        `data.limits.member_bytes`.

        Raises
        ------
        BadMemberError
            Too large, encrypted, a link, packed in an unknown way, overlapping another member,
            of another name, size or checksum than the directory says.
        """
        info = self._infos[name]
        if self._is_large(info):
            raise BadMemberError(
                f"{max(info.file_size, info.compress_size):,} bytes; at most "
                f"{self._limits.member_bytes:,} are allowed (data.limits.member_bytes)"
            )
        if info.create_system in _UNIX and stat.S_ISLNK(info.external_attr >> 16):
            raise BadMemberError("a symbolic link; zip the file that it points to")
        if info.header_offset >= self._starts[-1]:
            raise BadMemberError("broken in the zip (it begins behind the directory)")
        start = check_header(self._file, info)
        following = self._starts[bisect_right(self._starts, info.header_offset)]
        if start + info.compress_size > following:
            raise BadMemberError("broken in the zip (it overlaps another member)")
        self._file.seek(start)
        content = unpacked(self._file.read(info.compress_size), info)
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise BadMemberError("broken in the zip (other bytes than its size and CRC say)")
        return content

    def _is_large(self, info: zipfile.ZipInfo) -> bool:
        return max(info.file_size, info.compress_size) > self._limits.member_bytes

    def check_unchanged(self) -> None:
        """Refuse a file that is another than the one that was opened.

        Raises
        ------
        ArchiveError
            Its size, time of change or inode is another, or it is gone.
        """
        try:
            same = _state(self._path.stat()) == self._state
        except FileNotFoundError:
            same = False
        if not same:
            raise ArchiveError(
                f"{self.source}: changed while it was read; run again when it is complete"
            )

    def _beyond(self, limit: str, what: str) -> ArchiveError:
        allowed = getattr(self._limits, limit)
        return ArchiveError(
            f"{self.source}: {what}; data.limits.{limit} allows {allowed:,}: raise it if you trust "
            "the archive"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._file.close()


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _listed(file: BinaryIO, directory: Directory) -> zipfile.ZipFile:
    """Return the zip with what its directory lists; raise BadZipFile if its end counts others."""
    listed = zipfile.ZipFile(file)
    count = len(listed.filelist)
    # In 16 bits, some writers let the number run over.
    if (count - directory.members) % (1 << 64 if directory.wide else 1 << 16):
        raise zipfile.BadZipFile(
            f"its end counts {directory.members:,} members, its directory lists {count:,}"
        )
    return listed

"""A zip as a whole: checked before it is read, and its members, read in bounded memory.

Nothing is ever unpacked to disk, so a name cannot lead anywhere.
"""

import os
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.directory import Entry, count_entries, find_directory, read_entries, read_entry
from fusebench.data.headers import check_header, shown
from fusebench.data.settings import Limits
from fusebench.data.unpack import BadMemberError, unpacked
from fusebench.errors import ArchiveError

# What the directory takes per member on average, with a long name and all that a writer adds.
_ENTRY_BYTES = 1024
# What a directory that is none raises.
_BROKEN = (zipfile.BadZipFile, NotImplementedError, ValueError)


class Zip(Container):
    """An open zip whose directory was checked.

    A member is a position in the directory. Of each only a few numbers are kept, 32 bytes: its
    entry is read again where it is needed.

    Raises
    ------
    ArchiveError
        It is no readable zip, or has more members than `limits` allow.
    """

    kind, rename, again = "zip", "zip the folder anew", "make it anew"

    def __init__(self, path: Path, file: BinaryIO, limits: Limits) -> None:
        self.source, self._path, self._file, self._limits = str(path), path, file, limits
        self._state = _state(os.fstat(file.fileno()))
        places, offsets, sizes, packed = (array("Q") for _ in range(4))
        try:
            self._directory = find_directory(file)
            self._check_count()
            for place, entry in read_entries(file, self._directory):
                places.append(place)
                offsets.append(entry.offset)
                sizes.append(entry.size)
                packed.append(entry.packed)
            self._check_end(len(places))
        except _BROKEN as error:
            raise self._unreadable(error) from None
        self.comment = self._directory.comment
        self._places = places
        self._sizes, self._packed = np.asarray(sizes), np.asarray(packed)
        # The directory ends the last member; what begins behind it is refused when it is read.
        end = np.uint64(self._directory.start)
        starts = np.unique(np.asarray(offsets))
        self._starts = np.append(starts[starts < end], end)

    def _unreadable(self, error: Exception) -> ArchiveError:
        return ArchiveError(
            f"{self.source}: not a readable zip archive ({shown(str(error))}); copy it anew"
        )

    def _check_end(self, count: int) -> None:
        """Refuse an end that counts other members than the directory lists."""
        members = self._directory.members
        # In 16 bits, some writers let the number run over.
        if (count - members) % (1 << 64 if self._directory.wide else 1 << 16):
            raise zipfile.BadZipFile(
                f"its end counts {members:,} members, its directory lists {count:,}"
            )

    def names(self) -> Iterator[str]:
        """Yield the names of all members, as they stand in the zip."""
        try:
            for _, entry in read_entries(self._file, self._directory):
                yield entry.name
        except _BROKEN as error:
            raise self._other(error) from None

    def name(self, member: int) -> str:
        """Return the name of a member, as it stands in the zip."""
        return self._entry(member).name

    def _entry(self, member: int) -> Entry:
        try:
            return read_entry(self._file, self._places[member])
        except _BROKEN as error:
            raise self._other(error) from None

    def _other(self, error: Exception) -> ArchiveError:
        """Return what is wrong with a directory that was whole when the file was opened."""
        self.check_unchanged()
        return self._unreadable(error)

    def _check_count(self) -> None:
        """Refuse too many members before they are listed; what the end counts may be a lie."""
        most, directory = self._limits.members, self._directory
        if directory.length > _ENTRY_BYTES * most:
            raise self.beyond(
                self._limits, "members", f"its directory has {directory.length:,} bytes"
            )
        count = max(directory.members, count_entries(self._file, directory))
        if count > most:
            raise self.beyond(self._limits, "members", f"{count:,} members")

    def check_limits(self, members: npt.NDArray[np.integer]) -> None:
        """Refuse members that would unpack to too much, by what the directory says of them.

        Those above `data.limits.member_bytes` do not count: they are never unpacked.

        Raises
        ------
        ArchiveError
            Together they are above `data.limits.total_bytes` or `data.limits.ratio`.
        """
        read = np.unique(members)
        sizes, stored = self._sizes[read], self._packed[read]
        counted = np.maximum(sizes, stored) <= self._limits.member_bytes
        content, packed = int(sizes[counted].sum()), max(1, int(stored[counted].sum()))
        if content > self._limits.total_bytes:
            raise self.beyond(
                self._limits, "total_bytes", f"its samples unpack to {content:,} bytes"
            )
        if content > self._limits.ratio * packed:
            times = f"{content / packed:,.0f} times their size"
            raise self.beyond(
                self._limits, "ratio", f"its samples unpack to {times}, as those of a zip bomb"
            )

    def read(self, member: int) -> bytes:
        """Return a member's content.

        Memory: what the member takes in the zip, and its content, each at most
        `data.limits.member_bytes`.

        Raises
        ------
        BadMemberError
            Too large, encrypted, a link, packed in an unknown way, overlapping another member,
            of another name, size or checksum than the directory says.
        """
        entry = self._entry(member)
        if max(entry.size, entry.packed) > self._limits.member_bytes:
            raise BadMemberError(
                f"{max(entry.size, entry.packed):,} bytes; at most "
                f"{self._limits.member_bytes:,} are allowed (data.limits.member_bytes)"
            )
        if entry.is_link:
            raise BadMemberError("a symbolic link; zip the file that it points to")
        if entry.offset >= self._directory.start:
            raise BadMemberError("broken in the zip (it begins behind the directory)")
        start = check_header(self._file, entry)
        following = np.searchsorted(self._starts, np.uint64(entry.offset), side="right")
        if start + entry.packed > int(self._starts[following]):
            raise BadMemberError("broken in the zip (it overlaps another member)")
        self._file.seek(start)
        content = unpacked(self._file.read(entry.packed), entry)
        if len(content) != entry.size or zlib.crc32(content) != entry.crc:
            raise BadMemberError("broken in the zip (other bytes than its size and CRC say)")
        return content

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
            raise self.changed()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

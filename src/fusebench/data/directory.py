"""What the end of a zip lists: where its directory is, and an entry per member.

Read one after another: no list of objects is ever made of them. Format: PKWARE's APPNOTE.TXT,
sections 4.3 and 4.5.3. What is refused, and in which words, is what Python's zipfile refuses.
"""

import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile

_END, _END_SIGNATURE = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_SIGNATURE = struct.Struct("<4sLQL"), b"PK\x06\x07"
_END64, _END64_SIGNATURE = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_ENTRY, _ENTRY_SIGNATURE = struct.Struct("<4s4B4H3L5H2L"), b"PK\x01\x02"
_LONGEST = 0xFFFF
# What is read of the directory at once, bytes; more than the longest entry takes.
_BLOCK, _LONGEST_ENTRY = 1 << 18, _ENTRY.size + 3 * _LONGEST
# Ten times the newest version of the format that zipfile reads.
_NEWEST = 63
# What stands for a number that is written in zip64's field among the extra ones, and its kind.
IN_EXTRA, ZIP64 = 0xFFFF_FFFF, 1
UTF8 = 0x800
"""Bit of a member's flags: its name is in UTF-8, else in code page 437."""
# Systems whose members have a mode: Unix and macOS.
_UNIX = (3, 19)


class Directory(NamedTuple):
    """What the end of a zip says of its directory: place and length in bytes, and how many entries.

    `wide` tells whether the number of members has 64 bits; else it has 16. `comment` is what the
    writer says of the zip.
    """

    start: int
    length: int
    members: int
    wide: bool
    comment: bytes


class Entry(NamedTuple):
    """What the directory says of a member.

    Attributes
    ----------
    name : str
        As it is written, whatever else zipfile takes for a name.
    offset : int
        Where its own header begins in the file.
    size, packed : int
        Bytes of its content, and of what stands for it in the zip.
    method, flags, crc : int
        How it is packed; bits; checksum of its content.
    is_link : bool
        Whether it is a symbolic link.
    """

    name: str
    offset: int
    size: int
    packed: int
    method: int
    flags: int
    crc: int
    is_link: bool


def find_directory(file: BinaryIO) -> Directory:
    """Return where the directory of a zip is.

    Raises
    ------
    BadZipFile
        There is no end, bytes follow it, or the directory is not where it says.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LONGEST - _LOCATOR.size))
    tail = file.read()
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise BadZipFile("it has no end")
    *_, members, length, start, comment = _END.unpack_from(tail, at)
    after = len(tail) - at - _END.size - comment
    if after:
        raise BadZipFile(f"{abs(after):,} bytes {'follow' if after > 0 else 'lack at'} its end")
    end, wide = size - len(tail) + at, False
    before = tail[max(0, at - _LOCATOR.size) : at]
    if before.startswith(_LOCATOR_SIGNATURE) and len(before) == _LOCATOR.size:
        _, disk, _, disks = _LOCATOR.unpack(before)
        if disk or disks > 1:
            raise BadZipFile("zipfiles that span multiple disks are not supported")
        end, wide = end - _LOCATOR.size - _END64.size, True
        members, length, start = _read_wide_end(file, end)
    if start + length != end:
        raise BadZipFile(
            f"its directory should end at byte {start + length:,} and ends at {end:,}: bytes were "
            "lost or added"
        )
    return Directory(start, length, members, wide, tail[at + _END.size :])


def _read_wide_end(file: BinaryIO, place: int) -> tuple[int, int, int]:
    """Return number of members, length and start of the directory, as zip64 writes them."""
    file.seek(max(0, place))
    record = file.read(_END64.size)
    if len(record) < _END64.size or not record.startswith(_END64_SIGNATURE):
        raise BadZipFile("its zip64 end is not where it should be")
    *_, members, length, start = _END64.unpack(record)
    return members, length, start


def count_entries(file: BinaryIO, directory: Directory) -> int:
    """Return how many entries a directory can have at most, whatever the zip's end counts."""
    count, before, left = 0, b"", directory.length
    file.seek(directory.start)
    while block := file.read(min(_BLOCK, left)):
        whole = before + block
        count += whole.count(_ENTRY_SIGNATURE)
        # A signature may begin in one block and end in the next.
        before, left = whole[1 - len(_ENTRY_SIGNATURE) :], left - len(block)
    return count


def read_entries(file: BinaryIO, directory: Directory) -> Iterator[tuple[int, Entry]]:
    """Yield the place in the file of each entry of the directory, and the entry.

    Raises
    ------
    BadZipFile, NotImplementedError, ValueError
        An entry is broken, of a newer version, or its name is no text.
    """
    place, end = directory.start, directory.start + directory.length
    while place < end:
        file.seek(place)
        block, at = file.read(min(_BLOCK, end - place)), 0
        enough = len(block) if place + len(block) >= end else len(block) - _LONGEST_ENTRY
        if enough <= 0:
            raise BadZipFile("Truncated central directory")
        while at < enough:
            entry, length = _parse(block, at)
            yield place + at, entry
            at += length
        place += at


def read_entry(file: BinaryIO, place: int) -> Entry:
    """Return the one entry that begins at a place; errors as of `read_entries`."""
    file.seek(place)
    head = file.read(_ENTRY.size)
    if len(head) < _ENTRY.size:
        raise BadZipFile("Truncated central directory")
    name, extra = _ENTRY.unpack(head)[12:14]
    return _parse(head + file.read(name + extra), 0)[0]


def _parse(block: bytes, at: int) -> tuple[Entry, int]:
    """Return the entry that begins at a position, and its length in bytes."""
    if len(block) - at < _ENTRY.size:
        raise BadZipFile("Truncated central directory")
    (
        signature, _, system, version, _, flags, method, _, _, crc, packed, size,
        name_length, extra_length, comment_length, _, _, attributes, offset,
    ) = _ENTRY.unpack_from(block, at)  # fmt: skip
    if signature != _ENTRY_SIGNATURE:
        raise BadZipFile("Bad magic number for central directory")
    name_end = at + _ENTRY.size + name_length
    name = block[at + _ENTRY.size : name_end].decode("utf-8" if flags & UTF8 else "cp437")
    if version > _NEWEST:
        raise NotImplementedError(f"zip file version {version / 10:.1f}")
    if extra_length:
        extra = block[name_end : name_end + extra_length]
        size, packed, offset = _wide(extra, size, packed, offset)
    is_link = system in _UNIX and stat.S_ISLNK(attributes >> 16)
    entry = Entry(name, offset, size, packed, method, flags, crc, is_link)
    return entry, _ENTRY.size + name_length + extra_length + comment_length


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return size, packed size and offset as zip64's field among the extra ones has them."""
    values = {"File size": size, "Compress size": packed, "Header offset": offset}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if at + 4 + length > len(extra):
            raise BadZipFile(f"Corrupt extra field {kind:04x} (size={length})")
        if kind == ZIP64:
            field, place = extra[at + 4 : at + 4 + length], 0
            for name, value in values.items():
                if value == IN_EXTRA:
                    if place + 8 > length:
                        raise BadZipFile(f"Corrupt zip64 extra field. {name} not found.")
                    (values[name],) = struct.unpack_from("<Q", field, place)
                    place += 8
        at += 4 + length
    return values["File size"], values["Compress size"], values["Header offset"]

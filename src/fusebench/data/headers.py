"""What a zip says of itself: where its directory is, and what stands before each member.

Format: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.
"""

import struct
from itertools import compress
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipInfo

from fusebench.data.unpack import BadMemberError
from fusebench.errors import one_line

_END, _END_SIGNATURE = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_SIGNATURE = struct.Struct("<4sLQL"), b"PK\x06\x07"
_END64, _END64_SIGNATURE = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_LOCAL, _LOCAL_SIGNATURE = struct.Struct("<4s5H3L2H"), b"PK\x03\x04"
_LONGEST_COMMENT = 0xFFFF
# What stands for a size that is written in zip64's field among the extra ones, and its number.
_IN_EXTRA, _ZIP64 = 0xFFFF_FFFF, 1
# Bits of a member's flags: encrypted (also strongly), sizes after the data, a patch, name in UTF-8.
_ENCRYPTED, _SIZES_LATER, _PATCH, _UTF8 = 0x41, 0x08, 0x20, 0x800
_SHOWN = 160


def shown(name: str) -> str:
    """Return a name of the zip as a message shows it: on one line, printable, not too long."""
    return one_line(name, _SHOWN)


class Directory(NamedTuple):
    """What the end of a zip says of its directory: place and length in bytes, and how many entries.

    `wide` tells whether the number of members has 64 bits; else it has 16.
    """

    start: int
    length: int
    members: int
    wide: bool


def find_directory(file: BinaryIO) -> Directory:
    """Return where the directory of a zip is.

    Raises
    ------
    BadZipFile
        There is no end, bytes follow it, or the directory is not where it says.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT - _LOCATOR.size))
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
        end, wide = end - _LOCATOR.size - _END64.size, True
        members, length, start = _read_wide_end(file, end)
    if start + length != end:
        raise BadZipFile(
            f"its directory should end at byte {start + length:,} and ends at {end:,}: bytes were "
            "lost or added"
        )
    return Directory(start, length, members, wide)


def _read_wide_end(file: BinaryIO, place: int) -> tuple[int, int, int]:
    """Return number of members, length and start of the directory, as zip64 writes them."""
    file.seek(max(0, place))
    record = file.read(_END64.size)
    if len(record) < _END64.size or not record.startswith(_END64_SIGNATURE):
        raise BadZipFile("its zip64 end is not where it should be")
    *_, members, length, start = _END64.unpack(record)
    return members, length, start


def check_header(file: BinaryIO, info: ZipInfo) -> int:
    """Return where a member's data begin, after comparing its own header with the directory.

    Raises
    ------
    BadMemberError
        There is no header, the two differ, or the member is encrypted.
    """
    file.seek(info.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(_LOCAL_SIGNATURE):
        raise BadMemberError("broken in the zip (no member where the directory says)")
    _, _, flags, method, _, _, crc, packed, size, *lengths = _LOCAL.unpack(head)
    name, extra = file.read(lengths[0]), file.read(lengths[1])
    if (flags | info.flag_bits) & (_ENCRYPTED | _PATCH):
        raise BadMemberError("encrypted, or a patch; zip it again without a password")
    own_name = name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    if own_name != info.orig_filename:
        raise BadMemberError(f"broken in the zip (its own header names it '{shown(own_name)}')")
    own = (crc, *_own_sizes(size, packed, extra))
    # A writer that could not go back has left zeros, and put the values behind the data.
    known = [not (flags & _SIZES_LATER and value == 0) for value in own]
    listed = (info.CRC, info.file_size, info.compress_size)
    if method != info.compress_type or [*compress(own, known)] != [*compress(listed, known)]:
        raise BadMemberError("broken in the zip (its own header and the directory differ)")
    return info.header_offset + len(head) + len(name) + len(extra)


def _own_sizes(size: int, packed: int, extra: bytes) -> tuple[int, int]:
    """Return a member's size and packed size by its own header, in zip64's longer form too."""
    if _IN_EXTRA not in (size, packed):
        return size, packed
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == _ZIP64 and place + 4 + length <= len(extra):
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, place + 4))
            size = next(values, size) if size == _IN_EXTRA else size
            return size, next(values, packed) if packed == _IN_EXTRA else packed
        place += 4 + length
    return size, packed

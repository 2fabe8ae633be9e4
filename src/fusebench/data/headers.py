"""What stands before each member of a zip, and how a message shows a name.

Format: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.
"""

import struct
from itertools import compress
from typing import BinaryIO

from fusebench.data.directory import IN_EXTRA, UTF8, ZIP64, Entry
from fusebench.data.unpack import BadMemberError
from fusebench.errors import one_line

_LOCAL, _LOCAL_SIGNATURE = struct.Struct("<4s5H3L2H"), b"PK\x03\x04"
# Bits of a member's flags: encrypted (also strongly), sizes after the data, a patch.
_ENCRYPTED, _SIZES_LATER, _PATCH = 0x41, 0x08, 0x20
_SHOWN = 160


def shown(name: str) -> str:
    """Return a name of the zip as a message shows it: on one line, printable, not too long."""
    return one_line(name, _SHOWN)


def check_header(file: BinaryIO, entry: Entry) -> int:
    """Return where a member's data begin, after comparing its own header with the directory.

    Raises
    ------
    BadMemberError
        There is no header, the two differ, or the member is encrypted.
    """
    file.seek(entry.offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(_LOCAL_SIGNATURE):
        raise BadMemberError("broken in the zip (no member where the directory says)")
    _, _, flags, method, _, _, crc, packed, size, *lengths = _LOCAL.unpack(head)
    name, extra = file.read(lengths[0]), file.read(lengths[1])
    if (flags | entry.flags) & (_ENCRYPTED | _PATCH):
        raise BadMemberError("encrypted, or a patch; zip it again without a password")
    own_name = name.decode("utf-8" if flags & UTF8 else "cp437", "replace")
    if own_name != entry.name:
        raise BadMemberError(f"broken in the zip (its own header names it '{shown(own_name)}')")
    own = (crc, *_own_sizes(size, packed, extra))
    # A writer that could not go back has left zeros, and put the values behind the data.
    known = [not (flags & _SIZES_LATER and value == 0) for value in own]
    listed = (entry.crc, entry.size, entry.packed)
    if method != entry.method or [*compress(own, known)] != [*compress(listed, known)]:
        raise BadMemberError("broken in the zip (its own header and the directory differ)")
    return entry.offset + len(head) + len(name) + len(extra)


def _own_sizes(size: int, packed: int, extra: bytes) -> tuple[int, int]:
    """Return a member's size and packed size by its own header, in zip64's longer form too."""
    if IN_EXTRA not in (size, packed):
        return size, packed
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == ZIP64 and place + 4 + length <= len(extra):
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, place + 4))
            size = next(values, size) if size == IN_EXTRA else size
            return size, next(values, packed) if packed == IN_EXTRA else packed
        place += 4 + length
    return size, packed

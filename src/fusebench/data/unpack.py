"""What a member of a zip holds, from the bytes that stand for it; in bounded memory."""

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from fusebench.data.directory import Entry

_LZMA_HEAD, _SMALLEST_WINDOW = struct.Struct("<2sHBL"), 4096


class BadMemberError(Exception):
    """A member cannot be used; the message says what is wrong, without the member's name."""


class _Decompressor(Protocol):
    """What zlib, bz2 and lzma share."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unpacked(packed: bytes, entry: Entry) -> bytes:
    """Return a member's content, or one byte more than it should have; never more than that.

    zipfile's own reading unpacks all that is there before it looks at the size.

    Raises
    ------
    BadMemberError
        The bytes are not what the method says, or the method is not known.
    """
    if entry.method == zipfile.ZIP_STORED:
        return packed
    try:
        if entry.method == zipfile.ZIP_LZMA:
            decompressor, packed = _lzma(packed, entry.size)
        elif entry.method in _DECOMPRESSORS:
            decompressor = _DECOMPRESSORS[entry.method]()
        else:
            raise BadMemberError(
                f"packed by method {entry.method}, which is not read; zip it again by "
                "'deflate', as is usual"
            )
        return decompressor.decompress(packed, entry.size + 1)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        # bz2 has no error of its own.
        raise BadMemberError(f"broken in the zip ({error})") from None


# zlib's needs a negative number where no header stands before the data.
_DECOMPRESSORS: Mapping[int, Callable[[], _Decompressor]] = {
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
}


def _lzma(packed: bytes, size: int) -> tuple[_Decompressor, bytes]:
    """Return LZMA's decompressor by the properties that stand before a member's data."""
    if len(packed) < _LZMA_HEAD.size:
        raise BadMemberError("broken in the zip (it has no LZMA header)")
    _, length, settings, window = _LZMA_HEAD.unpack_from(packed)
    if length != _LZMA_HEAD.size - 4 or settings >= 9 * 5 * 5:
        raise BadMemberError("broken in the zip (it has another LZMA header)")
    # No more than the content is ever looked back at, whatever memory the header asks for.
    window = max(_SMALLEST_WINDOW, min(window, size))
    form = {
        "id": lzma.FILTER_LZMA1, "dict_size": window, "lc": settings % 9,
        "lp": settings // 9 % 5, "pb": settings // 45,
    }  # fmt: skip
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[form])
    return decompressor, packed[_LZMA_HEAD.size :]

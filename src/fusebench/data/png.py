"""What Pillow does not check of a PNG: checksums of the pixels, its end, its rows, its palette.

Format: https://www.w3.org/TR/png-3/. A bit that turns in a PNG is always noticed.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fusebench.data.unpack import BadMemberError

_MAX_PIXELS = 64_000_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">2L5B")
# Channels and allowed bits per channel, by type of colour.
_COLOURS = {
    0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)),
    6: (4, (8, 16)),
}  # fmt: skip
_PALETTED = 3
# First column and row, and steps, of each pass of an interlaced image.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
           (0, 1, 1, 2))  # fmt: skip
_WHOLE = ((0, 0, 1, 1),)
# What is unpacked at once of the pixels, bytes.
_STEP = 1 << 20


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filters: int
    interlaced: int


def check_size(width: int, height: int) -> None:
    """Refuse an image of more than 64 million pixels; raise BadMemberError."""
    if width * height > _MAX_PIXELS:
        raise BadMemberError(f"{width}×{height} pixels; at most {_MAX_PIXELS:,} are allowed")


def check_png(content: bytes) -> int:
    """Refuse a PNG that is not whole; in a megabyte of memory, whatever it unpacks to.

    It begins with `SIGNATURE`. What follows its end is passed over.

    Returns
    -------
    int
        Number of colours in its palette; 0 where its pixels are no positions in one.

    Raises
    ------
    BadMemberError
        A checksum is wrong, a chunk is missing, twice, unknown or out of place, there are other
        pixels than its size says, more than 64 million, or it is an animation.
    """
    chunks = _chunks(content)
    name, body = next(chunks)
    if name != b"IHDR" or len(body) != _HEADER.size:
        raise BadMemberError("broken image (it does not begin with its size)")
    header = _Header(*_HEADER.unpack(body))
    check_size(header.width, header.height)
    wanted = _bytes_of_rows(header)
    colours, pixels = _read_chunks(chunks)
    _check_pixels(pixels, wanted)
    if header.colour != _PALETTED:
        return 0
    if not colours:
        raise BadMemberError("broken image (its palette is missing)")
    return colours


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and content of each chunk up to the end, after checking its checksum."""
    view, start, name = memoryview(content), len(SIGNATURE), b""
    while name != b"IEND":
        if start + 12 > len(content):
            raise BadMemberError("broken image (cut off before its end)")
        length, name = struct.unpack_from(">L4s", content, start)
        end = start + 12 + length
        if end > len(content):
            raise BadMemberError(f"broken image (cut off in chunk {name!r})")
        (checksum,) = struct.unpack_from(">L", content, end - 4)
        if zlib.crc32(view[start + 4 : end - 4]) != checksum:
            raise BadMemberError(f"broken image (checksum of chunk {name!r})")
        yield name, view[start + 8 : end - 4]
        start = end


def _read_chunks(chunks: Iterator[tuple[bytes, memoryview]]) -> tuple[int, list[memoryview]]:
    """Return the number of colours in the palette, and the chunks of pixels."""
    pixels: list[memoryview] = []
    colours, before = 0, b""
    for name, body in chunks:
        if name == b"IDAT" and (not pixels or before == name):
            pixels.append(body)
        elif name == b"PLTE" and not colours and not pixels and len(body) in range(3, 769, 3):
            colours = len(body) // 3
        elif name == b"acTL":
            raise BadMemberError("an animated image; save the one that is meant")
        elif name != b"IEND" and not name[0] & 0x20:
            # Names of chunks that an image can be read without begin with a small letter.
            raise BadMemberError(f"broken image (chunk {name!r} is unknown or out of place)")
        before = name
    return colours, pixels


def _bytes_of_rows(header: _Header) -> int:
    """Return how many bytes the pixels unpack to."""
    channels, depths = _COLOURS.get(header.colour, (0, ()))
    if header.depth not in depths or header[4:6] != (0, 0) or header.interlaced > 1:
        raise BadMemberError("broken image (no such kind of PNG)")
    if not header.width or not header.height:
        raise BadMemberError("broken image (no pixels)")
    total = 0
    for column, row, right, down in _PASSES if header.interlaced else _WHOLE:
        width, height = -((column - header.width) // right), -((row - header.height) // down)
        if width > 0 and height > 0:
            total += height * (1 + (width * channels * header.depth + 7) // 8)
    return total


def _check_pixels(chunks: Sequence[memoryview], wanted: int) -> None:
    """Refuse pixels that end before the last row, which Pillow would leave black, or go on."""
    decompressor, count = zlib.decompressobj(), 0
    for chunk in chunks:
        packed: bytes | memoryview = chunk
        while not decompressor.eof:
            piece = decompressor.decompress(packed, min(_STEP, wanted - count + 1))
            count += len(piece)
            if count > wanted:
                raise BadMemberError("broken image (data go on after the last row)")
            packed = decompressor.unconsumed_tail
            if not packed and not piece:
                break
    if count < wanted:
        raise BadMemberError("broken image (data end before the last row)")
    if not decompressor.eof:
        raise BadMemberError("broken image (its data have no end)")

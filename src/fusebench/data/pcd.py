"""From the bytes of a .pcd file, of the Point Cloud Library, to coordinates of points.

Format: https://pointclouds.org/documentation/tutorials/pcd_file_format.html, version 0.7.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fusebench.data.fields import (
    LONGEST_HEADER,
    Points,
    check_number,
    columns_of,
    records,
    table,
    whole_number,
)
from fusebench.data.headers import shown
from fusebench.data.unpack import BadMemberError

# Bytes that what is packed in a file may unpack to.
_MOST_UNPACKED = 1 << 29
# Bytes of a point, with all that is stored of it.
_WIDEST = 65_536
# Of the sensor, where points are in its own frame: no translation, no turn.
_AT_ORIGIN = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
_KINDS = {"F": "f", "I": "i", "U": "u"}


def decode_pcd(content: bytes) -> Points:
    """Return the points of a .pcd file: ascii, binary or binary_compressed.

    Raises
    ------
    BadMemberError
        Not of the format, cut off or longer, or without x, y or z.
    """
    fields, start = _header(content)
    names = fields.get("FIELDS", fields.get("COLUMNS", []))
    try:
        sizes = [whole_number(size) for size in fields["SIZE"]]
        counts = [whole_number(count) for count in fields.get("COUNT", ["1"] * len(names))]
        (number,) = map(whole_number, fields["POINTS"])
        kinds = [_KINDS[kind] for kind in fields["TYPE"]]
        (kind,) = fields["DATA"]
        # numpy counts bytes in 32 bits, and over and over again.
        widths = (size * count for size, count in zip(sizes, counts, strict=True))
        if sum(widths) > _WIDEST:
            raise ValueError(f"more than {_WIDEST:,} bytes a point")  # noqa: TRY301
        dtype = np.dtype(
            [
                (f"{place} {name}", f"<{of}{size}", (count,))
                for place, (name, of, size, count) in enumerate(
                    zip(names, kinds, sizes, counts, strict=True)
                )
            ]
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadMemberError(f"broken .pcd header ({shown(str(error))})") from None
    _check_viewpoint(fields.get("VIEWPOINT", []))
    columns = columns_of(names, ".pcd")
    if any(counts[column] != 1 for column in columns):
        raise BadMemberError("broken .pcd header (COUNT of x, y and z must be 1)")
    check_number(number)
    body = content[start:]
    if kind == "ascii":
        of_columns = {sum(counts[:column]): dtype[column].base for column in columns}
        return table(body, number, of_columns, sum(counts))
    if kind == "binary_compressed":
        return _columns(_lzf(body, number * dtype.itemsize), number, dtype, columns)
    if kind != "binary":
        raise BadMemberError(
            f".pcd data '{shown(kind)}'; must be ascii, binary or binary_compressed"
        )
    return records(body, number, dtype, columns)


def _check_viewpoint(words: Sequence[str]) -> None:
    """Refuse points in another frame than the sensor's: ranges are counted from its origin."""
    try:
        at_origin = [float(word) for word in words or map(str, _AT_ORIGIN)] == _AT_ORIGIN
    except ValueError:
        at_origin = False
    if not at_origin:
        raise BadMemberError(
            f"VIEWPOINT {shown(' '.join(words))}; must be 0 0 0 1 0 0 0: points must be in the "
            "frame of the sensor"
        )


def _header(content: bytes) -> tuple[dict[str, list[str]], int]:
    """Return the words of each line of a header, and where the data begin."""
    fields: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in fields:
        end = content.find(b"\n", start, LONGEST_HEADER)
        if end < 0:
            raise BadMemberError("no .pcd file: its header has no line DATA")
        words = content[start:end].decode("latin1").split("#")[0].split()
        if words:
            fields[words[0].upper()] = words[1:]
        start = end + 1
    return fields, start


def _lzf(body: bytes, size: int) -> bytes:
    """Return what LZF packed: two lengths of four bytes, then the data, as PCL writes them.

    Memory: the unpacked size, which the header says; at most `_MOST_UNPACKED`.
    """
    if len(body) < 8:
        raise BadMemberError("broken .pcd data (they end early)")
    packed, unpacked = struct.unpack_from("<II", body)
    if unpacked != size or len(body) - 8 != packed:
        raise BadMemberError("broken .pcd data (other sizes than its header says)")
    if size > _MOST_UNPACKED:
        raise BadMemberError(f"unpacks to {size:,} bytes; at most {_MOST_UNPACKED:,} are allowed")
    out = bytearray()
    try:
        for (back, length), literal in _lzf_parts(body[8:]):
            if back > len(out):
                raise BadMemberError("broken .pcd data (they look back too far)")
            # What is copied may reach into what the copy itself makes.
            copied = bytes(out[len(out) - back : len(out) - back + length])
            out += (copied * -(-length // back))[:length] if back else literal
            if len(out) > size:
                break
    except IndexError:
        raise BadMemberError("broken .pcd data (they end early)") from None
    if len(out) != size:
        raise BadMemberError("broken .pcd data (they unpack to another size)")
    return bytes(out)


def _lzf_parts(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield how far back and how much is to be copied, or what is to be added; IndexError: cut."""
    at = 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            literal = data[at : at + control + 1]
            at += control + 1
            yield (0, 0), literal
            continue
        length, back = (control >> 5) + 2, (control & 31) << 8
        if length == 9:
            length += data[at]
            at += 1
        yield (back + data[at] + 1, length), b""
        at += 1


def _columns(values: bytes, number: int, dtype: np.dtype[Any], columns: Sequence[int]) -> Points:
    """Return x, y and z where each field stands as a column of its own."""
    points = np.empty((number, 3), np.float64)
    names = dtype.names or ()
    starts = np.cumsum([0, *(number * dtype[name].itemsize for name in names)])
    for place, column in enumerate(columns):
        of_field = dtype[names[column]].base
        points[:, place] = np.frombuffer(values, of_field, number, int(starts[column]))
    return points

"""From the bytes of a .ply file, the Stanford polygon format, to coordinates of its vertices."""

import re

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

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}


def decode_ply(content: bytes) -> Points:
    """Return the vertices of a .ply file, its first element: ascii, little- or big-endian.

    Raises
    ------
    BadMemberError
        Not of the format, cut off or longer, or without x, y or z.
    """
    found = re.match(rb"ply\r?\n(?s:.{0,%d}?)\nend_header\r?\n" % LONGEST_HEADER, content)
    if found is None:
        raise BadMemberError("no .ply file: its header has no end")
    lines = [line.split() for line in found[0].decode("latin1").splitlines()]
    kept = [words for words in lines if words and words[0] in ("format", "element", "property")]
    try:
        (first, order_name, _), (second, name, count), *of_vertex = kept
        if (first, second, name) != ("format", "element", "vertex"):
            raise ValueError("its first element must be 'vertex'")  # noqa: TRY301
        order, number = _ORDERS[order_name], whole_number(count)
        after = next((at for at, line in enumerate(of_vertex) if line[0] == "element"), None)
        properties = of_vertex[:after]
        # A list of a vertex would give each another length.
        dtype = np.dtype(
            [
                (f"{place} {name}", f"{order or '<'}{_TYPES[kind]}")
                for place, (_, kind, name) in enumerate(properties)
            ]
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadMemberError(f"broken .ply header ({shown(str(error))})") from None
    columns = columns_of([words[2] for words in properties], ".ply")
    check_number(number)
    body, whole = content[found.end() :], after is None
    if not order:
        of_columns = {column: dtype[column] for column in columns}
        return table(body, number, of_columns, len(properties), whole=whole)
    return records(body if whole else body[: number * dtype.itemsize], number, dtype, columns)

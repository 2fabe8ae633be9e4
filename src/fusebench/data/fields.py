"""Points in a file whose header names the fields of each: .pcd and .ply."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.data.headers import shown
from fusebench.data.unpack import BadMemberError

Points = npt.NDArray[np.float64]
"""Coordinates, shape (n, 3), in metres."""

LONGEST_HEADER = 10_000
"""Bytes: a header is a few lines; a file without an end of one is none."""
_XYZ = ("x", "y", "z")
# More would take gigabytes; a turn of a large sensor has a few hundred thousand.
_MOST = 10_000_000


def check_number(number: int) -> None:
    """Refuse more than ten million points; raise BadMemberError."""
    if number > _MOST:
        raise BadMemberError(f"{number:,} points; at most {_MOST:,} are allowed")


def whole_number(text: str) -> int:
    """Return the number that a header holds; raise ValueError where Python might read another."""
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"'{text}' is no number")
    return int(text)


def columns_of(names: Sequence[str], kind: str) -> list[int]:
    """Return where x, y and z stand among the fields of a point.

    Raises
    ------
    BadMemberError
        One is missing, or there twice.
    """
    for name in _XYZ:
        if list(names).count(name) != 1:
            raise BadMemberError(
                f"{kind} with fields {shown(' '.join(names))}; must have x, y and z, each once"
            )
    return [list(names).index(name) for name in _XYZ]


def records(body: bytes, number: int, dtype: np.dtype[Any], columns: Sequence[int]) -> Points:
    """Return x, y and z of points that stand one after another, all fields of each together.

    Raises
    ------
    BadMemberError
        There are other bytes than of this number of points.
    """
    if len(body) != number * dtype.itemsize:
        raise BadMemberError(
            f"{len(body):,} bytes of points; must be {number * dtype.itemsize:,}, as its header "
            "says"
        )
    found = np.frombuffer(body, dtype)
    names = dtype.names or ()
    values = [found[names[column]].reshape(number) for column in columns]
    return np.stack([of.astype(np.float64) for of in values], axis=1)


def table(
    body: bytes,
    number: int,
    columns: Mapping[int, np.dtype[Any]],
    width: int,
    *,
    whole: bool = True,
) -> Points:
    """Return x, y and z of points that are written as lines of numbers.

    Parameters
    ----------
    columns : mapping of int to dtype
        Of x, y and z: where they stand in a line, and the type of which they are.
    width : int
        Numbers of a point.
    whole : bool
        Whether nothing may follow them.

    Raises
    ------
    BadMemberError
        There are more or fewer lines, or one holds other words than its numbers.
    """
    # Each number takes a character, and one that ends it.
    if number * width * 2 > len(body) + 1:
        raise BadMemberError(f"{len(body):,} bytes of points; too few for {number:,} points")
    points = np.empty((number, 3), np.float64)
    row = 0
    for line in io.BytesIO(body):
        # No more words than tell that there are too many.
        words = line.split(None, width)
        if words and row == number:
            if whole:
                raise BadMemberError(f"more lines of points than {number:,}, as its header says")
            break
        if words:
            points[row] = _numbers(words, row, width, columns)
            row += 1
    if row != number:
        raise BadMemberError(f"{row:,} lines of points; must be {number:,}, as its header says")
    for place, kind in enumerate(columns.values()):
        if kind.kind == "f":
            # Too few digits for a double, and enough for the number that was written.
            points[:, place] = points[:, place].astype(kind)
    return points


def _numbers(words: Sequence[bytes], row: int, width: int, columns: Iterable[int]) -> list[float]:
    if len(words) != width:
        raise BadMemberError(f"point {row}: {len(words)} numbers; must be {width}")
    wanted = [words[column] for column in columns]
    try:
        numbers = [float(word) for word in wanted]
    except ValueError:
        numbers = []
    # Python takes 1_000 for a number, too.
    if not numbers or any(b"_" in word for word in wanted):
        raise BadMemberError(f"point {row}: holds what is no number")
    return numbers

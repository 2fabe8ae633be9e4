"""From the bytes of an .npy file to checked float32: ranges and angles."""

import ast
import math
import struct
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.data.headers import shown
from fusebench.data.paths import GUIDE
from fusebench.data.unpack import BadMemberError
from fusebench.samples.sensors import LidarSensor, NoReturn

_MAGIC = b"\x93NUMPY"
# Versions of the format, with how the header's length and text are written.
_VERSIONS = {1: ("<H", "latin1"), 2: ("<I", "latin1"), 3: ("<I", "utf-8")}
# As numpy has it: more would keep the parser busy.
_LONGEST_HEADER, _MOST_AXES = 10_000, 64


@lru_cache(maxsize=64)
def _parse_header(header: bytes, encoding: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Return shape and dtype from an .npy header; cached, since most maps share theirs."""
    try:
        # Python and numpy warn of forms of text and dtype that are about to end.
        with warnings.catch_warnings(action="ignore"):
            fields = ast.literal_eval(header.decode(encoding).strip())
            dtype = np.dtype(fields["descr"])
        fortran, shape = fields["fortran_order"], fields["shape"]
    except (
        ArithmeticError, AttributeError, KeyError, MemoryError, RecursionError, SyntaxError,
        TypeError, ValueError,
    ):  # fmt: skip
        raise BadMemberError("broken .npy header") from None
    if not isinstance(fortran, bool) or not _is_shape(shape):
        raise BadMemberError("broken .npy header")
    if fortran and len(shape) > 1:
        raise BadMemberError(
            "Fortran order; must be in C order: numpy.save(path, numpy.ascontiguousarray("
            f"values)) ({GUIDE})"
        )
    return shape, dtype


def _is_shape(shape: object) -> bool:
    return (
        isinstance(shape, tuple)
        and len(shape) <= _MOST_AXES
        and all(type(length) is int and 0 <= length < 1 << 63 for length in shape)
    )


def _described(content: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """Return shape and dtype of an .npy file of real numbers, and where its values begin."""
    if content[:6] != _MAGIC or len(content) < 12:
        raise BadMemberError(f"not an .npy file; numpy.save writes one ({GUIDE})")
    if content[6] not in _VERSIONS or content[7] != 0:
        raise BadMemberError(
            f".npy version {content[6]}.{content[7]}; must be 1.0, 2.0 or 3.0, as numpy.save "
            f"writes ({GUIDE})"
        )
    code, encoding = _VERSIONS[content[6]]
    (length,) = struct.unpack_from(code, content, 8)
    begin = 8 + struct.calcsize(code)
    if length > _LONGEST_HEADER:
        raise BadMemberError(f".npy header of {length:,} bytes; at most {_LONGEST_HEADER:,}")
    start = begin + length
    shape, dtype = _parse_header(content[begin:start], encoding)
    if dtype.kind not in "fiu":
        raise BadMemberError(f"dtype {shown(str(dtype))}; must be float32{_CONVERTER}")
    return shape, dtype, start


def _values(
    content: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic], start: int
) -> npt.NDArray[Any]:
    size = dtype.itemsize * math.prod(shape)
    if len(content) - start != size:
        raise BadMemberError(f"{len(content) - start} bytes of values; must be {size}")
    try:
        return np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError:
        # Of no values, but with an axis that is longer than any may be.
        raise BadMemberError(f"shape {shape}; an array can have none such") from None


def open_npy(content: bytes) -> npt.NDArray[Any]:
    """Return the real numbers of an .npy file, of any shape; errors as `decode_npy`."""
    return _values(content, *_described(content))


def decode_npy(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the numbers of an .npy file as float32, if each is what it was.

    NaN and infinity pass: what they mean is known where the values are used.

    Raises
    ------
    BadMemberError
        Not an .npy file or of an unknown version, no real numbers, another shape, in Fortran
        order, cut off or longer, or a value that float32 does not hold exactly.

    Notes
    -----
    The format is described in `numpy.lib.format`. Pickled objects are never read.
    """
    stored_shape, dtype, start = _described(content)
    if stored_shape != shape:
        raise BadMemberError(f"shape {stored_shape}; must be {shape}, as lidar.size says ({GUIDE})")
    return _exact_float32(_values(content, shape, dtype, start))


# Rounding a sample is for its owner to decide, who sees by how much.
_CONVERTER = f': numpy.save(path, values.astype("float32")) ({GUIDE})'


def _exact_float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return values as float32, or raise BadMemberError if that changes one of them."""
    if values.dtype.newbyteorder("<") == np.dtype("<f4"):
        return values.astype(np.float32)
    # Too large a value becomes infinite, and so unequal.
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
    if values.dtype.kind == "f":
        same = (single == values) | (np.isnan(single) & np.isnan(values))
    else:
        # Compared as integers: as floats, two large ones would be equal that are not.
        limits, wide = np.iinfo(values.dtype), single.astype(np.float64)
        inside = (wide >= float(limits.min)) & (wide < float(limits.max // 2 + 1) * 2)
        same = inside & (np.where(inside, wide, 0).astype(values.dtype) == values)
    if not same.all():
        raise BadMemberError(
            f"dtype {values.dtype} with values that float32 does not hold, e.g. "
            f"{values[~same][0]}; round them yourself{_CONVERTER}"
        )
    return single


def decode_angles(content: bytes, length: int) -> npt.NDArray[np.float32]:
    """Return the angles of one axis, in radians, after checking that they can be such.

    Finite, at most 2π, not all equal. Any order is allowed: a sensor may begin anywhere on its
    way round, and each row or column is found by its own angle.

    Raises
    ------
    BadMemberError
        As `decode_npy`, or an angle that is none.
    """
    angles = decode_npy(content, (length,))
    if not np.isfinite(angles).all():
        raise BadMemberError(f"holds {_first_not_finite(angles)}; all angles must be finite")
    largest = np.abs(angles).max()
    if largest > 2 * np.pi:
        raise BadMemberError(
            f"angle {largest:g}; must be at most 2π, for angles are in radians: "
            f'numpy.save(path, numpy.radians(values).astype("float32")) ({GUIDE})'
        )
    if length > 1 and (angles == angles[0]).all():
        raise BadMemberError(
            f"all {length} angles are {angles[0]:g}; must be those of the rows or columns ({GUIDE})"
        )
    return angles


def checked_ranges(ranges: npt.NDArray[np.float32], lidar: LidarSensor) -> npt.NDArray[np.float32]:
    """Return ranges in metres; what `lidar.no_return` lists becomes `lidar.max_range`.

    Negative zero is a zero.

    Raises
    ------
    BadMemberError
        A range is outside 0 ≤ range ≤ `lidar.max_range`, NaN and infinity too unless they are
        listed.
    """
    for value in lidar.no_return:
        ranges[_MEANS[value](ranges)] = lidar.max_range
    if not np.isfinite(ranges).all():
        bad = _first_not_finite(ranges)
        word = "nan" if np.isnan(bad) else "inf"
        # Negative infinity is no measurement and no convention.
        listed = "" if bad == -np.inf else f", or lidar.no_return must list {word}"
        raise BadMemberError(f"holds {bad}; all ranges must be finite{listed} ({GUIDE})")
    if ranges.min() < 0:
        raise BadMemberError(f"range {ranges.min():g}; must be 0 or more ({GUIDE})")
    if ranges.max() > np.float32(lidar.max_range):
        raise BadMemberError(
            f"range {ranges.max():g}; must be at most lidar.max_range {lidar.max_range:g}, in "
            f"metres ({GUIDE})"
        )
    return ranges


_MEANS: Mapping[NoReturn, Callable[[npt.NDArray[np.float32]], npt.NDArray[np.bool_]]] = {
    "zero": lambda ranges: ranges == 0,
    "nan": np.isnan,
    "inf": np.isposinf,
}


def _first_not_finite(values: npt.NDArray[np.float32]) -> np.float32:
    first: np.float32 = values[~np.isfinite(values)][0]
    return first

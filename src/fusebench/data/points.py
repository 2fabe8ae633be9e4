"""From the bytes of a file of points to their coordinates: .npy, .bin, .pcd and .ply.

A point has x, y and z in metres, as the sensor has them; what else is stored of it is passed over.
NaN in one of the three means that nothing came back.
"""

from collections.abc import Callable, Mapping

import numpy as np

from fusebench.data.fields import Points, check_number
from fusebench.data.npy import open_npy
from fusebench.data.pcd import decode_pcd
from fusebench.data.ply import decode_ply
from fusebench.data.unpack import BadMemberError

__all__ = ["SUFFIXES", "Points", "decode_points"]

# As velodyne files of KITTI: x, y, z and what came back of the light, each in four bytes.
_BIN_COLUMNS = 4


def decode_points(content: bytes, suffix: str) -> Points:
    """Return the points of a file, (n, 3).

    Memory: a few times that of the points, of which there may be ten million, whatever a header
    says.

    Parameters
    ----------
    suffix : str
        One of `SUFFIXES`.

    Raises
    ------
    BadMemberError
        Not of the format, cut off or longer, without x, y or z, or a coordinate that is infinite.
    """
    if suffix not in _DECODERS:
        raise BadMemberError(f"files of points must end in {', '.join(SUFFIXES)}")
    # Numbers that are none, and those that are too large, are told by what becomes of them.
    with np.errstate(over="ignore", invalid="ignore"):
        points = _DECODERS[suffix](content)
    if np.isinf(points).any():
        raise BadMemberError("holds an infinite coordinate; a point that did not come back is NaN")
    return points


def _npy(content: bytes) -> Points:
    values = open_npy(content)
    if values.ndim != 2 or values.shape[1] not in (3, 4):
        raise BadMemberError(
            f"shape {values.shape}; points must be (n, 3) or (n, 4): x, y, z and intensity"
        )
    check_number(len(values))
    return values[:, :3].astype(np.float64)


def _bin(content: bytes) -> Points:
    size = 4 * _BIN_COLUMNS
    if not content or len(content) % size:
        # What was cut off at its beginning would be a sensor to which nothing came back.
        raise BadMemberError(
            f"{len(content):,} bytes; must be a multiple of {size}, and not 0: x, y, z and "
            "intensity, float32, little-endian"
        )
    check_number(len(content) // size)
    return np.frombuffer(content, "<f4").reshape(-1, _BIN_COLUMNS)[:, :3].astype(np.float64)


_DECODERS: Mapping[str, Callable[[bytes], Points]] = {
    ".npy": _npy, ".bin": _bin, ".pcd": decode_pcd, ".ply": decode_ply,
}  # fmt: skip
SUFFIXES = tuple(_DECODERS)
"""Endings of the names of files of points."""

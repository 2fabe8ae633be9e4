"""From a LiDAR file of any kind to a map of ranges, an azimuth per row and a zenith per column.

Geometry: a point at range d, azimuth az (to the left) and zenith ze (downwards) lies

    d·sin(−az)·cos(−ze)    to the right
    d·cos(−az)·cos(−ze)    forward
    d·sin(−ze)             up
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fusebench.data.depth import decode_depth
from fusebench.data.npy import checked_ranges, decode_npy
from fusebench.data.points import SUFFIXES, Points, decode_points
from fusebench.data.unpack import BadMemberError
from fusebench.samples.geometry import nearest_angles, nearest_azimuths
from fusebench.samples.sensors import LidarSensor

Floats = npt.NDArray[np.float32]
Angles = Mapping[str, Floats]
"""azimuth (h,), one per row of a map, and zenith (w,), one per column; radians."""

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "ranges": (".npy",), "depth": (".png",), "points": SUFFIXES,
}  # fmt: skip
"""How the names of LiDAR files end, by `lidar.format`."""


@dataclass(frozen=True, eq=False)
class LidarFiles:
    """Reads the LiDAR files of a sensor.

    Attributes
    ----------
    lidar : LidarSensor
    angles : Angles
    """

    lidar: LidarSensor
    angles: Angles

    def decode(self, content: bytes, name: str) -> Floats:
        """Return the map that a file holds, (h, w), in metres.

        Parameters
        ----------
        name : str
            Of the file: its ending tells the kind of points.

        Raises
        ------
        BadMemberError
            The file is not of the format that `lidar.format` names, broken, or of another size;
            or a range is outside 0 ≤ range ≤ `lidar.max_range`.
        """
        lidar = self.lidar
        if lidar.format == "points":
            suffix = f".{name.rpartition('.')[2].lower()}"
            return self.project(in_axes(decode_points(content, suffix), lidar))
        if lidar.format == "depth":
            stored = decode_depth(content, lidar.size, float(lidar.step or 0))
        else:
            stored = decode_npy(content, lidar.size)
        return turned(checked_ranges(stored, lidar), lidar)

    def project(self, points: Points) -> Floats:
        """Return the map of points, (n, 3): to the right, forward and up, in metres.

        A cell holds the nearest of the points that fall into it; a point beyond the angles, one at
        the sensor itself, and one at `lidar.max_range` or farther fall into none.
        """
        azimuth, zenith = self.angles["azimuth"], self.angles["zenith"]
        # Farther than numbers reach is beyond the maximum range, too.
        with np.errstate(over="ignore"):
            distances = np.sqrt((points**2).sum(axis=1))
            ranges = distances.astype(np.float32)
        # As the map holds them; compared with a NaN, nothing is true.
        near = (ranges > 0) & (ranges < np.float32(self.lidar.max_range))
        (right, forward, up), ranges = points[near].T, ranges[near]
        row, row_inside = nearest_azimuths(azimuth, -np.arctan2(right, forward))
        column, column_inside = nearest_angles(
            zenith, -np.arcsin(np.clip(up / distances[near], -1, 1))
        )
        inside = row_inside & column_inside
        projected = np.full((len(azimuth), len(zenith)), self.lidar.max_range, np.float32)
        np.minimum.at(projected, (row[inside], column[inside]), ranges[inside])
        return projected


def in_axes(points: Points, lidar: LidarSensor) -> Points:
    """Return stored points, (n, 3), as to the right, forward and up."""
    places = [(("x", "y", "z").index(axis[-1]), axis) for axis in lidar.axes or ()]
    columns = [
        -points[:, place] if axis.startswith("-") else points[:, place] for place, axis in places
    ]
    return np.stack(columns, axis=1)


def check_zenith(zenith: Floats) -> None:
    """Refuse zeniths that no point has; raise BadMemberError."""
    largest = np.abs(zenith).max()
    if largest > np.float32(np.pi / 2):
        raise BadMemberError(
            f"zenith {largest:g}; must be at most π/2 where lidar.format is points: 0 is straight "
            "ahead, π/2 straight down"
        )


def turned(stored: Floats, lidar: LidarSensor) -> Floats:
    """Return a stored map with an azimuth per row, from right to left, and a zenith per column."""
    return np.ascontiguousarray(np.rot90(stored)) if lidar.rows == "zenith" else stored


def turned_angles(angles: Mapping[str, Floats], lidar: LidarSensor) -> dict[str, Floats]:
    """Return stored angles in the order of a map that was `turned`."""
    if lidar.rows == "azimuth":
        return dict(angles)
    return {**angles, "azimuth": angles["azimuth"][::-1].copy()}


def given_angles(lidar: LidarSensor) -> dict[str, Floats]:
    """Return the angles that the file of sensors gives, in the order of stored maps, radians."""
    names = ("azimuth", "zenith")
    given = zip(names, (lidar.azimuth, lidar.zenith), lidar.angle_counts, strict=True)
    return {
        name: np.radians(np.linspace(*ends, count)).astype(np.float32)
        for name, ends, count in given
        if ends != "stored"
    }

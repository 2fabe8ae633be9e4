"""From LiDAR ranges to the four channels that a model sees: x, y, z and the mask of returns.

Geometry of the sensor: range d in row r (azimuth az_r) and column c (zenith ze_c) is the point

    x = d·sin(−az_r)·cos(−ze_c)    to the right
    y = d·cos(−az_r)·cos(−ze_c)    forward
    z = d·sin(−ze_c)               up

and there is a return where d is below the maximum range.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from fusebench.config import Off, Section
from fusebench.errors import ParamsError
from fusebench.samples.geometry import nearest_angles, nearest_azimuths
from fusebench.samples.samples import Samples
from fusebench.samples.sensors import Sensors

Floats = npt.NDArray[np.float32]
Align = Literal["none", "rotate", "camera"]


class LidarParams(Section):
    """Section `lidar`: what is made of the ranges."""

    projection: Literal["spherical", "notebook"]
    align: Annotated[Align, Off("none")]
    normalize: bool


@dataclass(frozen=True)
class LidarGeometry:
    """The sensors that the maps come from.

    Attributes
    ----------
    azimuth : array of float32, shape (h,), radians, one per row
    zenith : array of float32, shape (w,), radians, one per column
    max_range : float
        Range without return, in metres.
    focal_length : float or None
        Of the camera, in pixels of the images; None: it is not one.
    image_size : (int, int)
        Height and width of the images, in pixels.
    quarter_turns : int
        Clockwise turns that bring a map into the image's orientation.
    """

    azimuth: Floats
    zenith: Floats
    max_range: float
    focal_length: float | None
    image_size: tuple[int, int]
    quarter_turns: int

    @classmethod
    def of(cls, samples: Samples) -> "LidarGeometry":
        """Return the geometry that the samples were recorded with."""
        height, width = samples.rgb.shape[1:3]
        return cls.at(samples.azimuth, samples.zenith, samples.dataset.sensors, (height, width))

    @classmethod
    def at(
        cls, azimuth: Floats, zenith: Floats, sensors: Sensors, image_size: tuple[int, int]
    ) -> "LidarGeometry":
        """Return the geometry of sensors, of which files of samples may have the angles."""
        return cls(
            azimuth, zenith, sensors.lidar.max_range, sensors.camera.focal_length, image_size,
            sensors.lidar.turns,
        )  # fmt: skip

    @property
    def aligns(self) -> tuple[Align, ...]:
        """What `lidar.align` may be: without a focal length, not the camera's frame."""
        return ("none", "rotate") if self.focal_length is None else ("none", "rotate", "camera")


def directions(azimuth: Floats, zenith: Floats) -> tuple[Floats, Floats, Floats]:
    """Return x, y and z of the cells' unit vectors; times the range they are the point.

    Parameters
    ----------
    azimuth : array, shape (h,) or (N, 1), radians
    zenith : array, shape (w,) or (N, 1), radians
        With shape (N, 1) all cells of a map share one angle.

    Returns
    -------
    arrays of float32 that go with maps of shape (N, h, w)
    """
    az = azimuth[:, None] if azimuth.ndim == 1 else azimuth[:, :, None]
    ze = zenith[None, :] if zenith.ndim == 1 else zenith[:, :, None]
    return _unit_vectors(az, ze)


def _unit_vectors(azimuth: Floats, zenith: Floats) -> tuple[Floats, Floats, Floats]:
    """Return x, y and z of directions, of angles of shapes that go together."""
    flat = np.cos(-zenith)
    return np.sin(-azimuth) * flat, np.cos(-azimuth) * flat, np.sin(-zenith)


def notebook_directions(
    ids: npt.NDArray[np.int64], geometry: LidarGeometry
) -> tuple[Floats, Floats, Floats]:
    """Return directions as the notebook had them: wrongly, with one angle for a whole map.

    It looked the angles up by the sample's id and took 0 where the id was past their end, so that
    x = z = 0 for all but the first 64 ids. Kept to show what that does to a comparison.

    Parameters
    ----------
    ids : array of int, shape (N,)
    """

    def looked_up(angles: Floats) -> Floats:
        nearest = angles[np.minimum(ids, len(angles) - 1)]
        return np.where(ids < len(angles), nearest, np.float32(0)).astype(np.float32)[:, None]

    return directions(looked_up(geometry.azimuth), looked_up(geometry.zenith))


def camera_angles(geometry: LidarGeometry) -> tuple[Floats, Floats]:
    """Return azimuth and zenith, in radians, each (H, W), of the ray through each pixel's centre.

    The camera is a pinhole at the sensor, looking forward, its principal point the image's centre.

    Raises
    ------
    ParamsError
        There is no focal length.
    """
    if geometry.focal_length is None:
        raise ParamsError(
            "params.yaml: lidar.align = 'camera' needs camera.focal_length, which the file that "
            "data.sensors names leaves empty"
        )
    height, width = geometry.image_size
    right = (np.arange(width) + 0.5 - width / 2)[None, :] / geometry.focal_length
    up = (height / 2 - np.arange(height) - 0.5)[:, None] / geometry.focal_length
    zenith = -np.arctan2(up, np.hypot(1.0, right))
    azimuth = np.broadcast_to(-np.arctan(right), zenith.shape)
    return azimuth.astype(np.float32), zenith.astype(np.float32)


def camera_cells(geometry: LidarGeometry) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return which LiDAR cell each camera pixel looks at.

    Returns
    -------
    cells : array of int, shape (H, W)
        Row · w + column of the nearest cell. Nearest, because a range between object and
        background would be a point where nothing is.
    inside : array of bool, shape (H, W)
        False where the pixel looks past the LiDAR's field of view.
    """
    azimuth, zenith = camera_angles(geometry)
    row, row_inside = nearest_azimuths(geometry.azimuth, azimuth)
    column, column_inside = nearest_angles(geometry.zenith, zenith)
    return row * len(geometry.zenith) + column, row_inside & column_inside


def grid_cells(geometry: LidarGeometry, shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Return, for each image pixel, the LiDAR cell at the same relative place, shape (H, W).

    The identity where map and image have the same size. Otherwise it brings the maps onto the
    image's grid, since maps of different sizes cannot be fused.
    """
    rows, columns = (
        (2 * np.arange(wanted) + 1) * given // (2 * wanted)
        for wanted, given in zip(geometry.image_size, shape, strict=True)
    )
    return rows[:, None] * shape[1] + columns[None, :]


def lidar_maps(
    ranges: Floats, ids: npt.NDArray[np.int64], geometry: LidarGeometry, params: LidarParams
) -> Floats:
    """Return what a model sees of LiDAR maps.

    Parameters
    ----------
    ranges : array of float32, shape (N, h, w), metres
    ids : array of int, shape (N,)
        Read by `projection: notebook` only.

    Returns
    -------
    array of float32, shape (N, 4, H, W)
        x, y, z and mask on the image's grid. With `normalize`, coordinates are divided by the
        maximum range and are 0 where nothing came back; otherwise they are metres, and
        background is a point at the maximum range, as in the notebook. In memory channels come
        last.
    """
    if params.projection == "notebook":
        vectors = notebook_directions(ids, geometry)
    else:
        vectors = directions(geometry.azimuth, geometry.zenith)
    mask = ranges < np.float32(geometry.max_range)
    scale = mask / np.float32(geometry.max_range) if params.normalize else None
    # In the layout of a batch, written once for each channel: half of the time of stacking.
    maps = np.empty((*ranges.shape, 4), np.float32)
    for channel, vector in enumerate(vectors):
        coordinate = ranges * vector
        if scale is not None:
            coordinate *= scale
        maps[..., channel] = coordinate
    maps[..., 3] = mask
    return _aligned(maps, geometry, params).transpose(0, 3, 1, 2)


def aligned_cells(
    geometry: LidarGeometry, align: Align
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_] | None]:
    """Return which LiDAR cell each pixel of a map on the image's grid shows.

    Returns
    -------
    cells : array of int, shape (H, W)
        Row · w + column.
    inside : array of bool, shape (H, W), or None
        False where the pixel looks past the LiDAR's field of view; None: nowhere.
    """
    if align == "camera":
        return camera_cells(geometry)
    height, width = len(geometry.azimuth), len(geometry.zenith)
    cells = np.arange(height * width).reshape(height, width)
    if align == "rotate":
        cells = np.rot90(cells, -geometry.quarter_turns)
    return cells.reshape(-1)[grid_cells(geometry, (cells.shape[0], cells.shape[1]))], None


def _aligned(maps: Floats, geometry: LidarGeometry, params: LidarParams) -> Floats:
    """Bring maps (N, h, w, 4) onto the image's grid, (N, H, W, 4), as `align` says."""
    if params.align == "none" and maps.shape[1:3] == geometry.image_size:
        return maps
    cells, inside = aligned_cells(geometry, params.align)
    maps = _taken(maps, cells)
    if inside is not None:
        # Past the field of view is known as little as where nothing came back.
        maps[:, ~inside] = background(geometry, params)[~inside]
    return maps


def _taken(maps: Floats, cells: npt.NDArray[np.intp]) -> Floats:
    """Return the cells (H, W), as row · w + column, of maps (N, h, w, 4): (N, H, W, 4)."""
    count, height, width, channels = maps.shape
    return np.take(maps.reshape(count, height * width, channels), cells, axis=1)


def background(geometry: LidarGeometry, params: LidarParams) -> Floats:
    """Return the channels, (H, W, 4), of pixels to which nothing came back."""
    height, width = geometry.image_size
    channels = np.zeros((height, width, 4), np.float32)
    if not params.normalize:
        rays = np.stack(_unit_vectors(*camera_angles(geometry)), axis=-1)
        channels[..., :3] = geometry.max_range * rays
    return channels

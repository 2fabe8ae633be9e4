"""Scenes with one cube or one sphere each, as the LiDAR and the camera see them.

Coordinates: both sensors at the origin, x right, y forward, z up. Both scan a grid whose rays are
a sum of one vector per row and one per column, at right angles to each other, so a whole grid of
products with a ray is a sum of two short ones. That, and casting only the window around the
object, is what makes it fast. Each scene is calculated apart from its neighbours in the batch.

Shape suffixes: n scenes, h rows, w columns, 3 for x, y, z or an object's own axes.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Pasted = TypeVar("Pasted", NDArray[np.bool_], NDArray[np.uint8], NDArray[np.float32])
Shape = Literal["cubes", "spheres"]

SIZE = 64  # Rows and columns of a LiDAR map and of an image.
MAX_RANGE = 50.0  # What the LiDAR reports where nothing returns.
RADIUS = 1.5  # A sphere's radius and half a cube's side, where a task does not vary it.
FOCAL_LENGTH = 73.3  # Of the camera, in pixels: it sees 47° to the LiDAR's 32°.

_MIDDLE = SIZE // 2
_ANGLE_STEP = math.radians(0.5)
_LIGHT = np.array([-1.0, 0.0, 1.0]) / math.sqrt(2)
_GAIN, _GAMMA = 3.0, 2.2
_SUBPIXELS = 2
"""Rays per pixel along each side: with 2 as many pixels are lit as in the real set, with 3 more."""


@dataclass(frozen=True)
class Scenes:
    """Scenes with one object each.

    Parameters
    ----------
    centre_n3 : ndarray of float64, shape (n, 3)
        Where the object is.
    colour_n3 : ndarray of float64, shape (n, 3)
        Its colour as linear red, green and blue, 0 to 1.
    turn_n33 : ndarray of float64, shape (n, 3, 3)
        Rotations whose columns are a cube's axes. Spheres do without.
    radius_n : ndarray of float64, shape (n,)
        A sphere's radius and half a cube's side.
    """

    centre_n3: Floats
    colour_n3: Floats
    turn_n33: Floats
    radius_n: Floats


@dataclass(frozen=True)
class _Rays:
    """Ray directions (not of unit length) rows[:, r] + columns[:, c], which are orthogonal."""

    rows_nh3: Floats
    columns_nw3: Floats

    def dot(self, vector_n3: Floats) -> Floats:
        """Return the product of every ray with one vector per scene, shape (n, h, w)."""
        return _grid(_dot(self.rows_nh3, vector_n3), _dot(self.columns_nw3, vector_n3))

    def squared(self) -> Floats:
        """Return every ray's squared length, shape (n, h, w)."""
        return _grid((self.rows_nh3**2).sum(-1), (self.columns_nw3**2).sum(-1))


def _grid(rows_nh: Floats, columns_nw: Floats) -> Floats:
    return rows_nh[:, :, None] + columns_nw[:, None, :]


def _dot(vectors_nk3: Floats, vector_n3: Floats) -> Floats:
    # Not einsum or matmul: their sums may be fused differently from machine to machine.
    product: Floats = (vectors_nk3 * vector_n3[:, None]).sum(-1)
    return product


def lidar_angles() -> NDArray[np.float32]:
    """Return the angles of a LiDAR map's rows (azimuth) and columns (zenith).

    Returns
    -------
    ndarray of float32, shape (64,)
        (i − 32) · 0.5°, in radians.
    """
    return ((np.arange(SIZE) - _MIDDLE) * _ANGLE_STEP).astype(np.float32)


def _cast(shape: Shape, scenes: Scenes, rays: _Rays) -> tuple[Floats, Floats]:
    """Return where the rays first hit and how the surface there faces the light.

    Returns
    -------
    distance_nhw : ndarray of float64
        In lengths of the ray's direction; inf where it misses.
    facing_nhw : ndarray of float64
        Cosine between the surface's normal and the light; without meaning where it misses.
    """
    # A ray along a cube's axis crosses some faces at infinity, one past a sphere crosses nowhere.
    with np.errstate(divide="ignore", invalid="ignore"):
        return (_cast_cubes if shape == "cubes" else _cast_spheres)(scenes, rays)


def _cast_cubes(scenes: Scenes, rays: _Rays) -> tuple[Floats, Floats]:
    entry: Floats = np.full((1, 1, 1), -np.inf)
    exit_, facing = -entry, np.zeros_like(entry)
    half_n11 = scenes.radius_n[:, None, None]
    for axis in range(3):
        axis_n3 = scenes.turn_n33[:, :, axis]
        centre_n11 = (scenes.centre_n3 * axis_n3).sum(-1)[:, None, None]
        # Of an axis's two faces only the one towards the sensor can be entered.
        light_n11 = -np.sign(centre_n11) * (_LIGHT * axis_n3).sum(-1)[:, None, None]
        inverse = 1 / rays.dot(axis_n3)
        low, high = (centre_n11 - half_n11) * inverse, (centre_n11 + half_n11) * inverse
        near = np.minimum(low, high)
        facing = np.where(near > entry, light_n11, facing)
        entry = np.maximum(entry, near)
        exit_ = np.minimum(exit_, np.maximum(low, high))
    return np.where(entry < exit_, entry, np.inf), facing


def _cast_spheres(scenes: Scenes, rays: _Rays) -> tuple[Floats, Floats]:
    centre_n3, radius_n = scenes.centre_n3, scenes.radius_n
    beyond_n11 = ((centre_n3**2).sum(-1) - radius_n**2)[:, None, None]
    light_n3 = np.broadcast_to(_LIGHT, centre_n3.shape)
    squared, along = rays.squared(), rays.dot(centre_n3)
    distance = (along - np.sqrt(along**2 - squared * beyond_n11)) / squared
    centre_light_n11 = (centre_n3 * _LIGHT).sum(-1)[:, None, None]
    facing = (distance * rays.dot(light_n3) - centre_light_n11) / radius_n[:, None, None]
    return np.where(np.isnan(distance), np.inf, distance), facing


def _bounds(reach_n: Floats, offset_n: Floats, ahead_n: Floats) -> tuple[Floats, Floats]:
    """Return the angles between which the ball around an object is seen from the side."""
    angle_n = np.arctan2(offset_n, ahead_n)
    half_n = np.arcsin(reach_n / np.hypot(offset_n, ahead_n))
    return angle_n - half_n, angle_n + half_n


def _reach(shape: Shape, scenes: Scenes) -> Floats:
    """Return the radius, shape (n,), of the ball around each object."""
    return scenes.radius_n * math.sqrt(3) if shape == "cubes" else scenes.radius_n


def _window(low_n: Floats, high_n: Floats) -> Indices:
    """Return the indices (n, k) that hold low to high: equally many of a grid for each scene."""
    first_n = np.floor(low_n).astype(np.intp)
    count = min(SIZE, int((np.floor(high_n).astype(np.intp) - first_n).max()) + 1)
    first_n = np.clip(first_n, 0, SIZE - count)
    return first_n[:, None] + np.arange(count)


def _paste(window: Pasted, rows_nh: Indices, columns_nw: Indices, whole: Pasted) -> Pasted:
    """Put windows (n, h, w, ...) in their places on whole grids (n, 64, 64, ...)."""
    scene_n = np.arange(len(window))
    whole[scene_n[:, None, None], rows_nh[:, :, None], columns_nw[:, None, :]] = window
    return whole


def lidar_ranges(shape: Shape, scenes: Scenes) -> NDArray[np.float32]:
    """Return what the LiDAR measures.

    Row r and column c look along (sin(−az_r)·cos(−ze_c), cos(−az_r)·cos(−ze_c), sin(−ze_c)) with
    the angles of `lidar_angles`.

    Returns
    -------
    ndarray of float32, shape (n, 64, 64)
        Distance to the first hit; 50.0 where there is none.
    """
    x_n, y_n, z_n = scenes.centre_n3.T
    reach_n = _reach(shape, scenes)
    rows_nh = _lidar_window(reach_n, -x_n, y_n)
    columns_nw = _lidar_window(reach_n, -z_n, np.hypot(x_n, y_n))
    # The angles as they are stored, so that ranges and stored angles give points on the object.
    angles = lidar_angles().astype(np.float64)
    azimuth_nh, zenith_nw = angles[rows_nh], angles[columns_nw]
    # The ray above, divided by cos(ze) to be a sum of a row's and a column's part.
    level_nh, level_nw = np.zeros_like(azimuth_nh), np.zeros_like(zenith_nw)
    rows_nh3 = np.stack([-np.sin(azimuth_nh), np.cos(azimuth_nh), level_nh], axis=-1)
    columns_nw3 = np.stack([level_nw, level_nw, -np.tan(zenith_nw)], axis=-1)
    distance_nhw, _ = _cast(shape, scenes, _Rays(rows_nh3, columns_nw3))
    range_nhw = np.minimum(distance_nhw / np.cos(zenith_nw)[:, None, :], MAX_RANGE)
    empty_nhw = np.full((len(range_nhw), SIZE, SIZE), MAX_RANGE, np.float32)
    return _paste(range_nhw.astype(np.float32), rows_nh, columns_nw, empty_nhw)


def _lidar_window(reach_n: Floats, offset_n: Floats, ahead_n: Floats) -> Indices:
    low_n, high_n = _bounds(reach_n, offset_n, ahead_n)
    return _window(_MIDDLE + low_n / _ANGLE_STEP, _MIDDLE + high_n / _ANGLE_STEP)


def rgb_images(shape: Shape, scenes: Scenes) -> NDArray[np.uint8]:
    """Return what the camera sees: one distant light, nothing else, on black.

    Returns
    -------
    ndarray of uint8, shape (n, 64, 64, 4)
        Red, green, blue and an alpha of 255. Row 0 is up, column 0 is left.
    """
    x_n, y_n, z_n = scenes.centre_n3.T
    reach_n = _reach(shape, scenes)
    rows_nh, columns_nw = _camera_window(reach_n, -z_n, y_n), _camera_window(reach_n, x_n, y_n)
    rays = _camera_rays(rows_nh, columns_nw)
    distance_nhw, facing_nhw = _cast(shape, scenes, rays)
    lit_nhw = np.where(np.isfinite(distance_nhw), np.clip(_GAIN * facing_nhw, 0, 1), 0)
    # Averaged after the gamma: the mean and the deviation of the real set's pixels come out so;
    # averaged before it, both are too high by about a tenth.
    shade_nhw = _mean_of_pixels(lit_nhw ** (1 / _GAMMA))
    colour_n113 = scenes.colour_n3[:, None, None] ** (1 / _GAMMA)
    black_nhw4 = np.zeros((len(shade_nhw), SIZE, SIZE, 4), np.uint8)
    black_nhw4[..., 3] = 255
    rgb_nhw3 = np.rint(255 * shade_nhw[..., None] * colour_n113).astype(np.uint8)
    _paste(rgb_nhw3, rows_nh, columns_nw, black_nhw4[..., :3])
    return black_nhw4


def _mean_of_pixels(rays_nhw: Floats) -> Floats:
    """Average the rays of each pixel."""
    count, rows = rays_nhw.shape[0], rays_nhw.shape[1] // _SUBPIXELS
    blocks = rays_nhw.reshape(count, rows, _SUBPIXELS, -1, _SUBPIXELS)
    return np.asarray(blocks.mean(axis=(2, 4)))


def _camera_rays(rows_nh: Indices, columns_nw: Indices) -> _Rays:
    """Return the rays through a window's pixels, (column, focal length, −row) from the middle."""
    inside = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - _MIDDLE
    down_nh = (rows_nh[:, :, None] + inside).reshape(len(rows_nh), -1)
    right_nw = (columns_nw[:, :, None] + inside).reshape(len(columns_nw), -1)
    zero_nh, zero_nw = np.zeros_like(down_nh), np.zeros_like(right_nw)
    return _Rays(
        np.stack([zero_nh, zero_nh, -down_nh], axis=-1),
        np.stack([right_nw, np.full_like(right_nw, FOCAL_LENGTH), zero_nw], axis=-1),
    )


def _camera_window(reach_n: Floats, offset_n: Floats, ahead_n: Floats) -> Indices:
    low_n, high_n = (FOCAL_LENGTH * np.tan(bound) for bound in _bounds(reach_n, offset_n, ahead_n))
    return _window(_MIDDLE + low_n, _MIDDLE + high_n)

"""A LiDAR map of a scene that was moved, and what covers a map."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusebench.inputs.lidar import LidarGeometry
from fusebench.inputs.moved import moved
from fusebench.inputs.occlusion import rectangle

STEP = math.radians(0.5)
ANGLES = ((np.arange(64) - 32) * STEP).astype(np.float32)
GEOMETRY = LidarGeometry(ANGLES, ANGLES, 50.0, 73.3, (64, 64), 1)
NOTHING = np.zeros(3)


def scene(**ranges: float) -> Any:
    """Return a map with returns at "row_column" alone."""
    made = np.full((64, 64), 50, np.float32)
    for place, distance in ranges.items():
        row, column = map(int, place.removeprefix("at_").split("_"))
        made[row, column] = distance
    return made


def turn(angle: float) -> Any:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def places(ranges: Any) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(ranges < 50)]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_scene_that_did_not_move_is_what_it_was(seed: int) -> None:
    draw = np.random.default_rng(seed)
    ranges = np.where(draw.random((64, 64)) < 0.1, draw.uniform(5, 49, (64, 64)), 50)
    ranges = ranges.astype(np.float32)
    assert np.allclose(moved(ranges, GEOMETRY, np.eye(3), NOTHING), ranges, rtol=1e-5)


@pytest.mark.parametrize("first", [0, -180, 90])
def test_a_lidar_that_looks_all_around_keeps_a_scene_that_did_not_move(first: int) -> None:
    azimuth = np.radians(np.arange(first, first + 360)).astype(np.float32)
    around = LidarGeometry(azimuth, ANGLES, 50.0, 73.3, (64, 64), 1)
    ranges = np.full((360, 64), 20, np.float32)
    assert np.allclose(moved(ranges, around, np.eye(3), NOTHING), ranges, rtol=1e-5)
    turned = np.full((360, 64), 50, np.float32)
    turned[359, 32] = 20
    assert places(moved(turned, around, turn(math.radians(2)), NOTHING)) == [(1, 32)]


def test_a_turn_about_the_vertical_axis_moves_returns_along_the_rows_and_keeps_ranges() -> None:
    turned = moved(scene(at_30_32=20), GEOMETRY, turn(3 * STEP), NOTHING)
    assert places(turned) == [(33, 32)]
    assert abs(float(turned[33, 32]) - 20) < 1e-4


def test_what_leaves_the_field_of_view_is_lost() -> None:
    assert not places(moved(scene(at_62_32=20), GEOMETRY, turn(3 * STEP), NOTHING))


def test_a_shift_upwards_moves_returns_along_the_columns() -> None:
    # x, y, z are right, forward and up; a zenith of z = d·sin(−ze).
    up = np.array([0, 0, 20 * math.tan(2 * STEP)])
    assert places(moved(scene(at_32_32=20), GEOMETRY, np.eye(3), up)) == [(32, 30)]


def test_a_shift_forward_is_added_to_the_range_and_beyond_the_largest_one_it_is_lost() -> None:
    forward = np.array([0, 5, 0])
    shifted = moved(scene(at_32_32=20), GEOMETRY, np.eye(3), forward)
    assert abs(float(shifted[32, 32]) - 25) < 1e-4
    assert not places(moved(scene(at_32_32=46), GEOMETRY, np.eye(3), forward))


def test_of_two_points_in_one_cell_the_nearer_is_seen() -> None:
    # Both fall to the straight ahead when they come so near that angles no longer tell them apart.
    back = np.array([0, 400, 0])
    wide = LidarGeometry(ANGLES, ANGLES, 1000.0, 73.3, (64, 64), 1)
    ranges = np.full((64, 64), 1000, np.float32)
    ranges[32, 32], ranges[32, 33] = 30, 20
    seen = moved(ranges, wide, np.eye(3), back)
    assert (seen < 1000).sum() == 1
    assert abs(float(seen[32, 32]) - 420) < 0.1


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 100), st.integers(1, 100)), st.floats(0, 1), st.integers(0, 2**32 - 1)
)
def test_a_rectangle_lies_within_the_map_and_has_its_area(
    size: tuple[int, int], share: float, seed: int
) -> None:
    top, left, high, wide = rectangle(size, share, np.random.default_rng(seed))
    assert 0 <= top <= top + high <= size[0]
    assert 0 <= left <= left + wide <= size[1]
    # Sides are rounded to whole cells.
    assert abs(high - math.sqrt(share) * size[0]) <= 0.5
    assert abs(wide - math.sqrt(share) * size[1]) <= 0.5

"""From points to a map, held to a computation of its own; and maps as they are turned."""

import math
from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tests.data.archives import npy, sensors
from tests.data.clouds import WRITERS

from fusebench.data.projection import (
    ENDINGS,
    LidarFiles,
    given_angles,
    in_axes,
    turned_angles,
)
from fusebench.data.unpack import BadMemberError
from fusebench.inputs.lidar import directions
from fusebench.samples.sensors import LidarSensor

MAX_RANGE = 60.0
PROPERTY = settings(deadline=None, max_examples=150, derandomize=True, database=None)
Floats = NDArray[np.float64]


def files_of(
    azimuth: Sequence[float], zenith: Sequence[float], size: tuple[int, int], **changes: Any
) -> LidarFiles:
    """A sensor whose angles grow evenly between two ends, in degrees."""
    of_points: dict[str, Any] = {
        "format": "points", "axes": ["x", "y", "z"], "size": list(size), "max_range": MAX_RANGE,
        "azimuth": list(azimuth), "zenith": list(zenith),
    }  # fmt: skip
    lidar = sensors(**{**of_points, **changes}).lidar
    return LidarFiles(lidar, turned_angles(given_angles(lidar), lidar))


def with_angles(azimuth: Sequence[float] | Floats, zenith: Sequence[float] | Floats) -> LidarFiles:
    """A sensor with any angles, in degrees, as they may be stored."""
    lidar = sensors(
        format="points", axes=["x", "y", "z"], size=[len(azimuth), len(zenith)], max_range=MAX_RANGE
    ).lidar
    angles = {"azimuth": azimuth, "zenith": zenith}
    return LidarFiles(
        lidar, {name: np.radians(of_name).astype("f4") for name, of_name in angles.items()}
    )


def point(azimuth: float, zenith: float, distance: float) -> tuple[float, float, float]:
    """To the right, forward and up; angles in degrees, to the left and downwards."""
    left, down = math.radians(azimuth), math.radians(zenith)
    flat = distance * math.cos(down)
    return -flat * math.sin(left), flat * math.cos(left), -distance * math.sin(down)


# --- The convention ---


@pytest.mark.parametrize(
    ("where", "azimuth", "zenith"),
    [
        ((0, 1, 0), 0, 0),
        ((-1, 1, 0), 45, 0),
        ((1, 1, 0), -45, 0),
        ((-1, 0, 0), 90, 0),
        ((1, 0, 0), -90, 0),
        ((-1, -1, 0), 135, 0),
        ((1, -1, 0), -135, 0),
        ((0, 1, -1), 0, 45),
        ((0, 1, 1), 0, -45),
        ((0, 0.1, -10), 0, 89.4),
    ],
)
def test_azimuth_grows_to_the_left_and_zenith_downwards(
    where: tuple[float, float, float], azimuth: float, zenith: float
) -> None:
    """From straight ahead."""
    np.testing.assert_allclose(point(azimuth, zenith, math.hypot(*where)), where, atol=0.05)
    around, down = np.arange(-179.0, 180), np.arange(-90.0, 91)
    ranges = with_angles(around, down).project(np.array([where], np.float64))
    ((row, column),) = np.argwhere(ranges < MAX_RANGE)
    assert abs(around[row] - azimuth) <= 0.5
    assert abs(down[column] - zenith) <= 0.5
    assert ranges[row, column] == np.float32(math.hypot(*where))


def test_a_point_is_where_the_models_see_it() -> None:
    """Range times the direction of its cell, as later stages take it."""
    files = files_of((50, -70), (-20, 40), (13, 7))
    cells = np.stack(np.broadcast_arrays(*directions(**files.angles)), axis=-1).astype(np.float64)
    cells = cells.reshape(13, 7, 3)
    distances = np.random.default_rng(0).uniform(1, 50, (13, 7))
    ranges = files.project((cells * distances[..., None]).reshape(-1, 3))
    np.testing.assert_allclose(ranges, distances, rtol=1e-6)


# --- Against a loop over points ---


def slowly(points: Floats, azimuth: Floats, zenith: Floats, steps: tuple[float, float]) -> Floats:
    """The map, computed for each point by itself; angles of cells and steps in degrees."""
    ranges = np.full((len(azimuth), len(zenith)), MAX_RANGE)
    for right, forward, up in points.tolist():
        distance = math.sqrt(right * right + forward * forward + up * up)
        if math.isnan(distance) or not 0 < np.float32(distance) < MAX_RANGE:
            continue
        left = math.degrees(math.atan2(-right, forward))
        down = math.degrees(math.atan2(-up, math.hypot(right, forward)))
        apart = [abs((left - angle + 180) % 360 - 180) for angle in azimuth]
        below = [abs(down - angle) for angle in zenith]
        row, column = apart.index(min(apart)), below.index(min(below))
        if apart[row] <= steps[0] / 2 and below[column] <= steps[1] / 2:
            ranges[row, column] = min(ranges[row, column], distance)
    return ranges


@st.composite
def grids(draw: st.DrawFn) -> tuple[tuple[float, float], tuple[float, float], tuple[int, int]]:
    """Ends of azimuths and zeniths, in either direction, and how many there are of each."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    step = draw(st.floats(1, 360 / rows))
    first = draw(st.floats(-180, 180))
    ends = first, first + step * (rows - 1) * draw(st.sampled_from([1, -1]))
    assume(max(map(abs, ends)) <= 360)
    top = draw(st.floats(-85, 60))
    below = top + draw(st.floats(1, 25)) if columns > 1 else top
    zenith = (top, below) if draw(st.booleans()) else (below, top)
    return ends, zenith, (rows, columns)


coordinates = st.one_of(st.floats(-70, 70), st.sampled_from([0.0, np.nan, 1e-30, 60.0, 1e200]))


@PROPERTY
@given(
    grid=grids(),
    points=hnp.arrays(np.float64, st.tuples(st.integers(0, 30), st.just(3)), elements=coordinates),
)
def test_a_map_is_that_of_a_loop_over_points(
    grid: tuple[tuple[float, float], tuple[float, float], tuple[int, int]], points: Floats
) -> None:
    azimuth_ends, zenith_ends, size = grid
    files = files_of(*grid)
    azimuth, zenith = np.linspace(*azimuth_ends, size[0]), np.linspace(*zenith_ends, size[1])
    steps = [
        abs(ends[1] - ends[0]) / (count - 1) if count > 1 else 1e9
        for ends, count in zip((azimuth_ends, zenith_ends), size, strict=True)
    ]
    # Between two cells, and at the edge, the last bit decides: a hair to either side does not.
    with np.errstate(over="ignore", invalid="ignore"):
        wiggled = [
            slowly(turned(points, left, down), azimuth, zenith, (steps[0], steps[1]))
            for left, down in product((-1e-4, 0, 1e-4), repeat=2)
        ]
    assume(all(np.array_equal(one, wiggled[4]) or np.allclose(one, wiggled[4]) for one in wiggled))
    ranges = files.project(points)
    assert ranges.dtype == np.float32
    np.testing.assert_allclose(ranges, wiggled[4], rtol=1e-6)


def turned(points: Floats, left: float, down: float) -> Floats:
    """Points with other angles by some degrees, at the same distance."""
    right, forward, up = points.T
    distance, flat = np.sqrt((points**2).sum(axis=1)), np.hypot(right, forward)
    azimuth = np.arctan2(-right, forward) + math.radians(left)
    zenith = np.arctan2(-up, flat) + math.radians(down)
    flat = distance * np.cos(zenith)
    moved = [-flat * np.sin(azimuth), flat * np.cos(azimuth), -distance * np.sin(zenith)]
    return np.stack(moved, axis=1)


@PROPERTY
@given(grid=grids(), data=st.data())
def test_a_point_at_a_cells_angles_lands_in_that_cell_with_its_range(
    grid: tuple[tuple[float, float], tuple[float, float], tuple[int, int]], data: st.DataObject
) -> None:
    azimuth_ends, zenith_ends, size = grid
    files = files_of(*grid)
    row, column = (data.draw(st.integers(0, count - 1)) for count in size)
    distance = data.draw(st.floats(0.01, 59.99))
    azimuth, zenith = np.linspace(*azimuth_ends, size[0]), np.linspace(*zenith_ends, size[1])
    ranges = files.project(np.array([point(azimuth[row], zenith[column], distance)]))
    assert np.argwhere(ranges < MAX_RANGE).tolist() == [[row, column]]
    assert ranges[row, column] == pytest.approx(distance, rel=1e-6)


@PROPERTY
@given(
    points=hnp.arrays(np.float64, (20, 3), elements=st.floats(-40, 40)),
    order=st.permutations(range(20)),
)
def test_the_nearest_point_of_a_cell_wins_in_any_order(
    points: Floats, order: Sequence[int]
) -> None:
    files = files_of((170, -170), (-80, 80), (3, 3))
    ranges = files.project(points)
    np.testing.assert_array_equal(ranges, files.project(points[list(order)]))
    # Nothing that is added makes a cell farther.
    for count in range(20):
        assert (files.project(points[:count]) >= ranges).all()
    seen = np.concatenate([np.linalg.norm(points, axis=1), [MAX_RANGE]]).astype(np.float32)
    assert np.isin(ranges, seen).all()


# --- Ends ---


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ((0, 0, 0), False),
        ((0, -0.0, 0), False),
        ((0, 1e-60, 0), False),
        ((0, 1e-3, 0), True),
        ((0, 59.999, 0), True),
        ((0, 60, 0), False),
        ((0, 59.999999999, 0), False),
        ((0, 61, 0), False),
        ((0, 1e300, 0), False),
        ((np.nan, 5, 0), False),
        ((0, np.nan, 0), False),
        ((0, 5, np.nan), False),
        ((0, -5, 0), False),
        ((-5, 5.2, 0), True),
        ((-5, 4.3, 0), False),
        ((0, 5, -5.2), False),
    ],
)
def test_what_is_no_point_of_the_map_falls_into_no_cell(
    where: tuple[float, float, float], kept: bool
) -> None:
    """At the sensor, at the maximum range, beyond the angles, or nothing that came back."""
    ranges = files_of((40, -40), (-40, 40), (9, 9)).project(np.array([where, (0, 40, -20.0)]))
    other = np.float32(math.hypot(40, 20))
    returns = [value for value in ranges.ravel() if value not in (60, other)]
    assert returns == ([np.float32(math.hypot(*where))] if kept else [])
    assert (ranges == other).sum() == 1


def test_half_a_step_beyond_the_ends_is_inside() -> None:
    files = files_of((20, -20), (-10, 10), (5, 5))
    for azimuth, zenith in ((25, 0), (-25, 0), (0, 12.5), (0, -12.5)):
        for share, kept in ((0.999, 1), (1.001, 0)):
            ranges = files.project(np.array([point(azimuth * share, zenith * share, 7.0)]))
            assert (ranges < MAX_RANGE).sum() == kept, (azimuth, zenith)


def test_no_points_are_a_map_without_a_return() -> None:
    ranges = files_of((40, -40), (-40, 40), (4, 3)).project(np.empty((0, 3)))
    np.testing.assert_array_equal(ranges, np.full((4, 3), MAX_RANGE, np.float32))


# --- All the way round ---


@pytest.mark.parametrize("first", [-180, -90.5, 0, 17, 179, 180, 359.5])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_turn_may_begin_anywhere(first: float, direction: int) -> None:
    azimuth = first + direction * np.arange(36) * 10.0
    azimuth = azimuth - 360 * np.sign(azimuth) * (np.abs(azimuth) > 360)
    files = with_angles(azimuth, (-1, 0, 1))
    for row, angle in enumerate(azimuth):
        for beside in (-4.9, 0, 4.9):
            for turns in (-360, 0, 360):
                ranges = files.project(np.array([point(angle + beside + turns, 0, 9.0)]))
                assert np.argwhere(ranges < MAX_RANGE).tolist() == [[row, 1]], (angle, beside)


@pytest.mark.parametrize(
    "azimuth",
    [(350, 355, 0, 5), (5, 0, 355, 350), (0, 350, 5, 355), (-10, -5, 0, 5), (350, 355, 360, 5),
     (-355, -360, 350, 355)],
)  # fmt: skip
def test_stored_azimuths_may_pass_a_full_turn(azimuth: tuple[float, ...]) -> None:
    files = with_angles(azimuth, (-1, 0, 1))
    for row, angle in enumerate(azimuth):
        for beside in (-2.4, 0, 2.4):
            ranges = files.project(np.array([point(angle + beside, 0, 9.0)]))
            assert np.argwhere(ranges < MAX_RANGE).tolist() == [[row, 1]]
    # Elsewhere it sees nothing.
    for outside in (8, -13, 90, 180, -90, 177):
        assert (files.project(np.array([point(outside, 0, 9.0)])) == MAX_RANGE).all()


def test_one_row_sees_all_azimuths() -> None:
    """As nobody knows how wide it is."""
    files = files_of((0, 0), (-1, 1), (1, 3))
    for azimuth in (0, 90, 180, -90):
        assert files.project(np.array([point(azimuth, 0, 9.0)]))[0, 1] == 9


# --- Axes ---

AXES = [
    tuple(f"{sign}{name}" for sign, name in zip(signs, names, strict=True))
    for names in permutations("xyz")
    for signs in product(("", "-"), repeat=3)
]


@pytest.mark.parametrize("axes", AXES, ids="".join)
def test_axes_say_what_is_right_forward_and_up(axes: tuple[str, str, str]) -> None:
    lidar = sensors(format="points", axes=list(axes)).lidar
    points = np.array([[1.0, 2, 3], [-4, 5, np.nan]])
    for stored, seen in zip(points, in_axes(points, lidar), strict=True):
        named = dict(zip("xyz", stored, strict=True))
        expected = [-named[axis[1]] if axis[0] == "-" else named[axis] for axis in axes]
        np.testing.assert_array_equal(seen, expected)


def test_points_of_a_vehicles_axes_are_seen_from_it() -> None:
    """x forward, y to the left, z up: KITTI, ROS, and most sensors."""
    files = files_of((60, -60), (-30, 30), (5, 5), axes=["-y", "x", "z"])
    content, name = npy(np.array([[10.0, 0, 0], [10, 6, 0], [10, 0, 3]])), "some.npy"
    ranges = files.decode(content, name)
    # Straight ahead, one row to the left, one column up.
    assert np.argwhere(ranges < MAX_RANGE).tolist() == [[1, 2], [2, 1], [2, 2]]


@pytest.mark.parametrize("kind", WRITERS)
def test_files_of_all_kinds_give_the_same_map(kind: str) -> None:
    points = np.random.default_rng(1).normal(0, 20, (200, 3)).astype(np.float32)
    files = files_of((170, -170), (-60, 60), (16, 12), axes=["-y", "x", "z"])
    suffix, write = WRITERS[kind]
    ranges = files.decode(write(points), f"a.b{suffix.upper()}")
    expected = files.project(in_axes(points.astype(np.float64), files.lidar))
    np.testing.assert_array_equal(ranges, expected)
    assert 20 < (ranges < MAX_RANGE).sum() < 192


def test_a_file_of_another_ending_is_refused() -> None:
    files = files_of((40, -40), (-40, 40), (4, 3))
    for name in ("a.txt", "a.npy.gz", "a", ""):
        with pytest.raises(
            BadMemberError, match=r"files of points must end in \.npy, \.bin, \.pcd"
        ):
            files.decode(b"", name)
    assert set(ENDINGS) == {"ranges", "depth", "points"}


# --- Rows and columns ---


def sensor(**changes: Any) -> LidarSensor:
    return sensors(**changes).lidar


@PROPERTY
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    ends=st.tuples(*[st.floats(-80, 80)] * 4),
)
def test_rows_of_zenith_and_rows_of_azimuth_say_the_same(
    shape: tuple[int, int], ends: tuple[float, float, float, float]
) -> None:
    """Of each cell: the same range at the same angles, whichever way a map is stored."""
    assume(abs(ends[0] - ends[1]) > 0.01 and abs(ends[2] - ends[3]) > 0.01)
    rows, columns = shape
    azimuth = [ends[0], ends[1] if columns > 1 else ends[0]]
    zenith = [ends[2], ends[3] if rows > 1 else ends[2]]
    lidar = sensor(size=[rows, columns], rows="zenith", azimuth=azimuth, zenith=zenith)
    stored = np.arange(rows * columns, dtype=np.float32).reshape(shape)
    ranges = LidarFiles(lidar, {}).decode(npy(stored), "a.npy")
    angles = turned_angles(given_angles(lidar), lidar)
    assert ranges.shape == (columns, rows) == (len(angles["azimuth"]), len(angles["zenith"]))
    assert ranges.flags["C_CONTIGUOUS"]
    left = np.radians(np.linspace(azimuth[0], azimuth[1], columns)).astype("f4")
    down = np.radians(np.linspace(zenith[0], zenith[1], rows)).astype("f4")
    seen = {
        (angles["azimuth"][row], angles["zenith"][column]): ranges[row, column]
        for row, column in np.ndindex(ranges.shape)
    }
    assert seen == {
        (left[column], down[row]): stored[row, column] for row, column in np.ndindex(shape)
    }


def test_a_turned_map_comes_back_by_its_quarter_turns() -> None:
    """What is stored as the image has it is brought there again by lidar.align: rotate."""
    stored = np.arange(12, dtype=np.float32).reshape(3, 4)
    for quarter_turns in range(4):
        lidar = sensor(size=[3, 4], rows="zenith", quarter_turns=quarter_turns)
        ranges = LidarFiles(lidar, {}).decode(npy(stored), "a.npy")
        np.testing.assert_array_equal(
            np.rot90(ranges, -lidar.turns), np.rot90(stored, -quarter_turns)
        )


def test_points_and_a_map_of_the_same_scene_agree_for_either_rows() -> None:
    """Points at the angles of a stored map's cells give that map."""
    azimuth, zenith = np.linspace(30, -30, 7), np.linspace(-20, 20, 5)
    ranges = np.random.default_rng(2).uniform(5, 50, (5, 7)).astype(np.float32)
    points = np.array(
        [point(left, down, float(ranges[row, column]))
         for row, down in enumerate(zenith) for column, left in enumerate(azimuth)]
    )  # fmt: skip
    changes: dict[str, Any] = {
        "size": [5, 7], "rows": "zenith", "azimuth": [30, -30], "zenith": [-20, 20],
        "max_range": MAX_RANGE,
    }  # fmt: skip
    of_maps = sensor(**changes)
    of_points = sensor(**changes, format="points", axes=["x", "y", "z"])
    angles = turned_angles(given_angles(of_maps), of_maps)
    stored = LidarFiles(of_maps, angles).decode(npy(ranges), "a.npy")
    projected = LidarFiles(of_points, angles).decode(npy(points), "a.npy")
    np.testing.assert_allclose(projected, stored, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_given_angles_grow_evenly_from_the_first_to_the_last(count: int) -> None:
    ends = [30, -60] if count > 1 else [30, 30]
    angles = given_angles(sensor(size=[count, 8], azimuth=ends, zenith="stored"))
    assert list(angles) == ["azimuth"]
    assert angles["azimuth"].dtype == np.float32
    expected = [math.radians(30 - 90 * number / max(1, count - 1)) for number in range(count)]
    np.testing.assert_allclose(angles["azimuth"], expected, rtol=1e-6)

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.datasets import dataset_of, table_of
from tests.synthetic.silhouettes import silhouettes

from fusebench.errors import ParamsError
from fusebench.inputs.inputs import lidar_batch
from fusebench.inputs.lidar import (
    LidarGeometry,
    LidarParams,
    camera_cells,
    directions,
    grid_cells,
    lidar_maps,
    notebook_directions,
)
from fusebench.samples.samples import Samples
from fusebench.synthetic.render import (
    FOCAL_LENGTH,
    MAX_RANGE,
    RADIUS,
    Scenes,
    lidar_angles,
    lidar_ranges,
)
from fusebench.synthetic.tasks.shape import draw_scenes

Floats = NDArray[np.float32]
Projection = Literal["spherical", "notebook"]
Align = Literal["none", "rotate", "camera"]

ALIGNS: tuple[Align, ...] = ("none", "rotate", "camera")
ANGLES = lidar_angles()
REAL = LidarGeometry(ANGLES, ANGLES, MAX_RANGE, FOCAL_LENGTH, (64, 64), 1)


def params(
    align: Align = "none", normalize: bool = False, projection: Projection = "spherical"
) -> LidarParams:
    return LidarParams(projection=projection, align=align, normalize=normalize)


def spherical_points(ranges: Floats, azimuth: Floats, zenith: Floats) -> Floats:
    """Points of maps (N, h, w): x, y and z, (N, 3, h, w)."""
    return np.stack([ranges * vector for vector in directions(azimuth, zenith)], axis=1)


def notebook_points(ranges: Floats, ids: NDArray[np.int64], sensors: LidarGeometry) -> Floats:
    return np.stack([ranges * vector for vector in notebook_directions(ids, sensors)], axis=1)


def angles(count: int, step: float = 0.5) -> Floats:
    """Angles around 0, radians; step in degrees."""
    return np.asarray(np.radians((np.arange(count) - (count - 1) / 2) * step), np.float32)


def geometry(
    lidar_size: tuple[int, int], image_size: tuple[int, int], **changes: Any
) -> LidarGeometry:
    rows, columns = lidar_size
    return replace(
        REAL, azimuth=angles(rows), zenith=angles(columns), image_size=image_size, **changes
    )


def random_ranges(count: int, size: tuple[int, int] = (64, 64)) -> Floats:
    numbers = np.random.default_rng(3)
    ranges: Floats = numbers.uniform(15, 30, (count, *size)).astype(np.float32)
    ranges[numbers.random(ranges.shape) < 0.5] = MAX_RANGE
    return ranges


def maps_of(
    ranges: Floats, how: LidarParams, sensors: LidarGeometry = REAL, first_id: int = 0
) -> Floats:
    return lidar_maps(ranges, np.arange(len(ranges)) + first_id, sensors, how)


# --- Points ---


@pytest.mark.parametrize(
    ("row", "column", "distance", "point"),
    [
        # azimuth 0°, zenith 0°: straight ahead.
        (32, 32, 25.0, (0.0, 25.0, 0.0)),
        # azimuth −16°, zenith 0°: 20·sin 16° = 20·0.2756374, 20·cos 16° = 20·0.9612617.
        (0, 32, 20.0, (5.512747, 19.225234, 0.0)),
        # azimuth 0°, zenith −16°: upwards by the same angle.
        (32, 0, 20.0, (0.0, 19.225234, 5.512747)),
        # azimuth −16°, zenith 15.5°: 20·0.2756374·cos 15.5° (0.9636305), −20·sin 15.5° (0.2672384).
        (0, 63, 20.0, (5.312251, 18.526021, -5.344768)),
        # azimuth 4°, zenith −6°: −30·0.0697565·0.9945219, 30·0.9975641·0.9945219, 30·0.1045285.
        (40, 20, 30.0, (-2.081230, 29.762979, 3.135854)),
        # azimuth 15.5°, zenith 15.5°: −10·0.2672384·0.9636305, 10·0.9636305², −10·0.2672384.
        (63, 63, 10.0, (-2.575190, 9.285836, -2.672384)),
    ],
)
def test_points_calculated_by_hand(
    row: int, column: int, distance: float, point: tuple[float, float, float]
) -> None:
    ranges = np.full((2, 64, 64), 50, np.float32)
    ranges[1, row, column] = distance
    points = spherical_points(ranges, ANGLES, ANGLES)
    assert points.shape == (2, 3, 64, 64)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[1, :, row, column], point, atol=5e-6)


def test_azimuth_is_of_rows_and_zenith_of_columns_where_they_are_not_equally_many() -> None:
    ranges = random_ranges(2, (5, 9))
    azimuth, zenith = angles(5, 3.0), angles(9, 1.0)
    points = spherical_points(ranges, azimuth, zenith)
    for row in range(5):
        for column in range(9):
            az, ze = float(azimuth[row]), float(zenith[column])
            ray = (math.sin(-az) * math.cos(-ze), math.cos(-az) * math.cos(-ze), math.sin(-ze))
            expected = ranges[:, row, column, None] * np.array(ray)
            np.testing.assert_allclose(points[:, :, row, column], expected, rtol=1e-6, atol=1e-5)


def test_the_notebook_uses_one_angle_for_the_whole_map() -> None:
    """Id 5 has azimuth and zenith (5 − 32)·0.5° = −13.5°, whatever the cell."""
    ranges = random_ranges(1)
    points = notebook_points(ranges, np.array([5]), REAL)[0]
    sine, cosine = math.sin(math.radians(13.5)), math.cos(math.radians(13.5))
    for channel, factor in enumerate((sine * cosine, cosine * cosine, sine)):
        np.testing.assert_allclose(points[channel], ranges[0] * factor, rtol=1e-6)


def test_the_notebooks_angles_are_looked_up_apart_where_they_are_not_equally_many() -> None:
    """Id 6 of 5 rows and 9 columns: no azimuth any more, but the zenith (6 − 4)·0.5° = 1°."""
    ranges = random_ranges(1, (5, 9))
    x, y, z = notebook_points(ranges, np.array([6]), geometry((5, 9), (64, 64)))[0]
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_allclose(y, ranges[0] * math.cos(math.radians(1)), rtol=1e-6)
    np.testing.assert_allclose(z, -ranges[0] * math.sin(math.radians(1)), rtol=1e-6)


def test_projections_are_what_the_params_say() -> None:
    ranges = random_ranges(3)
    spherical = maps_of(ranges, params(), first_id=62)[:, :3]
    np.testing.assert_array_equal(spherical, spherical_points(ranges, ANGLES, ANGLES))
    notebook = maps_of(ranges, params(projection="notebook"), first_id=62)[:, :3]
    np.testing.assert_array_equal(notebook, notebook_points(ranges, np.array([62, 63, 64]), REAL))


# --- Mask and background ---


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("max_range", [50.0, 50.1, 33.3])
def test_the_mask_is_where_the_range_is_below_the_largest(
    normalize: bool, max_range: float
) -> None:
    largest = np.float32(max_range)
    values = [0.0, 1.0, 30.0, np.nextafter(largest, np.float32(0)), largest]
    ranges = np.resize(np.array(values, np.float32), (1, 64, 64))
    maps = maps_of(ranges, params(normalize=normalize), replace(REAL, max_range=max_range))
    np.testing.assert_array_equal(maps[0, 3], ranges[0] != largest)


def test_normalized_maps_are_in_units_of_the_largest_range_with_background_0() -> None:
    ranges = random_ranges(2)
    maps = maps_of(ranges, params(normalize=True))
    hit = ranges < 50
    points = np.moveaxis(spherical_points(ranges, ANGLES, ANGLES), 1, -1)
    normalized = np.moveaxis(maps[:, :3], 1, -1)
    np.testing.assert_allclose(normalized[hit], points[hit] / 50, rtol=1e-6)
    np.testing.assert_array_equal(normalized[~hit], 0)
    assert maps.dtype == np.float32
    assert np.abs(maps).max() <= 1


def test_other_maps_are_in_metres_with_background_at_the_largest_range() -> None:
    ranges = random_ranges(2)
    maps = maps_of(ranges, params(normalize=False))
    np.testing.assert_array_equal(maps[:, :3], spherical_points(ranges, ANGLES, ANGLES))
    distance = np.linalg.norm(maps[:, :3], axis=1)
    np.testing.assert_allclose(distance[ranges == 50], 50, rtol=1e-6)
    assert maps.dtype == np.float32


@pytest.mark.parametrize("align", ALIGNS)
@pytest.mark.parametrize("normalize", [True, False])
def test_maps_do_not_depend_on_their_batch_and_leave_the_ranges_alone(
    align: Align, normalize: bool
) -> None:
    ranges = random_ranges(4)
    ranges.flags.writeable = False
    together = maps_of(ranges, params(align, normalize))
    assert together.shape == (4, 4, 64, 64)
    for index in range(4):
        alone = maps_of(ranges[index : index + 1], params(align, normalize), first_id=index)
        np.testing.assert_array_equal(alone[0], together[index])


# --- Rotation ---


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("projection", ["spherical", "notebook"])
def test_rotate_is_a_number_of_clockwise_quarter_turns(turns: int, projection: Projection) -> None:
    ranges = random_ranges(2)
    sensors = replace(REAL, quarter_turns=turns)
    plain = maps_of(ranges, params("none", projection=projection), sensors)
    turned = maps_of(ranges, params("rotate", projection=projection), sensors)
    for sample, expected in zip(turned, plain, strict=True):
        for channel in range(4):
            np.testing.assert_array_equal(sample[channel], np.rot90(expected[channel], -turns))
    np.testing.assert_array_equal(plain, maps_of(ranges, params(projection=projection)))


def test_one_turn_brings_the_first_row_to_the_right() -> None:
    """Row 0 is azimuth −16°, what lies to the right; column 0 is what lies above."""
    ranges = np.full((1, 64, 64), 50, np.float32)
    ranges[0, 0, 5] = 20
    mask = maps_of(ranges, params("rotate"))[0, 3]
    assert np.argwhere(mask).tolist() == [[5, 63]]


# --- The camera's frame ---

MANY = draw_scenes(20, range(300))


def in_both_views(scenes: Scenes) -> NDArray[np.bool_]:
    """Spheres that lie with their whole outline in what the LiDAR and the camera see."""
    x, y, z = scenes.centre_n3.T
    ahead = np.hypot(x, y)
    inside = np.ones(len(x), np.bool_)
    for angle, half in (
        (-np.arctan2(x, y), np.arcsin(RADIUS / ahead)),
        (-np.arctan2(z, ahead), np.arcsin(RADIUS / np.hypot(ahead, z))),
    ):
        inside &= (angle - half > ANGLES[0]) & (angle + half < ANGLES[-1])
    edge = FOCAL_LENGTH * np.tan(np.arctan2(np.abs([x, z]), y) + np.arcsin(RADIUS / ahead)) < 32
    return np.asarray(inside & edge.all(0))


def overlaps(align: Align) -> NDArray[np.float64]:
    """Intersection over union of silhouette and LiDAR mask, per sphere in both views."""
    seen = silhouettes("spheres", MANY)
    mask = maps_of(lidar_ranges("spheres", MANY), params(align, normalize=True))[:, 3] > 0
    union = (seen | mask).sum((1, 2))
    return np.asarray(((seen & mask).sum((1, 2)) / union)[in_both_views(MANY)])


def test_camera_alignment_puts_a_sphere_on_its_silhouette() -> None:
    """Smallest 0.82, median 0.93 of these 285 spheres."""
    overlap = overlaps("camera")
    assert len(overlap) > 250
    assert overlap.min() >= 0.8
    assert np.median(overlap) >= 0.9


@pytest.mark.parametrize("align", ["none", "rotate"])
def test_without_it_no_sphere_lies_on_its_silhouette(align: Align) -> None:
    """Medians 0 as stored and 0.19 turned, largest 0.40 and 0.43."""
    overlap = overlaps(align)
    assert overlap.max() < 0.8
    assert np.median(overlap) < 0.3


@pytest.mark.parametrize("shape", ["cubes", "spheres"])
def test_aligned_points_lie_where_their_pixel_looks(shape: Literal["cubes", "spheres"]) -> None:
    """Half a step of the LiDAR, 0.25°, is 0.32 pixels in the image's middle, more off it."""
    maps = maps_of(lidar_ranges(shape, MANY), params("camera"))
    _, row, column = np.nonzero(maps[:, 3])
    x, y, z = np.moveaxis(maps[:, :3], 1, 0)[:, maps[:, 3] > 0]
    right = np.abs(32 + FOCAL_LENGTH * x / y - (column + 0.5))
    down = np.abs(32 - FOCAL_LENGTH * z / y - (row + 0.5))
    assert len(x) > 10_000
    assert max(right.max(), down.max()) < 0.4
    assert right.mean() < 0.2


@pytest.mark.parametrize(
    ("lidar_size", "image_size", "focal_length"),
    [((64, 64), (64, 64), 73.3), ((40, 24), (64, 64), 73.3), ((64, 64), (32, 96), 60.0),
     ((33, 65), (128, 64), 150.0)],
)  # fmt: skip
@pytest.mark.parametrize("flipped", [(1, 1), (-1, 1), (1, -1)])
def test_every_pixel_in_view_gets_the_nearest_ray(
    lidar_size: tuple[int, int],
    image_size: tuple[int, int],
    focal_length: float,
    flipped: tuple[int, int],
) -> None:
    """Sizes, focal lengths and angles that grow or fall, against a search through all rays."""
    sensors = geometry(lidar_size, image_size, focal_length=focal_length)
    rows, columns = flipped
    sensors = replace(sensors, azimuth=sensors.azimuth[::rows], zenith=sensors.zenith[::columns])
    cells, inside = camera_cells(sensors)
    assert cells.shape == inside.shape == image_size
    height, width = image_size
    down, right = np.indices(image_size) + 0.5
    look = np.stack([right - width / 2, np.full(image_size, focal_length), height / 2 - down], -1)
    azimuth = -np.arctan2(look[..., 0], look[..., 1])
    zenith = -np.arcsin(look[..., 2] / np.linalg.norm(look, axis=-1))
    row, column = np.divmod(cells, lidar_size[1])
    outside = np.zeros(image_size, np.bool_)
    for wanted, angle, cell in ((azimuth, sensors.azimuth, row), (zenith, sensors.zenith, column)):
        off = np.abs(angle.astype(np.float64)[:, None, None] - wanted)
        chosen = np.take_along_axis(off, cell[None], 0)[0]
        np.testing.assert_allclose(chosen, off.min(0), atol=1e-7)
        outside |= off.min(0) > math.radians(0.25) + 1e-6
    np.testing.assert_array_equal(inside, ~outside)
    assert inside.any()


@pytest.mark.parametrize("flipped", [1, -1])
def test_azimuths_may_be_of_any_turn(flipped: int) -> None:
    """As of a sensor that counts from 0° to 360°: left of ahead is 5°, right of it 355°."""
    sensors = geometry((40, 24), (64, 64))
    sensors = replace(sensors, azimuth=sensors.azimuth[::flipped])
    cells, inside = camera_cells(sensors)
    turned = np.where(sensors.azimuth < 0, sensors.azimuth + 2 * np.pi, sensors.azimuth)
    assert np.ptp(turned) > 6
    for azimuth in (turned, turned - 2 * np.pi):
        other = camera_cells(replace(sensors, azimuth=azimuth.astype(np.float32)))
        np.testing.assert_array_equal(other[0][inside], cells[inside])
        np.testing.assert_array_equal(other[1], inside)


def test_past_the_lidars_view_nothing_is_known() -> None:
    ranges = np.full((1, 64, 64), 20, np.float32)
    maps = maps_of(ranges, params("camera", normalize=True))[0]
    _, inside = camera_cells(REAL)
    assert 0.3 < inside.mean() < 0.6
    np.testing.assert_array_equal(maps[3] > 0, inside)
    np.testing.assert_array_equal(maps[:, ~inside], 0)


# --- Other sizes ---


@pytest.mark.parametrize("align", ALIGNS)
@pytest.mark.parametrize("lidar_size", [(64, 64), (32, 48), (7, 5), (100, 130), (1, 1)])
@pytest.mark.parametrize("image_size", [(32, 64), (16, 16)])
def test_maps_of_any_size_come_onto_the_images_grid(
    align: Align, lidar_size: tuple[int, int], image_size: tuple[int, int]
) -> None:
    ranges = random_ranges(2, lidar_size)
    maps = maps_of(ranges, params(align, normalize=True), geometry(lidar_size, image_size))
    assert maps.shape == (2, 4, *image_size)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()


def test_a_smaller_map_is_repeated_and_a_larger_one_thinned() -> None:
    ranges = random_ranges(2, (16, 64))
    sensors = geometry((16, 64), (32, 16))
    points = spherical_points(ranges, sensors.azimuth, sensors.zenith)
    maps = maps_of(ranges, params(), sensors)
    # Of four columns the one right of the middle.
    np.testing.assert_array_equal(maps[:, :3], points.repeat(2, axis=2)[..., 2::4])


def test_a_turned_map_is_turned_before_it_is_brought_onto_the_grid() -> None:
    ranges = random_ranges(1, (16, 32))
    sensors = geometry((16, 32), (64, 32))
    maps = maps_of(ranges, params("rotate"), sensors)[0]
    expected = np.rot90(ranges[0] < 50, -1).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(maps[3] > 0, expected)


@pytest.mark.parametrize("count", [1, 5, 16, 17, 100])
def test_grid_cells_are_those_at_the_same_relative_place(count: int) -> None:
    cells = grid_cells(geometry((count, count), (16, 48)), (count, count))
    rows, columns = np.divmod(cells, count)
    for indices, wanted in ((rows[:, 0], 16), (columns[0], 48)):
        middle = (np.arange(wanted) + 0.5) / wanted
        assert ((indices <= middle * count) & (middle * count <= indices + 1)).all()
    assert (rows == rows[:, :1]).all()
    assert (columns == columns[:1]).all()


# --- Batches ---


def samples_with(ids: list[str]) -> Samples:
    return Samples(
        rgb=np.zeros((len(ids), 64, 64, 3), np.uint8),
        lidar=random_ranges(len(ids)),
        azimuth=ANGLES,
        zenith=ANGLES,
        table=table_of(ids, [0] * len(ids)),
        dataset=dataset_of(
            synthetic=False, max_range=MAX_RANGE, focal_length=FOCAL_LENGTH, quarter_turns=1
        ),
    )


@pytest.mark.parametrize("align", ALIGNS)
def test_a_batch_holds_the_maps_of_its_rows(align: Align) -> None:
    samples = samples_with(["0004", "0063", "9000"])
    chosen = samples.table.iloc[[2, 0]]
    for projection in ("spherical", "notebook"):
        how = LidarParams(projection=projection, align=align, normalize=True)
        batch = lidar_batch(samples, chosen, how)
        expected = lidar_maps(samples.lidar[[2, 0]], np.array([9000, 4]), REAL, how)
        assert batch.dtype == torch.float32
        np.testing.assert_array_equal(batch.numpy(), expected)


@pytest.mark.parametrize("key", ["a7", "", "-1", "1.5", "0x1", "²", "1 2"])
def test_ids_that_are_no_numbers_are_refused_by_the_notebooks_projection_only(key: str) -> None:
    samples = samples_with(["0001", key])
    assert lidar_batch(samples, samples.table, params()).shape == (2, 4, 64, 64)
    with pytest.raises(ParamsError) as caught:
        lidar_batch(samples, samples.table, params(projection="notebook"))
    assert "lidar.projection = 'notebook'" in str(caught.value)
    assert f"'{key}'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["64", "20240131120000", "1706702400123456789", "9" * 30])
def test_large_ids_have_no_angle_in_the_notebooks_projection(key: str) -> None:
    samples = samples_with(["0001", key])
    maps = lidar_batch(samples, samples.table, params(projection="notebook")).numpy()
    np.testing.assert_array_equal(maps[1, [0, 2]], 0)
    np.testing.assert_array_equal(maps[1, 1], samples.lidar[1])
    assert (maps[0, 0] != 0).all()


def test_unnormalised_pixels_past_the_field_of_view_are_background_at_the_maximum_range() -> None:
    """As where nothing came back; a point at the sensor itself would be a return."""
    geometry = LidarGeometry(ANGLES, ANGLES, 50.0, 20.0, (64, 64), 1)
    ranges = np.full((1, 64, 64), 50, np.float32)
    maps = lidar_maps(
        ranges, np.zeros(1, np.int64), geometry, params(align="camera", normalize=False)
    )
    _, inside = camera_cells(geometry)
    assert not inside.all()
    np.testing.assert_allclose(np.linalg.norm(maps[0, :3], axis=0), 50, rtol=1e-5)
    assert not maps[0, 3].any()

import io
import math
import os
import subprocess
import sys
import zipfile
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.synthetic.made_up import EASY, synthesize_params
from tests.synthetic.silhouettes import silhouettes

from fusebench.config import load_section
from fusebench.errors import ParamsError
from fusebench.synthetic import archive as synthetic
from fusebench.synthetic import render
from fusebench.synthetic.archive import write_archive
from fusebench.synthetic.render import (
    MAX_RANGE,
    RADIUS,
    Scenes,
    Shape,
    lidar_angles,
    lidar_ranges,
    rgb_images,
)
from fusebench.synthetic.settings import SynthesizeParams
from fusebench.synthetic.tasks.shape import draw_scenes

Floats = NDArray[np.float64]

SHAPES: tuple[Shape, ...] = ("cubes", "spheres")
SEED = 20
MANY = 1000
SCRIPT = Path(synthetic.__file__).parents[2] / "synthesize.py"


def params(cubes: int = 3, spheres: int = 2, seed: int = SEED) -> SynthesizeParams:
    return synthesize_params("shape", {"cubes": cubes, "spheres": spheres}, seed)


def scene_at(x: float, y: float, z: float) -> Scenes:
    """One scene whose cube is not rotated."""
    return Scenes(np.array([[x, y, z]]), np.ones((1, 3)), np.eye(3)[None], np.array([RADIUS]))


def points(ranges: NDArray[np.float32]) -> Floats:
    """Points (n, 64, 64, 3) of LiDAR maps, by the formula of the sensor's description."""
    angles = lidar_angles().astype(np.float64)
    azimuth, zenith, distance = angles[:, None], angles[None, :], ranges.astype(np.float64)
    return np.stack(
        [
            distance * np.sin(-azimuth) * np.cos(-zenith),
            distance * np.cos(-azimuth) * np.cos(-zenith),
            distance * np.sin(-zenith) * np.ones_like(azimuth),
        ],
        axis=-1,
    )


def mean_place(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


# --- The archive ---


def test_same_params_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("first", SEED), ("second", SEED), ("other", SEED + 1)):
        write_archive(tmp_path / name, params(seed=seed))
    first, second, other = ((tmp_path / n).read_bytes() for n in ("first", "second", "other"))
    assert first == second
    assert first != other


def test_the_archive_is_that_of_earlier_versions(tmp_path: Path) -> None:
    """Digest of what the code wrote before the rooms were moved: old results stay comparable.

    Members are taken unpacked: the packed bytes differ between builds of zlib.
    """
    write_archive(tmp_path / "demo.zip", params(cubes=3, spheres=2))
    digest = blake2b(digest_size=16)
    with zipfile.ZipFile(tmp_path / "demo.zip") as archive:
        digest.update(archive.comment)
        for member in archive.infolist():
            content = archive.read(member)
            if member.filename.endswith(".png"):
                content = np.asarray(Image.open(io.BytesIO(content))).tobytes()
            head = (member.filename, member.date_time, member.compress_type, member.external_attr)
            digest.update(repr(head).encode() + content)
    assert digest.hexdigest() == "e1b8dd2d924a49022d986a87c9a30d37"


@pytest.mark.parametrize("shape", SHAPES)
def test_members_have_the_real_types_and_values(tmp_path: Path, shape: Shape) -> None:
    write_archive(tmp_path / "demo.zip", params())
    with zipfile.ZipFile(tmp_path / "demo.zip") as archive:
        image = Image.open(io.BytesIO(archive.read(f"assessment/{shape}/rgb/0001.png")))
        ranges, azimuth, zenith = (
            np.load(io.BytesIO(archive.read(f"assessment/{shape}/{name}.npy")))
            for name in ("lidar/0001", "azimuth", "zenith")
        )
    scenes = draw_scenes(SEED, [1])
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (64, 64))
    np.testing.assert_array_equal(np.asarray(image), rgb_images(shape, scenes)[0])
    assert (ranges.dtype, ranges.shape) == (np.float32, (64, 64))
    np.testing.assert_array_equal(ranges, lidar_ranges(shape, scenes)[0])
    for angles in (azimuth, zenith):
        assert (angles.dtype, angles.shape) == (np.float32, (64,))
        np.testing.assert_allclose(np.degrees(angles), np.arange(-16, 16, 0.5), atol=1e-6)


def test_a_sample_does_not_depend_on_the_counts(tmp_path: Path) -> None:
    write_archive(tmp_path / "few.zip", params(cubes=3, spheres=2))
    write_archive(tmp_path / "more.zip", params(cubes=70, spheres=5))
    with (
        zipfile.ZipFile(tmp_path / "few.zip") as few,
        zipfile.ZipFile(tmp_path / "more.zip") as more,
    ):
        assert len(more.namelist()) == 2 * (70 + 5) + 4
        for name in few.namelist():
            assert few.read(name) == more.read(name)


def test_a_failed_write_leaves_the_old_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demo.zip"
    path.write_bytes(b"old")
    left = 3
    encode = synthetic._png

    def interrupted(image: NDArray[np.uint8]) -> bytes:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return encode(image)

    monkeypatch.setattr(synthetic, "_png", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_archive(path, params())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# --- The params ---


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            "{cubes: 1.5, spheres: 2}",
            "synthesize.counts: {'cubes': 1.5, 'spheres': 2}: must be auto",
        ),
        ("{cubes: 1}", "synthesize.counts = {'cubes': 1}: task 'shape' has the classes cubes and "),
        ("{cube: 1, spheres: 1}", "synthesize.counts = {'cube': 1, 'spheres': 1}: task 'shape' ha"),
        (
            "{cubes: 0, spheres: 1}",
            "synthesize.counts: {'cubes': 0, 'spheres': 1}: must be auto, or ",
        ),
        (
            "{cubes: 10000, spheres: 1}",
            "synthesize.counts: {'cubes': 10000, 'spheres': 1}: must be ",
        ),
        ("5", "synthesize.counts: 5: must be auto, or a whole number of 1 to 9999 for each class"),
    ],
)
def test_wrong_counts_are_refused(tmp_path: Path, counts: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        f"synthesize: {{task: shape, counts: {counts}, difficulty: {EASY}, seed: 1}}\n", "utf-8"
    )
    with pytest.raises(ParamsError) as caught:
        load_section(path, "synthesize", SynthesizeParams)
    assert str(caught.value).startswith(f"{path}: {message}")


# --- The draw ---


def test_a_scene_is_a_function_of_seed_and_id_alone() -> None:
    alone, among = draw_scenes(SEED, [7]), draw_scenes(SEED, [3, 7, 1234])
    for name in ("centre_n3", "colour_n3", "turn_n33"):
        np.testing.assert_array_equal(getattr(alone, name)[0], getattr(among, name)[1])
        assert not np.array_equal(getattr(among, name)[0], getattr(among, name)[1])
        assert not np.array_equal(getattr(alone, name), getattr(draw_scenes(SEED + 1, [7]), name))


def test_draws_have_the_described_distribution() -> None:
    scenes = draw_scenes(SEED, range(MANY))
    offset = (scenes.centre_n3 - [0, 25, 0]) / 5
    for uniform in ((offset + 1) / 2, scenes.colour_n3):
        assert uniform.min() >= 0
        assert uniform.max() <= 1
        # Standard error of a uniform mean: 1 / sqrt(12 n).
        np.testing.assert_allclose(uniform.mean(0), 0.5, atol=4 / math.sqrt(12 * MANY))
    identity = np.broadcast_to(np.eye(3), (MANY, 3, 3))
    turned = scenes.turn_n33 @ scenes.turn_n33.transpose(0, 2, 1)
    np.testing.assert_allclose(turned, identity, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(scenes.turn_n33), 1, atol=1e-12)
    # Each entry of a uniformly random rotation has mean 0 and variance 1/3.
    np.testing.assert_allclose(scenes.turn_n33.mean(0), 0, atol=4.5 / math.sqrt(3 * MANY))
    np.testing.assert_allclose((scenes.turn_n33**2).mean(0), 1 / 3, atol=0.045)


def test_samples_of_one_id_share_centre_and_colour() -> None:
    scenes = draw_scenes(SEED, range(200))
    cubes, spheres = (rgb_images(shape, scenes)[..., :3] for shape in SHAPES)
    full = np.rint(255 * scenes.colour_n3 ** (1 / 2.2))
    brightest = spheres.max(axis=(1, 2))
    np.testing.assert_array_equal(brightest, full)
    assert (cubes.max(axis=(1, 2)) <= full).all()
    # A cube has the colour of the sphere of its id, darkened: equally in every channel.
    ratio = cubes.max(axis=(1, 2)) / full
    bright = (ratio.max(1) > 0.3) & (full.min(1) > 100)
    assert bright.sum() > 50
    # Both are rounded to whole steps, which is up to 1 in 100 for each channel.
    np.testing.assert_allclose(ratio[bright].max(1), ratio[bright].min(1), atol=0.02)
    for cube, sphere in zip(*(silhouettes(s, scenes) for s in SHAPES), strict=True):
        np.testing.assert_allclose(mean_place(cube), mean_place(sphere), atol=1.0)


# --- The LiDAR ---


def test_hits_of_a_sphere_lie_on_it() -> None:
    scenes = draw_scenes(SEED, range(100))
    ranges = lidar_ranges("spheres", scenes)
    hit = ranges < MAX_RANGE
    distance = np.linalg.norm(points(ranges) - scenes.centre_n3[:, None, None], axis=-1)
    np.testing.assert_allclose(distance[hit], RADIUS, atol=2e-5)
    assert (ranges[~hit] == 50.0).all()


def test_hits_of_a_cube_lie_on_its_faces() -> None:
    scenes = draw_scenes(SEED, range(100))
    ranges = lidar_ranges("cubes", scenes)
    hit = ranges < MAX_RANGE
    offset = points(ranges) - scenes.centre_n3[:, None, None]
    own = np.abs(np.einsum("nhwi,nij->nhwj", offset, scenes.turn_n33))
    # The farthest of the three coordinates is on a face, so the others are inside it.
    np.testing.assert_allclose(own.max(-1)[hit], RADIUS, atol=2e-5)
    assert (ranges[~hit] == 50.0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_hits_are_the_near_side_and_none_is_missed(shape: Shape) -> None:
    """Every ray of the map, by a search along it that knows only what is inside the object."""
    scenes = draw_scenes(SEED, range(4))
    ranges = lidar_ranges(shape, scenes)
    directions = points(np.ones((1, 64, 64), np.float32))[0]
    for index, (centre, turn) in enumerate(zip(scenes.centre_n3, scenes.turn_n33, strict=True)):
        first = np.full((64, 64), np.inf)
        middle = float(np.linalg.norm(centre))
        for step in np.arange(middle - 2.7, middle + 2.7, 0.05):
            own = (directions * step - centre) @ turn
            inside = (
                (np.abs(own) < RADIUS).all(-1)
                if shape == "cubes"
                else np.linalg.norm(own, axis=-1) < RADIUS
            )
            first = np.where(inside & np.isinf(first), step, first)
        met = np.isfinite(first)
        assert (ranges[index][met] <= first[met] + 1e-5).all()
        # The search steps over chords shorter than a step, so the map may have a few rays more.
        assert 0 <= (ranges[index] < MAX_RANGE).sum() - met.sum() <= 12
        near_side = ranges[index][met] >= first[met] - 0.05 - 1e-5
        assert near_side.mean() > 0.97


# --- The two sensors against each other ---


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quarter_turn_gives_a_map_the_orientation_of_the_image(shape: Shape) -> None:
    up_right = scene_at(3, 25, 2)
    ranges, image = lidar_ranges(shape, up_right)[0], silhouettes(shape, up_right)[0]
    row, column = mean_place(image)
    assert row < 31 < 33 < column
    turned_row, turned_column = mean_place(np.rot90(ranges, -1) < MAX_RANGE)
    assert turned_row < 31 < 33 < turned_column
    untouched_row, untouched_column = mean_place(ranges < MAX_RANGE)
    assert not (untouched_row < 31 and untouched_column > 33)


@pytest.mark.parametrize("shape", SHAPES)
def test_hits_projected_into_the_camera_fall_on_the_silhouette(shape: Shape) -> None:
    scenes = draw_scenes(SEED, range(100))
    ranges, seen = lidar_ranges(shape, scenes), silhouettes(shape, scenes)
    x, y, z = np.moveaxis(points(ranges), -1, 0)
    row = np.floor(32 - render.FOCAL_LENGTH * z / y).astype(int)
    column = np.floor(32 + render.FOCAL_LENGTH * x / y).astype(int)
    scene, *_ = np.nonzero(ranges < MAX_RANGE)
    hit = ranges < MAX_RANGE
    on = seen[scene, row[hit], column[hit]]
    # The rest falls on pixels of the rim whose centre is just off the object.
    assert on.mean() > 0.9
    around = seen.copy()
    for axis in (1, 2):
        around |= np.roll(around, 1, axis) | np.roll(around, -1, axis)
    assert around[scene, row[hit], column[hit]].all()


# --- The image ---


def test_light_comes_from_the_upper_left() -> None:
    image = rgb_images("spheres", scene_at(0, 25, 0))[0, ..., 0]
    lit = image > 0
    row, column = mean_place(lit)
    assert row < 31.5 < 32 < 63 - column
    seen = silhouettes("spheres", scene_at(0, 25, 0))[0]
    # The light is at right angles to the view, so half of the disc is dark.
    assert lit[seen].mean() == pytest.approx(0.5, abs=0.12)


def test_a_face_is_lit_by_its_angle_to_the_light() -> None:
    """A straight cube right of and below the middle shows its front, left and upper faces."""
    image = rgb_images("cubes", scene_at(5, 20, -5))[0, ..., 0]
    values, counts = np.unique(image[image > 0], return_counts=True)
    # Left and top face the light at 45°: 3·cos 45° is cut to 1. The front is at 90°: black.
    assert values[counts.argmax()] == 255
    centre = (32 + round(73.3 * 5 / 18.5), 32 + round(73.3 * 5 / 18.5))
    assert image[centre] == 0
    assert silhouettes("cubes", scene_at(5, 20, -5))[0][centre]


def test_dim_faces_follow_the_gamma() -> None:
    tilt = math.radians(83)
    # The cube's own second axis, turned so that its front faces the light at 83°.
    normal = math.cos(tilt) * np.array([-1, 0, 1]) / math.sqrt(2) - math.sin(tilt) * np.array(
        [0, 1, 0]
    )
    side = np.cross(normal, [0, 0, 1])
    side /= np.linalg.norm(side)
    turn = np.stack([side, -normal, np.cross(side, -normal)], axis=-1)
    colour = np.array([[0.2, 0.5, 0.9]])
    image = rgb_images(
        "cubes", Scenes(np.array([[0.0, 25.0, 0.0]]), colour, turn[None], np.array([RADIUS]))
    )[0]
    expected = 255 * (3 * math.cos(tilt) * colour[0]) ** (1 / 2.2)
    np.testing.assert_allclose(image[32, 32, :3], expected, atol=0.51)


@pytest.mark.parametrize("shape", SHAPES)
def test_images_are_black_and_opaque_outside_the_object(shape: Shape) -> None:
    scenes = draw_scenes(SEED, range(100))
    images, seen = rgb_images(shape, scenes), silhouettes(shape, scenes)
    assert images.dtype == np.uint8
    assert (images[..., 3] == 255).all()
    lit = images[..., :3].any(-1)
    rim = seen.copy()
    for axis in (1, 2):
        rim |= np.roll(rim, 1, axis) | np.roll(rim, -1, axis)
    assert not (lit & ~rim).any()
    assert (seen & ~lit).any()
    assert (seen.sum((1, 2)) > 30).all()


# --- What the real set's simulation measures ---


@pytest.fixture(scope="module")
def many() -> dict[Shape, tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    batches = [draw_scenes(SEED, range(first, first + 50)) for first in range(0, MANY, 50)]
    return {
        shape: (
            np.concatenate([rgb_images(shape, scenes) for scenes in batches]),
            np.concatenate([lidar_ranges(shape, scenes) for scenes in batches]),
        )
        for shape in SHAPES
    }


Many = dict[Shape, tuple[NDArray[np.uint8], NDArray[np.float32]]]


def median_error(values: NDArray[np.int64]) -> float:
    """Four standard errors of a median, and one because the published one is rounded."""
    return 4 * 1.2533 * float(values.std()) / math.sqrt(len(values)) + 1


@pytest.mark.parametrize(("shape", "hits", "lit"), [("cubes", 276, 72), ("spheres", 147, 38)])
def test_objects_have_the_real_sizes(many: Many, shape: Shape, hits: int, lit: int) -> None:
    images, ranges = many[shape]
    for measured, expected in (
        ((ranges < MAX_RANGE).sum((1, 2)), hits),
        (images[..., :3].any(-1).sum((1, 2)), lit),
    ):
        assert np.median(measured) == pytest.approx(expected, abs=median_error(measured))


@pytest.mark.parametrize(
    ("shape", "mean", "deviation"), [("cubes", 0.0092, 0.076), ("spheres", 0.0047, 0.055)]
)
def test_pixels_have_the_real_mean_and_deviation(
    many: Many, shape: Shape, mean: float, deviation: float
) -> None:
    pixels = many[shape][0][..., :3] / 255
    for moment, expected in ((1, mean), (2, mean**2 + deviation**2)):
        per_image = (pixels**moment).mean((1, 2, 3))
        error = 4 * per_image.std() / math.sqrt(MANY) + 0.02 * expected
        assert per_image.mean() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(("shape", "low", "high"), [("cubes", 0.17, 0.20), ("spheres", 0.05, 0.05)])
def test_the_real_share_leaves_the_field_of_view(
    many: Many, shape: Shape, low: float, high: float
) -> None:
    hit = many[shape][1] < MAX_RANGE
    touching = (hit[:, [0, -1]].any((1, 2)) | hit[:, :, [0, -1]].any((1, 2))).mean()
    error = 4 * math.sqrt(high * (1 - high) / MANY)
    assert low - error <= touching <= high + error


def test_hits_times_squared_range_separate_the_classes(many: Many) -> None:
    """On clean data one threshold is enough, as on the real set, if the object is in view."""
    size = {}
    for shape in SHAPES:
        ranges = many[shape][1]
        hit = ranges < MAX_RANGE
        whole = ~(hit[:, [0, -1]].any((1, 2)) | hit[:, :, [0, -1]].any((1, 2)))
        size[shape] = (hit.sum((1, 2)) * ranges.min((1, 2)) ** 2)[whole]
    assert size["spheres"].max() < size["cubes"].min()


# --- The stage ---


def run_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_stage_writes_the_archive_and_says_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        "synthesize:\n  task: shape\n  counts: {cubes: 3, spheres: 2}\n"
        f"  difficulty: {EASY}\n  seed: 20\n",
        "utf-8",
    )
    done = run_stage(tmp_path, "data/demo.zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "data/demo.zip: task shape: 3 cubes and 2 spheres, seed 20, 0.0 MB\n"
    write_archive(tmp_path / "here.zip", params())
    assert (tmp_path / "data/demo.zip").read_bytes() == (tmp_path / "here.zip").read_bytes()

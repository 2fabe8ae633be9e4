"""What LiDAR files may hold, through extraction: ranges, depth images and points."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import IDS, LIDAR_SIZE, angle_array, encoded, npy
from tests.data.clouds import WRITERS, bin_of
from tests.data.laid_out import KINDS, SETS, TABLE, Laid

from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.samples.samples import open_samples

STEP = 0.01
KEYS = [(name, key) for name, ids in IDS.items() for key in ids]
POINTS: dict[str, Any] = {"format": "points", "axes": ["-y", "x", "z"]}
DEPTH: dict[str, Any] = {"format": "depth", "step": STEP, "no_return": ["zero"]}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def steps(name: str, key: str) -> NDArray[np.uint16]:
    """A sample as steps, 0 where nothing came back."""
    number = KEYS.index((name, key))
    values = np.random.default_rng(number).integers(1, 5000, LIDAR_SIZE).astype(np.uint16)
    values[number % 6, 2:5] = 0
    return values


def ranges(name: str, key: str) -> NDArray[np.float32]:
    """The same in metres."""
    return np.asarray(steps(name, key) * STEP, np.float32)


def points(name: str, key: str) -> NDArray[np.float32]:
    """Points in the middle of the cells: x forward, y to the left, z up; NaN for no return."""
    azimuth, zenith = (angle_array(length) for length in LIDAR_SIZE)
    of_cells = ranges(name, key)
    made = [
        (distance * math.cos(down) * math.cos(left), distance * math.cos(down) * math.sin(left),
         -distance * math.sin(down))
        for row, left in zip(of_cells.tolist(), azimuth.tolist(), strict=True)
        for distance, down in zip(row, zenith.tolist(), strict=True)
    ]  # fmt: skip
    return np.where(of_cells.reshape(-1, 1) > 0, np.array(made, np.float32), np.float32("nan"))


def with_files(suffix: str, write: Callable[[str, str], bytes], layout: str) -> dict[str, bytes]:
    """A set of samples with other LiDAR files."""
    files = {name: data for name, data in SETS[layout].files.items() if "/lidar/" not in name}
    for name, key in KEYS:
        path = f"maps/{name}/{key}" if layout == "manifest" else f"{name}/lidar/{key}"
        files.pop(f"{path}.npy", None)
        files[f"{path}{suffix}"] = write(name, key)
    if layout == "manifest":
        files[TABLE] = files[TABLE].replace(b".npy", suffix.encode())
    return files


def laid_with(
    root: Path, suffix: str, write: Callable[[str, str], bytes], layout: str, kind: str
) -> Laid:
    files = with_files(suffix, write, layout)
    return Laid(root, SETS[layout]._replace(files=files), kind)


@pytest.mark.parametrize("layout", ["class_folders", "manifest"])
def test_depth_images_and_maps_of_the_same_ranges_give_the_same_samples(
    layout: str, kind: str, tmp_path: Path
) -> None:
    of_maps = laid_with(tmp_path / "a", ".npy", lambda *key: npy(ranges(*key)), layout, kind)
    of_depth = laid_with(
        tmp_path / "b", ".PNG", lambda *key: encoded(Image.fromarray(steps(*key))), layout, kind
    )
    one, other = of_maps.extract(no_return=["zero"]), of_depth.extract(**DEPTH)
    assert one == other
    assert one["lidar"]["cells_with_return"] < 95
    written, expected = of_depth.outputs(), of_maps.outputs()
    # The sensors stand in it.
    del written["samples/dataset.json"], expected["samples/dataset.json"]
    assert written == expected
    stored = open_samples(of_depth.root / "out/samples")
    for row, (name, key) in enumerate(KEYS):
        empty = np.where(ranges(name, key) == 0, np.float32(50), ranges(name, key))
        np.testing.assert_array_equal(stored.lidar[row], empty)


@pytest.mark.parametrize("layout", ["class_folders", "manifest"])
def test_points_of_every_kind_of_file_give_the_same_samples(
    layout: str, kind: str, tmp_path: Path
) -> None:
    seen = []
    for number, (suffix, write) in enumerate(WRITERS.values()):
        laid = laid_with(
            tmp_path / str(number), suffix, lambda *key, write=write: write(points(*key)), layout,
            kind,
        )  # fmt: skip
        laid.extract(**POINTS)
        seen.append(laid.outputs())
    assert all(written == seen[0] for written in seen)
    stored = open_samples(laid.root / "out/samples")
    for row, (name, key) in enumerate(KEYS):
        empty = np.where(ranges(name, key) == 0, np.float32(50), ranges(name, key))
        np.testing.assert_allclose(stored.lidar[row], empty, rtol=1e-5)


def test_files_of_points_may_be_of_several_kinds(kind: str, tmp_path: Path) -> None:
    laid = laid_with(tmp_path, ".bin", lambda *key: bin_of(points(*key)), "class_folders", kind)
    laid.extract(**POINTS)
    before = laid.outputs()
    for (name, key), (suffix, write) in zip(
        KEYS, list(WRITERS.values())[-len(KEYS) :], strict=True
    ):
        laid.write({f"{name}/lidar/{key}{suffix}": write(points(name, key))})
        if suffix == ".bin":
            continue
        # Two files of one id are no pair.
        with pytest.raises(BadSamplesError, match="more than one image or map of one id"):
            laid.extract(**POINTS)
        laid.write(
            {f"{name}/lidar/{key}{suffix}": write(points(name, key))},
            omit=[f"{name}/lidar/{key}.bin"],
        )
        laid.extract(**POINTS)
        assert laid.outputs() == before


@pytest.mark.parametrize(
    ("changes", "said"), [(DEPTH, ".png"), (POINTS, ".bin, .pcd, .ply")], ids=["depth", "points"]
)
def test_files_of_another_format_are_no_partners(
    changes: dict[str, Any], said: str, kind: str, tmp_path: Path
) -> None:
    laid = laid_with(tmp_path, ".NPZ", lambda *key: npy(ranges(*key)), "class_folders", kind)
    with pytest.raises(ArchiveError, match=r"0 map\(s\) in lidar/") as caught:
        laid.extract(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "suffix", "content", "message"),
    [
        (DEPTH, ".png", encoded(Image.fromarray(np.zeros((6, 8), np.uint8))),
         "image of mode L; must be grey with 16 bits (docs/your-data.md)"),
        (DEPTH, ".png", encoded(Image.fromarray(np.zeros((8, 6), np.uint16))),
         "shape (8, 6); must be (6, 8), as lidar.size says (docs/your-data.md)"),
        (DEPTH, ".png", encoded(Image.fromarray(np.full((6, 8), 5001, np.uint16))),
         "range 50.01; must be at most lidar.max_range 50, in metres (docs/your-data.md)"),
        (POINTS, ".bin", b"1" * 15, "15 bytes; must be a multiple of 16, and not 0: x, y, z and "
         "intensity, float32, little-endian"),
        (POINTS, ".npy", npy(np.zeros((4, 2))),
         "shape (4, 2); points must be (n, 3) or (n, 4): x, y, z and intensity"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_its_format_is_a_bad_sample(
    changes: dict[str, Any], suffix: str, content: bytes, message: str, kind: str, tmp_path: Path
) -> None:
    def write(name: str, key: str) -> bytes:
        if (name, key) == ("cubes", "0002"):
            return content
        if changes is DEPTH:
            return encoded(Image.fromarray(steps(name, key)))
        return WRITERS[suffix.lstrip(".")][1](points(name, key))

    laid = laid_with(tmp_path, suffix, write, "class_folders", kind)
    with pytest.raises(BadSamplesError) as caught:
        laid.extract(**changes)
    assert caught.value.problems == (f"cubes/lidar/0002{suffix}: {message}",)
    assert laid.outputs() == {}
    assert laid.extract(on_bad_sample="skip", **changes)["pairs"] == {"cubes": 3, "spheres": 3}


def test_stored_zeniths_that_no_point_has_are_refused(kind: str, tmp_path: Path) -> None:
    """As those that are counted from straight up: half of the map would be empty."""
    laid = laid_with(tmp_path, ".bin", lambda *key: bin_of(points(*key)), "class_folders", kind)
    for angles, said in ((np.radians(np.linspace(60, 120, 8)), "2.0944"),
                         (np.radians(np.linspace(-100, 0, 8)), "1.74533")):  # fmt: skip
        wrong = npy(angles.astype("f4"))
        laid.write({f"{name}/zenith.npy": wrong for name in IDS})
        with pytest.raises(ArchiveError) as caught:
            laid.extract(on_bad_sample="skip", **POINTS)
        assert str(caught.value) == (
            f"{laid.path}: cubes/zenith.npy: zenith {said}; must be at most π/2 where lidar.format "
            "is points: 0 is straight ahead, π/2 straight down"
        )
    down = npy(np.radians(np.linspace(-90, 90, 8)).astype("f4"))
    laid.write({f"{name}/zenith.npy": down for name in IDS})
    laid.extract(**POINTS)


def test_given_angles_are_those_of_every_class(kind: str, tmp_path: Path) -> None:
    """Then none need to be stored."""
    names = [f"{name}/{angle}.npy" for name in IDS for angle in ("azimuth", "zenith")]
    laid = Laid(tmp_path, SETS["class_folders"], kind)
    laid.extract(azimuth=[-1.5, 1], zenith=[-2, 1.5])
    before = laid.outputs()
    laid.write(omit=names)
    laid.extract(azimuth=[-1.5, 1], zenith=[-2, 1.5])
    assert laid.outputs() == before
    stored = open_samples(tmp_path / "out/samples")
    # As `angle_array` has them.
    np.testing.assert_allclose(stored.azimuth, angle_array(LIDAR_SIZE[0]), atol=1e-7)
    np.testing.assert_allclose(stored.zenith, angle_array(LIDAR_SIZE[1]), atol=1e-7)
    with pytest.raises(ArchiveError, match=r"cubes/azimuth\.npy is missing"):
        laid.extract()


def test_maps_with_a_zenith_per_row_are_turned_with_their_angles(kind: str, tmp_path: Path) -> None:
    laid = Laid(tmp_path, SETS["class_folders"], kind)
    laid.extract()
    before = open_samples(laid.root / "out/samples")
    turned = laid.extract(
        size=[6, 8], rows="zenith", azimuth=[3, -4], zenith=[-1.5, 1], quarter_turns=0
    )
    after = open_samples(laid.root / "out/samples")
    assert turned["pairs"] == {"cubes": 4, "spheres": 3}
    assert after.lidar.shape[1:] == (8, 6) == (len(after.azimuth), len(after.zenith))
    for now, was in zip(after.lidar, before.lidar, strict=True):
        np.testing.assert_array_equal(now, was.T[::-1])
    # From right to left.
    np.testing.assert_allclose(np.degrees(after.azimuth), np.linspace(-4, 3, 8), atol=1e-6)
    np.testing.assert_allclose(np.degrees(after.zenith), np.linspace(-1.5, 1, 6), atol=1e-6)

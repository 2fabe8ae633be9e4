"""KITTI's object layout: what a sample shows, against a computation of its own; what is refused."""

import csv
import gc
import io
import json
import shutil
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import EDITS, LIMITS, Edits, damaged, encoded, write_zip
from tests.data.kitti_files import (
    COLOURS,
    DONT_CARE,
    HEIGHT,
    MAX_RANGE,
    SUFFIXES,
    WIDTH,
    Block,
    Floats,
    behind,
    box_of,
    calibration,
    cloud,
    frame,
    label,
    members,
    params,
    projection,
    sensors,
    street,
    to_velodyne,
    write_folder,
)

from fusebench.data.extract import extract
from fusebench.data.kitti_objects import Camera, cut_out, decode_labels
from fusebench.data.layout import Recognised, find_layout
from fusebench.data.layouts.kitti import Kitti
from fusebench.data.opened import open_container
from fusebench.data.summary import report_lines
from fusebench.data.tree import Tree
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.samples.sensors import Sensors

TAKEN = ("size", "rows", "azimuth", "zenith", "quarter_turns", "image_size")
"""Keys of sensors that a test may change."""


class Extracted:
    """What stage extract makes of an object set."""

    def __init__(self, folder: Path, wanted: Sensors, summary: dict[str, Any]) -> None:
        self.summary, self._turns = summary, wanted.lidar.turns
        self.rgb = np.load(folder / "rgb.npy")
        self.maps = np.load(folder / "lidar.npy")
        with np.load(folder / "angles.npz") as angles:
            self.azimuth, self.zenith = angles["azimuth"], angles["zenith"]
        with (folder / "samples.csv").open(encoding="utf-8") as table:
            self.rows = list(csv.DictReader(table))
        with (folder / "skipped.csv").open(encoding="utf-8") as table:
            self.skipped = [row["problem"] for row in csv.DictReader(table)]

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]

    def upright(self, name: str) -> NDArray[np.float32]:
        """The map of a sample in the image's orientation."""
        return np.rot90(self.maps[self.ids.index(name)], -self._turns)

    def image(self, name: str) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.rgb[self.ids.index(name)]
        return found


@pytest.fixture
def taken(tmp_path: Path) -> Callable[..., Extracted]:
    """Extract files by their paths, or frames; keywords are of `params` or of `sensors`."""

    def take(content: Mapping[str, Any], **changes: Any) -> Extracted:
        files = content if isinstance(next(iter(content.values())), bytes) else members(content)
        shutil.rmtree(tmp_path / "kitti", ignore_errors=True)
        archive = write_folder(tmp_path / "kitti", files)
        of_sensors = {key: changes.pop(key) for key in tuple(changes) if key in TAKEN}
        wanted = sensors(**of_sensors)
        out = tmp_path / "samples"
        summary = extract(params(archive, **changes), wanted, out, tmp_path / "data.json")
        return Extracted(out, wanted, summary)

    return take


# --- What a sample is ---


def matrices(files: Mapping[str, bytes]) -> dict[str, Floats]:
    """The matrices of a frame as 4 × 4, read from its text."""
    found = {}
    for line in files["calib"].decode().splitlines():
        name, _, numbers = line.partition(":")
        values = np.array([float(word) for word in numbers.split()])
        if len(values):
            found[name] = np.eye(4)
            found[name][:3, : len(values) // 3] = values.reshape(3, -1)
    return found


def pixels_of(files: Mapping[str, bytes]) -> tuple[Floats, Floats, Floats]:
    """Column, row and depth of each point in the image; its direction and distance.

    By the readme of KITTI's development kit: P2 · R0_rect · Tr_velo_to_cam · point.
    """
    found = matrices(files)
    points = np.frombuffer(files["velodyne"], "<f4").reshape(-1, 4).astype(float)
    points[:, 3] = 1
    whole = found["P2"] @ found["R0_rect"] @ found["Tr_velo_to_cam"]
    column, row, depth, _ = whole @ points.T
    # The camera is where its projection is nothing.
    *_, last = np.linalg.svd(whole[:3])[2]
    distance = np.linalg.norm(points[:, :3] - last[:3] / last[3], axis=1)
    seen = np.stack([column / depth, row / depth, depth], axis=1)
    rays = np.linalg.inv(found["P2"][:3, :3]) @ [column, row, depth]
    return seen, rays.T, distance


def middle_of(line: str) -> tuple[float, float]:
    left, top, right, bottom = map(float, line.split()[4:8])
    return (left + right) / 2, (top + bottom) / 2


def by_hand(files: Mapping[str, bytes], place: int, of: Extracted) -> NDArray[np.float32]:
    """The map of an object: each point turned back by the angles of its box's middle."""
    _, rays, distance = pixels_of(files)
    column, row = middle_of(files["label_2"].decode().splitlines()[place])
    x, y, z = np.linalg.inv(matrices(files)["P2"][:3, :3]) @ [column, row, 1]
    yaw, pitch = np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))
    right = rays[:, 0] * np.cos(yaw) - rays[:, 2] * np.sin(yaw)
    ahead = rays[:, 0] * np.sin(yaw) + rays[:, 2] * np.cos(yaw)
    forward = ahead * np.cos(pitch) - rays[:, 1] * np.sin(pitch)
    up = -ahead * np.sin(pitch) - rays[:, 1] * np.cos(pitch)
    azimuth, zenith = np.arctan2(-right, forward), np.arctan2(-up, np.hypot(right, forward))
    expected = np.full((len(of.azimuth), len(of.zenith)), MAX_RANGE)
    steps = [abs(float(angles[1] - angles[0])) for angles in (of.azimuth, of.zenith)]
    for az, ze, far in zip(azimuth, zenith, distance, strict=True):
        off = np.abs(of.azimuth - az), np.abs(of.zenith - ze)
        if all(each.min() <= step / 2 for each, step in zip(off, steps, strict=True)):
            cell = off[0].argmin(), off[1].argmin()
            expected[cell] = min(expected[cell], far)
    return expected.astype(np.float32)


def test_a_map_holds_the_points_around_the_ray_through_the_middle_of_the_box(
    taken: Callable[..., Extracted],
) -> None:
    frames = street()
    found = taken(frames)
    assert len(found.ids) == 5
    for name in found.ids:
        files = frames[name[:6]]
        expected = by_hand(files, int(name[7:]), found)
        held = found.maps[found.ids.index(name)]
        # A point on the edge of two cells may fall into either.
        assert np.isclose(held, expected, atol=1e-3).mean() > 0.995, name
        assert (expected < MAX_RANGE).sum() > 50
        # The object itself is in the middle, as far as its points next to the box's middle are.
        seen, _, distance = pixels_of(files)
        off = np.abs(seen[:, :2] - middle_of(files["label_2"].decode().splitlines()[int(name[7:])]))
        near = distance[(off < 3).all(axis=1) & (seen[:, 2] > 0)].min()
        rows, columns = (size // 2 for size in held.shape)
        middle = held[rows - 2 : rows + 2, columns - 2 : columns + 2]
        assert middle.min() == pytest.approx(near, abs=0.2)


def test_a_crop_shows_the_object_and_what_is_around_it(taken: Callable[..., Extracted]) -> None:
    found = taken(street(), margin=0.5)
    for name in ("000000_01", "000007_01", "000007_02"):
        image = found.image(name).astype(int)
        # The larger side of a box takes 1 / 1.5 of the crop, its middle is the crop's.
        for number, colour in enumerate(COLOURS):
            row, column = (24 + 3 * (2 * place - 1) for place in divmod(number, 2))
            assert np.abs(image[row, column] - colour).max() < 60, (name, number)
        for corner in (image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]):
            assert (corner < 120).all()


ORIENTATIONS: list[tuple[str, int, int, int]] = [
    ("zenith", 12, -8, 0), ("zenith", -12, 8, 2), ("azimuth", -12, -8, 1), ("azimuth", 12, 8, 3),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "azimuth", "zenith", "turns"), ORIENTATIONS)
def test_after_its_quarter_turns_a_map_stands_as_the_image_does(
    taken: Callable[..., Extracted], rows: str, azimuth: int, zenith: int, turns: int
) -> None:
    """A board whose quarters are at different ranges; the last, lower right, has no point."""
    across, down = np.meshgrid(np.linspace(-0.95, 0.95, 60), np.linspace(-0.95, 0.95, 60))
    depths = {(True, True): 12.0, (False, True): 13.0, (True, False): 14.0}
    points = [
        to_velodyne(np.array([[2 + x, 0.3 + y, depths[bool(x < 0), bool(y < 0)]]]))[0]
        for x, y in zip(across.ravel(), down.ravel(), strict=True)
        if (bool(x < 0), bool(y < 0)) in depths
    ]
    middle = projection() @ [2, 0.3, 12.0, 1]
    column, row = middle[:2] / middle[2]
    box = (column - 15, row - 15, column + 15, row + 15)
    board = Block("Car", (2.0, 1.3, 12.0), (2, 0.1, 2))
    other = Block("Pedestrian", (-2.0, 1.6, 9.0), (1.8, 0.6, 0.7))
    files = frame([board, other])
    files["label_2"] = (label(board, box=box) + label(other)).encode()
    files["velodyne"] = cloud(np.array(points))
    upright = taken(
        {"7": files},
        rows=rows,
        size=[32, 48] if rows == "zenith" else [48, 32],
        azimuth=[azimuth, -azimuth],
        zenith=[zenith, -zenith],
        quarter_turns=turns,
    ).upright("7_00")
    assert upright.shape == (32, 48)
    quarters = {
        (left, upper): upright[
            slice(10, 15) if upper else slice(17, 22), slice(15, 22) if left else slice(26, 33)
        ]
        for left in (True, False)
        for upper in (True, False)
    }
    for place, quarter in quarters.items():
        returns = quarter[quarter < MAX_RANGE]
        if place in depths:
            assert len(returns) > 20
            assert returns.mean() == pytest.approx(depths[place], abs=0.4), place
        else:
            assert not len(returns)


def test_points_behind_the_camera_are_in_no_map(taken: Callable[..., Extracted]) -> None:
    """They are nearer than all else: what is thought to be in front would win its cell."""
    frames = street()
    nearest = np.linalg.norm(behind(), axis=1).min()
    assert nearest < 3
    found = taken(frames)
    assert found.maps.min() > 7
    without = {
        name: {**files, "velodyne": files["velodyne"][: -len(behind()) * 16]}
        for name, files in frames.items()
    }
    np.testing.assert_array_equal(taken(without).maps, found.maps)


def test_the_camera_is_where_the_last_column_of_p2_has_it(taken: Callable[..., Extracted]) -> None:
    """A camera two metres to the left, and one in the middle, see an object each in its middle."""
    blocks = [
        Block("Car", (0.0, 1.6, 12.0), (1.5, 1.6, 1.6)),
        Block("Pedestrian", (-3.0, 1.6, 9.0), (1.8, 0.6, 0.7)),
    ]
    for move in ((0.0, 0.0, 0.0), (2.0, 0.3, 0.5)):
        moved = projection(move)
        found = taken({"1": frame(blocks, moved)})
        upright = found.upright("1_00")
        columns = np.flatnonzero((upright[12:20] < 20).any(axis=0))
        assert abs(columns.mean() - 23.5) < 1.5, move
        # Front face: from the camera, which is farther by what P2 moves forward.
        assert upright[14:18, 22:26].min() == pytest.approx(
            np.linalg.norm([move[0], 0.8 + move[1], 11.2 + move[2]]), abs=0.35
        )


@given(
    st.floats(-0.4, 100), st.floats(-0.4, 60), st.floats(2, 40), st.floats(2, 40),
    st.floats(0, 2), st.sampled_from([(16, 16), (32, 48), (64, 64)]),
)  # fmt: skip
def test_a_crop_is_exactly_the_square_that_the_box_says(
    left: float, top: float, width: float, height: float, margin: float, size: tuple[int, int]
) -> None:
    """The image's colours are its columns and rows, and so are the crop's, between pixels too."""
    rows, columns = np.mgrid[0:120, 0:160].astype(np.uint8)
    image = Image.fromarray(np.stack([columns, rows, np.full_like(rows, 255)], axis=2))
    cut = cut_out(image, (left, top, left + width, top + height), margin, size).astype(float)
    side = max(width, height) * (1 + margin)
    for axis, (start, length, count) in enumerate(((left, width, size[1]), (top, height, size[0]))):
        middles = start + length / 2 - side / 2 + side * (np.arange(count) + 0.5) / count
        line = cut[size[0] // 2, :, 0] if axis == 0 else cut[:, size[1] // 2, 1]
        whole = cut[size[0] // 2, :, 2] if axis == 0 else cut[:, size[1] // 2, 2]
        reach = max(1.0, side / count) + 0.5
        inside = (middles > reach) & (middles < (160, 120)[axis] - 1 - reach) & (whole == 255)
        assert np.abs(line - middles)[inside].max(initial=0) <= 1


def test_beyond_the_image_a_crop_is_black() -> None:
    image = Image.fromarray(np.full((40, 60, 3), 200, np.uint8))
    cut = cut_out(image, (0, 10, 20, 30), 1.0, (40, 40))
    assert (cut[:, :9] == 0).all()
    assert (cut[2:-2, 13:] == 200).all()


# --- Which objects ---


def test_an_object_is_named_by_its_frame_and_its_frame_is_its_group(
    taken: Callable[..., Extracted],
) -> None:
    found = taken(street())
    rows = [(row["id"], row["group"], row["class"]) for row in found.rows]
    assert rows == [
        ("000000_00", "000000", "Car"), ("000007_00", "000007", "Car"),
        ("000007_02", "000007", "Car"), ("000000_01", "000000", "Pedestrian"),
        ("000007_01", "000007", "Pedestrian"),
    ]  # fmt: skip


def test_what_is_left_out_is_counted_by_its_reason(taken: Callable[..., Extracted]) -> None:
    frames = street()
    car = Block("Car", (0.0, 1.6, 24.0))
    more = [
        Block("Van", (-2.0, 1.6, 15.0)), Block("Person_sitting", (2.0, 1.6, 15.0)),
        # Only its type counts, whatever else is wrong with it.
        Block("Cyclist", (2.0, 1.6, 15.0)),
        car._replace(occluded=2), car._replace(occluded=3), car._replace(place=(0, 1.6, 60.0)),
        Block("Car", (-6.5, 1.6, 8.0)),
    ]  # fmt: skip
    assert box_of(more[-1])[1] > 0.3
    lines = [label(block) for block in more]
    lines[2] = label(more[2], truncated=-1, occluded=-1, box=(5, 5, 5, 5))
    frames["000003"] = frame(more) | {"label_2": (DONT_CARE * 3 + "".join(lines)).encode()}
    found = taken(frames | {"000004": {"image_2": b"no image, and not read"}})
    assert found.summary["passed_over"] == {
        "frames without label_2": 1,
        "regions of type DontCare": 5,
        "objects of other types than data.classes": 3,
        "objects lower than data.kitti.min_height (10 pixels)": 1,
        "objects more occluded than data.kitti.max_occlusion (1)": 2,
        "objects more truncated than data.kitti.max_truncation (0.3)": 1,
    }
    assert len(found.ids) == 5
    assert found.summary["bad_samples"] == 0
    # The bounds themselves are within.
    wider = taken(frames, max_occlusion=3, max_truncation=1.0, min_height=1.0)
    assert [name for name in wider.ids if name.startswith("000003")] == [
        "000003_06", "000003_07", "000003_08", "000003_09",
    ]  # fmt: skip


def test_testing_beside_training_and_other_cameras_are_passed_over(
    taken: Callable[..., Extracted],
) -> None:
    frames = street()
    unlabelled = {name: files | {"label_2": b""} for name, files in frames.items()}
    testing = members(unlabelled, "testing/")
    files = {
        **members(frames),
        **{name: content for name, content in testing.items() if "label_2" not in name},
        "training/image_3/000000.png": b"the right camera", "readme.txt": b"",
        "training/prev_2/000000_01.png": b"the frame before",
    }  # fmt: skip
    found = taken(files)
    assert found.summary["passed_over"] == {"regions of type DontCare": 2}
    np.testing.assert_array_equal(found.maps, taken(frames).maps)


@pytest.mark.parametrize("root", ["", "training/", "a b/KITTI/object/training/"])
def test_the_folders_may_lie_at_any_depth(taken: Callable[..., Extracted], root: str) -> None:
    assert len(taken(members(street(), root)).ids) == 5


def test_line_ends_of_windows_and_empty_lines_are_read(taken: Callable[..., Extracted]) -> None:
    plain = taken(street())
    frames = street()
    for files in frames.values():
        for kind in ("label_2", "calib"):
            files[kind] = b"\r\n" + files[kind].replace(b"\n", b"\r\n\r\n")
    found = taken(frames)
    assert found.ids == plain.ids
    np.testing.assert_array_equal(found.maps, plain.maps)
    np.testing.assert_array_equal(found.rgb, plain.rgb)


# --- As the other layouts ---


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_folder_and_a_zip_of_it_give_the_same_bits(tmp_path: Path, seed: int | None) -> None:
    frames = street() | {"000001": frame([Block("Tram", (0.0, 1.6, 15.0))])}
    folder = write_folder(tmp_path / "kitti", members(frames))
    archive = write_zip(tmp_path / "kitti.zip", members(frames), prefix="./deep/", shuffle=seed)
    made = []
    for number, source in enumerate((folder, archive)):
        out = tmp_path / str(number)
        extract(params(source), sensors(), out / "samples", out / "data.json")
        made.append(outputs(out))
    assert made[0] == made[1]
    assert {"samples/samples.csv", "samples/rgb.npy", "data.json"} <= set(made[0])


BAD: dict[str, tuple[str, bytes | None, str]] = {
    "no image": ("image_2", None, "000007.txt: this frame has no file in image_2"),
    "no points": ("velodyne", None, "000007.txt: this frame has no file in velodyne"),
    "no calibration": ("calib", None, "000007.txt: this frame has no file in calib"),
    "another image": ("image_2", b"GIF", "image_2/000007.png: not a PNG or JPEG image"),
    "a cut of points": ("velodyne", b"1234567", "000007.bin: 7 bytes; must be a multiple of 16"),
    "points of nothing": ("velodyne", b"", "velodyne/000007.bin: 0 bytes; must be"),
    "an infinite point": (
        "velodyne", np.array([np.inf, 0, 0, 0], "<f4").tobytes(), "infinite coordinate",
    ),
    "no P2": ("calib", calibration(P2=None), "000007.txt: has 0 lines 'P2:'; must have one"),
    "two P2": ("calib", calibration() + calibration(), "has 2 lines 'P2:'; must have one"),
    "a short P2": (
        "calib", calibration().replace(b"P2: 1.804000000000e+02 ", b"P2: "),
        "P2 has 11 numbers; must have 3 × 4",
    ),
    "a word in P2": ("calib", calibration().replace(b"P2: 1.8", b"P2: one"), "is no number"),
    "NaN in R0_rect": (
        "calib", calibration(R0_rect=np.full((3, 3), np.nan)), "R0_rect: 'nan' is no number",
    ),
    "infinity in P2": ("calib", calibration(np.full((3, 4), np.inf)), "P2: 'inf' is no number"),
    "a number past all": ("calib", calibration(np.full((3, 4), 1e300)), "P2 holds 1e+300; at most"),
    "a flat camera": ("calib", calibration(np.eye(3, 4) * [[9], [0], [1]]), "P2 is no camera"),
    "a mirrored camera": ("calib", calibration(projection() * [[-1], [1], [1]]), "no camera"),
    "a camera on its head": (
        "calib", calibration(projection() * [[-1], [-1], [1]]), "P2 is no camera",
    ),
    "a camera that looks back": ("calib", calibration(-projection()), "P2 is no camera"),
    "R0_rect is none": ("calib", calibration(R0_rect=2 * np.eye(3)), "rotation in R0_rect is none"),
    "R0_rect is mirrored": (
        "calib", calibration(R0_rect=np.diag([1.0, 1, -1])), "rotation in R0_rect is none",
    ),
    "Tr is empty": (
        "calib", calibration(Tr_velo_to_cam=np.zeros((3, 4))), "rotation in Tr_velo_to_cam is none",
    ),
    "of tracking": (
        "calib", calibration().replace(b"Tr_velo_to_cam", b"Tr_velo_cam"),
        "has 0 lines 'Tr_velo_to_cam:'",
    ),
    "no text": ("calib", b"\xff\xfe\x00", "calib/000007.txt: is no plain text"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "content", "message"), BAD.values(), ids=BAD)
def test_a_frame_that_lacks_something_is_told_and_by_skip_left_out(
    taken: Callable[..., Extracted], kind: str, content: bytes | None, message: str
) -> None:
    frames = street()
    if content is None:
        del frames["000007"][kind]
    else:
        frames["000007"][kind] = content
    with pytest.raises(BadSamplesError) as caught:
        taken(frames)
    for line in caught.value.problems:
        assert line.startswith("training/label_2/000007.txt")
        assert message in line
        assert line.isprintable()
    found = taken(frames, on_bad_sample="skip")
    assert found.ids == ["000000_00", "000000_01"]
    assert found.skipped == list(caught.value.problems)
    # A frame that is not whole is one bad sample; of a broken file, each object that needs it.
    assert found.summary["bad_samples"] == (1 if content is None else 3)


LABELS: dict[str, tuple[str, str]] = {
    "results": (
        label(Block("Car", (0, 1.6, 9.0))).strip() + " 0.97",
        "line 1: 16 fields, the last",
    ),
    "cut": ("Car 0.00 0 1.57 10 10 50", "line 1: 7 fields; must be 15: a type and 14 numbers"),
    "tracking": ("0 1 Car 0 0 -1.8 10 10 50 50 1 1 1 1 1 9 0", "line 1: 17 fields; must be 15"),
    "a word": ("Car 0.00 no 1.57 10 10 50 50 1 1 1 1 1 9 0", "line 1: 'no' is no number"),
    "NaN": ("Car 0.00 0 1.57 10 nan 50 50 1 1 1 1 1 9 0", "line 1: 'nan' is no number"),
    "infinity": ("Car 0.00 0 1.57 10 10 1e999 50 1 1 1 1 1 9 0", "line 1: '1e999' is no number"),
    "an underscore": ("Car 0.00 0 1.57 1_0 10 50 50 1 1 1 1 1 9 0", "line 1: '1_0' is no number"),
    "hexadecimal": ("Car 0.00 0 1.57 0x1 10 50 50 1 1 1 1 1 9 0", "line 1: '0x1' is no number"),
    "another field": ("Van 0.00 0 1.57 10 10 50 50 1 1 1 1 x 9 0", "line 1: 'x' is no number"),
    "another alphabet": ("Fußgänger 0 0 0 10 10 50 50 1 1 1 1 1 9 0", ".txt: is no plain text"),
}


@pytest.mark.parametrize(("line", "message"), LABELS.values(), ids=LABELS)
def test_labels_that_are_no_labels_are_one_bad_sample(
    taken: Callable[..., Extracted], line: str, message: str
) -> None:
    """The frame is left out as a whole: what else its file says is not known."""
    frames = street()
    frames["000007"]["label_2"] = line.encode() + b"\n" + frames["000007"]["label_2"]
    with pytest.raises(BadSamplesError) as caught:
        taken(frames)
    (problem,) = caught.value.problems
    assert problem.startswith("training/label_2/000007.txt: ")
    assert message in problem
    assert taken(frames, on_bad_sample="skip").ids == ["000000_00", "000000_01"]


OBJECTS: dict[str, tuple[dict[str, Any], str]] = {
    "no width": ({"box": (50, 10, 50, 40)}, "its box 50 10 50 40 has no area"),
    "no height": ({"box": (10, 40, 50, 40)}, "its box 10 40 50 40 has no area"),
    "turned round": ({"box": (50, 40, 10, 10)}, "its box 50 40 10 10 has no area"),
    "left of the image": (
        {"box": (-1.5, 10, 40, 60)},
        "its box -1.5 10 40 60 is not within the image of 310×94 pixels",
    ),
    "below the image": ({"box": (10, 10, 40, HEIGHT + 0.5)}, "is not within the image"),
    "far outside": ({"box": (1e9, 1e9, 2e9, 2e9)}, "is not within the image of 310×94 pixels"),
    "not said how truncated": ({"truncated": -1.0}, "truncated -1; must be 0 to 1"),
    "more than truncated": ({"truncated": 1.5}, "truncated 1.5; must be 0 to 1"),
    "not said how occluded": ({"occluded": -1}, "occluded -1; must be one of (0, 1, 2, 3)"),
    "between two": ({"occluded": 0.5}, "occluded 0.5; must be one of (0, 1, 2, 3)"),
}  # fmt: skip


@pytest.mark.parametrize(("other", "message"), OBJECTS.values(), ids=OBJECTS)
def test_an_object_that_can_be_none_is_a_bad_sample_and_others_of_its_frame_are_read(
    taken: Callable[..., Extracted], other: dict[str, Any], message: str
) -> None:
    frames = street()
    lines = frames["000007"]["label_2"].decode().splitlines(keepends=True)
    lines[1] = label(Block("Pedestrian", (-3.5, 1.7, 11.0), (1.7, 0.5, 0.6)), **other)
    frames["000007"]["label_2"] = "".join(lines).encode()
    with pytest.raises(BadSamplesError) as caught:
        taken(frames)
    (problem,) = caught.value.problems
    assert problem.startswith("training/label_2/000007.txt line 2: ")
    assert message in problem
    found = taken(frames, on_bad_sample="skip")
    assert found.ids == ["000000_00", "000007_00", "000007_02", "000000_01"]


def test_a_box_may_end_with_the_image(taken: Callable[..., Extracted]) -> None:
    """As pixels from 0, or as edges: programs that write the format differ in it."""
    frames = street()
    car = Block("Car", (5.0, 1.5, 17.0))
    for box in ((0, 0, WIDTH - 1, HEIGHT - 1), (-0.5, -0.5, WIDTH, HEIGHT)):
        frames["000001"] = frame([car]) | {"label_2": label(car, box=box).encode()}
        assert "000001_00" in taken(frames).ids


def test_a_square_too_large_for_memory_is_a_bad_sample(taken: Callable[..., Extracted]) -> None:
    frames = street()
    car = Block("Car", (5.0, 1.5, 17.0))
    frames["000001"] = frame([car]) | {
        "image_2": encoded(Image.new("RGB", (1500, 40))),
        "label_2": label(car, box=(0, 0, 1499, 39)).encode(),
    }
    with pytest.raises(
        BadSamplesError, match=r"000001.txt line 1: its square, with data.kitti.mar"
    ):
        taken(frames, margin=9.0)


def test_a_frame_with_two_files_of_a_kind_is_a_bad_sample(taken: Callable[..., Extracted]) -> None:
    files = members(street())
    files["training/image_2/000007.jpg"] = files["training/image_2/000007.png"]
    with pytest.raises(BadSamplesError, match="this frame has more than one file in image_2"):
        taken(files)


def test_frames_whose_names_differ_by_case_alone_are_bad_samples(
    taken: Callable[..., Extracted],
) -> None:
    frames = street()
    both = {**frames, "a": frames["000007"], "A": frames["000000"]}
    with pytest.raises(BadSamplesError) as caught:
        taken(both)
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "training/label_2/A.txt", "training/label_2/a.txt",
    ]  # fmt: skip
    assert "differs from another by case alone" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("name", "message"), [("a\nb", "cannot be printed"), ("ü" * 124, "name of 248 bytes, which is")]
)
def test_a_frame_whose_name_can_be_no_id_is_a_bad_sample(
    tmp_path: Path, name: str, message: str
) -> None:
    frames = street() | {name: frame([Block("Car", (0, 1.6, 12.0))])}
    archive = write_zip(tmp_path / "kitti.zip", members(frames), prefix="")
    with pytest.raises(BadSamplesError) as caught:
        extract(params(archive), sensors(), tmp_path / "samples", tmp_path / "data.json")
    (problem,) = caught.value.problems
    assert message in problem
    assert problem.isprintable()


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(
    taken: Callable[..., Extracted], tmp_path: Path
) -> None:
    frames = street()
    frames["000001"] = frame([Block("Car", (0, 1.6, 12.0))]) | {"label_2": b"broken"}
    frames["000002"] = frame([Block("Car", (0, 1.6, 12.0))]) | {"image_2": b"broken"}
    frames["000004"] = frame([Block("Car", (0, 1.6, 12.0))])
    del frames["000004"]["velodyne"]
    with pytest.raises(BadSamplesError) as caught:
        taken(frames)
    told = "\n".join(caught.value.problems)
    assert [f"00000{number}.txt" in told for number in (0, 1, 2, 4, 7)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert len(caught.value.problems) == 3
    assert not (tmp_path / "samples").exists()
    assert not (tmp_path / "data.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": "ranges", "axes": None},
            "needs lidar.format: points and lidar.axes: [-y, x, z]",
        ),
        ({"axes": ["x", "y", "z"]}, "needs lidar.format: points and lidar.axes: [-y, x, z]"),
        ({"focal_length": 73.3}, "camera.focal_length must be empty where data.layout is kitti"),
        ({"azimuth": "stored"}, "no azimuth.npy with the samples; set lidar.azimuth"),
    ],
)
def test_sensors_that_are_not_kittis_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    archive = write_folder(tmp_path / "kitti", members(street()))
    with pytest.raises(ArchiveError) as caught:
        extract(params(archive), sensors(**change), tmp_path / "samples", tmp_path / "data.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_container_without_labels_or_with_two_sets_of_them_is_refused(
    taken: Callable[..., Extracted],
) -> None:
    files = members(street())
    unlabelled = {name: content for name, content in files.items() if "label_2" not in name}
    with pytest.raises(ArchiveError, match=r"0 folders hold label_2/.* in none"):
        taken(unlabelled)
    with pytest.raises(ArchiveError, match=r"2 folders hold label_2/.*found in: again, training"):
        taken(files | members(street(), "again/"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Truck", r"label_2/ has no usable object of class 'Truck' \(data.classes\)$"),
        # Types are written as KITTI writes them.
        ("pedestrian", "no usable object of class 'pedestrian'"),
        ("DontCare", "data.classes: DontCare is no class: it marks regions without labels"),
    ],
)
def test_a_class_without_an_object_is_refused(
    taken: Callable[..., Extracted], name: str, message: str
) -> None:
    with pytest.raises(ArchiveError, match=message):
        taken(street(), classes=["Car", name], positive="Car")


def test_where_all_objects_of_a_class_are_bad_the_first_is_told(
    taken: Callable[..., Extracted],
) -> None:
    frames = street()
    for files in frames.values():
        del files["velodyne"]
    with pytest.raises(ArchiveError, match=r"of class 'Car' .*: this frame has no file in velod"):
        taken(frames)


def test_the_limits_hold_for_labels_before_they_are_read(
    taken: Callable[..., Extracted], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = street()
    frames["000007"]["label_2"] += b"\n" * 50_000
    read: list[bytes] = []
    monkeypatch.setattr("fusebench.data.layouts.kitti.decode_labels", read.append)
    with pytest.raises(ArchiveError, match="total_bytes allows 40,000"):
        taken(frames, limits=LIMITS | {"total_bytes": 40_000})
    assert not read


def test_each_file_counts_once_though_several_objects_need_it(
    taken: Callable[..., Extracted], tmp_path: Path
) -> None:
    files = members(street())
    total = sum(map(len, files.values()))
    assert len(taken(files, limits=LIMITS | {"total_bytes": total}).ids) == 5
    with pytest.raises(ArchiveError, match=f"its samples have {total:,} bytes; data.limits.total"):
        taken(files, limits=LIMITS | {"total_bytes": total - 1})
    archive = write_zip(tmp_path / "kitti.zip", files, compression=zipfile.ZIP_STORED)
    with open_container(archive, params(archive).limits) as container:
        layout = find_layout(container, params(archive), sensors())
        assert sorted(layout.members().tolist()) == list(range(len(files)))


def test_a_file_above_its_limit_is_a_bad_sample(taken: Callable[..., Extracted]) -> None:
    frames = street()
    frames["000007"]["velodyne"] *= 4
    most = len(frames["000007"]["velodyne"]) - 1
    with pytest.raises(BadSamplesError) as caught:
        taken(frames, limits=LIMITS | {"member_bytes": most})
    assert len(caught.value.problems) == 3
    assert "000007.bin: " in caught.value.problems[0]
    assert "data.limits.member_bytes" in caught.value.problems[0]


@pytest.mark.parametrize("kind", list(SUFFIXES))
def test_links_are_not_followed(tmp_path: Path, kind: str) -> None:
    files = members(street())
    name = f"training/{kind}/000007{SUFFIXES[kind]}"
    (tmp_path / "elsewhere").write_bytes(files.pop(name))
    archive = write_folder(tmp_path / "kitti", files)
    (archive / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadSamplesError, match=f"{name}: a symbolic link"):
        extract(params(archive), sensors(), tmp_path / "samples", tmp_path / "data.json")


def test_a_frame_is_read_once_for_all_its_objects_of_a_class(
    taken: Callable[..., Extracted], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counter[str]()
    whole = Tree.read
    monkeypatch.setattr(
        Tree, "read", lambda self, member: read.update([self.name(member)]) or whole(self, member)
    )
    frames = street()
    taken(frames)
    assert read["training/label_2/000007.txt"] == 1
    # Two cars and, after all cars, a person.
    assert {read[f"training/{kind}/000007{SUFFIXES[kind]}"] for kind in list(SUFFIXES)[:2]} == {2}


def test_memory_holds_one_frame_whatever_their_number(tmp_path: Path) -> None:
    rocks = np.random.default_rng(0).uniform(5, 60, (60_000, 3))
    peaks = []
    for count in (2, 8):
        frames = street()
        big = frames["000000"] | {"velodyne": frames["000000"]["velodyne"] + cloud(rocks)}
        content = members({f"{number}": big for number in range(count)})
        archive = write_folder(tmp_path / str(count), content)
        gc.collect()
        tracemalloc.start()
        extract(params(archive), sensors(), tmp_path / "samples", tmp_path / "data.json")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


def test_what_a_container_holds_is_recognised_by_its_labels(tmp_path: Path) -> None:
    frames = street()
    frames["000001"] = frame([Block("Tram", (0, 1.6, 15.0))]) | {"image_2": b"not looked at"}
    frames["000002"] = frame([]) | {"label_2": b"broken labels tell no type"}
    archive = write_folder(tmp_path / "kitti", members(frames))
    other = write_folder(tmp_path / "other", {"cubes/rgb/1.png": b"", "cubes/lidar/1.npy": b""})
    limits = params(archive).limits
    with open_container(archive, limits) as container:
        assert Kitti.recognised(container) == [Recognised(("Car", "Pedestrian", "Tram"))]
    with open_container(other, limits) as container:
        assert Kitti.recognised(container) == []
    few = params(archive, limits=LIMITS | {"total_bytes": 300}).limits
    with open_container(archive, few) as container, pytest.raises(ArchiveError, match="total_byt"):
        Kitti.recognised(container)


def test_what_the_layout_says_of_the_sensors_are_sensors_that_it_takes(
    taken: Callable[..., Extracted],
) -> None:
    said = {key.partition(".")[2]: value for key, value in {**Kitti.fixed, **Kitti.chosen}.items()}
    wanted = sensors(**said)
    assert wanted.lidar.turns == 1
    assert taken(street(), **{key: said[key] for key in TAKEN if key in said}).rgb.shape == (
        5, 64, 64, 3,
    )  # fmt: skip


# --- Files at random ---


@given(EDITS, st.floats(0, 1), st.sampled_from(["label_2", "calib"]))
def test_a_changed_file_is_read_or_refused_and_never_half(
    edits: Edits, kept: float, kind: str
) -> None:
    content = damaged(street()["000007"][kind], edits, kept)
    decode: Callable[[bytes], Any] = decode_labels if kind == "label_2" else Camera.of
    try:
        read = decode(content)
    except BadMemberError:
        return
    if isinstance(read, Camera):
        seen = read.seen(behind())
        # Whatever was changed, nothing is made larger or smaller.
        sizes = np.linalg.norm(seen - read.move, axis=1)
        np.testing.assert_allclose(sizes, np.linalg.norm(behind(), axis=1), rtol=0.05)
        assert read.ray(0, 0)[2] == pytest.approx(1)
    else:
        assert all(
            np.isfinite([found.truncated, found.occluded, *found.box]).all() for found in read
        )


@given(st.text(alphabet="Car 0123456789.-+eE\n", max_size=300))
def test_labels_of_any_letters_are_refused_or_numbers(text: str) -> None:
    try:
        found = decode_labels(text.encode())
    except BadMemberError:
        return
    assert len(found) == sum(bool(line.split()) for line in text.splitlines())


def test_the_summary_is_what_the_file_says(taken: Callable[..., Extracted], tmp_path: Path) -> None:
    found = taken(street() | {"000001": frame([Block("Van", (0, 1.6, 15.0))])})
    written = json.loads((tmp_path / "data.json").read_text("utf-8"))
    assert written == found.summary
    assert written["pairs"] == {"Car": 3, "Pedestrian": 2}
    # The frame without a sample is no group.
    assert written["groups"] == 2
    lines = report_lines(params("data/kitti"), written)
    assert lines[0] == "data/kitti (recorded samples): 5 pairs in 2 groups"
    assert "  passed over: 3 regions of type DontCare" in lines
    assert written["passed_over"] == {
        "objects of other types than data.classes": 1, "regions of type DontCare": 3,
    }  # fmt: skip


def test_a_jpeg_is_an_image_too(taken: Callable[..., Extracted]) -> None:
    frames = street()
    files = members(frames)
    png = files.pop("training/image_2/000000.png")
    with Image.open(io.BytesIO(png)) as image:
        files["training/image_2/000000.JPG"] = encoded(image, "JPEG", quality=95)
    found, plain = taken(files), taken(frames)
    assert found.ids == plain.ids
    off = found.image("000000_00").astype(int) - plain.image("000000_00")
    assert 0 < np.abs(off).mean() < 10

"""A small object set in KITTI's own formats: blocks in the road, seen by a camera and a LiDAR.

Blocks stand in the axes of the rectified camera 0: x to the right, y down, z forward, in metres.
Their points are brought to velodyne/ and their boxes to the image by the matrices of the
calibration, which are written with as many digits as KITTI has.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tests.data.archives import LIMITS, encoded

from fusebench.data.settings import DataParams
from fusebench.samples.sensors import Sensors

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 310, 94
CLASSES = ("Car", "Pedestrian")
MAX_RANGE = 80.0
# Upper left, upper right, lower left and lower right of a block in the image.
COLOURS = ((250, 30, 30), (30, 250, 30), (30, 30, 250), (240, 240, 60))


def _turned(right: float, down: float, forward: float) -> Floats:
    """A rotation by three small angles, around the axes in this order, radians."""
    turned = np.eye(3)
    for axis, angle in enumerate((right, down, forward)):
        one, other = (place for place in range(3) if place != axis)
        around = np.eye(3)
        around[one, one] = around[other, other] = np.cos(angle)
        around[one, other], around[other, one] = -np.sin(angle), np.sin(angle)
        turned = around @ turned
    return turned


K = np.array([[180.4, 0.0, 152.4], [0.0, 180.4, 43.2], [0.0, 0.0, 1.0]])
R0_RECT = _turned(0.004, -0.009, 0.01)
# velodyne/ has x forward, y to the left and z up.
TR = np.column_stack(
    [
        _turned(-0.013, 0.006, 0.008) @ np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
        (-0.0041, -0.0763, -0.2718),
    ]
)


def projection(move: Sequence[float] = (0.06, 0.001, 0.003)) -> Floats:
    """P2 of a camera that sees everything moved by so much, in metres."""
    whole: Floats = np.column_stack([K, K @ np.array(move)])
    return whole


P2 = projection()


def calibration(p2: Floats = P2, **others: Floats | None) -> bytes:
    """A file of calibration; None leaves a matrix out."""
    matrices: dict[str, Floats | None] = {
        "P0": projection((0, 0, 0)), "P1": projection((-0.5, 0, 0)), "P2": p2,
        "P3": projection((-0.4, 0, 0)), "R0_rect": R0_RECT, "Tr_velo_to_cam": TR,
        "Tr_imu_to_velo": np.eye(3, 4), **others,
    }  # fmt: skip
    rows = (
        f"{name}: {' '.join(f'{value:.12e}' for value in matrix.ravel())}\n"
        for name, matrix in matrices.items()
        if matrix is not None
    )
    return ("".join(rows) + "\n").encode()


class Block(NamedTuple):
    """An object: the middle of its bottom, (height, width, length), and its turn around y."""

    kind: str
    place: tuple[float, float, float]
    size: tuple[float, float, float] = (1.5, 1.6, 3.9)
    turn: float = 0.0
    occluded: int = 0

    def placed(self, points: Floats) -> Floats:
        """Points of a block of this size that stands at the origin, brought to its place."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        around = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        moved: Floats = points @ around.T + self.place
        return moved

    @property
    def corners(self) -> Floats:
        """Shape (8, 3)."""
        height, width, length = self.size
        ends = np.meshgrid((-length / 2, length / 2), (-height, 0), (-width / 2, width / 2))
        return self.placed(np.stack([end.ravel() for end in ends], axis=1))

    def surface(self, count: int) -> Floats:
        """Points on its six faces, drawn evenly, shape (count, 3)."""
        height, width, length = self.size
        source = np.random.default_rng(count + round(100 * sum(self.place)))
        inside = source.random((count, 3))
        face = source.integers(0, 6, count)
        inside[np.arange(count), face // 2] = face % 2
        return self.placed((inside - (0.5, 1, 0.5)) * (length, height, width))


def box_of(block: Block, p2: Floats = P2) -> tuple[Floats, float]:
    """The box of a block, within the image, and how much of it is outside."""
    seen = np.column_stack([block.corners, np.ones(8)]) @ p2.T
    pixels = seen[:, :2] / seen[:, 2:]
    whole = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    box = np.clip(whole, 0, [WIDTH - 1, HEIGHT - 1] * 2)
    areas = [(ends[2] - ends[0]) * (ends[3] - ends[1]) for ends in (box, whole)]
    return box, float(1 - areas[0] / areas[1])


def label(block: Block, p2: Floats = P2, **other: Any) -> str:
    """A line of labels; `other` replaces truncated, occluded, or box."""
    box, truncated = box_of(block, p2)
    fields = {"truncated": truncated, "occluded": block.occluded, "box": box, **other}
    alpha = block.turn - np.arctan2(block.place[0], block.place[2])
    ends = " ".join(f"{end:.2f}" for end in fields["box"])
    numbers = " ".join(f"{number:.2f}" for number in (*block.size, *block.place, block.turn))
    kept = f"{block.kind} {fields['truncated']:.2f} {fields['occluded']}"
    return f"{kept} {alpha:.2f} {ends} {numbers}\n"


DONT_CARE = "DontCare -1 -1 -10 3.00 4.00 20.50 12.25 -1 -1 -1 -1000 -1000 -1000 -10\n"


def to_velodyne(points: Floats) -> Floats:
    """Points of the rectified camera 0 as velodyne/ has them."""
    moved: Floats = (points @ R0_RECT - TR[:, 3]) @ TR[:, :3]
    return moved


def cloud(points: Floats) -> bytes:
    """A file of velodyne/: points of its own axes, with some reflectance."""
    reflected = np.linspace(0, 1, len(points))
    return np.column_stack([points, reflected]).astype("<f4").tobytes()


def behind() -> Floats:
    """A wall behind the car, of velodyne/, nearer than any block."""
    left, up = np.meshgrid(np.linspace(-3, 3, 40), np.linspace(-1, 1, 15))
    return np.column_stack([np.full(left.size, -2.5), left.ravel(), up.ravel()])


def picture(blocks: Iterable[Block], p2: Floats = P2) -> bytes:
    """The image: grey noise, and each block's box in four colours; nearer ones hide others."""
    pixels = np.random.default_rng(0).integers(60, 90, (HEIGHT, WIDTH, 3), np.uint8)
    for block in sorted(blocks, key=lambda block: -block.place[2]):
        left, top, right, bottom = (round(float(end)) for end in box_of(block, p2)[0])
        across, down = (left + right) // 2, (top + bottom) // 2
        halves = (slice(left, across), slice(across, right + 1))
        for number, rows in enumerate((slice(top, down), slice(down, bottom + 1))):
            for other, columns in enumerate(halves):
                pixels[rows, columns] = COLOURS[2 * number + other]
    return encoded(Image.fromarray(pixels))


def frame(blocks: Sequence[Block], p2: Floats = P2, points: int = 1500) -> dict[str, bytes]:
    """The four files of a frame, by their folders."""
    seen = [to_velodyne(block.surface(points)) for block in blocks]
    return {
        "image_2": picture(blocks, p2),
        "velodyne": cloud(np.concatenate([*seen, behind()])),
        "label_2": ("".join(label(block, p2) for block in blocks) + DONT_CARE).encode(),
        "calib": calibration(p2),
    }


SUFFIXES = {"image_2": ".png", "velodyne": ".bin", "label_2": ".txt", "calib": ".txt"}


def members(frames: Mapping[str, Mapping[str, bytes]], root: str = "training/") -> dict[str, bytes]:
    """All files of an object set, by their paths."""
    return {
        f"{root}{kind}/{name}{SUFFIXES[kind]}": content
        for name, files in frames.items()
        for kind, content in files.items()
    }


def street() -> dict[str, dict[str, bytes]]:
    """Two frames with three cars and two people."""
    return {
        "000000": frame(
            [
                Block("Car", (-3.0, 1.6, 14.0), turn=0.3),
                Block("Pedestrian", (2.5, 1.6, 9.0), (1.8, 0.6, 0.7)),
            ]
        ),
        "000007": frame(
            [
                Block("Car", (0.5, 1.6, 20.0), turn=-1.5),
                Block("Pedestrian", (-3.5, 1.7, 11.0), (1.7, 0.5, 0.6)),
                Block("Car", (5.0, 1.5, 17.0), turn=1.0),
            ]
        ),
    }


def crowd(frames: int, seed: int = 0) -> dict[str, dict[str, bytes]]:
    """Frames with one to three objects each, at places of their own."""
    source = np.random.default_rng(seed)
    made = {}
    for number in range(frames):
        blocks = []
        for lane in source.permutation(3)[: source.integers(1, 4)]:
            place = (4.5 * (lane - 1) + source.uniform(-1, 1), 1.6, source.uniform(9, 16))
            size = ((1.5, 1.6, 3.9), (1.8, 0.6, 0.7))[number % 2 if lane else lane]
            kind = CLASSES[int(size[0] > 1.6)]
            blocks.append(Block(kind, place, size, source.uniform(-3, 3)))
        made[f"{number:06d}"] = frame(blocks, points=300)
    return made


def write_folder(path: Path, content: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def params(archive: Path | str, /, **changes: Any) -> DataParams:
    """Section `data` for an object set; keys of `kitti` by their own names."""
    kitti = {"min_height": 10.0, "max_occlusion": 1, "max_truncation": 0.3, "margin": 0.2}
    of_kitti = {key: changes.pop(key) for key in tuple(changes) if key in kitti}
    content: dict[str, Any] = {
        "archive": str(archive), "layout": "kitti", "manifest": None, "kitti": kitti | of_kitti,
        "sensors": "data/kitti.yaml", "classes": list(CLASSES), "positive": CLASSES[1],
        "on_bad_sample": "error", "limits": LIMITS,
    }  # fmt: skip
    return DataParams.model_validate({**content, **changes})


def sensors(**changes: Any) -> Sensors:
    """The sensors of an object set: a window of 24° × 16° on each object; keys by their names."""
    camera: dict[str, Any] = {"image_size": [48, 48], "focal_length": None}
    lidar: dict[str, Any] = {
        "format": "points", "size": [32, 48], "rows": "zenith", "azimuth": [12, -12],
        "zenith": [-8, 8], "step": None, "axes": ["-y", "x", "z"], "max_range": MAX_RANGE,
        "quarter_turns": 0, "no_return": [],
    }  # fmt: skip
    for key, value in changes.items():
        section = camera if key in camera else lidar
        assert key in section, key
        section[key] = value
    return Sensors.model_validate({"camera": camera, "lidar": lidar})

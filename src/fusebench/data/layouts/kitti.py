"""KITTI's object detection data: a sample per labelled object, cut out of its frame.

A folder holds image_2/, velodyne/, label_2/ and calib/, each with a file per frame. The image of a
sample is a square around the object's box; its LiDAR map are the points around the ray through the
middle of the box, seen from the camera and turned so that this ray is forward. A frame is a group.

A. Geiger, P. Lenz and R. Urtasun, "Are we ready for autonomous driving? The KITTI vision benchmark
suite", CVPR 2012. How its files are written: data/kitti_objects.py.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import numpy as np
from PIL import Image

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.data.images import IMAGE_SUFFIXES, decode_whole
from fusebench.data.kitti_objects import (
    DONT_CARE,
    Box,
    Camera,
    Labelled,
    check_inside,
    cut_out,
    decode_labels,
    turned_to,
)
from fusebench.data.layout import Layout, Recognised, Sample
from fusebench.data.pairs import Members, Pairs
from fusebench.data.paths import by_path, id_of
from fusebench.data.points import Points, decode_points
from fusebench.data.projection import LidarFiles
from fusebench.data.settings import LONGEST_NAME, DataParams, KittiParams, same_name
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError

GUIDE = "docs/kitti.md"
_LABELS = "label_2"
# What is read of a frame for its samples.
_READ = ("image_2", "velodyne", "calib")
_KINDS = {
    "image_2": IMAGE_SUFFIXES, "velodyne": (".bin",), "calib": (".txt",), _LABELS: (".txt",),
}  # fmt: skip

_Frames = dict[str, dict[str, list[int]]]
"""Members of each frame, by the folder that they are in."""


class _Placed(NamedTuple):
    """An object that is a sample: what it is, and where it is to be found."""

    label: int
    id: bytes
    frame: bytes
    members: tuple[int, ...]
    line: int
    box: Box


class _Frame(NamedTuple):
    """What all objects of a frame share; points are as the camera sees them."""

    image: Image.Image
    points: Points
    camera: Camera


class Kitti(Layout):
    """Objects of KITTI's layout, each cut out of its frame."""

    fixed: ClassVar[Mapping[str, Any]] = {
        "camera.focal_length": None,
        "lidar.format": "points",
        "lidar.axes": ["-y", "x", "z"],
    }
    # A window of 24° × 16° on each object, in steps of about what the scanner has.
    chosen: ClassVar[Mapping[str, Any]] = {
        "camera.image_size": [64, 64], "lidar.size": [32, 64], "lidar.rows": "zenith",
        "lidar.azimuth": [12.0, -12.0], "lidar.zenith": [-8.0, 8.0], "lidar.max_range": 80.0,
        "lidar.quarter_turns": 0,
    }  # fmt: skip

    @classmethod
    def recognised(cls, container: Container) -> list[Recognised]:
        """Return the types of objects, if there are files of labels."""
        files = [
            member
            for frames in _labelled_roots(container).values()
            for members in frames.values()
            for member in members.get(_LABELS, [])
        ]
        container.check_limits(np.array(files, np.int64))
        kinds: set[str] = set()
        for member in files:
            with suppress(BadMemberError):
                kinds.update(found.kind for found in decode_labels(container.read(member)))
        kinds.discard(DONT_CARE)
        return [Recognised(tuple(sorted(kinds)))] if kinds else []

    def find(self, params: DataParams) -> None:
        """Find the frames and read all labels.

        Raises
        ------
        ArchiveError
            There is no label_2/, or more than one; the sensors are no such; a class has no sample.
        """
        self._check_fits(params)
        self._margin = params.kitti.margin
        self._held: tuple[int, _Frame | str] = (-1, "")
        frames = self._frames()
        labels = [member for members in frames.values() for member in members[_LABELS]]
        # They are read before the other limits are checked.
        self.container.check_limits(np.array(labels, np.int64))
        objects, passed_over = [], self.passed_over
        for frame, members in sorted(frames.items()):
            for place, labelled in enumerate(self._labelled(members)):
                if labelled.kind in params.classes and labelled.fault:
                    self.bad.append(f"{self._line(members, labelled.line)}: {labelled.fault}")
                elif reason := _left_out(labelled, params.classes, params.kitti):
                    passed_over[reason] = passed_over.get(reason, 0) + 1
                else:
                    one_each = tuple(members[kind][0] for kind in (*_READ, _LABELS))
                    objects.append(
                        _Placed(
                            params.classes.index(labelled.kind), _key(frame, place),
                            frame.encode(), one_each, labelled.line, labelled.box,
                        )
                    )  # fmt: skip
        present = {placed.label for placed in objects}
        for label, class_name in enumerate(params.classes):
            if label not in present:
                raise ArchiveError(
                    f"{self.container.source}: label_2/ has no usable object of class "
                    f"'{class_name}' (data.classes)" + (f"; {self.bad[0]}" if self.bad else "")
                )
        objects.sort(key=lambda placed: (placed.label, placed.id))
        self._objects = objects
        self.pairs = Pairs(
            params.classes,
            np.array([placed.id for placed in objects]),
            np.array([placed.label for placed in objects], np.int32),
            np.array([placed.members[:2] for placed in objects], np.int32),
            np.array([placed.frame for placed in objects]),
        )

    def _check_fits(self, params: DataParams) -> None:
        lidar, axes = self.sensors.lidar, self.fixed["lidar.axes"]
        if lidar.format != "points" or list(lidar.axes or ()) != axes:
            raise ArchiveError(
                f"{params.sensors}: data.layout kitti needs lidar.format: points and lidar.axes: "
                f"[{', '.join(axes)}], as its velodyne/ has them ({GUIDE})"
            )
        if self.sensors.camera.focal_length is not None:
            raise ArchiveError(
                f"{params.sensors}: camera.focal_length must be empty where data.layout is kitti: "
                f"each crop has its own ({GUIDE})"
            )
        if DONT_CARE in params.classes:
            raise ArchiveError(
                f"params.yaml: data.classes: {DONT_CARE} is no class: it marks regions without "
                f"labels ({GUIDE})"
            )

    def _line(self, members: Mapping[str, Sequence[int]], line: int) -> str:
        return f"{shown(self.container.name(members[_LABELS][0]))} line {line}"

    def _labelled(self, members: Mapping[str, Sequence[int]]) -> list[Labelled]:
        """Return the labelled objects of a frame; broken labels are added to `bad`."""
        found = self.decoded(members[_LABELS][0], decode_labels)
        if isinstance(found, str):
            self.bad.append(found)
            return []
        return found

    def members(self) -> Members:
        """Return all files of the frames that have a sample, each once."""
        members = [member for placed in self._objects for member in placed.members]
        return np.unique(np.array(members, np.int32))

    def sample(self, number: int, lidar: LidarFiles) -> Sample | str:
        """Return the object at a position, or the line that says what is wrong with it."""
        placed = self._objects[number]
        found = self._sample(placed, lidar)
        if isinstance(found, str):
            name = shown(self.container.name(placed.members[-1]))
            return f"{name} line {placed.line}: {found}"
        return found

    def _sample(self, placed: _Placed, lidar: LidarFiles) -> Sample | str:
        frame = self._frame(placed.members)
        if isinstance(frame, str):
            return frame
        try:
            check_inside(placed.box, *frame.image.size)
            image = cut_out(frame.image, placed.box, self._margin, self.sensors.camera.image_size)
        except BadMemberError as error:
            return str(error)
        left, top, right, bottom = placed.box
        ray = frame.camera.ray((left + right) / 2, (top + bottom) / 2)
        return image, lidar.project(turned_to(frame.points, ray))

    def _frames(self) -> _Frames:
        """Return the files of each labelled frame that has one in each folder; others are told."""
        roots = _labelled_roots(self.container)
        if len(roots) != 1:
            found = f"found in: {', '.join(shown(root) or './' for root in sorted(roots)[:5])}"
            raise ArchiveError(
                f"{self.container.source}: {len(roots)} folders hold label_2/, must be one, with "
                f"image_2/, velodyne/ and calib/ beside it ({GUIDE}); "
                f"{found if roots else 'found in none'}"
            )
        (frames,) = roots.values()
        alike = Counter(map(same_name, frames))
        whole: _Frames = {}
        for frame, members in sorted(frames.items()):
            if _LABELS not in members:
                reason = "frames without label_2"
                self.passed_over[reason] = self.passed_over.get(reason, 0) + 1
            elif fault := _fault(frame, members, alike[same_name(frame)]):
                name = shown(self.container.name(members[_LABELS][0]))
                self.bad.append(f"{name}: {fault}")
            else:
                whole[frame] = members
        return whole

    def _frame(self, members: Sequence[int]) -> _Frame | str:
        """Return the frame of an object; the last one is held, for its next object."""
        if self._held[0] != members[0]:
            # Else two would be in memory.
            self._held = (-1, "")
            self._held = members[0], self._read(*members[:3])
        return self._held[1]

    def _read(self, image: int, points: int, calibration: int) -> _Frame | str:
        picture = self.decoded(image, decode_whole)
        cloud = self.decoded(points, lambda content: decode_points(content, ".bin"))
        camera = self.decoded(calibration, Camera.of)
        if isinstance(picture, str) or isinstance(cloud, str) or isinstance(camera, str):
            parts = (picture, cloud, camera)
            return "; ".join(part for part in parts if isinstance(part, str))
        return _Frame(picture, camera.seen(cloud), camera)


def _labelled_roots(container: Container) -> dict[str, _Frames]:
    """Return the frames below each folder that holds label_2/, and what there is of each."""
    roots: dict[str, _Frames] = {}
    for path, member in by_path(container).items():
        root, kind, name = ["", "", *path.rsplit("/", 2)][-3:]
        if kind in _KINDS and name.lower().endswith(_KINDS[kind]):
            of_frame = roots.setdefault(root, {}).setdefault(id_of(name), {})
            of_frame.setdefault(kind, []).append(member)
    return {
        root: frames
        for root, frames in roots.items()
        if any(_LABELS in members for members in frames.values())
    }


def _fault(frame: str, members: Mapping[str, Sequence[int]], alike: int) -> str:
    """Return why a labelled frame can be none, or ""."""
    missing = [kind for kind in _READ if kind not in members]
    if missing:
        return f"this frame has no file in {', '.join(missing)}"
    several = [kind for kind, files in members.items() if len(files) > 1]
    if several:
        return f"this frame has more than one file in {', '.join(sorted(several))}"
    if alike > 1:
        return "this frame's name differs from another by case alone"
    if not frame.isprintable():
        return "this frame has a name that cannot be printed"
    if len(_key(frame, 10**6)) > LONGEST_NAME:
        return f"this frame has a name of {len(frame.encode()):,} bytes, which is too long"
    return ""


def _key(frame: str, place: int) -> bytes:
    """Return the id of an object: its frame, and its place among the labels, counted from 0."""
    return f"{frame}_{place:02d}".encode()


def _left_out(labelled: Labelled, classes: Sequence[str], params: KittiParams) -> str:
    """Return why an object is no sample by the params, or ""."""
    if labelled.kind == DONT_CARE:
        return f"regions of type {DONT_CARE}"
    if labelled.kind not in classes:
        return "objects of other types than data.classes"
    if labelled.box[3] - labelled.box[1] < params.min_height:
        return f"objects lower than data.kitti.min_height ({params.min_height:g} pixels)"
    if labelled.occluded > params.max_occlusion:
        return f"objects more occluded than data.kitti.max_occlusion ({params.max_occlusion})"
    if labelled.truncated > params.max_truncation:
        return f"objects more truncated than data.kitti.max_truncation ({params.max_truncation:g})"
    return ""

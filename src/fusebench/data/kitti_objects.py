"""KITTI's files of labels and calibration, and what of an image and of points shows an object.

Formats: the readme of KITTI's object development kit. A camera's axes: to the right, down, forward.
"""

import re
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from fusebench.data.headers import shown
from fusebench.data.png import check_size
from fusebench.data.points import Points
from fusebench.data.unpack import BadMemberError

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels; 0 is the middle of the first pixel."""

DONT_CARE = "DontCare"
"""The type of regions in which nothing was labelled."""
# Of a label: type, truncated, occluded, alpha, box, dimensions, location, rotation.
_FIELDS = 15
_OCCLUSIONS = (0, 1, 2, 3)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# Of a calibration: numbers are of pixels and metres, and larger ones would overflow further on.
_LARGEST = 1e6
# How far a rotation times itself transposed may be from 1: the files round.
_ROUNDING = 1e-2


class Labelled(NamedTuple):
    """An object as it is labelled.

    Attributes
    ----------
    line : int
        Of its file, counted from 1.
    kind : str
        Its type.
    truncated : float
        How much of it is outside the image, 0 to 1; -1 of `DONT_CARE`.
    occluded : float
        0: fully visible, 1: partly occluded, 2: largely, 3: unknown; -1 of `DONT_CARE`.
    box : Box
    """

    line: int
    kind: str
    truncated: float
    occluded: float
    box: Box

    @property
    def fault(self) -> str:
        """Why it can be no object, or ""."""
        left, top, right, bottom = self.box
        if not 0 <= self.truncated <= 1:
            return f"truncated {self.truncated:g}; must be 0 to 1"
        if self.occluded not in _OCCLUSIONS:
            return f"occluded {self.occluded:g}; must be one of {_OCCLUSIONS}"
        if not (left < right and top < bottom):
            return f"its box {_shown(self.box)} has no area"
        return ""


def decode_labels(content: bytes) -> list[Labelled]:
    """Return what a file of labels holds, an object per line; it may be empty.

    Raises
    ------
    BadMemberError
        A line is not a type and 14 numbers.
    """
    found = []
    for line, text in enumerate(_text(content).splitlines(), 1):
        words = text.split()
        if not words:
            continue
        if len(words) != _FIELDS:
            score = ", the last of them a score: results, not labels"
            raise BadMemberError(
                f"line {line}: {len(words)} fields{score if len(words) == _FIELDS + 1 else ''}; "
                f"must be {_FIELDS}: a type and {_FIELDS - 1} numbers"
            )
        try:
            numbers = [_number(word) for word in words[1:]]
        except ValueError as error:
            raise BadMemberError(f"line {line}: {error}") from None
        truncated, occluded, _, left, top, right, bottom, *_ = numbers
        found.append(Labelled(line, words[0], truncated, occluded, (left, top, right, bottom)))
    return found


@dataclass(frozen=True, eq=False)
class Camera:
    """The camera that took image_2/, and where velodyne's points are from it.

    Attributes
    ----------
    inverse : array, shape (3, 3)
        From a pixel (column, row, 1) to the direction that it looks in.
    rotation : array, shape (3, 3)
    move : array, shape (3,)
        rotation · point + move is a point of velodyne/ as the camera sees it, in metres.
    """

    inverse: Floats
    rotation: Floats
    move: Floats

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Read a file of calibration: P2, R0_rect and Tr_velo_to_cam; the rest is passed over.

        Raises
        ------
        BadMemberError
            One of the three is missing, stands twice, or cannot be what it is to be.
        """
        rows: dict[str, list[str]] = {}
        for line in _text(content).splitlines():
            name, colon, numbers = line.partition(":")
            if colon:
                rows.setdefault(name.strip(), []).append(numbers)
        projection = _matrix(rows, "P2", 4)
        rectify, to_camera = _matrix(rows, "R0_rect", 3), _matrix(rows, "Tr_velo_to_cam", 4)
        _check_rotation("R0_rect", rectify)
        _check_rotation("Tr_velo_to_cam", to_camera[:, :3])
        pixels = projection[:, :3]
        # Else a point in front of it would be behind it, or the image mirrored.
        if not ((pixels[2] == (0, 0, 1)).all() and np.linalg.det(pixels) > 1 and pixels[0, 0] > 0):
            raise BadMemberError(
                "P2 is no camera: its third row must begin with 0 0 1, and its focal lengths be "
                "above 0"
            )
        inverse = np.linalg.inv(pixels)
        # From velodyne to camera 0, rectified, and on to camera 2, which P2's last column moves.
        move = rectify @ to_camera[:, 3] + inverse @ projection[:, 3]
        return cls(np.asarray(inverse, np.float64), rectify @ to_camera[:, :3], move)

    def seen(self, points: Points) -> Points:
        """Return points of velodyne/, (n, 3), to the right, down and forward of the camera."""
        seen: Points = points @ self.rotation.T + self.move
        return seen

    def ray(self, column: float, row: float) -> Floats:
        """Return the direction that a pixel looks in, shape (3,)."""
        ray: Floats = self.inverse @ np.array([column, row, 1.0])
        return ray


def turned_to(points: Points, ray: Floats) -> Points:
    """Return points to the right, forward and up of one who looks along a ray, upright.

    Parameters
    ----------
    points : array, shape (n, 3)
        To the right, down and forward of the camera.
    ray : array, shape (3,)
        In the same axes; not straight down.
    """
    forward = ray / np.linalg.norm(ray)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    seen: Points = points @ np.stack([right, forward, up], axis=1)
    return seen


def check_inside(box: Box, width: int, height: int) -> None:
    """Refuse a box that reaches beyond its image by more than a pixel; raise BadMemberError."""
    left, top, right, bottom = box
    if not (left >= -1 and top >= -1 and right <= width and bottom <= height):
        raise BadMemberError(
            f"its box {_shown(box)} is not within the image of {width}×{height} pixels"
        )


def cut_out(
    image: Image.Image, box: Box, margin: float, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Return the square around a box, resampled; beyond the image it is black.

    Parameters
    ----------
    margin : float
        What the square's side is longer than the larger side of the box, as a share of it.
    size : (int, int)
        Height and width of the result.

    Raises
    ------
    BadMemberError
        The square is larger than an image may be.
    """
    left, top, right, bottom = box
    half = max(right - left, bottom - top) * (1 + margin) / 2
    # Pillow counts from the corner of the first pixel, boxes from its middle.
    across, down = (left + right + 1) / 2, (top + bottom + 1) / 2
    ends = floor(across - half), floor(down - half), ceil(across + half), ceil(down + half)
    try:
        check_size(ends[2] - ends[0], ends[3] - ends[1])
    except BadMemberError as error:
        raise BadMemberError(f"its square, with data.kitti.margin, has {error}") from None
    square = (across - half - ends[0], down - half - ends[1],
              across + half - ends[0], down + half - ends[1])  # fmt: skip
    cut = image.crop(ends)
    return np.asarray(cut.resize(size[::-1], Image.Resampling.BILINEAR, square))


def _shown(box: Box) -> str:
    return " ".join(f"{end:g}" for end in box)


def _text(content: bytes) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise BadMemberError("is no plain text") from None


def _number(word: str) -> float:
    """Return a finite decimal number; raise ValueError."""
    # Python takes 1_0, nan and inf for numbers, too.
    if not (_NUMBER.fullmatch(word) and np.isfinite(number := float(word))):
        raise ValueError(f"'{shown(word)}' is no number")
    return number


def _matrix(rows: dict[str, list[str]], name: str, width: int) -> Floats:
    """Return a matrix of three rows; raise BadMemberError."""
    lines = rows.get(name, [])
    if len(lines) != 1:
        raise BadMemberError(f"has {len(lines)} lines '{name}:'; must have one")
    words = lines[0].split()
    if len(words) != 3 * width:
        raise BadMemberError(f"{name} has {len(words)} numbers; must have 3 × {width}")
    try:
        values = np.array([_number(word) for word in words])
    except ValueError as error:
        raise BadMemberError(f"{name}: {error}") from None
    if np.abs(values).max() > _LARGEST:
        raise BadMemberError(
            f"{name} holds {values[np.abs(values).argmax()]:g}; at most {_LARGEST:g} is allowed"
        )
    return values.reshape(3, width)


def _check_rotation(name: str, rotation: Floats) -> None:
    """Refuse what is not a rotation: numbers that were lost or changed; raise BadMemberError."""
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > _ROUNDING or np.linalg.det(rotation) < 0:
        raise BadMemberError(
            f"the rotation in {name} is none: rows must be orthogonal, of length 1"
        )

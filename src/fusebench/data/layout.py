"""How samples lie in a zip or a folder: the contract of a layout.

A layout is a file in layouts/, found by its name. It finds the samples by the names of members,
before one is read, and says of each what it is; extraction reads them one after another.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.data.images import decode_image
from fusebench.data.npy import decode_angles
from fusebench.data.pairs import Members, Pairs
from fusebench.data.paths import ANGLES, GUIDE
from fusebench.data.projection import LidarFiles, check_zenith, given_angles, turned_angles
from fusebench.data.settings import LAYOUTS, DataParams
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError
from fusebench.samples.sensors import Sensors

Sample = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""Image (H, W, 3) and ranges (h, w), in metres."""

Decoded = TypeVar("Decoded")


class Recognised(NamedTuple):
    """What of section `data` the names in a container tell: classes, and of a table its path."""

    classes: tuple[str, ...]
    manifest: str | None = None


class Layout(ABC):
    """The samples of a container.

    Attributes
    ----------
    fixed : mapping of str to object
        What the layout itself says of the sensors, by dotted keys; `make init` writes it.
    chosen : mapping of str to object
        Likewise what is a choice, and what to begin with.
    whole_files : bool
        Whether a sample is an image file and a LiDAR file, each read as it is: then models that are
        trained on such samples answer for new files.
    container : Container
    sensors : Sensors
    pairs : Pairs
    unmatched : dict of str to dict of str to int
        Per class and modality, how many ids have no partner.
    bad : list of str
        One line per sample that its name or entry alone shows to be none.
    passed_over : dict of str to int
        How many samples the params leave out, by the reason.
    task : str or None
        Of the demonstration, if stage synthesize made the archive.
    """

    fixed: ClassVar[Mapping[str, Any]] = {}
    chosen: ClassVar[Mapping[str, Any]] = {}
    whole_files: ClassVar[bool] = False
    pairs: Pairs
    unmatched: dict[str, dict[str, int]]
    bad: list[str]
    passed_over: dict[str, int]
    task: str | None = None

    def __init__(self, container: Container, params: DataParams, sensors: Sensors) -> None:
        self.container, self.sensors = container, sensors
        self.unmatched = {name: {"rgb": 0, "lidar": 0} for name in params.classes}
        self.bad, self.passed_over = [], {}
        self.find(params)

    @classmethod
    def recognised(cls, container: Container) -> list[Recognised]:  # noqa: ARG003
        """Return in which ways a container is laid out so: none, one, or one per table.

        Raises
        ------
        ArchiveError
            A name stands twice, or cannot be a path.
        """
        return []

    @abstractmethod
    def find(self, params: DataParams) -> None:
        """Set the attributes from the names of the members, and from what lists samples.

        Raises
        ------
        ArchiveError
            The container is not laid out so, or a class has no sample.
        """

    @property
    def synthetic(self) -> bool:
        """Whether stage synthesize made the samples."""
        return self.task is not None

    def stored_angles(self) -> Mapping[str, Sequence[int]]:
        """Return the members that hold azimuths and zeniths; all of one kind must be equal."""
        return {}

    def members(self) -> Members:
        """Return all members that are read, in any order; one may stand there repeatedly."""
        angles = [member for of_kind in self.stored_angles().values() for member in of_kind]
        return np.append(self.pairs.members, np.array(angles, np.int32))

    def angles(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return azimuth (h,) and zenith (w,), in radians, as samples have them.

        Raises
        ------
        ArchiveError
            Stored ones are missing, broken, or differ from each other.
        """
        lidar, stored = self.sensors.lidar, self.stored_angles()
        angles = given_angles(lidar)
        for angle, length in zip(ANGLES, lidar.angle_counts, strict=True):
            if angle in angles:
                continue
            if not stored.get(angle):
                raise ArchiveError(
                    f"{self.container.source}: no {angle}.npy with the samples; set lidar.{angle} "
                    "in the file that data.sensors names"
                )
            first = stored[angle][0]
            angles[angle] = self._angles(angle, first, length)
            for member in stored[angle][1:]:
                if not np.array_equal(self._angles(angle, member, length), angles[angle]):
                    # Angles that depend on the class would tell it to every model.
                    name, other = (shown(self.container.name(place)) for place in (member, first))
                    raise ArchiveError(
                        f"{self.container.source}: {name} differs from {other}; one sensor is "
                        f"expected ({GUIDE})"
                    )
        return turned_angles(angles, lidar)

    def _angles(self, angle: str, member: int, length: int) -> npt.NDArray[np.float32]:
        try:
            values = decode_angles(self.container.read(member), length)
            if self.sensors.lidar.format == "points" and angle == "zenith":
                check_zenith(values)
        except BadMemberError as error:
            name = shown(self.container.name(member))
            raise ArchiveError(f"{self.container.source}: {name}: {error}") from None
        return values

    def sample(self, number: int, lidar: LidarFiles) -> Sample | str:
        """Return what a pair holds, by its position, or the line that says what is wrong with it.

        Raises
        ------
        ArchiveError
            The container changed since it was opened.
        """
        image, file = self.pairs.members[number]
        rgb = self.decoded(image, self.image)
        ranges = self.decoded(file, lambda content: lidar.decode(content, self._name(file)))
        if isinstance(rgb, str) or isinstance(ranges, str):
            return "; ".join(line for line in (rgb, ranges) if isinstance(line, str))
        return rgb, ranges

    def image(self, content: bytes) -> npt.NDArray[np.uint8]:
        """Return an image in the size that the sensors name."""
        return decode_image(content, self.sensors.camera.image_size)

    def _name(self, member: int) -> str:
        return self.container.name(member)

    def decoded(self, member: int, decode: Callable[[bytes], Decoded]) -> Decoded | str:
        """Return what a member holds, or the line that says what is wrong with it."""
        try:
            return decode(self.container.read(member))
        except BadMemberError as error:
            return f"{shown(self.container.name(member))}: {error}"


def find_layout(container: Container, params: DataParams, sensors: Sensors) -> Layout:
    """Return the samples of a container in the layout that `data.layout` names.

    Raises
    ------
    ArchiveError
        The container is not laid out so, or a class has no sample.
    """
    if sensors.lidar.format == "points" and sensors.lidar.no_return:
        raise ArchiveError(
            f"{params.sensors}: lidar.no_return = {list(sensors.lidar.no_return)}: must be [] "
            "where lidar.format is points: a point that did not come back is NaN, or not there"
        )
    layout: Layout = LAYOUTS.load(params.layout, Layout)(container, params, sensors)
    return layout

"""The sensors behind an archive: a YAML file of its own, checked as params.yaml is."""

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from fusebench.config import AsTuple, Section, Size, shown

# The models halve their maps four times.
_SMALLEST = 16
# Degrees: all the way round, and from straight ahead to straight down.
_TURN, _DOWN = 360, 90
# Nearer ones are the same to float32, as which they are stored.
_FINEST = 0.0001

NoReturn = Literal["zero", "nan", "inf"]
"""A value that means "nothing came back", beside the maximum range."""

Axis = Literal["x", "-x", "y", "-y", "z", "-z"]
"""A coordinate of a stored point, or its opposite."""
_Degrees = Annotated[float, Field(ge=-360, le=360)]


def _kind(value: object) -> str:
    """Return of which kind angles are meant to be, so that an error speaks of that alone."""
    return "ends" if isinstance(value, list | tuple) else "stored"


def _stored(value: object) -> object:
    if value != "stored":
        raise ValueError(
            f"{shown(value)}: must be stored, or the first and the last angle in degrees"
        )
    return value


Angles = Annotated[
    Annotated[Literal["stored"], BeforeValidator(_stored), Tag("stored")]
    | Annotated[tuple[_Degrees, _Degrees], AsTuple, Tag("ends")],
    Discriminator(_kind),
]


class CameraSensor(Section):
    """Section `camera`.

    Attributes
    ----------
    image_size : (int, int)
        Height and width that images are brought to, pixels.
    focal_length : float or None
        In pixels of `image_size`; None: it is not one, for images are cut out and resampled.
    """

    image_size: Size
    focal_length: float | None = Field(gt=0, le=1e6)

    @field_validator("image_size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < _SMALLEST:
            raise ValueError(f"{list(size)}: must be at least {_SMALLEST} each")
        return size


class LidarSensor(Section):
    """Section `lidar`.

    Attributes
    ----------
    format : {"ranges", "depth", "points"}
        What a file holds: ranges in metres (.npy), ranges in steps (16-bit PNG), or points
        (.npy, .bin, .pcd, .ply), which are projected to a map.
    size : (int, int)
        Rows and columns of the maps, as stored, or as points are projected to.
    rows : {"azimuth", "zenith"}
        Which angle is one per row; the other is one per column.
    azimuth, zenith : "stored" or (float, float)
        The angles in degrees, to the left and downwards, of the first and the last row or column,
        between which they grow evenly; or they are stored beside the maps.
    step : float or None
        Metres that one step of a depth image stands for.
    axes : (Axis, Axis, Axis) or None
        Which coordinate of a stored point is to the right, forward and up.
    max_range : float
        Range without return, in metres; no range of a map may be larger. Points that are as far
        away, or farther, are no returns.
    quarter_turns : int
        Clockwise turns that bring a map into the image's orientation.
    no_return : tuple of NoReturn
        More values that mean "nothing came back"; extraction turns them into `max_range`.
    """

    format: Literal["ranges", "depth", "points"]
    size: Size
    rows: Literal["azimuth", "zenith"]
    azimuth: Angles
    zenith: Angles
    step: float | None = Field(gt=0, le=1e3)
    axes: Annotated[tuple[Axis, Axis, Axis], AsTuple] | None
    max_range: float = Field(gt=0, le=1e6)
    quarter_turns: int = Field(ge=0, le=3)
    no_return: Annotated[tuple[NoReturn, ...], AsTuple]

    @field_validator("no_return")
    @classmethod
    def _different(cls, values: tuple[NoReturn, ...]) -> tuple[NoReturn, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{list(values)}: each word may be listed once")
        return values

    @field_validator("axes")
    @classmethod
    def _three(cls, axes: tuple[Axis, Axis, Axis] | None) -> tuple[Axis, Axis, Axis] | None:
        if axes is not None and len({axis[-1] for axis in axes}) < len(axes):
            raise ValueError(f"{list(axes)}: must name each of x, y and z once")
        return axes

    @model_validator(mode="after")
    def _of_format(self) -> Self:
        for key, kind, meaning in (
            ("step", "depth", "metres per step"),
            ("axes", "points", "what is right, forward and up"),
        ):
            given = getattr(self, key) is not None
            if given != (self.format == kind):
                must = "be empty" if given else f"say {meaning}"
                raise ValueError(f"{key}: must {must} where format is {self.format}")
        return self

    @model_validator(mode="after")
    def _of_angles(self) -> Self:
        for key, count in zip(("azimuth", "zenith"), self.angle_counts, strict=True):
            ends = getattr(self, key)
            if ends == "stored":
                continue
            given = f"{key}: {list(ends)}"
            if count == 1 and ends[0] != ends[1]:
                raise ValueError(f"{given}: must be the same twice, for size says one of them")
            if count > 1 and abs(ends[0] - ends[1]) < _FINEST * (count - 1):
                raise ValueError(
                    f"{given}: must differ by {_FINEST} at least for each of the {count} that size "
                    "says"
                )
            if self.format == "points" and abs(ends[0] - ends[1]) > _TURN and key == "azimuth":
                raise ValueError(f"{given}: must be of one turn where format is points")
            if self.format == "points" and max(map(abs, ends)) > _DOWN and key == "zenith":
                raise ValueError(
                    f"{given}: must be within {-_DOWN} (up) and {_DOWN} (down) where format is "
                    "points; 0 is straight ahead"
                )
        return self

    @property
    def turns(self) -> int:
        """Clockwise quarter turns that bring a map, as it is extracted, into the orientation.

        Extraction turns one with a zenith per row so that it has an azimuth per row, from right to
        left.
        """
        return (self.quarter_turns + (self.rows == "zenith")) % 4

    @property
    def angle_counts(self) -> tuple[int, int]:
        """How many azimuths and zeniths there are."""
        height, width = self.size
        return (height, width) if self.rows == "azimuth" else (width, height)


class Sensors(Section):
    """The whole file that `data.sensors` names."""

    camera: CameraSensor
    lidar: LidarSensor

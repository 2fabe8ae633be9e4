"""The sensors behind an archive: a YAML file of its own, checked as params.yaml is."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fusebench.config import AsTuple, Section, Size

# The models halve their maps four times.
_SMALLEST = 16

NoReturn = Literal["zero", "nan", "inf"]
"""A value that means "nothing came back", beside the maximum range."""


class CameraSensor(Section):
    """Section `camera`.

    Attributes
    ----------
    image_size : (int, int)
        Height and width that images are brought to, pixels.
    focal_length : float
        In pixels of `image_size`.
    """

    image_size: Size
    focal_length: float = Field(gt=0, le=1e6)

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
    size : (int, int)
        Rows and columns of the maps in the archive.
    max_range : float
        Range without return, in metres; no range may be larger.
    quarter_turns : int
        Clockwise turns that bring a map into the image's orientation.
    no_return : tuple of NoReturn
        More values that mean "nothing came back"; extraction turns them into `max_range`.
    """

    size: Size
    max_range: float = Field(gt=0, le=1e6)
    quarter_turns: int = Field(ge=0, le=3)
    no_return: Annotated[tuple[NoReturn, ...], AsTuple]

    @field_validator("no_return")
    @classmethod
    def _different(cls, values: tuple[NoReturn, ...]) -> tuple[NoReturn, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{list(values)}: each word may be listed once")
        return values


class Sensors(Section):
    """The whole file that `data.sensors` names."""

    camera: CameraSensor
    lidar: LidarSensor

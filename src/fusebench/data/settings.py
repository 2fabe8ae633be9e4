"""Section `data` of params.yaml: the archive, its classes, and how much of it is read."""

import posixpath
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from fusebench.config import PARAMS_FILE, AsTuple, Section, read, shown, validate
from fusebench.files import read_json
from fusebench.registry import Registry

DEMO = "data/demo.zip"
"""The archive that stage synthesize makes."""

AUTO = "auto"
"""Of `classes` and `positive`: those of the task that `synthesize.task` names."""

LAYOUTS = Registry("data/layouts", "layout")

TABLES = (".csv", ".parquet")
"""How the names of tables of samples end."""

_SENSORS = "in the file that data.sensors names"
# File systems hold no longer names of files.
LONGEST_NAME = 255
"""Bytes that an id or a class name may have."""


class Limits(Section):
    """Section `data.limits`: what keeps an archive from taking all memory, disk or time.

    Attributes
    ----------
    members : int
        Files and folders in the zip or folder, and rows of a table.
    member_bytes : int
        Bytes of one unpacked member.
    total_bytes : int
        Bytes of all members that are read, unpacked.
    ratio : int
        Of a zip: unpacked bytes over packed ones, of all members that are read together.
    """

    members: int = Field(ge=1, le=100_000_000)
    member_bytes: int = Field(ge=1, le=2**31 - 1)
    total_bytes: int = Field(ge=1, le=2**60)
    ratio: int = Field(ge=1, le=1_000_000)


class KittiParams(Section):
    """Section `data.kitti`: which labelled objects are samples, and what of the image.

    Attributes
    ----------
    min_height : float
        Pixels that an object's box must be high.
    max_occlusion : int
        0: only what is fully visible, 1: partly occluded, 2: largely, 3: unknown.
    max_truncation : float
        Share of an object that may be outside the image.
    margin : float
        What is added to the larger side of a box, as a share of it: the crop is a square.
    """

    min_height: float = Field(ge=1, le=10_000)
    max_occlusion: int = Field(ge=0, le=3)
    max_truncation: float = Field(ge=0, le=1)
    margin: float = Field(ge=0, le=10)


class DataParams(Section):
    """Section `data`: the archive and its classes. Only stage extract reads it.

    What is constant for an archive stands in a file of its own: see `sensors.Sensors`. Classes are
    names here; in the file they may be `AUTO`, see `named`.
    """

    moved: ClassVar[Mapping[str, str]] = {
        "image_size": f"camera.image_size {_SENSORS}",
        "focal_length": f"camera.focal_length {_SENSORS}",
        "lidar_size": f"lidar.size {_SENSORS}",
        "max_range": f"lidar.max_range {_SENSORS}",
        "quarter_turns": f"lidar.quarter_turns {_SENSORS}",
    }

    archive: str = Field(min_length=1)
    layout: Annotated[str, AfterValidator(LAYOUTS.checked)]
    manifest: str | None
    kitti: KittiParams
    sensors: str = Field(min_length=1)
    classes: Annotated[tuple[str, ...], AsTuple] = Field(min_length=2)
    positive: str
    on_bad_sample: Literal["error", "skip"]
    limits: Limits

    @field_validator("archive", "sensors")
    @classmethod
    def _plain_path(cls, path: str) -> str:
        if reason := _not_plain(path):
            raise ValueError(f"'{path}': {reason}")
        return path

    @field_validator("classes", mode="before")
    @classmethod
    def _listed(cls, classes: object) -> object:
        if classes == AUTO:
            raise ValueError(f"'{AUTO}': must list the archive's folders; auto is for {DEMO}")
        return classes

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = f"classes = {shown(list(self.classes))}"
        if len({same_name(name) for name in self.classes}) < len(self.classes) or any(
            "/" in name or not name for name in self.classes
        ):
            raise ValueError(f"{classes}: must be different folder names, not only by case")
        for name in self.classes:
            if reason := _no_folder(name):
                raise ValueError(f"{classes}: {shown(name)} {reason}")
        if self.archive != DEMO and _is_demo(self.archive):
            # dvc.yaml compares the text: in another spelling nothing would make the file.
            raise ValueError(f"archive = '{self.archive}': must be written '{DEMO}'")
        if (self.manifest is not None) != (self.layout == "manifest"):
            must = "name the file" if self.manifest is None else "be empty"
            raise ValueError(f"manifest: must {must} where layout is {self.layout}")
        if self.manifest is not None and (reason := _not_below(self.manifest)):
            raise ValueError(f"manifest = '{self.manifest}': {reason}")
        if self.positive not in self.classes:
            raise ValueError(f"positive = '{self.positive}': must be one of {list(self.classes)}")
        return self


def named(section: object, classes: Mapping[str, Any]) -> object:
    """Return the section with the names that `AUTO` stands for, where it does.

    Parameters
    ----------
    section : object
        As it is in the file.
    classes : mapping
        `classes` and `positive` of the demonstration archive.
    """
    if not isinstance(section, Mapping) or not _is_demo(section.get("archive", DEMO)):
        return section
    known = {key: value for key, value in classes.items() if section.get(key) == AUTO}
    return {**section, **known}


def _is_demo(path: object) -> bool:
    return isinstance(path, str) and posixpath.normpath(path) == DEMO


def load_data_params(checked: Path) -> DataParams:
    """Return the section `data` of params.yaml with the names that stage check wrote.

    Raises
    ------
    ParamsError
        A value is not allowed.
    ArtifactError
        `checked` is missing or broken.
    """
    section = named(read(PARAMS_FILE).get("data"), read_json(checked))
    return validate(DataParams, section, str(PARAMS_FILE), ("data",))


def same_name(name: str) -> str:
    """Return what equal names have in common: Unicode's composed form, without regard to case."""
    composed = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", composed.casefold())


def _not_plain(path: str) -> str:
    """Return why a path cannot stand in dvc.yaml, or ""."""
    if not path.isprintable():
        return "must be printable, and on one line"
    if path.strip() != path:
        return "must not begin or end with a space"
    if "${" in path:
        return "must not hold '${', which DVC replaces by the value of a key"
    if "://" in path:
        return "must be a file of this machine, not an address: 'dvc import-url' fetches it"
    return ""


def _not_below(path: str) -> str:
    """Return why a path does not name a manifest below data.archive, or ""."""
    if path.startswith("/") or "\\" in path or ".." in path.split("/") or not path.isprintable():
        return "must be a path below data.archive, with '/'"
    if not path.lower().endswith(TABLES):
        return "must end in .csv or .parquet"
    return ""


def _no_folder(name: str) -> str:
    """Return why a class has no folder of this name in an archive, or ""."""
    if not name.isprintable():
        return "must be printable, and on one line"
    if "\\" in name or name.startswith(".") or name == "__MACOSX":
        return "must be the name of a folder with samples: without '\\', not hidden"
    if len(name.encode()) > LONGEST_NAME:
        return f"must have at most {LONGEST_NAME} bytes"
    return ""

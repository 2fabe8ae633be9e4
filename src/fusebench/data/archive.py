"""Where the samples are in a zip: the folder of the classes, the pairs, what has no partner."""

import posixpath
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from fusebench.config import AsTuple, Section
from fusebench.errors import ArchiveError

# Bytes of the first version: with other words the same samples would be another archive.
SYNTHETIC_COMMENT = b"fusebench: rendered demonstration archive"
"""Comment of a zip with synthetic samples, which stage synthesize made. Its bytes never change."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
ANGLES = ("azimuth", "zenith")
# Per modality the kinds of files that are read; others in its folder are passed over.
_SUFFIXES = {"rgb": IMAGE_SUFFIXES, "lidar": (".npy",)}
DEMO = "data/demo.zip"
"""The archive that stage synthesize makes."""

GUIDE = "README.md, 'Your own data'"
"""Where the layout of an archive is described, for errors."""

_SENSORS = "in the file that data.sensors names"


class DataParams(Section):
    """Section `data`: the archive and its classes. Only stage extract reads it.

    What is constant for an archive stands in a file of its own: see `sensors.Sensors`.
    """

    moved: ClassVar[Mapping[str, str]] = {
        "image_size": f"camera.image_size {_SENSORS}",
        "focal_length": f"camera.focal_length {_SENSORS}",
        "lidar_size": f"lidar.size {_SENSORS}",
        "max_range": f"lidar.max_range {_SENSORS}",
        "quarter_turns": f"lidar.quarter_turns {_SENSORS}",
    }

    archive: str = Field(min_length=1)
    sensors: str = Field(min_length=1)
    classes: Annotated[tuple[str, ...], AsTuple] = Field(min_length=2)
    positive: str
    on_bad_sample: Literal["error", "skip"]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = set(self.classes)
        if len(names) < len(self.classes) or any("/" in name or not name for name in names):
            raise ValueError(f"classes = {list(self.classes)}: must be different folder names")
        if self.archive != DEMO and posixpath.normpath(self.archive) == DEMO:
            # dvc.yaml compares the text: in another spelling nothing would make the file.
            raise ValueError(f"archive = '{self.archive}': must be written '{DEMO}'")
        if self.positive not in names:
            raise ValueError(f"positive = '{self.positive}': must be one of {list(self.classes)}")
        return self


@dataclass(frozen=True)
class PairedMembers:
    """An image and a LiDAR map of the same id and class, as members of the zip."""

    id: str
    class_name: str
    rgb: str
    lidar: str


@dataclass(frozen=True)
class Layout:
    """What an archive holds.

    Attributes
    ----------
    root : str
        Folder of the class folders, with a slash at its end ("" at the zip's top).
    pairs : tuple of PairedMembers
        Sorted by position of the class in `data.classes`, then by id.
    angles : dict of (str, str) to str
        Per class and angle, the member that holds the angles.
    unmatched : dict of str to dict of str to int
        Per class and modality, the ids that have no partner.
    ambiguous : tuple of str
        One line per id that has two images or two maps.
    synthetic : bool
        Whether the archive says of itself that stage synthesize made it.
    """

    root: str
    pairs: tuple[PairedMembers, ...]
    angles: dict[tuple[str, str], str]
    unmatched: dict[str, dict[str, int]]
    ambiguous: tuple[str, ...]
    synthetic: bool


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip for reading.

    Raises
    ------
    ArchiveError
        The file is missing or is no readable zip.
    """
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ArchiveError(f"{path}: no such file; put it there or set data.archive") from None
    except IsADirectoryError:
        raise ArchiveError(f"{path}: is a folder; data.archive must name a zip file") from None
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ArchiveError(f"{path}: not a readable zip archive ({error}); copy it anew") from None


def read_layout(archive: zipfile.ZipFile, classes: Sequence[str]) -> Layout:
    """Find the folder of the classes and pair its members by id.

    Raises
    ------
    ArchiveError
        No folder, or more than one, holds all classes; a class has no pair; its angles are
        missing; a name stands twice.
    """
    source = archive.filename or "archive"
    members = _members_by_path(archive, source)
    root = _find_root(list(members), classes, source)
    pairs: list[PairedMembers] = []
    unmatched: dict[str, dict[str, int]] = {}
    ambiguous: list[str] = []
    for class_name in classes:
        images, maps = (
            _members_by_id(members, f"{root}{class_name}/{modality}/", suffixes)
            for modality, suffixes in _SUFFIXES.items()
        )
        both = sorted(images.keys() & maps.keys())
        if not both:
            raise ArchiveError(
                f"{source}: '{root}{class_name}/' has no pair: {len(images)} image(s) in rgb/ "
                f"({', '.join(IMAGE_SUFFIXES)}), {len(maps)} map(s) in lidar/ (.npy), no id in "
                f"both ({GUIDE})"
            )
        for key in both:
            of_id = [*images[key], *maps[key]]
            if not key.isprintable():
                # It would break the lines of tables and messages.
                ambiguous.append(f"{', '.join(map(repr, of_id))}: an id that cannot be printed")
            elif len(of_id) == 2:
                pairs.append(PairedMembers(key, class_name, *of_id))
            else:
                ambiguous.append(f"{', '.join(of_id)}: more than one image or map of one id")
        unmatched[class_name] = {"rgb": len(images) - len(both), "lidar": len(maps) - len(both)}
    angles = _find_angles(members, root, classes, source)
    synthetic = archive.comment == SYNTHETIC_COMMENT
    return Layout(root, tuple(pairs), angles, unmatched, tuple(ambiguous), synthetic)


def _members_by_path(archive: zipfile.ZipFile, source: str) -> dict[str, str]:
    """Return the files of a zip: from the shortest form of the path to the name in the zip.

    Some programs write "./a/b" or "a//b" where others write "a/b". What a file manager leaves
    beside the files is passed over.
    """
    members: dict[str, str] = {}
    for name in archive.namelist():
        path = PurePosixPath(name.lstrip("/"))
        if name.endswith("/") or path.name.startswith(".") or "__MACOSX" in path.parts:
            continue
        if path.as_posix() in members:
            raise ArchiveError(f"{source}: member '{name}' stands in the zip twice; make it anew")
        members[path.as_posix()] = name
    return members


def _find_angles(
    members: Mapping[str, str], root: str, classes: Sequence[str], source: str
) -> dict[tuple[str, str], str]:
    angles = {}
    for class_name in classes:
        for angle in ANGLES:
            path = f"{root}{class_name}/{angle}.npy"
            if path not in members:
                raise ArchiveError(
                    f"{source}: {path} is missing; each class folder must hold one ({GUIDE})"
                )
            angles[class_name, angle] = members[path]
    return angles


def _find_root(paths: Sequence[str], classes: Sequence[str], source: str) -> str:
    """Return the one folder below which all class folders lie."""
    classes_below: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        parts = path.split("/")
        for depth, part in enumerate(parts[:-1]):
            if part in classes and _is_content(parts[depth + 1 :]):
                classes_below["".join(f"{parent}/" for parent in parts[:depth])].add(part)
    roots = [root for root, below in classes_below.items() if below == set(classes)]
    if len(roots) > 1:
        shown = " and ".join(f"'{root or './'}'" for root in sorted(roots))
        raise ArchiveError(
            f"{source}: {len(roots)} folders hold all classes {list(classes)}: {shown}; "
            "leave one in the zip"
        )
    if not roots:
        seen = [
            f"{sorted(names)} in '{root or './'}'" for root, names in sorted(classes_below.items())
        ]
        raise ArchiveError(
            f"{source}: no folder holds all classes {list(classes)} (data.classes), each with rgb/ "
            f"and lidar/ ({GUIDE}); found: {'; '.join(seen) or 'none of them'}"
        )
    return roots[0]


def _is_content(parts: Sequence[str]) -> bool:
    """Tell whether a path below a class folder is one that the layout knows."""
    if len(parts) == 1:
        return parts[0] in {f"{angle}.npy" for angle in ANGLES}
    return len(parts) == 2 and parts[0] in _SUFFIXES


def _members_by_id(
    members: Mapping[str, str], folder: str, suffixes: Sequence[str]
) -> dict[str, list[str]]:
    """Return the members of each id in one folder; files of other kinds are passed over."""
    of_id: dict[str, list[str]] = {}
    for path in sorted(members):
        file = PurePosixPath(path.removeprefix(folder))
        inside = path.startswith(folder) and len(file.parts) == 1
        if inside and file.suffix.lower() in suffixes:
            of_id.setdefault(file.stem, []).append(members[path])
    return of_id

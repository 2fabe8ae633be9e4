"""Where the samples are in a zip: the folder of the classes, the pairs, what has no partner."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fusebench.data.demonstration import task_in
from fusebench.data.headers import shown
from fusebench.data.pairs import Found, Ids, Members, Pairs, pair, short
from fusebench.data.paths import ANGLES, GUIDE, MODALITIES, composed, files, find_root, id_of
from fusebench.data.settings import same_name
from fusebench.data.zips import Zip
from fusebench.errors import ArchiveError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
# Per modality the kinds of files that are read; others in its folder are passed over.
_SUFFIXES = {"rgb": IMAGE_SUFFIXES, "lidar": (".npy",)}


@dataclass(frozen=True)
class Layout:
    """What an archive holds.

    Attributes
    ----------
    root : str
        Folder of the class folders, with a slash at its end ("" at the zip's top).
    pairs : Pairs
    angles : dict of (str, str) to int
        Per class and angle, the member that holds the angles.
    unmatched : dict of str to dict of str to int
        Per class and modality, the ids that have no partner.
    ambiguous : tuple of str
        One line per id that has two images or two maps, or is none.
    task : str or None
        Of the demonstration, if the archive says of itself that stage synthesize made it.
    """

    root: str
    pairs: Pairs
    angles: dict[tuple[str, str], int]
    unmatched: dict[str, dict[str, int]]
    ambiguous: tuple[str, ...]
    task: str | None

    @property
    def synthetic(self) -> bool:
        """Whether stage synthesize made the archive."""
        return self.task is not None

    def members(self) -> Members:
        """Return all members that are read, in any order."""
        return np.append(self.pairs.members, np.array([*self.angles.values()], np.int32))


def read_layout(archive: Zip, classes: Sequence[str]) -> Layout:
    """Find the folder of the classes and pair its members by id.

    Names are compared in Unicode's composed form, which file systems and zips differ in. They are
    gone through twice: to find the folder, and to find what is in it.

    Raises
    ------
    ArchiveError
        No folder, or more than one, holds all classes; a class has no pair; its angles are
        missing; a name stands twice, in one spelling or two, or cannot be a path.
    """
    folders = {composed(name): name for name in classes}
    root = find_root(archive, folders)
    by_class, angles = _read_below(archive, root, folders)
    unmatched: dict[str, dict[str, int]] = {}
    ambiguous: list[str] = []
    ids, members = [], []
    for class_name, found in zip(classes, by_class, strict=True):
        paired = pair(archive, found)
        if not (len(paired.ids) or paired.bad):
            images, maps = (paired.counts[modality] for modality in MODALITIES)
            raise ArchiveError(
                f"{archive.source}: '{shown(root)}{class_name}/' has no pair: {images} image(s) "
                f"in rgb/ ({', '.join(IMAGE_SUFFIXES)}), {maps} map(s) in lidar/ "
                f"(.npy), no id in both ({GUIDE})"
            )
        ids.append(paired.ids)
        members.append(paired.members)
        ambiguous += paired.bad
        unmatched[class_name] = {
            modality: count - paired.matched for modality, count in paired.counts.items()
        }
    _check_angles(angles, root, folders, archive.source)
    labels = np.repeat(np.arange(len(ids), dtype=np.int32), [len(of_class) for of_class in ids])
    return Layout(
        root=root,
        pairs=Pairs(classes, np.concatenate(ids), labels, np.concatenate(members)),
        angles=angles,
        unmatched=unmatched,
        ambiguous=tuple(ambiguous),
        task=task_in(archive.comment),
    )


def _check_angles(
    angles: Mapping[tuple[str, str], int], root: str, folders: Mapping[str, str], source: str
) -> None:
    for folder, class_name in folders.items():
        for angle in ANGLES:
            if (class_name, angle) not in angles:
                path = shown(f"{root}{folder}/{angle}.npy")
                raise ArchiveError(
                    f"{source}: {path} is missing; each class folder must hold one ({GUIDE})"
                )


def _read_below(
    archive: Zip, root: str, folders: Mapping[str, str]
) -> tuple[list[Found], dict[tuple[str, str], int]]:
    """Return the images and maps of each class, and its files of angles.

    Raises
    ------
    ArchiveError
        A folder, or a file of angles, is there in two spellings of small and capital.
    """
    places = {
        f"{folder}/{modality}": (label, number)
        for label, folder in enumerate(folders)
        for number, modality in enumerate(MODALITIES)
    }
    angle_files = {
        f"{folder}/{angle}.npy": (class_name, angle)
        for folder, class_name in folders.items()
        for angle in ANGLES
    }
    by_case = {same_name(path): path for path in (*places, *angle_files)}

    # Most files share a folder.
    @lru_cache(maxsize=256)
    def meant_by(place: str) -> str:
        return by_case.get(same_name(place), place)

    angles: dict[tuple[str, str], int] = {}
    columns = _Columns()
    for member, path in files(archive):
        if not path.startswith(root):
            continue
        parts = path.removeprefix(root).split("/", 2)
        place = "/".join(parts[:2])
        meant = meant_by(place)
        if meant != place:
            raise ArchiveError(
                f"{archive.source}: '{shown(root + place)}' differs from '{shown(root + meant)}' "
                "by case alone; name them alike, or leave one out"
            )
        if len(parts) == 2 and place in angle_files:
            angles[angle_files[place]] = member
        if len(parts) < 3 or place not in places or "/" in parts[2]:
            continue
        label, modality = places[place]
        _, dot, suffix = parts[2].rpartition(".")
        if dot and f".{suffix.lower()}" in _SUFFIXES[MODALITIES[modality]]:
            columns.add(short(id_of(parts[2])), label, modality, member)
    return columns.found(len(folders)), angles


class _Columns:
    """Images and maps as columns of numbers: an object for each would take ten times the memory."""

    def __init__(self) -> None:
        self._ids, self._lengths = bytearray(), array("B")
        self._labels, self._modalities, self._members = (array("i") for _ in range(3))

    def add(self, id_: bytes, label: int, modality: int, member: int) -> None:
        self._ids += id_
        self._lengths.append(len(id_))
        self._labels.append(label)
        self._modalities.append(modality)
        self._members.append(member)

    def found(self, classes: int) -> list[Found]:
        """Return what was added, by class."""
        columns = (
            _fixed(self._ids, np.asarray(self._lengths)),
            np.asarray(self._modalities), np.asarray(self._members),
        )  # fmt: skip
        rows = [np.asarray(self._labels) == label for label in range(classes)]
        return [Found(*(column[of_class] for column in columns)) for of_class in rows]


def _fixed(texts: bytearray, lengths: npt.NDArray[np.uint8]) -> Ids:
    """Return texts that stand one after another as an array of one width."""
    ends = np.cumsum(lengths, dtype=np.int64)
    parts = (
        bytes(texts[end - length : end])
        for end, length in zip(ends, lengths.astype(int), strict=True)
    )
    return np.fromiter(parts, f"S{max(1, lengths.max(initial=0))}", len(lengths))

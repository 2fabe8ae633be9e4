"""A folder per class with images and LiDAR files, which are pairs by their ids."""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.demonstration import task_in
from fusebench.data.headers import shown
from fusebench.data.images import IMAGE_SUFFIXES
from fusebench.data.layout import Layout, Recognised
from fusebench.data.pairs import Found, Ids, Pairs, pair, short
from fusebench.data.paths import ANGLES, GUIDE, MODALITIES, composed, files, find_root, id_of
from fusebench.data.projection import ENDINGS
from fusebench.data.settings import DataParams, same_name
from fusebench.errors import ArchiveError


class ClassFolders(Layout):
    """A folder per class, each with rgb/<id>.png, lidar/<id>.npy, azimuth.npy and zenith.npy.

    Names are compared in Unicode's composed form, which file systems and zips differ in. They are
    gone through twice: to find the folder, and to find what is in it.

    Attributes
    ----------
    root : str
        Folder of the class folders, with a slash at its end ("" at the top).
    angle_files : dict of (str, str) to int
        Per class and angle, the member that holds the angles.
    """

    whole_files = True
    root: str
    angle_files: dict[tuple[str, str], int]

    @classmethod
    def recognised(cls, container: Container) -> list[Recognised]:
        """Return the folders that hold rgb/ and lidar/, one per class, by where they lie."""
        held: dict[tuple[str, str], set[str]] = defaultdict(set)
        for _, path in files(container):
            *above, folder, modality, _ = ["", "", *path.split("/")]
            if folder and modality in MODALITIES:
                held["/".join(above), folder].add(modality)
        roots: dict[str, list[str]] = defaultdict(list)
        for (root, folder), modalities in sorted(held.items()):
            if len(modalities) == len(MODALITIES):
                roots[root].append(folder)
        return [Recognised(tuple(classes)) for classes in roots.values()]

    def find(self, params: DataParams) -> None:
        """Find the folder of the classes and pair its members by id.

        Raises
        ------
        ArchiveError
            No folder, or more than one, holds all classes; a class has no pair; its angles are
            missing; a name stands twice, in one spelling or two, or cannot be a path.
        """
        archive, classes = self.container, params.classes
        folders = {composed(name): name for name in classes}
        endings = {"rgb": IMAGE_SUFFIXES, "lidar": ENDINGS[self.sensors.lidar.format]}
        self.root = root = find_root(archive, folders)
        by_class, self.angle_files = _read_below(archive, root, folders, endings)
        ids, members = [], []
        for class_name, found in zip(classes, by_class, strict=True):
            paired = pair(archive, found)
            if not (len(paired.ids) or paired.bad):
                images, maps = (paired.counts[modality] for modality in MODALITIES)
                raise ArchiveError(
                    f"{archive.source}: '{shown(root)}{class_name}/' has no pair: {images} image(s)"
                    f" in rgb/ ({', '.join(endings['rgb'])}), {maps} map(s) in lidar/ "
                    f"({', '.join(endings['lidar'])}), no id in both ({GUIDE})"
                )
            ids.append(paired.ids)
            members.append(paired.members)
            self.bad += paired.bad
            self.unmatched[class_name] = {
                modality: count - paired.matched for modality, count in paired.counts.items()
            }
        stored = [angle for angle in ANGLES if getattr(self.sensors.lidar, angle) == "stored"]
        _check_angles(self.angle_files, stored, root, folders, archive.source)
        labels = np.repeat(np.arange(len(ids), dtype=np.int32), [len(of_class) for of_class in ids])
        self.pairs = Pairs(classes, np.concatenate(ids), labels, np.concatenate(members))
        self.task = task_in(archive.comment)

    def stored_angles(self) -> Mapping[str, Sequence[int]]:
        """Return the files of angles of each class."""
        return {
            angle: [self.angle_files[name, angle] for name in self.pairs.classes
                    if (name, angle) in self.angle_files]
            for angle in ANGLES
        }  # fmt: skip


def _check_angles(
    angles: Mapping[tuple[str, str], int],
    stored: Sequence[str],
    root: str,
    folders: Mapping[str, str],
    source: str,
) -> None:
    for folder, class_name in folders.items():
        for angle in stored:
            if (class_name, angle) not in angles:
                path = shown(f"{root}{folder}/{angle}.npy")
                raise ArchiveError(
                    f"{source}: {path} is missing; each class folder must hold one ({GUIDE})"
                )


def _read_below(
    archive: Container,
    root: str,
    folders: Mapping[str, str],
    endings: Mapping[str, Sequence[str]],
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
        if dot and f".{suffix.lower()}" in endings[MODALITIES[modality]]:
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

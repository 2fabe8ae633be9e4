"""Where the samples are in a zip: the folder of the classes, the pairs, what has no partner."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fusebench.data.headers import shown
from fusebench.data.settings import LONGEST_NAME, same_name
from fusebench.data.zips import Zip
from fusebench.errors import ArchiveError

# Bytes of the first version: with other words the same samples would be another archive.
SYNTHETIC_COMMENT = b"fusebench: rendered demonstration archive"
"""Comment of a zip with synthetic samples, which stage synthesize made. Its bytes never change."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
ANGLES = ("azimuth", "zenith")
# Per modality the kinds of files that are read; others in its folder are passed over.
_SUFFIXES = {"rgb": IMAGE_SUFFIXES, "lidar": (".npy",)}
# Folders that an error lists.
_MOST_SHOWN = 5
GUIDE = "README.md, 'Your own data'"
"""Where the layout of an archive is described, for errors."""


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
        One line per id that has two images or two maps, or is none.
    synthetic : bool
        Whether the archive says of itself that stage synthesize made it.
    """

    root: str
    pairs: tuple[PairedMembers, ...]
    angles: dict[tuple[str, str], str]
    unmatched: dict[str, dict[str, int]]
    ambiguous: tuple[str, ...]
    synthetic: bool

    def members(self) -> Iterator[str]:
        """Yield the names of all members that are read."""
        yield from self.angles.values()
        for pair in self.pairs:
            yield from (pair.rgb, pair.lidar)


def read_layout(archive: Zip, classes: Sequence[str]) -> Layout:
    """Find the folder of the classes and pair its members by id.

    Names are compared in Unicode's composed form, which file systems and zips differ in.

    Raises
    ------
    ArchiveError
        No folder, or more than one, holds all classes; a class has no pair; its angles are
        missing; a name stands twice, in one spelling or two, or cannot be a path.
    """
    source = archive.source
    members = _members_by_path(archive)
    folders = {_composed(name): name for name in classes}
    root = _find_root(members, folders, source)
    _check_spelling(members, root, folders, source)
    pairs: list[PairedMembers] = []
    unmatched: dict[str, dict[str, int]] = {}
    ambiguous: list[str] = []
    by_folder = _members_by_folder(members)
    for folder, class_name in folders.items():
        found = {
            modality: _members_by_id(by_folder, f"{root}{folder}/{modality}", suffixes)
            for modality, suffixes in _SUFFIXES.items()
        }
        of_class, bad = _pair(class_name, found["rgb"], found["lidar"])
        if not of_class and not bad:
            raise ArchiveError(
                f"{source}: '{shown(root)}{class_name}/' has no pair: {len(found['rgb'])} image(s) "
                f"in rgb/ ({', '.join(IMAGE_SUFFIXES)}), {len(found['lidar'])} map(s) in lidar/ "
                f"(.npy), no id in both ({GUIDE})"
            )
        pairs += of_class
        ambiguous += bad
        matched = len(found["rgb"].keys() & found["lidar"].keys())
        unmatched[class_name] = {name: len(ids) - matched for name, ids in found.items()}
    angles = _find_angles(members, root, folders, source)
    synthetic = archive.comment == SYNTHETIC_COMMENT
    return Layout(root, tuple(pairs), angles, unmatched, tuple(ambiguous), synthetic)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _members_by_path(archive: Zip) -> dict[str, str]:
    """Return the files of a zip: from the shortest form of the path to the name in the zip.

    Some programs write "./a/b" or "a//b" where others write "a/b", and some write letters with
    their accents apart. What a file manager leaves beside the files is passed over.
    """
    members: dict[str, str] = {}
    for name in archive.names:
        path = PurePosixPath(name.lstrip("/"))
        if name.endswith("/") or path.name.startswith(".") or "__MACOSX" in path.parts:
            continue
        if reason := _no_path(path):
            raise ArchiveError(
                f"{archive.source}: member '{shown(name)}' has {reason} in its name; zip the "
                "folder anew"
            )
        key = _composed(path.as_posix())
        if key in members:
            raise ArchiveError(
                f"{archive.source}: member '{shown(name)}' stands in the zip twice; make it anew"
            )
        members[key] = name
    return members


def _no_path(path: PurePosixPath) -> str:
    """Return what keeps a name from being a path below the zip's top, or ""."""
    if ".." in path.parts:
        return "'..'"
    if "\x00" in str(path):
        return "a NUL"
    return "'\\'" if "\\" in str(path) else ""


def _find_angles(
    members: Mapping[str, str], root: str, folders: Mapping[str, str], source: str
) -> dict[tuple[str, str], str]:
    angles = {}
    for folder, class_name in folders.items():
        for angle in ANGLES:
            path = f"{root}{folder}/{angle}.npy"
            if path not in members:
                raise ArchiveError(
                    f"{source}: {shown(path)} is missing; each class folder must hold one ({GUIDE})"
                )
            angles[class_name, angle] = members[path]
    return angles


def _find_root(paths: Iterable[str], folders: Mapping[str, str], source: str) -> str:
    """Return the one folder below which all class folders lie."""
    classes_below: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        parts = path.split("/")
        # A class folder holds angles, and folders of samples: no need to look further up.
        for depth in range(max(0, len(parts) - 3), len(parts) - 1):
            if parts[depth] in folders and _is_content(parts[depth + 1 :]):
                classes_below["".join(f"{parent}/" for parent in parts[:depth])].add(parts[depth])
    roots = [root for root, below in classes_below.items() if below == set(folders)]
    classes = list(folders.values())
    if len(roots) > 1:
        listed = [f"'{shown(root) or './'}'" for root in sorted(roots)[:_MOST_SHOWN]]
        raise ArchiveError(
            f"{source}: {len(roots)} folders hold all classes {classes}: {' and '.join(listed)}; "
            "leave one in the zip"
        )
    if not roots:
        seen = [
            f"{sorted(names)} in '{shown(root) or './'}'"
            for root, names in sorted(classes_below.items())[:_MOST_SHOWN]
        ]
        raise ArchiveError(
            f"{source}: no folder holds all classes {classes} (data.classes), each with rgb/ "
            f"and lidar/ ({GUIDE}); found: {'; '.join(seen) or 'none of them'}"
        )
    return roots[0]


def _is_content(parts: Sequence[str]) -> bool:
    """Tell whether a path below a class folder is one that the layout knows."""
    if len(parts) == 1:
        return parts[0] in {f"{angle}.npy" for angle in ANGLES}
    return len(parts) == 2 and parts[0] in _SUFFIXES


def _check_spelling(
    members: Iterable[str], root: str, folders: Mapping[str, str], source: str
) -> None:
    """Refuse a folder, or a file of angles, that is there in two spellings of small and capital."""
    wanted = {f"{folder}/{modality}" for folder in folders for modality in _SUFFIXES}
    wanted |= {f"{folder}/{angle}.npy" for folder in folders for angle in ANGLES}
    by_case = {same_name(path): path for path in wanted}
    for member in members:
        if not member.startswith(root):
            continue
        parts = member.removeprefix(root).split("/", 2)
        path = "/".join(parts[:2])
        meant = by_case.get(same_name(path), path)
        if meant != path:
            raise ArchiveError(
                f"{source}: '{shown(root + path)}' differs from '{shown(root + meant)}' by case "
                "alone; name them alike, or leave one out"
            )


def _members_by_folder(members: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Return, by folder, the name of each file and the name in the zip, sorted by path."""
    by_folder: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(members):
        folder, _, name = path.rpartition("/")
        by_folder[folder].append((name, members[path]))
    return by_folder


def _members_by_id(
    by_folder: Mapping[str, Sequence[tuple[str, str]]], folder: str, suffixes: Sequence[str]
) -> dict[str, list[str]]:
    """Return the members of each id in one folder; files of other kinds are passed over."""
    of_id: dict[str, list[str]] = {}
    for name, member in by_folder.get(folder, ()):
        file = PurePosixPath(name)
        if file.suffix.lower() in suffixes:
            of_id.setdefault(file.stem, []).append(member)
    return of_id


def _pair(
    class_name: str, images: Mapping[str, list[str]], maps: Mapping[str, list[str]]
) -> tuple[list[PairedMembers], list[str]]:
    """Return the pairs of a class, by id, and a line per id that does not make one."""
    pairs, bad = [], []
    alike = Counter(same_name(key) for key in images.keys() | maps.keys())
    for key in sorted(images.keys() & maps.keys()):
        of_id = [*images[key], *maps[key]]
        if reason := _no_id(key, len(of_id), alike[same_name(key)]):
            bad.append(f"{', '.join(map(shown, of_id))}: {reason}")
        else:
            pairs.append(PairedMembers(key, class_name, *of_id))
    return pairs, bad


def _no_id(key: str, members: int, alike: int) -> str:
    """Return why members of an id are no sample, or ""."""
    if not key.isprintable():
        # It would break the lines of tables and messages.
        return "an id that cannot be printed"
    if len(key.encode()) > LONGEST_NAME:
        return f"an id of {len(key.encode()):,} bytes; at most {LONGEST_NAME} are allowed"
    if members != 2:
        return "more than one image or map of one id"
    return "an id that differs from another by case alone" if alike > 1 else ""

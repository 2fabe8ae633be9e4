"""The names in a zip or a folder as paths, and the folder of the classes among them."""

import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b

import numpy as np

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.errors import ArchiveError

ANGLES = ("azimuth", "zenith")
MODALITIES = ("rgb", "lidar")
GUIDE = "docs/your-data.md"
"""Where the layout of an archive is described, for errors."""
# Folders that an error lists.
_MOST_SHOWN = 5


def composed(name: str) -> str:
    """Return a text in Unicode's composed form, which file systems and zips differ in."""
    return unicodedata.normalize("NFC", name)


def id_of(path: str) -> str:
    """Return the id of a sample's file: its name without the ending, composed."""
    return composed(path.rpartition("/")[2].rpartition(".")[0])


def digest(text: str) -> bytes:
    """Return 16 bytes that stand for a text, to tell equal ones without holding them all."""
    return blake2b(text.encode(), digest_size=16).digest()


def files(archive: Container) -> Iterator[tuple[int, str]]:
    """Yield each file of a container: its member, and the shortest form of its path, composed.

    Some programs write "./a/b" or "a//b" where others write "a/b", and some write letters with
    their accents apart. What a file manager leaves beside the files is passed over.

    Raises
    ------
    ArchiveError
        A name cannot be a path.
    """
    for member, name in enumerate(archive.names()):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.endswith("/") or (parts and parts[-1].startswith(".")) or "__MACOSX" in parts:
            continue
        if reason := _no_path(parts):
            raise ArchiveError(
                f"{archive.source}: member '{shown(name)}' has {reason} in its name; "
                f"{archive.rename}"
            )
        yield member, composed("/".join(parts))


def _no_path(parts: list[str]) -> str:
    """Return what keeps a name from being a path below the zip's top, or ""."""
    if ".." in parts:
        return "'..'"
    name = "/".join(parts)
    if "\x00" in name:
        return "a NUL"
    return "'\\'" if "\\" in name else ""


def find_root(archive: Container, folders: Mapping[str, str]) -> str:
    """Return the one folder below which all class folders lie, with a slash at its end.

    Parameters
    ----------
    folders : mapping of str to str
        From the composed name of each class's folder to the class.

    Raises
    ------
    ArchiveError
        There is none, or more than one; a name stands twice, or cannot be a path.
    """
    classes_below: dict[str, set[str]] = defaultdict(set)
    members, digests = array("Q"), bytearray()
    try:
        for member, path in files(archive):
            members.append(member)
            digests += digest(path)
            parts = path.split("/")
            # A class folder holds angles, and folders of samples: no need to look further up.
            for depth in range(max(0, len(parts) - 3), len(parts) - 1):
                if parts[depth] in folders and _is_content(parts[depth + 1 :]):
                    root = "".join(f"{parent}/" for parent in parts[:depth])
                    classes_below[root].add(parts[depth])
    except ArchiveError:
        # Of two errors the one that comes first in the zip is told.
        _check_repeated(archive, members, digests)
        raise
    _check_repeated(archive, members, digests)
    return _only_root(classes_below, folders, archive)


def _check_repeated(archive: Container, members: "array[int]", digests: bytearray) -> None:
    """Refuse a path that stands twice; raise ArchiveError."""
    numbers = np.frombuffer(digests, "S16")
    order = numbers.argsort(kind="stable")
    repeated = order[1:][numbers[order[1:]] == numbers[order[:-1]]]
    if len(repeated):
        name = archive.name(members[repeated.min()])
        raise _twice(archive, name)


def _twice(archive: Container, name: str) -> ArchiveError:
    return ArchiveError(
        f"{archive.source}: member '{shown(name)}' stands in the {archive.kind} twice; "
        f"{archive.again}"
    )


def by_path(archive: Container) -> dict[str, int]:
    """Return each file of a container by its path; see `files`.

    Raises
    ------
    ArchiveError
        A name stands twice, in one spelling or two, or cannot be a path.
    """
    found: dict[str, int] = {}
    for member, path in files(archive):
        if path in found:
            raise _twice(archive, archive.name(member))
        found[path] = member
    return found


def _is_content(parts: list[str]) -> bool:
    """Tell whether a path below a class folder is one that the layout knows."""
    if len(parts) == 1:
        return parts[0] in {f"{angle}.npy" for angle in ANGLES}
    return len(parts) == 2 and parts[0] in MODALITIES


def _only_root(
    classes_below: Mapping[str, Collection[str]], folders: Mapping[str, str], archive: Container
) -> str:
    source = archive.source
    roots = [root for root, below in classes_below.items() if below == set(folders)]
    classes = list(folders.values())
    if len(roots) > 1:
        listed = [f"'{shown(root) or './'}'" for root in sorted(roots)[:_MOST_SHOWN]]
        raise ArchiveError(
            f"{source}: {len(roots)} folders hold all classes {classes}: {' and '.join(listed)}; "
            f"leave one in the {archive.kind}"
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

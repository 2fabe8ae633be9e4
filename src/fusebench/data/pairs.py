"""Pairs of an image and a LiDAR map by id, in a few bytes each: an archive may hold many."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.data.paths import MODALITIES, composed, digest, id_of
from fusebench.data.settings import LONGEST_NAME, same_name

Ids = npt.NDArray[np.bytes_]
"""Ids in UTF-8, each with as many bytes as the longest has. Sorted, they stand as text does."""
Members = npt.NDArray[np.int32]
"""Positions in the container."""
# Characters of a digest.
_DIGEST = 32


@dataclass(frozen=True)
class PairedMembers:
    """An image and a LiDAR file of the same id and class, as members of the container.

    `group` names what the sample belongs to: those of a group stay in one part of the split.
    """

    id: str
    class_name: str
    group: str
    rgb: int
    lidar: int


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs, sorted by position of the class in `data.classes`, then by id.

    Attributes
    ----------
    classes : sequence of str
        `data.classes`.
    ids : array of bytes, shape (P,)
    labels : array of int, shape (P,)
        Positions in `classes`.
    members : array of int, shape (P, 2)
        Image and map.
    groups : array of bytes, shape (P,), or None
        None: the samples of an id are a group.
    """

    classes: Sequence[str]
    ids: Ids
    labels: npt.NDArray[np.int32]
    members: Members
    groups: Ids | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[PairedMembers]:
        groups = self.ids if self.groups is None else self.groups
        columns = zip(self.ids, self.labels, groups, self.members, strict=True)
        for key, label, group, (rgb, lidar) in columns:
            yield PairedMembers(
                key.decode(), self.classes[label], group.decode(), int(rgb), int(lidar)
            )


class Found(NamedTuple):
    """Files of a class that may be half of a pair: id, position in `MODALITIES`, member.

    Ids of `LONGEST_NAME` bytes may stand for longer ones, see `short`.
    """

    ids: Ids
    modalities: npt.NDArray[np.int32]
    members: Members


class Paired(NamedTuple):
    """What `pair` makes of a class.

    Attributes
    ----------
    ids : array of bytes, shape (P,), sorted
    members : array of int, shape (P, 2)
        Image and map of each.
    bad : list of str
        A line per id that is in both modalities and does not make a pair.
    counts : dict of str to int
        Per modality, how many ids it has.
    matched : int
        How many ids are in both.
    """

    ids: Ids
    members: Members
    bad: list[str]
    counts: dict[str, int]
    matched: int


def short(key: str) -> bytes:
    """Return an id in UTF-8, or what stands for it if it is too long to be one."""
    whole = key.encode()
    if len(whole) <= LONGEST_NAME:
        return whole
    # One id of 60,000 bytes would give as many to each.
    return whole[: LONGEST_NAME - _DIGEST] + digest(key).hex().encode()


def pair(archive: Container, found: Found) -> Paired:
    """Pair the files of a class by id."""
    ids, first, of = np.unique(found.ids, return_index=True, return_inverse=True)
    counts = np.zeros((len(ids), len(MODALITIES)), np.int64)
    np.add.at(counts, (of, found.modalities), 1)
    # Where an id has one file of each, there is nothing to be overwritten.
    members = np.zeros(counts.shape, np.int32)
    members[of, found.modalities] = found.members

    def key(number: int) -> str:
        if len(ids[number]) < LONGEST_NAME:
            return str(ids[number].decode())
        return id_of(archive.name(found.members[first[number]]))

    alike = _alike(map(key, range(len(ids))), len(ids))
    in_both: npt.NDArray[np.bool_] = np.all(counts > 0, axis=1)
    good, bad = in_both.copy(), []
    for number in np.flatnonzero(in_both).tolist():
        if reason := _no_id(key(number), counts[number].sum(), alike[number]):
            good[number] = False
            bad.append((key(number), number, reason))
    bad.sort()
    rows = _rows_of([number for _, number, _ in bad], of)
    lines = [
        f"{', '.join(map(shown, _names(archive, found, of_id)))}: {reason}"
        for (_, _, reason), of_id in zip(bad, rows, strict=True)
    ]
    of_modality = dict(zip(MODALITIES, (counts > 0).sum(axis=0).tolist(), strict=True))
    return Paired(ids[good], members[good], lines, of_modality, int(in_both.sum()))


def _alike(keys: Iterable[str], count: int) -> npt.NDArray[np.int64]:
    """Return of how many ids each differs by case alone, itself included."""
    digests = np.fromiter((digest(same_name(key)) for key in keys), f"S{_DIGEST // 2}", count)
    _, of, counts = np.unique(digests, return_inverse=True, return_counts=True)
    return counts[of]


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


def _rows_of(numbers: Sequence[int], of: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """Return, for some numbers, where in `of` each of them stands."""
    order = of.argsort(kind="stable")
    ends = np.searchsorted(of[order], numbers, side="right")
    starts = np.searchsorted(of[order], numbers)
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def _names(archive: Container, found: Found, rows: npt.NDArray[np.intp]) -> list[str]:
    """Return the names of some members as they stand in the zip: images first, each by path."""
    named = [(found.modalities[row], archive.name(found.members[row])) for row in rows]
    named.sort(key=lambda file: (file[0], composed(file[1])))
    return [name for _, name in named]

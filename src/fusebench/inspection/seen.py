"""What a zip or a folder of samples holds, as far as its files tell."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.data.container import Container
from fusebench.data.depth import open_depth
from fusebench.data.headers import shown
from fusebench.data.images import decode_whole
from fusebench.data.layout import Layout, Recognised
from fusebench.data.npy import decode_npy, open_npy
from fusebench.data.opened import open_container
from fusebench.data.points import decode_points
from fusebench.data.settings import DataParams
from fusebench.data.unpack import BadMemberError
from fusebench.inspection.laid_out import archive_of, paired, recognised_in, stored_angles
from fusebench.inspection.ranges import Ranges

LOOKED = 2000
"""Samples of a class that are opened at most, evenly over all."""


@dataclass
class Seen:
    """What was seen.

    Attributes
    ----------
    archive : str
        As params.yaml names it.
    layout : str
    recognised : Recognised
        Classes, and of a manifest its path.
    lost : mapping of str to str
        Classes without a usable sample, with the reason.
    kind : type of Layout
    format : str
        As `lidar.format`.
    samples : DataFrame
        id, group, class and label of each sample.
    unmatched, passed_over : mapping
        As `Layout` has them.
    problems : list of str
        A line per sample that is none.
    opened : int
        How many samples were opened.
    images : Counter of (int, int)
        Height and width.
    ranges : Ranges
    angles : dict of str to array
        azimuth and zenith, as stored; those that are not stored, or no such, are missing.
    """

    archive: str
    layout: str
    recognised: Recognised
    lost: Mapping[str, str]
    kind: type[Layout]
    format: str
    samples: pd.DataFrame
    unmatched: Mapping[str, Mapping[str, int]]
    passed_over: Mapping[str, int]
    problems: list[str]
    synthetic: bool
    opened: int = 0
    images: Counter[tuple[int, int]] = field(default_factory=Counter)
    ranges: Ranges = field(default_factory=Ranges)
    angles: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def grouped(self) -> bool:
        """Whether the data name groups."""
        return bool((self.samples["id"] != self.samples["group"]).any())


def look(path: Path, params: DataParams, layout: str | None = None) -> Seen:
    """Return what a zip, a folder, or the folder of a table holds.

    Parameters
    ----------
    path : Path
        A zip, a folder, or a manifest (CSV, Parquet).
    params : DataParams
        For its limits, and what a layout asks of it.
    layout : str, optional
        By default the one that the names of the files fit.

    Raises
    ------
    ArchiveError
        There is nothing, it is laid out in no way that is known or in several, or a class has no
        sample.
    """
    archive, table = archive_of(path)
    with open_container(archive, params.limits) as container:
        name, recognised = recognised_in(container, table, layout)
        kind, best, lost = paired(container, name, params, recognised)
        recognised = recognised._replace(classes=tuple(best.pairs.classes))
        container.check_limits(best.members())
        seen = Seen(
            archive.as_posix(), name, recognised, lost, type(best), kind, _table(best),
            best.unmatched, best.passed_over, list(best.bad), best.synthetic,
            angles=stored_angles(best),
        )  # fmt: skip
        _open(best, seen)
        container.check_unchanged()
    return seen


def _table(layout: Layout) -> pd.DataFrame:
    rows = [(pair.id, pair.group, pair.class_name) for pair in layout.pairs]
    return pd.DataFrame(rows, columns=["id", "group", "class"]).assign(label=layout.pairs.labels)


def _open(layout: Layout, seen: Seen) -> None:
    """Open samples of each class, evenly over all; a file that several share, once."""
    container, pairs = layout.container, layout.pairs
    rows = [np.flatnonzero(pairs.labels == label) for label in range(len(pairs.classes))]
    chosen = [of_class[:: -(-len(of_class) // LOOKED) or 1] for of_class in rows]
    wrong: dict[int, str] = {}
    for row in np.concatenate(chosen).tolist():
        image, file = (int(member) for member in pairs.members[row])
        for member in (image, file):
            if member not in wrong:
                wrong[member] = _looked_at(container, member, seen, is_image=member == image)
        lines = [wrong[member] for member in (image, file) if wrong[member]]
        seen.opened += not lines
        if lines:
            seen.problems.append("; ".join(lines))


def _looked_at(container: Container, member: int, seen: Seen, *, is_image: bool) -> str:
    """Count what a file holds, or return what is wrong with it."""
    name = container.name(member)
    try:
        content = container.read(member)
        if is_image:
            width, height = decode_whole(content).size
            seen.images[height, width] += 1
        else:
            _add(seen.ranges, content, seen.format, name)
    except BadMemberError as error:
        return f"{shown(name)}: {error}"
    return ""


def _add(ranges: Ranges, content: bytes, kind: str, name: str) -> None:
    """Count what a LiDAR file holds; raise BadMemberError."""
    if kind == "points":
        ranges.add_points(decode_points(content, f".{name.rpartition('.')[2].lower()}"))
    elif kind == "depth":
        ranges.add_map(open_depth(content))
    else:
        shape = open_npy(content).shape
        if len(shape) != 2 or not all(shape):
            raise BadMemberError(f"shape {shape}; must be rows and columns")
        ranges.add_map(decode_npy(content, shape))

"""A table that lists the samples: id, class, rgb, lidar, and perhaps group."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.data.images import IMAGE_SUFFIXES
from fusebench.data.layout import Layout, Recognised
from fusebench.data.listed import read_listed
from fusebench.data.pairs import Ids, Pairs
from fusebench.data.paths import ANGLES, GUIDE, MODALITIES, by_path, composed
from fusebench.data.projection import ENDINGS
from fusebench.data.settings import LONGEST_NAME, TABLES, DataParams, same_name
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError

COLUMNS = ("id", "class", "rgb", "lidar")
GROUP = "group"


class Manifest(Layout):
    """The samples that a CSV or Parquet file lists; paths in it are relative to its folder.

    Angles, where the sensors do not give them, are azimuth.npy and zenith.npy beside it.
    """

    whole_files = True

    @classmethod
    def recognised(cls, container: Container) -> list[Recognised]:
        """Return each table with the columns of one, and the classes that it names."""
        found = []
        for path, member in by_path(container).items():
            if not path.lower().endswith(TABLES):
                continue
            try:
                table = read_listed(container.read(member), path, COLUMNS, (GROUP,), gaps=True)
            except BadMemberError:
                continue
            found.append(Recognised(tuple(sorted(set(table["class"]) - {""})), path))
        return found

    def find(self, params: DataParams) -> None:
        """Read the table and find the files that it names.

        Raises
        ------
        ArchiveError
            The table is missing, broken, or lacks a column; a name in the container stands twice,
            or cannot be a path; a class has no sample.
        """
        path = composed(posixpath.normpath(str(params.manifest)))
        self._members = by_path(self.container)
        if path not in self._members:
            raise ArchiveError(
                f"{self.container.source}: has no {shown(path)} (data.manifest) in it ({GUIDE})"
            )
        self._folder, self._told = posixpath.dirname(path), shown(path)
        table = self._table(path, params.limits.members)
        classes = {composed(name): name for name in params.classes}
        named = [classes.get(composed(name), name) for name in table["class"]]
        table["class"] = pd.Series(named, table.index, dtype=object)
        others = table.loc[~table["class"].isin([*params.classes, ""]), "class"]
        if len(others):
            self.passed_over[f"of other classes than data.classes ({_few(others)})"] = len(others)
        for class_name in params.classes:
            if not (table["class"] == class_name).any():
                raise ArchiveError(
                    f"{self.container.source}: {self._told} lists no sample of class "
                    f"'{class_name}' (data.classes); it has: {_few(table['class'])}"
                )
        table = table.drop(others.index)
        table = table[self._good(table)]
        self._pair(table, params.classes)

    def stored_angles(self) -> Mapping[str, Sequence[int]]:
        """Return the files of angles beside the table."""
        places = {angle: posixpath.join(self._folder, f"{angle}.npy") for angle in ANGLES}
        return {
            angle: [self._members[path]] for angle, path in places.items() if path in self._members
        }

    def _table(self, path: str, most: int) -> pd.DataFrame:
        """Return the table as text, with a column `line`."""
        try:
            content = self.container.read(self._members[path])
            return read_listed(content, path, COLUMNS, (GROUP,), most=most, gaps=True)
        except BadMemberError as error:
            raise ArchiveError(f"{self.container.source}: {self._told}: {error}") from None

    def _good(self, table: pd.DataFrame) -> list[bool]:
        """Tell which lines name a sample; what is wrong with others is added to `bad`."""
        names = Counter(zip(table["class"], map(same_name, table["id"]), strict=True))
        spellings: dict[str, set[str]] = defaultdict(set)
        for group in table[GROUP].unique() if GROUP in table else ():
            spellings[_alike(group)].add(composed(group))
        reasons = [self._wrong(row, names, spellings) for row in _rows(table)]
        shared = self._shared(table[[not reason for reason in reasons]])
        for number, row in enumerate(_rows(table)):
            for kind in MODALITIES:
                if not reasons[number] and self._path(row[kind]) in shared:
                    reasons[number] = (
                        f"{kind} '{shown(row[kind])}' is that of another group, too; samples that "
                        "share a file must be of one group"
                    )
            if reasons[number]:
                self.bad.append(f"{self._told} line {row['line']}: {reasons[number]}")
        return [not reason for reason in reasons]

    def _wrong(
        self,
        row: Mapping[str, str],
        names: Mapping[tuple[str, str], int],
        spellings: Mapping[str, set[str]],
    ) -> str:
        """Return why a row by itself is no sample, or ""."""
        reasons = [f"{column} is empty" for column, cell in row.items() if cell == ""]
        reasons += [_no_name(kind, row[kind]) for kind in ("id", GROUP) if kind in row]
        if names[row["class"], same_name(row["id"])] > 1:
            reasons.append(
                f"id '{shown(row['id'])}' stands in class '{row['class']}' twice, or differs from "
                "another by case alone"
            )
        if len(spellings.get(_alike(row.get(GROUP, "")), ())) > 1:
            reasons.append(
                f"group '{shown(row[GROUP])}' differs from another by case or spaces alone"
            )
        endings = {"rgb": IMAGE_SUFFIXES, "lidar": ENDINGS[self.sensors.lidar.format]}
        reasons += [self._no_file(kind, row[kind], endings[kind]) for kind in endings if row[kind]]
        return "; ".join(filter(None, reasons))

    def _shared(self, table: pd.DataFrame) -> set[str]:
        """Return the files of samples of several groups: parts of the split would share them."""
        groups: dict[str, str] = {}
        shared = set()
        for row in _rows(table):
            # Samples of one id belong together where no group is named.
            group = composed(row.get(GROUP, row["id"]))
            for kind in MODALITIES:
                path = self._path(row[kind])
                if groups.setdefault(path, group) != group:
                    shared.add(path)
        return shared

    def _path(self, written: str) -> str:
        return composed(posixpath.normpath(posixpath.join(self._folder, written)))

    def _no_file(self, kind: str, written: str, allowed: Sequence[str]) -> str:
        """Return why a path that the table names is no file of its kind, or ""."""
        told, path = f"{kind} '{shown(written)}'", self._path(written)
        if "\\" in written:
            return f"{told}: must be written with '/'"
        if path.startswith("/") or path.split("/")[0] == "..":
            return f"{told}: must be a path from the table's folder that stays in data.archive"
        if not written.lower().endswith(tuple(allowed)):
            return f"{told}: must end in {', '.join(allowed)}"
        if path not in self._members:
            return f"{told}: no such file in {shown(self.container.source)}"
        return ""

    def _pair(self, table: pd.DataFrame, classes: Sequence[str]) -> None:
        table = table.assign(
            label=[classes.index(name) for name in table["class"]],
            key=[composed(key).encode() for key in table["id"]],
        ).sort_values(["label", "key"])
        members = [[self._members[self._path(path)] for path in table[kind]] for kind in MODALITIES]
        groups = None
        if GROUP in table:
            groups = _ids(composed(name).encode() for name in table[GROUP])
        self.pairs = Pairs(
            classes, _ids(table["key"]), table["label"].to_numpy(np.int32),
            np.array(members, np.int32).T, groups,
        )  # fmt: skip


def _rows(table: pd.DataFrame) -> Iterator[dict[str, str]]:
    """Yield each row as cells by column; all of them at once would take ten times the memory."""
    columns = list(table)
    for cells in zip(*(table[column] for column in columns), strict=True):
        yield dict(zip(columns, cells, strict=True))


def _ids(keys: Iterable[bytes]) -> Ids:
    """Return ids as an array, also where there is none."""
    listed = list(keys)
    return np.array(listed, f"S{max(map(len, listed), default=1)}")


def _alike(group: str) -> str:
    """Return what groups have in common that are probably meant to be one."""
    return same_name(group.strip())


def _no_name(kind: str, name: str) -> str:
    """Return why a text can be no id or group, or ""."""
    if not name.isprintable():
        return f"{kind} '{shown(name)}' cannot be printed"
    if len(composed(name).encode()) > LONGEST_NAME:
        return f"{kind} of {len(name.encode()):,} bytes; at most {LONGEST_NAME} are allowed"
    return ""


def _few(names: "pd.Series[str]") -> str:
    found = sorted(set(names) - {""})
    return ", ".join(map(shown, found[:3])) + (", …" if len(found) > 3 else "")

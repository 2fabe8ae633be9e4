"""The record of openings: metrics/holdout/opened.csv, a line for each, kept in git."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from fusebench.confirm.repository import is_shallow, versions

OPENED = Path("metrics/holdout/opened.csv")


@dataclass(frozen=True, order=True)
class Opening:
    """One opening of the holdout; a line of opened.csv.

    Attributes
    ----------
    opened : str
        When, in UTC: 2031-05-17T09:30:00Z.
    commit : str
        HEAD at that time, 40 hexadecimal digits: params, code and digests of what was opened.
    samples : str
        BLAKE2b (16 bytes) of data/samples/samples.csv.
    holdout : str
        The same of the sorted digests of the held-out samples.
    counts : str
        Held-out samples by class: "1000 cubes; 75 spheres".
    seeds, fusions : str
        Of the models that answered, with blanks between.
    """

    opened: str
    commit: str
    samples: str
    holdout: str
    counts: str
    seeds: str
    fusions: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from other openings."""
        return self.opened, self.commit, self.samples, self.holdout

    @property
    def words(self) -> str:
        """When and on which commit."""
        return f"{self.opened} on {self.commit[:7]}"


_COLUMNS = [field.name for field in fields(Opening)]


def parse(text: str) -> list[Opening]:
    """Return the openings in the text of opened.csv.

    A line without date and commit, such as those that a merge marks, tells of none; another
    column that is missing is empty.
    """
    openings = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        cells = {name: row.get(name) or "" for name in _COLUMNS}
        if cells["opened"] and cells["commit"]:
            openings.append(Opening(**cells))
    return openings


def table(openings: Iterable[Opening]) -> str:
    """Return the text of opened.csv."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(opening) for opening in openings)
    return text.getvalue()


@dataclass(frozen=True)
class Past:
    """All openings that git knows of, the earliest first.

    Attributes
    ----------
    openings : tuple of Opening
    shallow : bool
        Whether earlier ones may lie before the beginning of this clone.
    """

    openings: tuple[Opening, ...]
    shallow: bool = False

    @classmethod
    def read(cls) -> Self:
        """Take the lines of all versions in git together: one that was removed counts, too.

        Raises
        ------
        HoldoutError
            The present opened.csv is no UTF-8.
        """
        lines = {opening for text in versions(OPENED) for opening in parse(text)}
        # A line that differs only in words, such as one whose letters were broken, is no other.
        found: dict[tuple[str, ...], Opening] = {}
        for opening in sorted(lines):
            found.setdefault(opening.key, opening)
        return cls(tuple(found.values()), is_shallow())

    def of(self, samples: str) -> Sequence[Opening]:
        """Return the openings of an archive by its digest: each has seen some of this holdout."""
        return [opening for opening in self.openings if opening.samples == samples]

    def of_others(self, samples: str) -> Sequence[Opening]:
        """Return the openings of other archives; samples of this one may have been in them."""
        return [opening for opening in self.openings if opening.samples != samples]

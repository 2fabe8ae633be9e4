"""What trackers are told, as plain data: runs, their epochs, and what came of them.

An event is one line of JSON in a journal:

begin    a run: its id, name, group, tags and params
epoch    figures of an epoch of a run
end      what came of a run: figures, tables, charts, pictures, files
close    there is no more
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

Value = str | int | float | bool
Event = dict[str, Any]

CLOSE: Event = {"event": "close"}


@dataclass(frozen=True)
class Run:
    """A run at a tracker.

    Attributes
    ----------
    id : str
        Names it for good: told again, it is the same run. 32 hexadecimal digits.
    name, group : str
        As people see them; several runs may have the same.
    kind : str
        "training" or "comparison".
    tags : dict of str to str
        What may change from one telling to the next, as the commit.
    params : dict of str to (str, int, float or bool)
        By dotted names.
    """

    id: str
    name: str
    group: str
    kind: str
    tags: dict[str, str]
    params: dict[str, Value]

    @property
    def folder(self) -> str:
        """A name of a folder that no other run of the group has."""
        return f"{self.name} {self.id[:8]}"

    def begin(self, *, again: bool = False) -> Event:
        """Return the event that begins it; `again`: what was told of it before is replaced."""
        return {"event": "begin", "again": again, **asdict(self)}

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> Event:
        """Return the event of an epoch, from 1."""
        return {"event": "epoch", "run": self.id, "epoch": epoch, "figures": dict(figures)}

    def end(self, outcome: "Outcome") -> Event:
        """Return the event that ends it."""
        return {"event": "end", "run": self.id, **outcome.packed()}

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Return the run that an event begins."""
        return cls(**{name: event[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Table:
    """A table; a cell that is None is empty."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value | None]]

    def column(self, name: str) -> list[Value | None]:
        """Return the cells of a column."""
        return [row[list(self.columns).index(name)] for row in self.rows]

    def csv(self) -> str:
        """Return it as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *self.rows])
        return text.getvalue()

    def markdown(self) -> str:
        """Return it as Markdown."""
        cells = [[_in_markdown(cell) for cell in row] for row in self.rows]
        lines = [list(self.columns), ["---"] * len(self.columns), *cells]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _in_markdown(cell: Value | None) -> str:
    text = "" if cell is None else str(cell)
    return text.replace("|", "\\|").replace("\n", " ")


Lines = dict[str, list[tuple[int, float]]]
"""A chart: per line the values of epochs."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes
    ----------
    digest : str
        Names it: a run of which this was told is not told of it again.
    charts : dict of str to Lines
        By name; the values are told as epochs, too, each under "<chart>/<line>".
    pictures : dict of str to Path
        PNGs, by name.
    files : dict of str to Path
        By the paths that they have at the tracker, whose last part is the file's own name.
    """

    digest: str
    figures: dict[str, float] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    charts: dict[str, Lines] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def packed(self) -> dict[str, Any]:
        """Return it for JSON; paths are whole: who reads them is in another folder."""
        return {
            **asdict(self),
            "pictures": {name: str(path.resolve()) for name, path in self.pictures.items()},
            "files": {name: str(path.resolve()) for name, path in self.files.items()},
        }

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Return what `packed` packed."""
        return cls(
            event["digest"],
            event["figures"],
            {name: Table(**table) for name, table in event["tables"].items()},
            event["charts"],
            {name: Path(path) for name, path in event["pictures"].items()},
            {name: Path(path) for name, path in event["files"].items()},
        )


def flat(params: Mapping[str, Any]) -> dict[str, Value]:
    """Return params by dotted names: lists as JSON, what is empty as an empty text."""
    return dict(_flat(params, ""))


def _flat(params: Mapping[str, Any], before: str) -> Iterator[tuple[str, Value]]:
    for key, value in params.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, str | int | float):
            yield name, value
        else:
            yield name, "" if value is None else json.dumps(value, ensure_ascii=False)

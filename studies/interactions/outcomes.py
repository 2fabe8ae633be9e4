"""What became of each seed in a cell, and how it is kept: metrics/interactions/<cell>.csv, .json.

A cell is done when what is kept of it was made with the params that the plan has now.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.errors import ArtifactError
from fusebench.files import json_text, read_json, read_table
from fusebench.statistics.failures import Bools
from fusebench.statistics.solving import Times
from studies.common.errors import StudyError
from studies.interactions.plan import SOLVED, Cell

FOLDER = Path("metrics/interactions")
_DIGITS = 6


class Outcome(NamedTuple):
    """What became of one seed of a fusion; a row of metrics/interactions/<cell>.csv.

    Attributes
    ----------
    probe : str
        Name of the cell of which this is a probe; empty: of none.
    accuracy : float
        Balanced accuracy on test, in %, of the weights with the lowest val loss.
    solved : int
        1 where that is at least `SOLVED`, else 0.
    epoch : float
        First epoch whose balanced accuracy on val is at least `SOLVED`; NaN where there is none.
    epochs : int
        How many there were.
    parameters : int
        Of the model.
    """

    cell: str
    probe: str
    task: str
    align: str
    fusion: str
    seed: int
    accuracy: float
    solved: int
    epoch: float
    epochs: int
    parameters: int


@dataclass(frozen=True)
class Kept:
    """A cell that is done.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Fusions in the cell's order, each with its seeds in theirs.
    about : mapping
        What was run: metrics/interactions/<cell>.json.
    """

    cell: Cell
    outcomes: tuple[Outcome, ...]
    about: Mapping[str, Any]

    def of(self, fusion: str) -> "Seeds":
        """Return the seeds of one fusion; KeyError where it is none of the cell's."""
        if fusion not in self.cell.fusions:
            raise KeyError(fusion)
        return Seeds(tuple(row for row in self.outcomes if row.fusion == fusion))

    @property
    def train_samples(self) -> int:
        """Samples of the training part, in each seed."""
        return int(self.about["samples"]["train"])


@dataclass(frozen=True)
class Seeds:
    """The seeds of one fusion in a cell."""

    outcomes: tuple[Outcome, ...]

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def solved(self) -> Bools:
        """Whether each seed solves the task, shape (s,)."""
        return np.array([bool(row.solved) for row in self.outcomes])

    @property
    def times(self) -> Times:
        """The epoch in which each seed solves the task.

        A seed that reaches the threshold on val, but not on test, does not solve it; and one that
        reaches it on test alone does so at no known epoch. Both are censored at the last.
        """
        known = self.solved & np.array([not math.isnan(row.epoch) for row in self.outcomes])
        ends = [
            row.epoch if solves else row.epochs
            for row, solves in zip(self.outcomes, known, strict=True)
        ]
        return Times(np.array(ends, float), known)

    @property
    def accuracy(self) -> float:
        """Mean accuracy over all seeds, in %."""
        return float(np.mean([row.accuracy for row in self.outcomes]))

    @property
    def accuracy_of_solving(self) -> float:
        """Mean accuracy over the seeds that solve the task, in %; NaN where none does."""
        values = [row.accuracy for row in self.outcomes if row.solved]
        return float(np.mean(values)) if values else math.nan


def write_kept(kept: Kept, folder: Path = FOLDER) -> None:
    """Write both files of a cell, or none."""
    with replace_outputs(files=_paths(kept.cell, folder)) as (table, about):
        to_frame(kept.outcomes, Outcome).to_csv(table, index=False, lineterminator="\n")
        about.write_text(json_text(kept.about), "utf-8", newline="\n")


def read_kept(cell: Cell, folder: Path = FOLDER) -> Kept | None:
    """Return a cell that is done; None where it is not, or was run with other params.

    Raises
    ------
    StudyError
        A file is broken, or holds other fusions or seeds than it says.
    """
    table, about = _paths(cell, folder)
    if not (table.is_file() and about.is_file()):
        return None
    try:
        content = read_json(about)
        if not _as_planned(cell, content):
            return None
        outcomes = from_frame(read_table(table, get_type_hints(Outcome)), Outcome)
    except ArtifactError as error:
        raise _broken(table, str(error).partition(";")[0]) from None
    expected = [(fusion, seed) for fusion in cell.fusions for seed in range(cell.seeds)]
    if [(row.fusion, row.seed) for row in outcomes] != expected:
        raise _broken(table, f"{table}: other fusions or seeds than were run")
    return Kept(cell, tuple(outcomes), content)


def read_all(cells: Sequence[Cell], folder: Path = FOLDER) -> list[Kept]:
    """Return the cells that are done, in their order."""
    return [kept for cell in cells if (kept := read_kept(cell, folder)) is not None]


def declared(cell: Cell) -> dict[str, Any]:
    """Return what decides whether a cell is to be run: its params and the threshold."""
    return {"overrides": list(cell.overrides), "solved": SOLVED}


def _as_planned(cell: Cell, about: Mapping[str, Any]) -> bool:
    return all(about.get(key) == value for key, value in declared(cell).items())


def _broken(path: Path, reason: str) -> StudyError:
    both = path.with_suffix(".*")
    return StudyError(f"{reason}; 'git restore {both}', or 'rm {both}' and it is run anew")


def _paths(cell: Cell, folder: Path) -> tuple[Path, Path]:
    return folder / f"{cell.name}.csv", folder / f"{cell.name}.json"


def to_frame(rows: Sequence[Any], kind: type) -> pd.DataFrame:
    """Return named tuples of one kind as a table, numbers rounded as everywhere."""
    table = pd.DataFrame(rows, columns=list(get_type_hints(kind))).astype(get_type_hints(kind))
    return table.round(_DIGITS)


def from_frame(table: pd.DataFrame, kind: Any) -> list[Any]:
    """Return the rows of a table as named tuples of a kind, whose columns it has."""
    columns = table[list(get_type_hints(kind))]
    return [kind(*row) for row in columns.itertuples(index=False, name=None)]

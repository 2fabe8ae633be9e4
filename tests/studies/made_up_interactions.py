"""Made-up outcomes of the study of interactions, for its tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from studies.interactions.outcomes import Kept, Outcome, declared
from studies.interactions.plan import CELLS, SOLVED, Cell
from studies.interactions.tables import Results

Solving = Mapping[str, int]
"""How many seeds of a fusion solve a cell; of fusions that are not named, none."""

ABOUT: Mapping[str, Any] = {
    "commit": "0123abc", "seconds": 90, "samples": {"train": 2000, "val": 400, "test": 1200},
    "device": "cpu", "processor": "a processor", "threads": 2, "precision": "fp32", "torch": "2",
    "training_seconds": 80,
}  # fmt: skip


def outcome(cell: Cell, fusion: str, seed: int, accuracy: float, epoch: float) -> Outcome:
    """Return what became of a seed."""
    return Outcome(
        cell.name, cell.probe, cell.task, cell.align, fusion, seed, accuracy,
        int(accuracy >= SOLVED), epoch, cell.epochs, 1000,
    )  # fmt: skip


def kept(
    cell: Cell, solving: Solving, *, accuracy: float = 97.0, first: Mapping[str, int] | None = None,
) -> Kept:  # fmt: skip
    """Return a cell in which the first seeds of fusions solve the task, one epoch after another.

    Parameters
    ----------
    accuracy : float
        Of the seeds that solve it.
    first : mapping of str to int
        The epoch of a fusion's first seed; 5 where it is not named.
    """
    rows = [
        outcome(cell, fusion, seed, accuracy, float((first or {}).get(fusion, 5) + seed))
        if seed < solving.get(fusion, 0)
        else outcome(cell, fusion, seed, 50.0 + seed % 2, float("nan"))
        for fusion in cell.fusions
        for seed in range(cell.seeds)
    ]
    return Kept(cell, tuple(rows), {**declared(cell), **ABOUT})


def results(
    solving: Callable[[Cell], Solving | None], plan: Sequence[Cell] = CELLS, **more: Any
) -> Results:
    """Return the results of a plan; a cell for which there is None is not done."""
    done = [kept(cell, of, **more) for cell in plan if (of := solving(cell)) is not None]
    return Results.of(plan, done)


def single_only(cell: Cell) -> Cell:
    """Return a cell with a fusion of both sensors and the single sensors."""
    return replace(cell, fusions=("concat", "rgb_only", "lidar_only"))

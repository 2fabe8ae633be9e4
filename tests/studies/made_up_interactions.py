"""Made-up outcomes of the study of interactions, for its tests."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fusebench.report.interaction import KINDS
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


# The plan's cells with a budget that no test depends on, and without its probes.
PLAN = tuple(replace(cell, epochs=30) for cell in CELLS if not cell.probe)


def outcome(cell: Cell, fusion: str, seed: int, accuracy: float, epoch: float) -> Outcome:
    """Return what became of a seed."""
    return Outcome(
        cell.name, cell.probe, cell.task, cell.align, fusion, seed, accuracy,
        int(accuracy >= SOLVED), epoch, cell.epochs, 1000,
    )  # fmt: skip


def kept(
    cell: Cell, solving: Solving, *, accuracy: float = 97.0, begin: Mapping[str, int] | None = None,
) -> Kept:  # fmt: skip
    """Return a cell in which the first seeds of fusions solve the task, one epoch after another.

    Parameters
    ----------
    accuracy : float
        Of the seeds that solve it.
    begin : mapping of str to int
        The epoch of a fusion's first seed; 5 where it is not named.
    """
    rows = [
        outcome(cell, fusion, seed, accuracy, float((begin or {}).get(fusion, 5) + seed))
        if seed < solving.get(fusion, 0)
        else outcome(cell, fusion, seed, 50.0 + seed % 2, float("nan"))
        for fusion in cell.fusions
        for seed in range(cell.seeds)
    ]
    return Kept(cell, tuple(rows), {**declared(cell), **ABOUT})


def results(
    solving: Callable[[Cell], Solving | None], plan: Sequence[Cell] = PLAN, **more: Any
) -> Results:
    """Return the results of a plan; a cell for which there is None is not done."""
    done = [kept(cell, of, **more) for cell in plan if (of := solving(cell)) is not None]
    return Results.of(plan, done)


def single_only(cell: Cell) -> Cell:
    """Return a cell with a fusion of both sensors and the single sensors."""
    return replace(cell, fusions=("concat", "rgb_only", "lidar_only"))


def small(cell: Cell) -> Cell:
    """Return a cell that is quickly made up."""
    return replace(single_only(cell), seeds=3, epochs=3)


class Experiment:
    """The files of an experiment, as a reader of its revision gives them.

    Parameters
    ----------
    solving : mapping of str to int
        As in `kept`; a seed that solves its cell reaches the threshold in epoch 2.
    """

    def __init__(self, cell: Cell, solving: Solving) -> None:
        self.files = {"data/split.csv": _split(), "metrics/interaction.json": _likeness(cell)}
        for number, fusion in enumerate(cell.fusions):
            count = solving.get(fusion, 0)
            precision = "fp32" if number else "bf16"
            self.files |= {
                f"metrics/fusions/{fusion}.json": _metrics(cell, count),
                f"plots/training/{fusion}.csv": _curve(cell, count),
                f"metrics/training/{fusion}.json": json.dumps({
                    "seconds_per_epoch": {"median": 0.5},
                    "environment": {"device": "cpu", "processor": "a processor", "threads": 1,
                                    "precision": precision, "torch": "2"},
                }),
            }  # fmt: skip

    def read(self, path: Path) -> bytes:
        """Return a file's content."""
        return self.files[path.as_posix()].encode()


def _likeness(cell: Cell) -> str:
    """Return metrics/interaction.json, as of data whose class only both sensors tell."""
    bits = dict(zip(KINDS, (0.01, 0.0, 0.0, 0.97), strict=True))
    amounts = {kind: {"bits": of, "low": of, "high": of} for kind, of in bits.items()}
    looks = {"kind": "synergistic", "tasks": [cell.task]}
    return json.dumps({"not_estimated": "", "bits": amounts, "models": {}, "looks_like": looks})


def _split() -> str:
    parts = ["train"] * 6 + ["val"] * 2 + ["test"] * 4 + ["unused"]
    return "".join(f"{line}\n" for line in ["seed_0", *parts])


def _metrics(cell: Cell, count: int) -> str:
    seeds = {
        str(seed): {"balanced_accuracy": 97.5 if seed < count else 51.0}
        for seed in range(cell.seeds)
    }
    return json.dumps({"parameters": 1000, "test": {"seeds": seeds}})


def _curve(cell: Cell, count: int) -> str:
    lines = ["seed,epoch,train_loss,val_loss,accuracy,balanced_accuracy,f1"]
    for seed in range(cell.seeds):
        for epoch in range(1, cell.epochs + 1):
            reached = SOLVED if seed < count and epoch >= 2 else 55.0
            lines.append(f"{seed},{epoch},0.5,0.5,50.0,{reached},0.0")
    return "\n".join(lines) + "\n"

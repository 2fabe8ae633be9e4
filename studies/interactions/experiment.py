"""A cell as an experiment of DVC: run out of the way, then read from its revision in git."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import parse_table
from studies.common import experiments
from studies.common.errors import StudyError
from studies.common.experiments import NO_STRESS, Experiment, Read, read_json
from studies.interactions.outcomes import Outcome
from studies.interactions.plan import SOLVED, Cell

_SPLIT = Path("data/split.csv")
_PARTS = ("train", "val", "test")
_CURVE: Mapping[str, type] = {"seed": int, "epoch": int, "balanced_accuracy": float}
# What of metrics/training/<fusion>.json says where a cell was run.
_ENVIRONMENT = ("device", "processor", "threads", "precision", "torch")
_LIKENESS = Path("metrics/interaction.json")
# What of it is kept.
_OF_LIKENESS = ("not_estimated", "bits", "models", "looks_like")
# The stage that writes the last that is read here.
_TARGET = "compare"


def experiment_name(cell: Cell) -> str:
    """Return what DVC calls a cell's experiment."""
    return f"interactions-{cell.name}"


def run_experiment(cell: Cell) -> Read:
    """Run a cell with DVC in a folder of its own; return what reads its files.

    What DVC and the stages print is shown. Finished seeds are kept in .work/, so that a run that
    was ended goes on.

    Raises
    ------
    StudyError
        DVC failed.
    """
    return experiments.run_experiment(
        Experiment(experiment_name(cell), (*cell.overrides, NO_STRESS), (_TARGET,)), cell.name
    )


def read_outcomes(cell: Cell, read: Read) -> tuple[Outcome, ...]:
    """Return what became of each fusion and seed of a cell.

    Raises
    ------
    StudyError
        A file is missing or broken, or is not of the cell's seeds and epochs.
    """
    try:
        return tuple(row for fusion in cell.fusions for row in _of_fusion(cell, fusion, read))
    except ArtifactError as error:
        raise _unreadable(cell, str(error).partition(";")[0]) from None


def _of_fusion(cell: Cell, fusion: str, read: Read) -> list[Outcome]:
    metrics_path = Path(f"metrics/fusions/{fusion}.json")
    curve_path = Path(f"plots/training/{fusion}.csv")
    metrics = read_json(read, metrics_path)
    curve = parse_table(curve_path, read(curve_path).decode(), _CURVE)
    try:
        accuracies = {
            int(seed): float(of["balanced_accuracy"])
            for seed, of in metrics["test"]["seeds"].items()
        }
        parameters = int(metrics["parameters"])
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{metrics_path}: broken") from None
    seeds = list(range(cell.seeds))
    if list(accuracies) != seeds:
        raise ArtifactError(f"{metrics_path}: seeds {list(accuracies)}, of the cell {seeds}")
    _check_curve(cell, curve_path, curve)
    return [
        Outcome(
            cell.name, cell.probe, cell.task, cell.align, fusion, seed, accuracy,
            int(accuracy >= SOLVED), _first_epoch(curve[curve["seed"] == seed]), cell.epochs,
            parameters,
        )
        for seed, accuracy in accuracies.items()
    ]  # fmt: skip


def _check_curve(cell: Cell, path: Path, curve: pd.DataFrame) -> None:
    expected = [(seed, epoch) for seed in range(cell.seeds) for epoch in range(1, cell.epochs + 1)]
    if list(zip(curve["seed"], curve["epoch"], strict=True)) != expected:
        raise ArtifactError(f"{path}: not {cell.epochs} epochs of each of {cell.seeds} seeds")


def _first_epoch(curve: pd.DataFrame) -> float:
    """Return the first epoch of a seed that is at the threshold on val, or NaN."""
    reached = curve["epoch"][curve["balanced_accuracy"] >= SOLVED]
    return float(reached.iloc[0]) if len(reached) else float("nan")


def read_run(cell: Cell, read: Read) -> dict[str, Any]:
    """Return how large the parts of a cell were, where it was trained, and what it looks like.

    Raises
    ------
    StudyError
        A file is missing or broken.
    """
    try:
        split = parse_table(_SPLIT, read(_SPLIT).decode(), {"seed_0": str})
        measured = [
            read_json(read, Path(f"metrics/training/{fusion}.json")) for fusion in cell.fusions
        ]
        environments = [of["environment"] for of in measured]
        likeness = read_json(read, _LIKENESS)
        return {
            "samples": {part: int(np.sum(split["seed_0"] == part)) for part in _PARTS},
            **{key: _joined(environments, key) for key in _ENVIRONMENT},
            "training_seconds": round(sum(map(_seconds_per_seed_epoch, measured))
                                      * cell.seeds * cell.epochs),
            "interaction": {key: likeness[key] for key in _OF_LIKENESS},
        }  # fmt: skip
    except (ArtifactError, KeyError, TypeError) as error:
        raise _unreadable(cell, str(error).partition(";")[0]) from None


def _seconds_per_seed_epoch(measured: Mapping[str, Any]) -> float:
    return float(measured["seconds_per_epoch"]["median"])


def _joined(environments: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Return what all fusions were trained with, or a text that lists what they were."""
    values = list(dict.fromkeys(of[key] for of in environments))
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _unreadable(cell: Cell, reason: str) -> StudyError:
    return StudyError(f"{cell.name}: its experiment cannot be read: {reason}")

"""What is kept of a size: figures of each fusion and seed on test, and how large the parts are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError
from fusebench.files import parse_table
from studies.common.experiments import Read
from studies.common.found import read_environment, read_metrics
from studies.common.kept import Unit

_SPLIT = Path("data/split.csv")
_PARTS = ("train", "val", "test")
FIGURES = ("balanced_accuracy", "nll")


def find(unit: Unit, read: Read) -> dict[str, Any]:
    """Return what is kept of an experiment.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of other seeds or samples than were planned.
    """
    fusions, seeds = unit.params["fusions"], unit.params["train"]["seeds"]
    samples = _samples(read, seeds[0])
    if samples["train"] != unit.about["train_samples"]:
        raise ArtifactError(
            f"{_SPLIT}: {samples['train']} samples in train, {unit.about['train_samples']} planned"
        )
    found = {name: read_metrics(read, name, seeds) for name in fusions}
    return {
        "samples": samples,
        **read_environment(read, fusions),
        "fusions": {name: _figures(of) for name, of in found.items()},
    }


def _samples(read: Read, seed: int) -> dict[str, int]:
    column = f"seed_{seed}"
    table = parse_table(_SPLIT, read(_SPLIT).decode(), {column: str})
    return {part: int((table[column] == part).sum()) for part in _PARTS}


def _figures(seeds: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {figure: {seed: float(of[figure]) for seed, of in seeds.items()} for figure in FIGURES}

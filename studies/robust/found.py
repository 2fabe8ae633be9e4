"""What is kept of a recipe: its models under each corruption, and the plain ones of the commit."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import parse_table
from fusebench.revisions.revisions import reader
from studies.common.experiments import Read
from studies.common.found import read_environment
from studies.common.kept import Unit

_TABLE, _SUMMARY = Path("metrics/robustness.csv"), Path("metrics/robustness_summary.csv")
_CLASSES = Path("checked/classes.json")
_STRESS: Mapping[str, type] = {
    "corruption": str, "severity": int, "seed": int, "balanced_accuracy": float,
}  # fmt: skip
_DIGITS = 6


def find(unit: Unit, read: Read) -> dict[str, Any]:
    """Return what is kept of an experiment, beside the plain models of HEAD.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of other seeds, fusions or corruptions.
    """
    return found(unit, read, reader("HEAD"))


def found(unit: Unit, read: Read, plain: Read) -> dict[str, Any]:
    """Return what is kept; see `find`.

    Parameters
    ----------
    plain : callable
        Reads the files of the plain models.
    """
    fusions, seeds = unit.params["fusions"], unit.params["train"]["seeds"]
    sensors = _sensors(read)
    return {
        "sensors": sensors,
        "chance": _chance(read),
        **read_environment(read, fusions),
        "plain": _models(plain, fusions, seeds, list(sensors)),
        "trained": _models(read, fusions, seeds, list(sensors)),
    }


def _sensors(read: Read) -> dict[str, str]:
    """Return the sensor of each corruption, by its name."""
    table = parse_table(_TABLE, read(_TABLE).decode(), {"corruption": str, "sensor": str})
    rows = table[table["sensor"] != ""]
    sensors = dict(zip(rows["corruption"], rows["sensor"], strict=True))
    if not sensors:
        raise ArtifactError(f"{_TABLE}: no corruption; stress.corruptions must list some")
    return sensors


def _chance(read: Read) -> float:
    """Return the balanced accuracy of an answer that does not look, in %."""
    try:
        return 100 / len(json.loads(read(_CLASSES))["classes"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ArtifactError(f"{_CLASSES}: broken") from None


def _models(
    read: Read, fusions: Sequence[str], seeds: Sequence[int], corruptions: Sequence[str]
) -> dict[str, Any]:
    """Return what each fusion reaches on clean samples and under each corruption, by seed."""
    left = parse_table(_SUMMARY, read(_SUMMARY).decode(), {"fusion": str, "robustness": float})
    robustness = dict(zip(left["fusion"], left["robustness"], strict=True))
    models = {}
    for name in fusions:
        if name not in robustness:
            raise ArtifactError(f"{_SUMMARY}: '{name}' is missing")
        value = float(robustness[name])
        models[name] = {
            **_of_fusion(read, name, seeds, corruptions),
            "robustness": None if math.isnan(value) else value,
        }
    return models


def _of_fusion(
    read: Read, fusion: str, seeds: Sequence[int], corruptions: Sequence[str]
) -> dict[str, Any]:
    path = Path(f"metrics/stress/{fusion}.csv")
    table = parse_table(path, read(path).decode(), _STRESS)
    if list(dict.fromkeys(table["seed"])) != list(seeds):
        raise ArtifactError(
            f"{path}: seeds {sorted(set(table['seed']))}, of params.yaml {list(seeds)}"
        )
    clean, corrupted = table[table["severity"] == 0], table[table["severity"] > 0]
    if list(dict.fromkeys(corrupted["corruption"])) != list(corruptions):
        raise ArtifactError(f"{path}: other corruptions than {', '.join(corruptions)}")
    return {
        "clean": _by_seed(clean),
        "corrupted": {
            name: _by_seed(corrupted[corrupted["corruption"] == name]) for name in corruptions
        },
    }


def _by_seed(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean of each seed over its rows, the severities, by the seed as text."""
    means = rows.groupby("seed", sort=False)["balanced_accuracy"].mean()
    return {str(seed): round(float(np.float64(value)), _DIGITS) for seed, value in means.items()}

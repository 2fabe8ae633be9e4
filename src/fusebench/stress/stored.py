"""Kept logits under stress, readable without this project.

stress/<fusion>/ holds

info.json           as that of predictions/<fusion>/, and conditions: corruption and severity (0:
                    none) of each position in the logits
seed_<n>.npz        one array per column, all of the same length n but the last (numpy, no pickles):
    id, class       as in samples.csv
    label           position of the class in info.json's `classes`
    digest          content of the sample before it was corrupted, as in samples.csv
    logits          float32, shape (c, n, k), for each of c conditions
    group           as in samples.csv; left out where each sample's id is its group
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field

from fusebench.config import Section
from fusebench.errors import REMEDY, ArtifactError
from fusebench.files import read_npz, write_npz
from fusebench.inputs.corruption import SEVERITIES, Condition
from fusebench.prediction.predictions import PartPredictions
from fusebench.sealed import (
    check_file,
    check_names,
    checked,
    file_digest,
    read_sealed,
    write_sealed,
)

SCHEMA = 1
"""Version of the format. It rises when a reader of an earlier one would misread the files."""
INFO = "info.json"
_ARRAYS = ("id", "class", "digest", "label", "logits")
_GROUP = "group"


@dataclass(frozen=True)
class StressPredictions:
    """All answers of a fusion under stress.

    Attributes
    ----------
    info : mapping
        As of its predictions.
    conditions : sequence of Condition
        The first is the clean one.
    seeds : mapping of int to sequence of PartPredictions
        Of each seed, under each condition.
    """

    info: Mapping[str, Any]
    conditions: Sequence[Condition]
    seeds: Mapping[int, Sequence[PartPredictions]]

    @property
    def positive(self) -> int:
        """Label of the positive class."""
        return list(self.info["classes"]).index(self.info["positive"])

    def under(self, corruption: str) -> dict[int, list[PartPredictions]]:
        """Return the answers of each seed under a corruption, by rising severity."""
        places = [
            place for place, known in enumerate(self.conditions) if known.corruption == corruption
        ]
        return {seed: [parts[place] for place in places] for seed, parts in self.seeds.items()}

    @property
    def clean(self) -> dict[int, PartPredictions]:
        """The answers of each seed for the samples as they were recorded."""
        return {seed: parts[0] for seed, parts in self.seeds.items()}


class _Condition(Section):
    corruption: str
    severity: int = Field(ge=0, le=SEVERITIES)


class _Info(Section):
    """What of info.json is read here."""

    model_config = ConfigDict(extra="ignore")
    fusion: str
    inputs: list[str]
    classes: list[str] = Field(min_length=2)
    positive: str
    seeds: list[int] = Field(min_length=1)
    conditions: list[_Condition] = Field(min_length=1)
    files: dict[str, str]


def write_stress(folder: Path, predictions: StressPredictions) -> None:
    """Write what a fusion answered under stress into a folder."""
    for seed, parts in predictions.seeds.items():
        first = parts[0]
        logits = np.stack([part.logits for part in parts])
        columns = (first.ids, first.classes, first.digests, first.labels, logits)
        arrays = dict(zip(_ARRAYS, columns, strict=True))
        if first.grouped is not None:
            arrays[_GROUP] = first.grouped
        write_npz(folder / _file(seed), arrays)
    listed = [
        {"corruption": known.corruption, "severity": known.severity}
        for known in predictions.conditions
    ]
    files = {_file(seed): file_digest(folder / _file(seed)) for seed in predictions.seeds}
    content = {"schema": SCHEMA, **predictions.info, "conditions": listed, "files": files}
    write_sealed(folder / INFO, content)


def _file(seed: int) -> str:
    return f"seed_{seed}.npz"


def read_stress(folder: Path) -> StressPredictions:
    """Return what the folder of one fusion holds.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of another fusion.
    """
    path = folder / INFO
    other = f"of format {{}}, this version of fusebench reads {SCHEMA}"
    info = read_sealed(path, SCHEMA, other)
    known = checked(_Info, info, path)
    if known.fusion != folder.name:
        raise ArtifactError(f"{path}: of '{known.fusion}', not of '{folder.name}'; {REMEDY}")
    check_names(folder, "seed_*", [_file(seed) for seed in known.seeds], INFO)
    conditions = [Condition(each.corruption, each.severity) for each in known.conditions]
    seeds = {}
    for seed in known.seeds:
        check_file(folder / _file(seed), known.files.get(_file(seed), ""), path)
        seeds[seed] = _read_seed(folder / _file(seed), len(conditions), len(known.classes))
    return StressPredictions(info, conditions, seeds)


def _read_seed(path: Path, conditions: int, classes: int) -> list[PartPredictions]:
    arrays = read_npz(path, _ARRAYS, optional=(_GROUP,))
    count = len(arrays["label"])
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != dict.fromkeys(arrays, (count,)) | {"logits": (conditions, count, classes)}:
        raise ArtifactError(f"{path}: shapes of arrays are not as documented: {shapes}; {REMEDY}")
    ids, names, digests, labels = (arrays[name] for name in ("id", "class", "digest", "label"))
    return [
        PartPredictions(ids, names, digests, labels, logits, arrays.get(_GROUP))
        for logits in arrays["logits"]
    ]

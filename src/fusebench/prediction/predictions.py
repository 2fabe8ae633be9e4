"""Kept predictions: each model's logits of each sample, readable without this project.

predictions/<fusion>/ holds

info.json           schema: version of this format; fusion, strategy, inputs, parameters, classes,
                    positive, synthetic, seeds;
                    train_counts: samples of each class in the training part, per seed;
                    settings: how it was trained, as in model.json; or fits: what was fitted per
                    seed, where nothing was trained;
                    files: BLAKE2b (16 bytes) of each seed_<n>.npz; digest: of info.json itself
seed_<n>.npz        one array per column, all of the same length (numpy, no pickles):
    part            "val" or "test"
    id, class       as in samples.csv
    label           position of the class in info.json's `classes`
    digest          content of the sample, as in samples.csv
    logits          float32, shape (n, k); softmax over k gives probabilities
    group           as in samples.csv; left out where each sample's id is its group
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from fusebench.config import AsTuple, Section
from fusebench.errors import REMEDY, ArtifactError
from fusebench.files import read_npz, write_npz
from fusebench.sealed import (
    check_file,
    check_names,
    checked,
    file_digest,
    read_sealed,
    write_sealed,
)

SCHEMA = 3
"""Version of the format. It rises when a reader of an earlier one would misread the files."""
MEASURED_PARTS = ("test", "val")
BASELINES = ("majority_class", "threshold")
"""Kept predictions that are no fusion's: answers without a trained model."""
INFO = "info.json"
_ARRAYS = ("part", "id", "class", "label", "digest", "logits")
# numpy's letters for text, whole numbers and floating point.
_KINDS = "UUUiUf"
_GROUP = "group"


class _Info(Section):
    """info.json, its schema and digest left out."""

    fusion: str
    strategy: str
    inputs: Annotated[tuple[str, ...], AsTuple]
    parameters: int = Field(ge=0)
    classes: Annotated[tuple[str, ...], AsTuple] = Field(min_length=2)
    positive: str
    synthetic: bool
    # Predictions of earlier versions, which `diff` reads, are all of the first task.
    task: str | None = None
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AsTuple] = Field(min_length=1)
    train_counts: dict[str, dict[str, Annotated[int, Field(ge=0)]]]
    # Section has a method of that name.
    trained_with: dict[str, Any] | None = Field(default=None, alias="settings")
    fits: dict[str, dict[str, Any]] | None = None
    files: dict[str, str]


@dataclass(frozen=True)
class PartPredictions:
    """The logits that one model (fusion, seed) gave for the samples of one part.

    Attributes
    ----------
    ids, classes, digests : array of str, shape (n,)
    labels : array of int64, shape (n,)
    logits : array of float32, shape (n, k)
    grouped : array of str, shape (n,), or None
        What each sample belongs to, see `groups`; None: each id is a group.
    """

    ids: npt.NDArray[np.str_]
    classes: npt.NDArray[np.str_]
    digests: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    grouped: npt.NDArray[np.str_] | None = None

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """What is drawn as one: samples of a group are no independent observations."""
        return self.ids if self.grouped is None else self.grouped

    @classmethod
    def of(cls, rows: pd.DataFrame, logits: npt.NDArray[np.float32]) -> "PartPredictions":
        """Join the rows of a part (of the table of samples) with their logits."""
        ids, groups, classes, digests = (
            np.array(rows[name].tolist()) for name in ("id", "group", "class", "digest")
        )
        grouped = None if np.array_equal(ids, groups) else groups
        return cls(ids, classes, digests, rows["label"].to_numpy(np.int64), logits, grouped)

    def take(self, positions: "npt.NDArray[np.intp] | Sequence[int]") -> "PartPredictions":
        """Return the samples at some positions, in that order; a position may repeat."""
        return PartPredictions(
            self.ids[positions], self.classes[positions], self.digests[positions],
            self.labels[positions], self.logits[positions],
            None if self.grouped is None else self.grouped[positions],
        )  # fmt: skip


@dataclass(frozen=True)
class FusionPredictions:
    """All predictions of a fusion: info.json, and the logits per seed and part."""

    info: dict[str, Any]
    seeds: dict[int, dict[str, PartPredictions]]

    @property
    def classes(self) -> list[str]:
        """Class names; a label is a position in it."""
        return list(self.info["classes"])

    @property
    def positive(self) -> int:
        """Label of the positive class."""
        return self.classes.index(self.info["positive"])


def write_seed(folder: Path, seed: int, parts: dict[str, PartPredictions]) -> None:
    """Write seed_<n>.npz into a folder."""
    names = [np.full(len(part.labels), name) for name, part in parts.items()]
    arrays = {
        "part": np.concatenate(names),
        "id": np.concatenate([part.ids for part in parts.values()]),
        "class": np.concatenate([part.classes for part in parts.values()]),
        "label": np.concatenate([part.labels for part in parts.values()]),
        "digest": np.concatenate([part.digests for part in parts.values()]),
        "logits": np.concatenate([part.logits for part in parts.values()]),
    }
    if any(part.grouped is not None for part in parts.values()):
        arrays[_GROUP] = np.concatenate([part.groups for part in parts.values()])
    write_npz(folder / _file(seed), arrays)


def write_info(folder: Path, info: Mapping[str, Any]) -> None:
    """Write info.json into a folder that holds the logits of all its seeds.

    Parameters
    ----------
    info : mapping of str to Any
        What info.json is to hold, but for schema and digests.
    """
    files = {_file(seed): file_digest(folder / _file(seed)) for seed in info["seeds"]}
    write_sealed(folder / INFO, {"schema": SCHEMA, **info, "files": files})


def _file(seed: int) -> str:
    return f"seed_{seed}.npz"


def read_predictions(folder: Path) -> FusionPredictions:
    """Return what the folder of one fusion holds.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of another fusion.
    """
    info = _read_info(folder)
    files = info.pop("files")
    check_names(folder, "seed_*", [_file(seed) for seed in info["seeds"]], INFO)
    seeds = {}
    for seed in info["seeds"]:
        check_file(folder / _file(seed), files.get(_file(seed), ""), folder / INFO)
        seeds[seed] = _read_seed(folder / _file(seed), info["classes"])
    return FusionPredictions(info, seeds)


def _read_info(folder: Path) -> dict[str, Any]:
    path = folder / INFO
    other_version = f"predictions of format {{}}, this version of fusebench reads {SCHEMA}"
    info = read_sealed(path, SCHEMA, other_version)
    known = checked(_Info, info, path)
    reason = ""
    if known.fusion != folder.name:
        reason = f"predictions of '{known.fusion}', not of '{folder.name}'"
    elif known.positive not in known.classes:
        reason = f"positive = '{known.positive}' is none of its classes"
    elif list(known.train_counts) != [str(seed) for seed in known.seeds]:
        reason = "train_counts are not of its seeds"
    if reason:
        raise ArtifactError(f"{path}: {reason}; {REMEDY}")
    return info


def _read_seed(path: Path, classes: Sequence[str]) -> dict[str, PartPredictions]:
    arrays = read_npz(path, _ARRAYS, optional=(_GROUP,))
    grouped = arrays.pop(_GROUP, None)
    _check_arrays(path, arrays, classes)
    if grouped is not None and (grouped.shape != arrays["id"].shape or grouped.dtype.kind != "U"):
        raise ArtifactError(f"{path}: groups are not as documented; {REMEDY}")
    parts = {}
    for part in dict.fromkeys(arrays["part"].tolist()):
        chosen = arrays["part"] == part
        parts[part] = PartPredictions(
            arrays["id"][chosen], arrays["class"][chosen], arrays["digest"][chosen],
            arrays["label"][chosen], arrays["logits"][chosen],
            None if grouped is None else grouped[chosen],
        )  # fmt: skip
    return parts


def _check_arrays(path: Path, arrays: Mapping[str, Any], classes: Sequence[str]) -> None:
    """Refuse arrays that do not fit each other or the classes."""
    shapes = {name: array.shape for name, array in arrays.items()}
    count = len(arrays["label"]) if arrays["label"].ndim else -1
    wanted = dict.fromkeys(_ARRAYS, (count,)) | {"logits": (count, len(classes))}
    kinds = "".join(arrays[name].dtype.kind for name in _ARRAYS)
    if shapes != wanted or kinds != _KINDS:
        reason = f"shapes or types of arrays are not as documented: {shapes}"
    elif set(arrays["part"].tolist()) != set(MEASURED_PARTS):
        reason = f"parts are {sorted(set(arrays['part'].tolist()))}; must be {MEASURED_PARTS}"
    elif not np.isin(arrays["label"], range(len(classes))).all():
        reason = "a label is none of the classes'"
    elif not np.array_equal(np.array(classes)[arrays["label"]], arrays["class"]):
        reason = "a class is not the one of its label"
    elif np.isnan(arrays["logits"]).any():
        reason = "a logit is no number"
    else:
        return
    raise ArtifactError(f"{path}: {reason}; {REMEDY}")

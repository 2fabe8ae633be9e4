"""Kept predictions: each model's logits of each sample, readable without this project.

predictions/<fusion>/ holds

info.json           schema: version of this format; fusion, strategy, inputs, parameters, classes,
                    positive, synthetic, seeds;
                    train_counts: samples of each class in the training part, per seed;
                    settings, environment: how and where it was trained, as in model.json (not
                    there where nothing was trained)
seed_<n>.npz        one array per column, all of the same length (numpy, no pickles):
    part            "val" or "test"
    id, class       as in samples.csv
    label           position of the class in info.json's `classes`
    digest          content of the sample, as in samples.csv
    logits          float32, shape (n, k); softmax over k gives probabilities
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import read_json, read_npz

SCHEMA = 2
"""Version of the format. It rises when a reader of an earlier one would misread the files."""
MEASURED_PARTS = ("test", "val")
BASELINES = ("majority_class", "threshold")
"""Kept predictions that are no fusion's: answers without a trained model."""
_INFO = (
    "fusion", "strategy", "inputs", "parameters", "classes", "positive", "synthetic", "seeds",
    "train_counts",
)  # fmt: skip
_ARRAYS = ("part", "id", "class", "label", "digest", "logits")


@dataclass(frozen=True)
class PartPredictions:
    """The logits that one model (fusion, seed) gave for the samples of one part.

    Attributes
    ----------
    ids, classes, digests : array of str, shape (n,)
    labels : array of int64, shape (n,)
    logits : array of float32, shape (n, k)
    """

    ids: npt.NDArray[np.str_]
    classes: npt.NDArray[np.str_]
    digests: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]

    @classmethod
    def of(cls, rows: pd.DataFrame, logits: npt.NDArray[np.float32]) -> "PartPredictions":
        """Join the rows of a part (of the table of samples) with their logits."""
        ids, classes, digests = (
            np.array(rows[name].tolist()) for name in ("id", "class", "digest")
        )
        return cls(ids, classes, digests, rows["label"].to_numpy(np.int64), logits)

    def take(self, positions: "npt.NDArray[np.intp] | Sequence[int]") -> "PartPredictions":
        """Return the samples at some positions, in that order; a position may repeat."""
        return PartPredictions(
            self.ids[positions], self.classes[positions], self.digests[positions],
            self.labels[positions], self.logits[positions],
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
    np.savez_compressed(
        folder / f"seed_{seed}.npz",
        allow_pickle=False,
        part=np.concatenate(names),
        id=np.concatenate([part.ids for part in parts.values()]),
        label=np.concatenate([part.labels for part in parts.values()]),
        digest=np.concatenate([part.digests for part in parts.values()]),
        logits=np.concatenate([part.logits for part in parts.values()]),
        **{"class": np.concatenate([part.classes for part in parts.values()])},
    )


def read_predictions(folder: Path) -> FusionPredictions:
    """Return what the folder of one fusion holds.

    Raises
    ------
    ArtifactError
        A file is missing or broken.
    """
    path = folder / "info.json"
    info = read_json(path)
    version = info.get("schema", 1)
    if version != SCHEMA:
        raise ArtifactError(
            f"{path}: predictions of format {version}, this version of fusebench reads {SCHEMA}"
        )
    lacking = [name for name in _INFO if name not in info]
    if lacking:
        raise ArtifactError(f"{path}: '{lacking[0]}' is missing; 'dvc checkout' mends it")
    seeds = {int(seed): _read_seed(folder / f"seed_{seed}.npz") for seed in info["seeds"]}
    return FusionPredictions(info, seeds)


def _read_seed(path: Path) -> dict[str, PartPredictions]:
    arrays = read_npz(path, _ARRAYS)
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ArtifactError(f"{path}: lengths differ: {lengths}; 'dvc checkout' mends it")
    parts = {}
    for part in dict.fromkeys(arrays["part"].tolist()):
        chosen = arrays["part"] == part
        parts[part] = PartPredictions(
            *(arrays[name][chosen] for name in ("id", "class", "digest", "label", "logits"))
        )
    return parts

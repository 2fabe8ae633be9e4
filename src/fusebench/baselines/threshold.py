"""Stage baseline: one threshold on how large an object is by its LiDAR map.

The size is (number of returns) · (smallest range)². The number of cells that an object fills falls
with the square of its distance, so the product is its cross-section but for a constant. What a
model learns beyond this one number is what it adds to this baseline.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.evaluation.metrics import PARTS
from fusebench.files import replace_folder, write_json
from fusebench.prediction.predictions import PartPredictions, write_seed
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import SampleRow, Samples

NAME = "threshold"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Truth = npt.NDArray[np.bool_]

# Maps read at once: little memory, however many there are.
_CHUNK = 256
# Added to each count, so that a class without a sample on a side keeps a finite log frequency
# (Krichevsky & Trofimov, "The performance of universal encoding", IEEE Trans. Inf. Theory, 1981).
_SMOOTHING = 0.5


def sizes(lidar: npt.NDArray[np.float32], max_range: float) -> Floats:
    """Return (number of returns) · (smallest range)² of LiDAR maps, in cells · m².

    Parameters
    ----------
    lidar : array of float32, shape (N, h, w), metres
    max_range : float
        Range without return, in metres: a return is below it.

    Returns
    -------
    array of float64, shape (N,)
        0 for a map without a return.
    """
    found = np.zeros(len(lidar))
    for first in range(0, len(lidar), _CHUNK):
        ranges = np.asarray(lidar[first : first + _CHUNK]).reshape(-1, lidar[0].size)
        returns = ranges < np.float32(max_range)
        nearest = ranges.min(axis=1, where=returns, initial=max_range)
        found[first : first + _CHUNK] = returns.sum(axis=1) * nearest.astype(np.float64) ** 2
    return found


@dataclass(frozen=True)
class Threshold:
    """A fitted threshold.

    Attributes
    ----------
    cut : float
        Sizes above it lie on the upper side; in cells · m².
    positive_above : bool
        Whether the positive class is that of the upper side.
    logits : array of float64, shape (2, k)
        What is said of the lower and of the upper side.
    """

    cut: float
    positive_above: bool
    logits: Floats

    def predict(self, values: Floats) -> npt.NDArray[np.float32]:
        """Return logits (n, k) of sizes (n,)."""
        return self.logits[(values > self.cut).astype(np.intp)].astype(np.float32)


def fit(values: Floats, labels: Ints, positive: int, classes: int) -> Threshold:
    """Fit a threshold to a training part.

    The logits of a side are the log frequencies of the classes there, 1/2 added to each count. A
    class may be so rare that it is not the most frequent one even on its side of the cut; there the
    classes are counted as if there were as many samples of each, so that the answer is the cut's.

    Parameters
    ----------
    values : array of float, shape (n,)
    labels : array of int, shape (n,)
    positive : int
        Label of the positive class. One cut tells two groups apart: with more than two classes, the
        positive one from the rest.
    classes : int
        Number of classes k.
    """
    cut, positive_above = best_cut(values, labels == positive)
    totals = np.bincount(labels, minlength=classes)
    above = np.bincount(labels[values > cut], minlength=classes)
    sides = [
        _log_frequencies(totals - above, totals, positive, not positive_above),
        _log_frequencies(above, totals, positive, positive_above),
    ]
    return Threshold(cut, positive_above, np.array(sides))


def best_cut(values: Floats, truth: Truth) -> tuple[float, bool]:
    """Return the cut of the highest balanced accuracy, and whether the positive class is above it.

    Cuts are midpoints between neighbouring values. Of equally good ones the one in the widest gap
    is taken, then the lowest. Where all values are equal, they lie below the cut.

    Parameters
    ----------
    values : array of float, shape (n,)
    truth : array of bool, shape (n,)
        Whether each is of the positive class; some are, and some are not.
    """
    held, places = np.unique(values, return_inverse=True)
    if len(held) == 1:
        return float(held[0]), True
    positives = np.cumsum(np.bincount(places[truth], minlength=len(held)))
    negatives = np.cumsum(np.bincount(places[~truth], minlength=len(held)))
    # Balanced accuracy times 2 · positives · negatives: whole numbers, so that ties are ties.
    right = negatives * positives[-1] + (positives[-1] - positives) * negatives[-1]
    perfect = 2 * int(positives[-1]) * int(negatives[-1])
    quality = np.maximum(right, perfect - right)[:-1]
    best = int(np.lexsort((np.arange(len(quality)), -np.diff(held), -quality))[0])
    lower, upper = float(held[best]), float(held[best + 1])
    middle = (lower + upper) / 2
    # Between two neighbouring floats there is no middle.
    return (middle if middle < upper else lower), bool(2 * right[best] >= perfect)


def _log_frequencies(counts: Ints, totals: Ints, positive: int, wanted: bool) -> Floats:
    """Return what is said of a side, shape (k,); `wanted`: whether it is the positive class's."""
    held = counts.astype(np.float64)
    if (int(held.argmax()) == positive) != wanted:
        held *= totals.sum() / (len(totals) * np.maximum(totals, 1))
    held += _SMOOTHING
    logits: Floats = np.log(held / held.sum())
    return logits


def predict_threshold(samples: Samples, manifest: Manifest, folder: Path) -> None:
    """Fit a threshold per seed and keep what it says of val and test in `folder`.

    Raises
    ------
    ArtifactError
        The manifest was drawn from other samples.
    """
    manifest.check_rows(samples.rows)
    dataset = samples.dataset
    values = sizes(samples.lidar, dataset.max_range)
    positive, classes = dataset.classes.index(dataset.positive), len(dataset.classes)
    fitted: dict[int, Threshold] = {}
    with replace_folder(folder) as aside:
        for seed in manifest.parts:
            train = manifest.rows_of(seed, "train")
            labels = np.array([row.label for row in train], np.int64)
            fitted[seed] = fit(_of(train, values), labels, positive, classes)
            parts = {}
            for part in PARTS:
                rows = manifest.rows_of(seed, part)
                parts[part] = PartPredictions.of(rows, fitted[seed].predict(_of(rows, values)))
            write_seed(aside, seed, parts)
        write_json(aside / "info.json", _info(samples, manifest, fitted))


def _of(rows: list[SampleRow], values: Floats) -> Floats:
    return values[[row.row for row in rows]]


def _info(samples: Samples, manifest: Manifest, fitted: dict[int, Threshold]) -> dict[str, Any]:
    """Return info.json; the one parameter is the cut, its side and frequencies are not counted."""
    dataset = samples.dataset
    counts = {
        seed: Counter(row.class_name for row in manifest.rows_of(seed, "train")) for seed in fitted
    }
    return {
        "fusion": NAME,
        "strategy": "none",
        "inputs": ["lidar"],
        "parameters": 1,
        "classes": list(dataset.classes),
        "positive": dataset.positive,
        "rendered": dataset.rendered,
        "seeds": list(fitted),
        "train_counts": {
            str(seed): {name: held[name] for name in dataset.classes}
            for seed, held in counts.items()
        },
        "cuts": {
            str(seed): {"cut": each.cut, "positive_above": each.positive_above}
            for seed, each in fitted.items()
        },
    }

"""A baseline: one threshold on how large an object is by its LiDAR map.

The size is (number of returns) · (smallest range)². The number of cells that an object fills falls
with the square of its distance, so the product is its cross-section but for a constant. What a
model learns beyond this one number is what it adds to this baseline.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    values = np.zeros(len(lidar))
    for first in range(0, len(lidar), _CHUNK):
        ranges = np.asarray(lidar[first : first + _CHUNK]).reshape(-1, lidar[0].size)
        returns = ranges < np.float32(max_range)
        nearest = ranges.min(axis=1, where=returns, initial=max_range)
        values[first : first + _CHUNK] = returns.sum(axis=1) * nearest.astype(np.float64) ** 2
    return values


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
        Log probabilities of the classes below and above the cut.
    """

    cut: float
    positive_above: bool
    logits: Floats

    def predict(self, values: Floats) -> npt.NDArray[np.float32]:
        """Return logits (n, k) of sizes (n,)."""
        return self.logits[(values > self.cut).astype(np.intp)].astype(np.float32)


def fit_threshold(values: Floats, labels: Ints, positive: int, classes: int) -> Threshold:
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
    distinct, positions = np.unique(values, return_inverse=True)
    if len(distinct) == 1:
        return float(distinct[0]), True
    positives = np.cumsum(np.bincount(positions[truth], minlength=len(distinct)))
    negatives = np.cumsum(np.bincount(positions[~truth], minlength=len(distinct)))
    # Balanced accuracy times 2 · positives · negatives: whole numbers, so that ties are ties.
    right = negatives * positives[-1] + (positives[-1] - positives) * negatives[-1]
    perfect = 2 * int(positives[-1]) * int(negatives[-1])
    quality = np.maximum(right, perfect - right)[:-1]
    best = int(np.lexsort((np.arange(len(quality)), -np.diff(distinct), -quality))[0])
    lower, upper = float(distinct[best]), float(distinct[best + 1])
    middle = (lower + upper) / 2
    # Between two neighbouring floats there is no middle.
    return (middle if middle < upper else lower), bool(2 * right[best] >= perfect)


def _log_frequencies(counts: Ints, totals: Ints, positive: int, wanted: bool) -> Floats:
    """Return the logits of a side, shape (k,); `wanted`: whether it is the positive class's."""
    frequencies = counts.astype(np.float64)
    if (int(frequencies.argmax()) == positive) != wanted:
        frequencies *= totals.sum() / (len(totals) * np.maximum(totals, 1))
    frequencies += _SMOOTHING
    logits: Floats = np.log(frequencies / frequencies.sum())
    return logits

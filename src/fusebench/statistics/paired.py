"""Two fusions side by side: what each test id adds to the difference of a metric, per seed.

Only for metrics that are means over samples, plain or weighted by class: there the difference of
two fusions is a sum over ids, and its variance can be taken apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import nll_per_sample
from fusebench.prediction.predictions import PartPredictions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEANS = ("balanced_accuracy", "accuracy", "nll")
LOWER_IS_BETTER = ("nll",)
# A stratum with fewer ids says too little about its own variance.
_SMALLEST_STRATUM = 5


@dataclass(frozen=True)
class Paired:
    """The difference of two fusions, first − second, taken apart.

    Attributes
    ----------
    contributions : array, shape (s, j)
        What each of j ids adds to the difference in each of s seeds, in the metric's unit (percent
        or nats): the sum over a row is the difference of that seed. Samples of one id (twins) are
        one.
    strata : array of int, shape (j,)
        Kind of each id: which classes it has samples of. How many ids there are of each kind was
        fixed when test was drawn, so ids vary within their kind only.
    weights, counts : array, shape (c,)
        For each class of the test part: what one sample's being right adds to the metric, and the
        number of samples. Weights are 0 for a metric without bounds (NLL).
    """

    contributions: Floats
    strata: Ints
    weights: Floats
    counts: Ints

    @property
    def difference(self) -> float:
        """The difference, mean over seeds."""
        return float(self.contributions.sum(axis=1).mean())

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return len(self.contributions)

    @property
    def discordant(self) -> int:
        """How many ids add anything to the difference, in any seed."""
        return int((self.contributions != 0).any(axis=0).sum())


def pair(
    first: Mapping[int, PartPredictions], second: Mapping[int, PartPredictions], metric: str
) -> Paired:
    """Pair the predictions of two fusions on one part, by seed and sample.

    Parameters
    ----------
    first, second : mapping of int to PartPredictions
        By seed, the same seeds and samples in both.
    metric : {"balanced_accuracy", "accuracy", "nll"}

    Raises
    ------
    ArtifactError
        The samples of a seed differ between the two, or from those of another seed.
    """
    reference = next(iter(first.values()))
    _check_same(reference, [*first.values(), *second.values()])
    ids, inverse = np.unique(reference.ids, return_inverse=True)
    rows = [
        np.bincount(
            inverse,
            weights=_scores(first[seed], metric) - _scores(second[seed], metric),
            minlength=len(ids),
        )
        for seed in first
    ]
    labels, counts = np.unique(reference.labels, return_counts=True)
    bounded = metric not in LOWER_IS_BETTER
    weights = _weights(reference, metric)
    by_class = np.array([100 * weights[reference.labels == label][0] for label in labels])
    return Paired(
        np.array(rows),
        kinds_of(reference),
        by_class if bounded else np.zeros(len(labels)),
        counts.astype(np.int64),
    )


def _check_same(reference: PartPredictions, parts: Sequence[PartPredictions]) -> None:
    for part in parts:
        same = np.array_equal(part.digests, reference.digests)
        if not (same and np.array_equal(part.labels, reference.labels)):
            raise ArtifactError(
                "predictions: the seeds' test samples differ, so nothing can be paired; "
                "'dvc repro' evaluates anew"
            )


def _weights(part: PartPredictions, metric: str) -> Floats:
    """Return what each sample's score counts, shape (n,); of balanced accuracy by its class."""
    if metric != "balanced_accuracy":
        return np.full(len(part.labels), 1 / len(part.labels))
    labels, inverse, counts = np.unique(part.labels, return_inverse=True, return_counts=True)
    weights: Floats = 1 / (len(labels) * counts[inverse])
    return weights


def _scores(part: PartPredictions, metric: str) -> Floats:
    """Return each sample's share of the metric, shape (n,); their sum is the metric."""
    if metric == "nll":
        return nll_per_sample(part.logits, part.labels) * _weights(part, metric)
    right = part.logits.argmax(axis=1) == part.labels
    scores: Floats = 100 * right * _weights(part, metric)
    return scores


def kinds_of(part: PartPredictions) -> Ints:
    """Return the stratum of each different id of a part, in the order of `numpy.unique`."""
    return strata(np.unique(part.ids, return_inverse=True)[1], part.labels)


def strata(ids: Ints, labels: Ints) -> Ints:
    """Return the kind of each id, shape (j,), kinds of too few ids joined with the largest.

    Parameters
    ----------
    ids : array of int, shape (n,)
        Position of each sample's id among the j different ones.
    labels : array of int, shape (n,)
    """
    present = np.zeros((int(ids.max()) + 1, int(labels.max()) + 1), bool)
    present[ids, labels] = True
    _, kinds, counts = np.unique(present, axis=0, return_inverse=True, return_counts=True)
    small = counts[kinds] < _SMALLEST_STRATUM
    return np.where(small, int(counts.argmax()), kinds).astype(np.int64)

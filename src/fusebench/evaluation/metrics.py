"""The registry of metrics: a metric is added here, and everything that shows metrics finds it.

For two classes, what speaks of one class (precision, AUROC, …) speaks of the positive one; for more
it is the mean over classes, each against the rest where scores are ranked.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax
from sklearn import metrics as sk

from fusebench.evaluation import chance as levels
from fusebench.prediction.predictions import PartPredictions

Floats = npt.NDArray[np.float64]
PERCENT = (0.0, 100.0)
CALIBRATION_BINS = 15
"""Of confidence, in the expected calibration error and in pictures of reliability."""


@dataclass(frozen=True)
class Metric:
    """A figure of how good predictions are, with all that tables, pictures and tests must know.

    Attributes
    ----------
    name : str
        In files and params.
    label : str
        In sentences, tables and pictures.
    unit : str
        "%", "nats" or "".
    digits : int
        After the decimal point, where it is shown.
    higher_is_better : bool
    bounds : (float, float)
        The smallest and the largest value that it, and a sample's share of it, can have.
    function : callable
        Of one model's predictions and the label of the positive class.
    chance : callable
        What an answer that does not look at the sample reaches; see `evaluation.chance`.
    per_sample : callable or None
        The value of each sample, shape (n,), if the metric is their mean; else None.
    class_balanced : bool
        Whether that mean is weighted so that each class counts the same.
    """

    name: str
    label: str
    unit: str
    digits: int
    higher_is_better: bool
    bounds: tuple[float, float]
    function: Callable[[PartPredictions, int], float]
    chance: levels.Chance = levels.none
    per_sample: Callable[[PartPredictions], Floats] | None = None
    class_balanced: bool = False

    @property
    def difference_unit(self) -> str:
        """Unit of the difference of two values: two percentages differ by points."""
        return "points" if self.unit == "%" else self.unit

    def text(self, value: float) -> str:
        """Return a value as it is shown, with its unit."""
        return f"{value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def heading(self) -> str:
        """Label with capitals, for the head of a table."""
        return " ".join(word[0].upper() + word[1:] for word in self.label.split())

    @property
    def span(self) -> float:
        """How much one sample's value can change; 0 where there is no bound."""
        low, high = self.bounds
        return high - low if math.isfinite(high - low) else 0.0

    def weights(self, labels: npt.NDArray[np.int64]) -> Floats:
        """Return what each sample's value counts in the mean, shape (n,); their sum is 1."""
        if not self.class_balanced:
            return np.full(len(labels), 1 / len(labels))
        _, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights: Floats = 1 / (len(counts) * counts[positions])
        return weights


def nll_per_sample(part: PartPredictions) -> Floats:
    """Return −log p(true class), in nats, shape (n,).

    From the logits: scikit-learn's log loss takes probabilities, and cuts a loss off at 36 nats,
    where a probability rounds to 0.
    """
    log_probabilities = log_softmax(part.logits.astype(np.float64), axis=1)
    losses: Floats = -np.take_along_axis(log_probabilities, part.labels[:, None], axis=1)[:, 0]
    return losses


def correct_per_sample(part: PartPredictions) -> Floats:
    """Return 100 where the answer is the true class, else 0, shape (n,)."""
    correct: Floats = 100.0 * (part.logits.argmax(axis=1) == part.labels)
    return correct


def brier_per_sample(part: PartPredictions) -> Floats:
    """Return half the squared distance of the probabilities from the true class, shape (n,).

    Half, so that it is between 0 and 1, and with two classes (p − y)² (Brier, Monthly Weather
    Review 78, 1950).
    """
    distances = softmax(part.logits.astype(np.float64), axis=1)
    distances[np.arange(len(distances)), part.labels] -= 1
    halves: Floats = (distances**2).sum(axis=1) / 2
    return halves


def _brier_score(part: PartPredictions, _positive: int) -> float:
    probabilities = softmax(part.logits.astype(np.float64), axis=1)
    labels = range(part.logits.shape[1])
    return float(sk.brier_score_loss(part.labels, probabilities, labels=labels, scale_by_half=True))


def confidences(
    part: PartPredictions,
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return how sure each answer is, whether it is right, and its bin, shape (n,) each.

    Confidence is the probability of the answer, between 1/k and 1; the `CALIBRATION_BINS` bins are
    of equal width from 0 to 1.
    """
    confidence: Floats = softmax(part.logits.astype(np.float64), axis=1).max(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    return confidence, part.logits.argmax(axis=1) == part.labels, bins


def _expected_calibration_error(part: PartPredictions, _positive: int) -> float:
    """Return Σ (share of samples) · |accuracy − confidence| over bins of confidence, in percent.

    15 bins of equal width (Guo et al., "On calibration of modern neural networks", ICML 2017).
    """
    confidence, correct, bins = confidences(part)
    gaps = np.bincount(bins, weights=correct - confidence)
    return 100 * float(np.abs(gaps).sum()) / len(confidence)


def log_odds(logits: npt.NDArray[np.float32], label: int) -> Floats:
    """Return the log odds of one class against the rest, shape (n,).

    They order as the probabilities do, without the ties where those round to 0 or 1. What differs
    by the rounding of the sum alone is made equal, being a tie.
    """
    exact = logits.astype(np.float64)
    rest = np.logaddexp.reduce(np.delete(exact, label, axis=1), axis=1)
    odds: Floats = np.round(exact[:, label] - rest, 9)
    return odds


def _balanced_accuracy(part: PartPredictions, _positive: int) -> float:
    # As sk.balanced_accuracy_score, which warns where a class has no sample: a resample may be so.
    present = np.unique(part.labels)
    predicted = part.logits.argmax(axis=1)
    recall = sk.recall_score(
        part.labels, predicted, labels=present, average="macro", zero_division=0
    )
    return 100 * float(recall)


def _by_class(
    score: Callable[..., npt.NDArray[np.float64]],
) -> Callable[[PartPredictions, int], float]:
    """Return a score of the positive class, or the mean over classes if there are more than two."""

    def metric(part: PartPredictions, positive: int) -> float:
        labels = range(part.logits.shape[1])
        predicted = part.logits.argmax(axis=1)
        scores = score(part.labels, predicted, labels=labels, average=None, zero_division=0)
        return 100 * float(scores[positive] if len(scores) == 2 else scores.mean())

    return metric


def _by_ranking(score: Callable[..., float]) -> Callable[[PartPredictions, int], float]:
    """Return a score of how well the log odds rank the positive class, or each in turn."""

    def metric(part: PartPredictions, positive: int) -> float:
        classes = part.logits.shape[1]
        labels = [positive] if classes == 2 else range(classes)
        scores = [score(part.labels == label, log_odds(part.logits, label)) for label in labels]
        return 100 * float(np.mean(scores))

    return metric


_ALL = (
    Metric(
        "accuracy", "accuracy", "%", 2, True, PERCENT,
        lambda part, _: 100 * float(sk.accuracy_score(part.labels, part.logits.argmax(axis=1))),
        levels.accuracy, correct_per_sample,
    ),
    Metric(
        "balanced_accuracy", "balanced accuracy", "%", 2, True, PERCENT,
        _balanced_accuracy, levels.balanced_accuracy, correct_per_sample,
        class_balanced=True,
    ),
    Metric(
        "precision", "precision", "%", 2, True, PERCENT,
        _by_class(sk.precision_score), levels.precision,
    ),
    Metric(
        "recall", "recall", "%", 2, True, PERCENT,
        _by_class(sk.recall_score), levels.recall,
    ),
    Metric("f1", "F1", "%", 2, True, PERCENT, _by_class(sk.f1_score), levels.f1),
    Metric(
        "auroc", "AUROC", "%", 2, True, PERCENT,
        _by_ranking(sk.roc_auc_score), levels.auroc,
    ),
    Metric(
        "average_precision", "average precision", "%", 2, True, PERCENT,
        _by_ranking(sk.average_precision_score), levels.average_precision,
    ),
    Metric(
        "nll", "NLL", "nats", 4, False, (0.0, math.inf),
        lambda part, _: float(nll_per_sample(part).mean()), levels.nll, nll_per_sample,
    ),
    Metric(
        "brier", "Brier score", "", 4, False, (0.0, 1.0),
        _brier_score, levels.brier, brier_per_sample,
    ),
    Metric(
        "calibration_error", "expected calibration error", "%", 2, False, PERCENT,
        _expected_calibration_error,
    ),
)  # fmt: skip

METRICS = {metric.name: metric for metric in _ALL}
"""Every metric by its name, in the order in which tables show them."""


def means() -> list[str]:
    """Return the names of the metrics that are means over samples."""
    return [name for name, metric in METRICS.items() if metric.per_sample]

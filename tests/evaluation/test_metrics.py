"""The registry: what holds for every metric in it, and what each of them is."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics as sk
from tests.evaluation.made_up import part_of, parts, seeded_part

from fusebench.evaluation.metrics import METRICS, log_odds, means, nll_per_sample
from fusebench.prediction.predictions import PartPredictions

every_metric = pytest.mark.parametrize("name", METRICS)
positives = st.integers(0, 1)
few = settings(deadline=None, max_examples=40)


def value(name: str, part: PartPredictions, positive: int = 1) -> float:
    return METRICS[name].function(part, positive)


def perfect(part: PartPredictions) -> PartPredictions:
    return part_of(part.labels.tolist(), 1000 * np.eye(part.logits.shape[1])[part.labels])


# --- Every metric ---


def test_names_and_labels_are_unique() -> None:
    labels = [metric.label for metric in METRICS.values()]
    headings = [metric.heading for metric in METRICS.values()]
    assert [metric.name for metric in METRICS.values()] == list(METRICS)
    assert len(set(labels)) == len(set(headings)) == len(METRICS)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in METRICS)


@every_metric
@few
@given(part=parts(), positive=positives)
def test_values_lie_in_the_bounds(name: str, part: PartPredictions, positive: int) -> None:
    low, high = METRICS[name].bounds
    assert low <= value(name, part, positive) <= high + 1e-9
    per_sample = METRICS[name].per_sample
    if per_sample is not None:
        assert low <= per_sample(part).min() <= per_sample(part).max() <= high


@pytest.mark.parametrize("name", means())
@few
@given(part=parts())
def test_mean_metric_is_its_weighted_values_per_sample(name: str, part: PartPredictions) -> None:
    metric = METRICS[name]
    weights = metric.weights(part.labels)
    assert metric.per_sample is not None
    assert weights.sum() == pytest.approx(1)
    assert weights @ metric.per_sample(part) == pytest.approx(value(name, part), abs=1e-9)


@every_metric
@few
@given(part=parts(), positive=positives)
def test_perfect_prediction_is_at_the_better_end_and_none_beats_it(
    name: str, part: PartPredictions, positive: int
) -> None:
    metric = METRICS[name]
    best = value(name, perfect(part), positive)
    assert best == pytest.approx(metric.bounds[metric.higher_is_better], abs=1e-9)
    sign = 1 if metric.higher_is_better else -1
    assert sign * value(name, part, positive) <= sign * best + 1e-9


@every_metric
@few
@given(part=parts(), positive=positives, seed=st.integers(0, 999))
def test_order_of_samples_has_no_effect(
    name: str, part: PartPredictions, positive: int, seed: int
) -> None:
    shuffled = part.take(np.random.default_rng(seed).permutation(len(part.labels)))
    expected = value(name, part, positive)
    assert value(name, shuffled, positive) == pytest.approx(expected, abs=1e-9)


@every_metric
@few
@given(part=parts())
def test_with_more_than_two_classes_none_is_preferred(name: str, part: PartPredictions) -> None:
    if part.logits.shape[1] > 2:
        assert value(name, part, 0) == value(name, part, 1)


@every_metric
def test_span_is_that_of_the_bounds_and_unit_fits(name: str) -> None:
    metric = METRICS[name]
    assert metric.span == (0 if math.inf in metric.bounds else np.ptp(metric.bounds))
    assert (metric.unit == "%") == (metric.bounds == (0, 100))
    assert metric.difference_unit == ("points" if metric.unit == "%" else metric.unit)


# --- Each metric ---

# What the code before scikit-learn gave for `seeded_part` (commit 729d475), by classes and label
# of the positive class.
BEFORE = {
    (2, 1): {
        "accuracy": 80.0, "balanced_accuracy": 78.125, "precision": 50.0, "recall": 75.0,
        "f1": 60.0, "auroc": 85.503472, "average_precision": 71.464304, "nll": 0.552869,
    },
    (2, 0): {
        "accuracy": 80.0, "balanced_accuracy": 78.125, "precision": 92.857143, "recall": 81.25,
        "f1": 86.666667, "auroc": 85.503472, "average_precision": 95.968789, "nll": 0.552869,
    },
    (3, 1): {
        "accuracy": 71.666667, "balanced_accuracy": 80.4329, "precision": 65.333333,
        "recall": 80.4329, "f1": 63.174603, "auroc": 90.649163, "average_precision": 84.339236,
        "nll": 0.809548,
    },
}  # fmt: skip


@pytest.mark.parametrize(("classes", "positive"), BEFORE)
def test_metrics_are_those_from_before_scikit_learn(classes: int, positive: int) -> None:
    part, expected = seeded_part(classes), BEFORE[classes, positive]
    assert {name: round(value(name, part, positive), 6) for name in expected} == expected


def test_rates_are_percent_of_the_positive_class() -> None:
    labels = [0] * 92 + [1] * 8
    said = [0] * 90 + [1] * 2 + [0] * 4 + [1] * 4
    part = part_of(labels, 4.0 * np.eye(2)[said])
    expected = {
        "accuracy": 94, "precision": 100 * 4 / 6, "recall": 50, "f1": 100 * 8 / 14,
        "balanced_accuracy": 100 * (90 / 92 + 0.5) / 2,
    }  # fmt: skip
    assert {name: value(name, part, 1) for name in expected} == pytest.approx(expected)
    assert value("recall", part, 0) == pytest.approx(100 * 90 / 92)


def test_majority_answer_has_half_the_balanced_accuracy_and_no_f1() -> None:
    part = part_of([0] * 12 + [1], [[1, 0]] * 13)
    names = ("balanced_accuracy", "precision", "recall", "f1", "auroc")
    assert [value(name, part) for name in names] == [50, 0, 0, 0, 50]


def test_classes_that_a_resample_lacks_are_left_out_of_balanced_accuracy() -> None:
    part = part_of([0, 0, 2], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert value("balanced_accuracy", part) == 75


@few
@given(part=parts())
def test_nll_is_scikit_learns_log_loss_and_finite_where_that_is_cut_off(
    part: PartPredictions,
) -> None:
    probabilities = softmax(part.logits.astype(np.float64), axis=1)
    nll = value("nll", part)
    assert math.isfinite(nll)
    true = probabilities[np.arange(len(part.labels)), part.labels]
    if true.min() > 1e-12:
        expected = sk.log_loss(part.labels, probabilities, labels=range(part.logits.shape[1]))
        assert nll == pytest.approx(expected, abs=1e-9)
    else:
        assert nll > -math.log(1e-12) / len(part.labels)


@pytest.mark.parametrize("margin", [0.0, 0.5, 20.0, 37.0, 100.0, 3e4, 3e38])
def test_nll_is_exact_for_extreme_logits(margin: float) -> None:
    part = part_of(
        [0, 1, 1, 0], [[margin, 0], [margin, 0], [0, -margin], [-margin / 2, margin / 2]]
    )
    right = float(np.float32(margin))
    small, large = math.log1p(math.exp(-right)), right + math.log1p(math.exp(-right))
    assert nll_per_sample(part) == pytest.approx([small, large, large, large], rel=1e-7, abs=1e-12)


# Logits so far apart that a probability of the second class rounds to 1 everywhere.
SURE = [[0.0, 60, 0], [0, 80, 0], [0, 50, 0], [0, 70, 0], [0, 40, 0]]


@pytest.mark.parametrize("classes", [2, 3])
def test_samples_are_ranked_where_probabilities_round_to_one(classes: int) -> None:
    part = part_of([0, 1, 0, 1, 0], np.array(SURE)[:, :classes])
    assert set(softmax(part.logits.astype(float), axis=1)[:, 1]) == {1}, "the case shows nothing"
    assert np.argsort(log_odds(part.logits, 1)).tolist() == [4, 2, 0, 3, 1]
    if classes == 2:
        assert value("auroc", part) == value("average_precision", part) == 100


def test_equal_odds_are_ties_though_their_sums_round_differently() -> None:
    logits = np.array([[0.1, 0.7, 0.3], [0.7, 0.1, 0.3]], np.float32)
    swapped = log_odds(logits, 2), log_odds(logits[::-1], 2)
    assert set(np.concatenate(swapped).tolist()) == {swapped[0][0]}


# --- Probabilities ---


def test_brier_score_with_two_classes_is_the_squared_error_of_the_positive_one() -> None:
    part = seeded_part(2)
    probability = softmax(part.logits.astype(float), axis=1)[:, 1]
    expected = sk.brier_score_loss(part.labels, probability)
    assert value("brier", part) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_the_gap_of_each_bin_by_its_share() -> None:
    # Two bins: four answers at 0.9, three of them right; one at 0.6, wrong.
    odds = [math.log(9)] * 4 + [math.log(1.5)]
    part = part_of([0, 0, 0, 1, 1], np.array([[ratio, 0.0] for ratio in odds]))
    expected = 100 * (4 / 5 * abs(0.75 - 0.9) + 1 / 5 * abs(0 - 0.6))
    assert value("calibration_error", part) == pytest.approx(expected, abs=1e-5)


def test_calibration_error_of_a_calibrated_model_is_nothing() -> None:
    part = part_of([0, 0, 0, 1], np.array([[math.log(3), 0.0]] * 4))
    assert value("calibration_error", part) == pytest.approx(0, abs=1e-5)

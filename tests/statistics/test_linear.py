"""Effects of samples are derivatives of scikit-learn's metrics, by the samples' weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from fusebench.statistics.linear import Linear, auroc, average_precision, mean, ratio
from fusebench.statistics.paired import Floats

TINY = 1e-4


def _ratio_of(numerator: str, most: float) -> Callable[[Any, Floats], Linear]:
    def take(truth: Any, scores: Floats) -> Linear:
        actual, said = truth.astype(float), (scores > 0).astype(float)
        below = {"precision": said, "recall": actual, "f1": actual + said}[numerator]
        return ratio(most * actual * said, below, most)

    return take


def _of_answers(score: Callable[..., float]) -> Callable[..., float]:
    def metric(truth: Any, scores: Floats, sample_weight: Floats) -> float:
        return score(truth, scores > 0, sample_weight=sample_weight, zero_division=0)

    return metric


TAKEN = {
    "precision": (_ratio_of("precision", 1), _of_answers(sk.precision_score)),
    "recall": (_ratio_of("recall", 1), _of_answers(sk.recall_score)),
    "f1": (_ratio_of("f1", 2), _of_answers(sk.f1_score)),
    "auroc": (auroc, sk.roc_auc_score),
    "average_precision": (average_precision, sk.average_precision_score),
}


@pytest.mark.parametrize("name", TAKEN)
@settings(deadline=None, max_examples=40)
@given(
    labels=st.lists(st.booleans(), min_size=1, max_size=25),
    seed=st.integers(0, 2**32 - 1),
    ties=st.booleans(),
)
def test_value_and_effects_are_those_of_scikit_learn(
    name: str, labels: list[bool], seed: int, ties: bool
) -> None:
    take, score = TAKEN[name]
    truth = np.array([True, False, *labels])
    scores = np.random.default_rng(seed).normal(size=len(truth))
    scores = scores.round() if ties else scores
    taken, ones = take(truth, scores), np.ones(len(truth))
    assert taken.value == pytest.approx(100 * score(truth, scores, sample_weight=ones))
    assert taken.effects.sum() == pytest.approx(0, abs=1e-9)
    for sample in range(len(truth)):
        step = TINY * (np.arange(len(truth)) == sample)
        more, less = (score(truth, scores, sample_weight=ones + sign * step) for sign in (1, -1))
        derivative = 100 * (more - less) / (2 * TINY)
        assert taken.effects[sample] == pytest.approx(derivative, abs=1e-4)


def test_a_class_that_is_never_answered_has_no_precision_and_no_effects() -> None:
    taken = ratio(np.zeros(3), np.zeros(3), 1)
    assert (taken.value, taken.effects.tolist(), taken.step) == (0, [0, 0, 0], 0)


def test_the_mean_of_metrics_has_the_mean_of_their_effects() -> None:
    truth, scores = np.array([True, False, True, False]), np.array([3.0, 2.0, 1.0, 0.0])
    first, second = auroc(truth, scores), average_precision(truth, scores)
    both = mean([first, second])
    assert both.value == pytest.approx((first.value + second.value) / 2)
    assert both.effects == pytest.approx((first.effects + second.effects) / 2)
    assert both.step == pytest.approx((first.step + second.step) / 2)


def test_what_one_sample_can_change() -> None:
    truth, scores = np.array([True, True, False, False, False]), np.arange(5.0)
    assert (auroc(truth, scores).step, average_precision(truth, scores).step) == (50, 50)
    assert ratio(truth * 1.0, np.ones(5), 1).step == 20


@pytest.mark.parametrize("name", ["auroc", "average_precision", "precision", "f1"])
def test_effects_give_the_deviation_of_the_metric_over_draws_of_samples(name: str) -> None:
    take, _ = TAKEN[name]
    truth, source = np.repeat([True, False], [100, 300]), np.random.default_rng(0)
    values, errors = [], []
    for _ in range(400):
        taken = take(truth, source.normal(size=400) + truth)
        values.append(taken.value)
        variances = [taken.effects[chosen].var() * chosen.sum() for chosen in (truth, ~truth)]
        errors.append(np.sqrt(np.sum(variances)))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)

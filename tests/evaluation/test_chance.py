"""Chance levels: no answer that does not look at the sample is better, and some reach them."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.made_up import part_of

from fusebench.evaluation.metrics import METRICS

COUNTS = st.lists(st.integers(1, 40), min_size=2, max_size=4)
SURE = 1000.0


def level(name: str, counts: Sequence[int], positive: int = 1) -> float:
    return METRICS[name].chance(np.array(counts), positive)


def labels_of(counts: Sequence[int]) -> list[int]:
    return np.repeat(np.arange(len(counts)), counts).tolist()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            [90, 10],
            {
                "accuracy": 90, "balanced_accuracy": 50, "precision": 10, "recall": math.nan,
                "f1": 100 * 0.2 / 1.1, "auroc": 50, "brier": 0.09,
                "nll": -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)),
                "calibration_error": math.nan,
            },
        ),
        (
            [30, 20, 50],
            {
                "accuracy": 50, "balanced_accuracy": 100 / 3, "precision": 100 / 3,
                "recall": 100 / 3, "f1": 100 / 3, "auroc": 50, "brier": (1 - 0.38) / 2,
                "nll": -sum(p * math.log(p) for p in (0.3, 0.2, 0.5)),
                "calibration_error": math.nan,
            },
        ),
    ],
)  # fmt: skip
def test_levels_of_two_and_of_three_classes(counts: list[int], expected: dict[str, float]) -> None:
    assert set(expected) == set(METRICS) - {"average_precision"}
    for name, value in expected.items():
        assert level(name, counts) == pytest.approx(value, nan_ok=True), name


def test_the_positive_class_may_be_the_first() -> None:
    assert level("precision", [90, 10], 0) == pytest.approx(90)
    assert level("f1", [90, 10], 0) == pytest.approx(180 / 1.9)


def test_balanced_accuracy_speaks_of_the_classes_that_are_there() -> None:
    assert level("balanced_accuracy", [5, 0, 5]) == 50


@pytest.mark.parametrize("counts", [[8, 3], [5, 3, 2]])
def test_average_precision_is_the_mean_over_all_random_orders(counts: list[int]) -> None:
    source, labels = np.random.default_rng(0), labels_of(counts)
    shape = (len(labels), len(counts))
    values = [
        METRICS["average_precision"].function(part_of(labels, source.normal(size=shape)), 1)
        for _ in range(3000)
    ]
    error = float(np.std(values)) / math.sqrt(len(values))
    assert level("average_precision", counts) == pytest.approx(np.mean(values), abs=4 * error)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=40)
@given(counts=COUNTS, positive=st.integers(0, 1), seed=st.integers(0, 2**32 - 1))
def test_no_constant_answer_is_better(
    name: str, counts: list[int], positive: int, seed: int
) -> None:
    chance, metric = level(name, counts, positive), METRICS[name]
    if math.isnan(chance):
        return
    source, labels = np.random.default_rng(seed), labels_of(counts)
    logits = [source.normal(0, 3, len(counts)), *(SURE * np.eye(len(counts)))]
    for constant in logits:
        part = part_of(labels, np.tile(constant, (len(labels), 1)))
        value = metric.function(part, positive)
        assert value <= chance + 1e-9 if metric.higher_is_better else value >= chance - 1e-6


@settings(deadline=None, max_examples=40)
@given(counts=COUNTS)
def test_a_constant_answer_reaches_what_is_said(counts: list[int]) -> None:
    labels, shares = labels_of(counts), np.array(counts) / sum(counts)
    best = part_of(labels, np.tile(np.log(shares), (len(labels), 1)))
    for name in ("accuracy", "balanced_accuracy", "auroc", "nll", "brier"):
        value = METRICS[name].function(best, 1)
        assert value == pytest.approx(level(name, counts), abs=1e-5), name
    if len(counts) == 2:
        always = part_of(labels, np.tile([0, SURE], (len(labels), 1)))
        for name in ("precision", "f1"):
            assert METRICS[name].function(always, 1) == pytest.approx(level(name, counts))


def test_of_three_classes_answers_drawn_at_their_shares_have_the_largest_f1() -> None:
    counts = np.array([2000, 1200, 800])
    labels, source = np.array(labels_of(counts.tolist())), np.random.default_rng(0)

    def f1(rates: Sequence[float]) -> float:
        said = source.choice(3, len(labels), p=rates)
        return METRICS["f1"].function(part_of(labels.tolist(), np.eye(3)[said]), 1)

    shares = (counts / counts.sum()).tolist()
    ladder = [f1(shares), f1([0.8, 0.1, 0.1]), f1([1.0, 0.0, 0.0])]
    assert ladder[0] == pytest.approx(level("f1", counts.tolist()), abs=2)
    assert all(better > worse for better, worse in pairwise(ladder))

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from fusebench.evaluation.counts import confusion_counts, rates

Labels = npt.NDArray[np.int64]


@st.composite
def answers(draw: Callable[..., int]) -> tuple[Labels, Labels, int]:
    """Draw true and predicted labels of 2 or 3 classes, some of which may be absent."""
    classes, count = draw(st.integers(2, 3)), draw(st.integers(1, 40))
    true, predicted = (
        [draw(st.integers(0, draw(st.integers(0, classes - 1)))) for _ in range(count)]
        for _ in range(2)
    )
    return np.array(true, np.int64), np.array(predicted, np.int64), classes


def expected_rates(
    true: Labels, predicted: Labels, classes: int, positive: int
) -> dict[str, float]:
    """Return the rates in percent as scikit-learn computes them."""
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        true, predicted, labels=range(classes), zero_division=0
    )
    with warnings.catch_warnings():  # It warns of a class that was only predicted.
        warnings.simplefilter("ignore")
        balanced = sk.balanced_accuracy_score(true, predicted)
    found = {"accuracy": sk.accuracy_score(true, predicted), "balanced_accuracy": balanced}
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        found[name] = values[positive] if classes == 2 else values.mean()
    return {name: 100 * float(value) for name, value in found.items()}


@settings(deadline=None, max_examples=150)
@given(answers())
def test_counts_are_scikit_learns(case: tuple[Labels, Labels, int]) -> None:
    true, predicted, classes = case
    counts = confusion_counts(true, predicted, classes)
    expected = sk.confusion_matrix(true, predicted, labels=range(classes))
    assert counts.tolist() == expected.tolist()


@settings(deadline=None, max_examples=150)
@given(answers(), st.integers(0, 1))
def test_rates_are_scikit_learns(case: tuple[Labels, Labels, int], positive: int) -> None:
    true, predicted, classes = case
    found = rates(confusion_counts(true, predicted, classes), positive)
    assert found == pytest.approx(expected_rates(true, predicted, classes, positive))


def test_rows_are_the_truth_and_columns_what_was_said() -> None:
    true, said = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 2, 2])
    assert confusion_counts(true, said, 3).tolist() == [[1, 2, 0], [0, 0, 1], [0, 0, 1]]


def test_rates_are_percent_of_the_positive_class() -> None:
    counts = np.array([[90, 2], [4, 4]])
    found = rates(counts, 1)
    assert found["accuracy"] == pytest.approx(94)
    assert found["precision"] == pytest.approx(100 * 4 / 6)
    assert found["recall"] == pytest.approx(50)
    assert found["f1"] == pytest.approx(100 * 8 / 14)
    assert found["balanced_accuracy"] == pytest.approx(100 * (90 / 92 + 0.5) / 2)
    assert rates(counts, 0)["recall"] == pytest.approx(100 * 90 / 92)


def test_model_that_always_says_the_majority_has_half_the_balanced_accuracy() -> None:
    found = rates(np.array([[923, 0], [77, 0]]), 1)
    assert found["accuracy"] == pytest.approx(92.3)
    assert found["balanced_accuracy"] == 50
    assert found["precision"] == found["recall"] == found["f1"] == 0


def test_more_than_two_classes_are_averaged_with_equal_weight() -> None:
    counts = np.array([[98, 2, 0], [0, 1, 1], [0, 0, 1]])
    assert rates(counts, 0) == rates(counts, 2)
    assert rates(counts, 0)["recall"] == pytest.approx(100 * (0.98 + 0.5 + 1) / 3)

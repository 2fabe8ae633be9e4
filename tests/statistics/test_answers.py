"""A few answers in place of probabilities: what they keep, and that rare classes are named."""

import math

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm

from fusebench.statistics.answers import Answers
from fusebench.statistics.decomposition import joint_table, mutual_information
from fusebench.statistics.paired import Floats, Ints

EQUAL = np.array([0.5, 0.5])


def gaussian(
    distance: float, size: int, source: np.random.Generator, share: float = 0.5
) -> tuple[Floats, Ints]:
    """Draw logits of the best model of two Gaussians so many deviations apart, and the labels."""
    labels = (source.random(size) < share).astype(np.int64)
    scores = source.normal(distance * (labels - 0.5), 1.0)
    odds = distance * scores + logit(share)
    return np.stack([0 * odds, odds], axis=1), labels


@pytest.mark.parametrize(("classes", "count"), [(2, 6), (3, 9), (4, 8), (5, 10), (6, 6), (10, 10)])
def test_there_are_so_many_answers(classes: int, count: int) -> None:
    source = np.random.default_rng(0)
    labels = np.arange(400) % classes
    logits = source.normal(size=(400, classes)) + 2 * np.eye(classes)[labels]
    fitted = Answers.fit(logits, labels, np.full(classes, 1 / classes))
    answers = fitted.of(logits)
    assert fitted.count == count
    assert set(answers.tolist()) == set(range(count))
    per_class = count // classes
    assert (answers // per_class == logits.argmax(axis=1)).all()


def information(distance: float) -> float:
    """Return the information of a Gaussian score, in bits."""
    grid = np.linspace(-15, 15, 20001)
    given_class = [norm.pdf(grid, side * distance / 2) for side in (-1, 1)]
    joint = np.array(given_class) * (grid[1] - grid[0]) / 2
    return mutual_information(joint)


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0, 3.0, 5.0])
def test_answers_keep_most_of_the_information(distance: float) -> None:
    source = np.random.default_rng(1)
    (val, val_labels), (logits, labels) = (gaussian(distance, 200_000, source) for _ in range(2))
    answers = Answers.fit(val, val_labels, EQUAL).of(logits)
    kept = mutual_information(joint_table(labels, answers, (2, 6))) / information(distance)
    assert 0.86 < kept < 1.02


def test_a_rare_class_is_named_where_it_is_the_likelier_of_two_equally_frequent() -> None:
    shares = np.array([0.93, 0.07])
    threshold = math.log(0.07 / 0.93)
    logits = np.array([[0.0, threshold - 0.1], [0.0, threshold + 0.1]])
    fitted = Answers(shares, np.full((2, 0), np.inf))
    assert fitted.of(logits).tolist() == [0, 1]
    # So it keeps the information, of which "the likelier class" would keep none.
    source = np.random.default_rng(2)
    (val, val_labels), (logits, labels) = (gaussian(1.5, 100_000, source, 0.07) for _ in range(2))
    answers = Answers.fit(val, val_labels, shares).of(logits)
    kept = mutual_information(joint_table(labels, answers, (2, 6))) / information(1.5)
    assert kept > 0.9


def test_cuts_come_from_the_samples_that_they_are_fitted_to_alone() -> None:
    source = np.random.default_rng(3)
    val, labels = gaussian(2.0, 500, source)
    fitted = Answers.fit(val, labels, EQUAL)
    before = fitted.cuts.copy()
    fitted.of(10 * val)
    assert (fitted.cuts == before).all()
    assert (np.diff(fitted.cuts, axis=1) > 0).all()
    # Of each class's answers a fifth lies below the first cut, half below the second.
    answers = fitted.of(val)
    for label in (0, 1):
        weights = 1 / np.bincount(labels)[labels]
        chosen = answers // 3 == label
        below = [weights[chosen & (answers % 3 < cut)].sum() for cut in (1, 2)]
        assert below / weights[chosen].sum() == pytest.approx([0.2, 0.5], abs=0.01)


def test_a_constant_added_to_the_logits_of_a_sample_changes_nothing() -> None:
    source = np.random.default_rng(4)
    val, labels = gaussian(2.0, 300, source)
    moved = val + source.normal(size=(300, 1))
    fitted, other = (Answers.fit(logits, labels, EQUAL) for logits in (val, moved))
    assert (fitted.of(val) == other.of(moved)).all()


def test_a_model_of_two_answers_has_two() -> None:
    labels = np.arange(100) % 2
    logits = np.log([[0.9, 0.1], [0.2, 0.8]])[labels]
    answers = Answers.fit(logits, labels, EQUAL).of(logits)
    assert set(answers.tolist()) == {0, 3}


def test_a_constant_answer_and_infinite_logits_are_answers_too() -> None:
    labels = np.arange(100) % 2
    constant = np.tile([2.0, 1.0], (100, 1))
    assert set(Answers.fit(constant, labels, EQUAL).of(constant).tolist()) == {0}
    endless = np.where(np.eye(2, dtype=bool)[labels], np.inf, -np.inf)
    answers = Answers.fit(endless, labels, EQUAL).of(endless)
    assert mutual_information(joint_table(labels, answers, (2, 6))) == pytest.approx(1)


def test_logits_of_float32_are_taken() -> None:
    val, labels = gaussian(2.0, 300, np.random.default_rng(5))
    single = val.astype(np.float32)
    assert Answers.fit(single, labels, EQUAL).of(single).dtype == np.int64

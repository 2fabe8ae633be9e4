"""Multiple comparisons with the best: the bounds hold whenever the errors are within theirs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from fusebench.statistics.best import to_best
from fusebench.statistics.paired import Floats

# Seven fusions, ten seeds each, as metrics/verdict/pairs.csv of commit 12613d0 has them: difference
# and standard error of every two, each with nine degrees of freedom.
NAMES = ("late", "concat", "add", "hadamard", "rgb_only", "lidar_only", "late_matched")
STUDY = {
    ("late", "concat"): (-18.4067, 2.5682), ("late", "add"): (-17.4608, 2.5445),
    ("late", "hadamard"): (-6.1375, 3.4502), ("late", "rgb_only"): (-17.8208, 2.8542),
    ("late", "lidar_only"): (-8.2583, 2.8382), ("late", "late_matched"): (-17.7217, 2.1095),
    ("concat", "add"): (0.9458, 0.7893), ("concat", "hadamard"): (12.2692, 2.9825),
    ("concat", "rgb_only"): (0.5858, 0.7783), ("concat", "lidar_only"): (10.1483, 1.3066),
    ("concat", "late_matched"): (0.6850, 0.8620), ("add", "hadamard"): (11.3233, 3.0242),
    ("add", "rgb_only"): (-0.3600, 1.0730), ("add", "lidar_only"): (9.2025, 1.3570),
    ("add", "late_matched"): (-0.2608, 0.7277), ("hadamard", "rgb_only"): (-11.6833, 3.4209),
    ("hadamard", "lidar_only"): (-2.1208, 3.0133), ("hadamard", "late_matched"): (-11.5842, 2.9401),
    ("rgb_only", "lidar_only"): (9.5625, 1.5065), ("rgb_only", "late_matched"): (0.0992, 1.1785),
    ("lidar_only", "late_matched"): (-9.4633, 1.4640),
}  # fmt: skip


def _square(study: dict[tuple[str, str], tuple[float, float]]) -> tuple[Floats, Floats]:
    differences, errors = np.zeros((2, len(NAMES), len(NAMES)))
    for (first, second), (difference, error) in study.items():
        i, j = NAMES.index(first), NAMES.index(second)
        differences[i, j], differences[j, i] = difference, -difference
        errors[i, j] = errors[j, i] = error
    return differences, errors


def test_a_study_of_seven_fusions() -> None:
    found = to_best(*_square(STUDY), np.full((7, 7), 9.0))
    below = dict(zip(NAMES, found.below, strict=True))
    assert below["concat"] == pytest.approx(1.84, abs=0.01)
    assert below["rgb_only"] == pytest.approx(3.36, abs=0.01)
    assert below["add"] == pytest.approx(3.51, abs=0.01)
    assert below["late_matched"] == pytest.approx(3.56, abs=0.01)
    best = [name for name, may in zip(NAMES, found.candidate, strict=True) if may]
    assert best == ["concat", "add", "rgb_only", "late_matched"]


def test_two_fusions_are_one_bound_each() -> None:
    # With two, the level is one-sided 5 %, by the formula itself.
    reach = float(student.ppf(0.95, 9))
    found = to_best(np.array([[0, 1.0], [-1.0, 0]]), np.ones((2, 2)), np.full((2, 2), 9.0))
    assert found.below.tolist() == pytest.approx([reach - 1, reach + 1])
    assert found.candidate.tolist() == [True, True]
    assert np.signbit(found.below).tolist() == [False, False]
    apart = to_best(np.array([[0, 5.0], [-5.0, 0]]), np.ones((2, 2)), np.full((2, 2), 9.0))
    assert apart.below.tolist() == pytest.approx([0, reach + 5])
    assert apart.candidate.tolist() == [True, False]
    # Not a negative zero, which would be printed so.
    assert not np.signbit(apart.below).any()


def test_equal_without_any_error_each_may_be_the_best() -> None:
    found = to_best(np.zeros((3, 3)), np.zeros((3, 3)), np.ones((3, 3)))
    assert found.below.tolist() == [0, 0, 0]
    assert found.candidate.all()


COUNTS = st.integers(2, 6)


@st.composite
def studies(draw: Any) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw true means, estimated differences that add up, errors and degrees of freedom."""
    count = draw(COUNTS)
    figures = st.lists(st.floats(-20, 20), min_size=count, max_size=count)
    truth, seen = np.array(draw(figures)), np.array(draw(figures))
    many = st.lists(st.floats(0.01, 5), min_size=count * count, max_size=count * count)
    errors, dfs = (np.array(draw(many)).reshape(count, count) for _ in range(2))
    return truth, seen[:, None] - seen[None, :], (errors + errors.T) / 2, dfs + dfs.T + 1


@given(studies())
def test_the_bounds_hold_where_no_error_is_beyond_its_share(
    study: tuple[Floats, Floats, Floats, Floats],
) -> None:
    truth, differences, errors, dfs = study
    count, best = len(truth), int(truth.argmax())
    reach = student.ppf(1 - 0.05 / (count - 1), dfs) * errors
    wrong = (truth[best] - truth) - differences[best]
    # That the best looks worse than it is by no more than its bound, is all that is asked.
    beyond = np.delete(wrong / reach[best], best).max()
    found = to_best(differences, errors * max(1.0, beyond * (1 + 1e-9)), dfs)
    assert found.candidate[best]
    assert (truth[best] - truth <= found.below + 1e-9).all()


@given(studies())
def test_the_best_mean_may_be_the_best_and_no_bound_is_negative(
    study: tuple[Floats, Floats, Floats, Floats],
) -> None:
    _, differences, errors, dfs = study
    found = to_best(differences, errors, dfs)
    assert found.candidate[int(differences.min(axis=1).argmax())]
    assert (found.below >= 0).all()
    # Only where no other may be the best is there nothing below it.
    for number in np.flatnonzero(found.below == 0):
        others = np.delete(found.candidate, number)
        assert not others.any() or (np.delete(differences[number], number)[others] > 0).all()
    order = np.arange(len(differences))[::-1]
    turned = to_best(*(table[np.ix_(order, order)] for table in (differences, errors, dfs)))
    assert turned.below.tolist() == pytest.approx(found.below[order].tolist())
    assert (turned.candidate == found.candidate[order]).all()

"""Partial information decomposition: known distributions, and what holds of every one."""

import math
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusebench.statistics.decomposition import (
    Decomposition,
    Programme,
    UnsolvedError,
    joint_table,
    mutual_information,
)
from fusebench.statistics.paired import Floats

# What the solver's last digits may be off by, in bits.
CLOSE = 1e-5


def decompose(first: Floats, second: Floats) -> Decomposition:
    return Programme(len(first), first.shape[1], second.shape[1]).decompose(first, second)


def of_outcomes(outcomes: list[tuple[int, int, int]]) -> tuple[Floats, Floats, Floats]:
    """Return p(y, x1), p(y, x2) and p(y, (x1, x2)) of equally likely (x1, x2, y)."""
    size = 1 + max(max(outcome) for outcome in outcomes)
    joint = np.zeros((size, size, size))
    for first, second, label in outcomes:
        joint[label, first, second] += 1 / len(outcomes)
    joint = joint[joint.sum(axis=(1, 2)) > 0]
    return joint.sum(axis=2), joint.sum(axis=1), joint.reshape(len(joint), -1)


BITS = [(first, second) for first in (0, 1) for second in (0, 1)]
# Redundant, unique to each, synergistic, as Bertschinger et al. (2014), Makkeh et al. (2017) and
# Griffith & Koch, "Quantifying synergistic mutual information" (2014) have them.
KNOWN = {
    "AND": ([(x, z, x & z) for x, z in BITS], (0.75 * math.log2(4 / 3), 0, 0, 0.5)),
    "XOR": ([(x, z, x ^ z) for x, z in BITS], (0, 0, 0, 1)),
    "copy in both": ([(x, x, x) for x in (0, 1)], (1, 0, 0, 0)),
    "unique to the first": ([(x, z, x) for x, z in BITS], (0, 1, 0, 0)),
    "unique to the second": ([(x, z, z) for x, z in BITS], (0, 0, 1, 0)),
    "two bits": ([(x, z, 2 * x + z) for x, z in BITS], (0, 1, 1, 0)),
    "sum": ([(x, z, x + z) for x, z in BITS], (0.5, 0, 0, 1)),
    "pointwise unique": ([(0, 1, 1), (1, 0, 1), (0, 2, 2), (2, 0, 2)], (0.5, 0, 0, 0.5)),
    "redundant copy and XOR": (
        [(2 * r + x, 2 * r + z, 2 * r + (x ^ z)) for r in (0, 1) for x, z in BITS],
        (1, 0, 0, 1),
    ),
    "nothing": ([(x, z, y) for x, z in BITS for y in (0, 1)], (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_distributions_have_their_known_parts(name: str) -> None:
    outcomes, expected = KNOWN[name]
    first, second, both = of_outcomes(outcomes)
    parts = decompose(first, second)
    found = parts.redundant, parts.unique_first, parts.unique_second
    together = mutual_information(both) - parts.union
    assert [*found, together] == pytest.approx(expected, abs=CLOSE)


@st.composite
def tables(draw: Any) -> tuple[Floats, Floats]:
    """Draw p(y, x1) and p(y, x2), with the same classes; many cells may be empty."""
    classes = draw(st.integers(2, 3))
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.05, 0.3, 1.0, 5.0]))

    def table() -> Floats:
        rows = source.dirichlet(np.full(draw(st.integers(1, 4)), sharpness), classes)
        rows[rows < 0.01] = 0.0
        joint: Floats = rows / rows.sum(axis=1, keepdims=True) / classes
        return joint

    return table(), table()


@given(tables())
@settings(max_examples=60, deadline=None)
def test_parts_are_shares_of_what_each_answer_tells(pair: tuple[Floats, Floats]) -> None:
    first, second = pair
    parts = decompose(first, second)
    bits = math.log2(len(first))
    alone = mutual_information(first), mutual_information(second)
    assert min(parts.redundant, parts.unique_first, parts.unique_second) >= -1e-12
    assert parts.redundant + parts.unique_first == pytest.approx(alone[0], abs=1e-9)
    assert parts.redundant + parts.unique_second == pytest.approx(alone[1], abs=1e-9)
    assert max(alone) - 1e-9 <= parts.union <= bits + 1e-9


@given(tables())
@settings(max_examples=30, deadline=None)
def test_the_sensors_may_change_places(pair: tuple[Floats, Floats]) -> None:
    one, other = decompose(*pair), decompose(*pair[::-1])
    assert other.redundant == pytest.approx(one.redundant, abs=CLOSE)
    assert other.unique_first == pytest.approx(one.unique_second, abs=CLOSE)
    assert other.unique_second == pytest.approx(one.unique_first, abs=CLOSE)


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_names_of_classes_and_answers_do_not_matter(
    pair: tuple[Floats, Floats], source: Any
) -> None:
    first, second = pair
    classes = source.sample(range(len(first)), len(first))
    answers = source.sample(range(first.shape[1]), first.shape[1])
    one, other = decompose(first, second), decompose(first[classes][:, answers], second[classes])
    assert other.union == pytest.approx(one.union, abs=CLOSE)


@given(tables())
@settings(max_examples=30, deadline=None)
def test_coarser_answers_tell_no_more(pair: tuple[Floats, Floats]) -> None:
    first, second = pair
    coarse = np.stack([first[:, :1].sum(axis=1), first[:, 1:].sum(axis=1)], axis=1)
    assert mutual_information(coarse) <= mutual_information(first) + 1e-9
    assert decompose(coarse, second).union <= decompose(first, second).union + CLOSE


def test_an_answer_tells_all_that_a_less_sure_one_does() -> None:
    # The second is the first with noise: nothing of it is unique.
    first = np.array([[0.9, 0.1], [0.2, 0.8]]) / 2
    noise = np.array([[0.7, 0.3], [0.3, 0.7]])
    parts = decompose(first, first @ noise)
    assert parts.unique_second == pytest.approx(0, abs=CLOSE)
    assert parts.redundant == pytest.approx(mutual_information(first @ noise), abs=CLOSE)


def test_one_programme_solves_many_tables() -> None:
    programme = Programme(2, 2, 2)
    pairs = [of_outcomes(KNOWN[name][0])[:2] for name in ("XOR", "copy in both", "AND", "XOR")]
    found = [programme.decompose(*pair).redundant for pair in pairs]
    assert found == pytest.approx([0, 1, KNOWN["AND"][1][0], 0], abs=CLOSE)


def test_without_a_solution_an_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cp.Problem, "solve", lambda *_, **__: None)
    with pytest.raises(UnsolvedError, match="the convex programme has no solution"):
        decompose(np.full((2, 2), 0.25), np.full((2, 2), 0.25))


def test_a_solver_that_fails_is_no_other_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise cp.error.SolverError("Solver 'CLARABEL' failed.\nTry another")

    monkeypatch.setattr(cp.Problem, "solve", fail)
    with pytest.raises(UnsolvedError, match=r"no solution \(Solver 'CLARABEL' failed\. Try"):
        decompose(np.full((2, 2), 0.25), np.full((2, 2), 0.25))


def test_a_programme_that_ended_early_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = cp.Problem.solve

    def give_up(problem: cp.Problem, **options: object) -> object:
        return solve(problem, max_iter=1, **options)

    monkeypatch.setattr(cp.Problem, "solve", give_up)
    with pytest.raises(UnsolvedError, match="the convex programme has no solution"):
        decompose(np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([[0.3, 0.2], [0.1, 0.4]]))


# --- Tables and information ---


def test_each_class_counts_equally_however_many_samples_it_has() -> None:
    labels = np.repeat([0, 1], [1300, 100])
    assert mutual_information(joint_table(labels, labels, (2, 2))) == pytest.approx(1)
    half = np.where(np.arange(1400) % 2, labels, 0)
    joint = joint_table(labels, half, (2, 2))
    assert joint.tolist() == [[0.5, 0.0], [0.25, 0.25]]
    assert joint_table(labels[::2], half[::2], (2, 2)).sum() == pytest.approx(1)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_right_answer_tells_the_whole_class(classes: int) -> None:
    labels = np.arange(50 * classes) % classes
    joint = joint_table(labels, labels, (classes, classes))
    assert mutual_information(joint) == pytest.approx(math.log2(classes))
    assert mutual_information(joint_table(labels, 0 * labels, (classes, 1))) == pytest.approx(0)


def test_samples_that_count_twice_are_as_two() -> None:
    source = np.random.default_rng(0)
    labels, answers = source.integers(0, 2, 40), source.integers(0, 3, 40)
    times = source.integers(0, 3, 40)
    repeated = joint_table(np.repeat(labels, times), np.repeat(answers, times), (2, 3))
    weighted = joint_table(labels, answers, (2, 3), times.astype(float))
    assert weighted == pytest.approx(repeated)


def test_a_class_without_a_sample_is_no_number() -> None:
    table = joint_table(np.array([0, 0]), np.array([0, 1]), (2, 2))
    assert np.isnan(table[1]).all()
    assert table[0].tolist() == [0.25, 0.25]


def test_information_of_a_binary_symmetric_channel() -> None:
    entropy = -0.1 * math.log2(0.1) - 0.9 * math.log2(0.9)
    assert mutual_information(np.array([[0.45, 0.05], [0.05, 0.45]])) == pytest.approx(1 - entropy)

"""ROC, precision-recall and their areas against scikit-learn, and against counting by hand."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.project import ROOT

from fusebench.evaluation import ranking

Truth = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Case = tuple[Truth, Floats]

OURS_AND_SKLEARNS = [
    pytest.param(ranking.auroc, sk.roc_auc_score, id="auroc"),
    pytest.param(ranking.average_precision, sk.average_precision_score, id="average_precision"),
    pytest.param(ranking.roc_curve, sk.roc_curve, id="roc_curve"),
    pytest.param(
        ranking.precision_recall_curve, sk.precision_recall_curve, id="precision_recall_curve"
    ),
]
Function = Callable[[Truth, Floats], Any]

_FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
_SCORES = {
    "many ties": st.integers(-2, 2).map(float),
    "float32": _FINITE,
    "around zero": st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-9]),
    "all tied": st.just(0.25),
}


@st.composite
def cases(draw: Callable[..., Any]) -> Case:
    """Draw samples of both classes, with scores of one of the kinds."""
    truth = [True, False, *draw(st.lists(st.booleans(), max_size=60))]
    if draw(st.booleans()):
        truth = [number == 0 for number in range(len(truth))]  # A single positive.
    truth = draw(st.permutations(truth))
    kind = draw(st.sampled_from([*_SCORES, "separated"]))
    if kind == "separated":
        return np.array(truth), np.array(truth) + draw(_noise(len(truth)))
    size = len(truth)
    scores = draw(st.lists(_SCORES[kind], min_size=size, max_size=size))
    return np.array(truth), np.array(scores)


def _noise(size: int) -> st.SearchStrategy[Floats]:
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda seed: np.random.default_rng(seed).uniform(-0.4, 0.4, size))


def _assert_equal(found: Any, expected: Any) -> None:
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12, strict=True)


# --- Against scikit-learn ---


@pytest.mark.parametrize(("ours", "theirs"), OURS_AND_SKLEARNS)
@settings(deadline=None, max_examples=200)
@given(case=cases())
def test_results_are_scikit_learns(ours: Function, theirs: Function, case: Case) -> None:
    _assert_equal(ours(*case), theirs(*case))


@pytest.mark.parametrize(("ours", "theirs"), OURS_AND_SKLEARNS[:2])
@pytest.mark.parametrize("distinct", [5, 300, 10**9], ids=lambda number: f"{number} scores")
def test_metrics_of_thousands_of_samples_keep_their_six_digits(
    ours: Function, theirs: Function, distinct: int
) -> None:
    random = np.random.default_rng(distinct)
    for _ in range(50):
        truth = random.random(3000) < random.choice([0.002, 0.1, 0.5])
        truth[:2] = True, False
        scores = (random.integers(distinct, size=3000) + truth * distinct / 3).round()
        assert round(100 * ours(truth, scores), 6) == round(100 * theirs(truth, scores), 6)


@pytest.mark.parametrize(("ours", "theirs"), OURS_AND_SKLEARNS)
@pytest.mark.parametrize("present", [True, False], ids=["no negatives", "no positives"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_one_class_alone_gives_what_scikit_learn_gives(
    ours: Function, theirs: Function, present: bool, size: int
) -> None:
    case = np.full(size, present), np.arange(size) / 4
    with warnings.catch_warnings(record=True, action="always") as sklearns:
        expected = theirs(*case)
    with warnings.catch_warnings(record=True, action="always") as caught:
        found = ours(*case)
    _assert_equal(found, expected)
    assert len(caught) == len(sklearns)
    assert all(each.category is UserWarning for each in caught)
    assert all("no positive" in str(each.message) for each in caught) or present


@pytest.mark.parametrize(("ours", "_theirs"), OURS_AND_SKLEARNS)
@pytest.mark.parametrize(
    ("truth", "scores"),
    [([], []), ([True, False], [1.0]), ([True, False], [np.nan, 1]), ([True, False], [1, np.inf])],
    ids=["empty", "lengths", "nan", "infinite"],
)
def test_what_cannot_be_ranked_is_refused(
    ours: Function, _theirs: Function, truth: list[bool], scores: list[float]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        ours(np.array(truth, bool), np.array(scores, float))


# --- By hand ---


@settings(deadline=None, max_examples=100)
@given(cases())
def test_auroc_is_the_share_of_pairs_in_order_with_ties_as_half(case: Case) -> None:
    truth, scores = case
    positive, negative = scores[truth][:, None], scores[~truth][None, :]
    pairs = (positive > negative).mean() + (positive == negative).mean() / 2
    assert ranking.auroc(truth, scores) == pytest.approx(pairs, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(cases(), st.integers(0, 2**32 - 1))
def test_order_of_samples_has_no_effect(case: Case, seed: int) -> None:
    truth, scores = case
    mixed = np.random.default_rng(seed).permutation(len(truth))
    for ours in (ranking.roc_curve, ranking.precision_recall_curve):
        for found, expected in zip(
            ours(truth[mixed], scores[mixed]), ours(truth, scores), strict=True
        ):
            assert found.tolist() == expected.tolist()


def test_curves_of_a_small_example() -> None:
    truth = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.8, 0.8, 0.5, 0.1])
    false_rate, true_rate, thresholds = ranking.roc_curve(truth, scores)
    assert false_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true_rate.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert thresholds.tolist() == [np.inf, 0.9, 0.8, 0.5, 0.1]
    precision, recall, thresholds = ranking.precision_recall_curve(truth, scores)
    assert precision.tolist() == pytest.approx([3 / 5, 3 / 4, 2 / 3, 1, 1])
    assert recall.tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3, 0])
    assert thresholds.tolist() == [0.1, 0.5, 0.8, 0.9]
    assert ranking.auroc(truth, scores) == pytest.approx(4.5 / 6)
    assert ranking.average_precision(truth, scores) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_points_on_a_straight_line_are_left_out_of_roc_alone() -> None:
    truth, scores = np.arange(100) >= 50, np.arange(100.0)
    false_rate, true_rate, _ = ranking.roc_curve(truth, scores)
    points = np.stack((false_rate, true_rate), axis=1)
    assert points.tolist() == [[0, 0], [0, 0.02], [0, 1], [1, 1]]
    assert len(ranking.precision_recall_curve(truth, scores)[0]) == 101


# --- What is imported ---


@pytest.mark.parametrize("module", ["evaluation.metrics", "comparison.curves"])
def test_no_stage_waits_for_scikit_learn(module: str) -> None:
    program = f"import sys, fusebench.{module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "src", capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert f"fusebench.{module}" in loaded
    assert not loaded & {"sklearn", "scipy", "pandas", "torch"}

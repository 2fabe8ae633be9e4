"""The threshold on returns · range²: what it measures and how it is fitted."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusebench.baselines.threshold import Threshold, best_cut, fit_threshold, sizes
from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import PartPredictions
from fusebench.samples.samples import Samples

MAX_RANGE = 50.0


def maps(*ranges_of_maps: list[float]) -> Any:
    """Return LiDAR maps (N, 2, 3) with the given ranges, all else without return."""
    flat = np.full((len(ranges_of_maps), 6), MAX_RANGE, np.float32)
    for row, ranges in zip(flat, ranges_of_maps, strict=True):
        row[: len(ranges)] = ranges
    return flat.reshape(-1, 2, 3)


# --- The size ---


def test_size_is_the_number_of_returns_times_the_smallest_range_squared() -> None:
    below = float(np.nextafter(np.float32(MAX_RANGE), np.float32(0)))
    values = sizes(maps([3.0], [4.0, 2.0, 5.0], [10.0] * 6, [below]), MAX_RANGE)
    assert values.tolist() == [1 * 9, 3 * 4, 6 * 100, below**2]


def test_map_without_a_return_has_size_zero() -> None:
    assert sizes(maps([], [MAX_RANGE, MAX_RANGE], [7.0]), MAX_RANGE).tolist() == [0, 0, 49]


def test_sizes_do_not_depend_on_how_many_maps_are_read_at_once() -> None:
    many = np.random.default_rng(0).uniform(1, 60, (600, 4, 5)).astype(np.float32)
    alone = [sizes(one[None], MAX_RANGE)[0] for one in many]
    assert sizes(many, MAX_RANGE).tolist() == alone


def test_size_hardly_changes_with_the_distance_of_the_same_object(samples: Samples) -> None:
    # What the name promises: returns fall with the square of the range.
    cubes = (samples.table["class"] == "cubes").to_numpy()
    values = sizes(samples.lidar, samples.dataset.max_range)[cubes]
    nearest = samples.lidar[:].min(axis=(1, 2))[cubes]
    returns = values / nearest**2
    assert np.ptp(nearest) > 1
    assert values.std() / values.mean() < min(0.5, returns.std() / returns.mean())


# --- The cut ---


def all_cuts(values: list[int], truth: list[bool]) -> Iterator[tuple[Fraction, float, float, bool]]:
    """Yield balanced accuracy, gap, cut and side of every cut, exactly."""
    positives, negatives = sum(truth), len(truth) - sum(truth)
    for lower, upper in pairwise(sorted(set(values))):
        cut = (lower + upper) / 2
        for above in (True, False):
            answers = [(value > cut) == above for value in values]
            pairs = list(zip(answers, truth, strict=True))
            hits, rejected = pairs.count((True, True)), pairs.count((False, False))
            quality = (Fraction(hits, positives) + Fraction(rejected, negatives)) / 2
            yield quality, upper - lower, cut, above


samples_of_two_classes = st.lists(
    st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=25
).filter(lambda drawn: len({yes for _, yes in drawn}) == 2 and len({v for v, _ in drawn}) > 1)


@settings(deadline=None)
@given(samples_of_two_classes)
def test_cut_is_the_best_then_the_one_in_the_widest_gap_then_the_lowest(
    drawn: list[tuple[int, bool]],
) -> None:
    values, truth = [value for value, _ in drawn], [yes for _, yes in drawn]
    cut, above = best_cut(np.array(values, float), np.array(truth))
    every = list(all_cuts(values, truth))
    best = max(quality for quality, *_ in every)
    widest = max(gap for quality, gap, *_ in every if quality == best)
    lowest = min(cut for quality, gap, cut, _ in every if (quality, gap) == (best, widest))
    assert cut == lowest
    assert (best, widest, cut, above) in every


@settings(deadline=None, max_examples=50)
@given(samples_of_two_classes)
def test_balanced_accuracy_on_train_is_that_of_the_cut(drawn: list[tuple[int, bool]]) -> None:
    values = np.array([value for value, _ in drawn], float)
    labels = np.array([int(yes) for _, yes in drawn])
    text = np.full(len(drawn), "")
    part = PartPredictions(
        text, text, text, labels, fit_threshold(values, labels, 1, 2).predict(values)
    )
    best = max(quality for quality, *_ in all_cuts(list(map(int, values)), list(labels == 1)))
    balanced_accuracy = METRICS["balanced_accuracy"].function(part, 1)
    assert balanced_accuracy == pytest.approx(100 * float(best))


def test_neighbouring_floats_are_told_apart() -> None:
    upper = math.nextafter(1.0, 2)
    for values in ([1.0, upper], [upper, math.nextafter(upper, 2)]):
        cut, above = best_cut(np.array(values), np.array([False, True]))
        assert above
        assert values[0] <= cut < values[1]


# --- Logits ---


@pytest.mark.parametrize("positive", [0, 1])
def test_logits_are_log_frequencies_with_a_half_added(positive: int) -> None:
    values, labels = np.array([1.0, 1, 1, 1, 9, 9, 9]), np.array([0, 0, 0, 1, 1, 1, 1])
    fitted = fit_threshold(values, labels, positive, 2)
    below, above = np.exp(fitted.predict(np.array([4.9, 5.1])))
    assert below == pytest.approx([3.5 / 5, 1.5 / 5])
    assert above == pytest.approx([0.5 / 4, 3.5 / 4])
    assert (fitted.cut, fitted.positive_above) == (5.0, positive == 1)


def test_equal_values_lie_below_the_cut() -> None:
    fitted = fit_threshold(np.full(6, 3.0), np.array([0, 0, 0, 0, 1, 1]), 1, 2)
    assert np.exp(fitted.predict(np.array([3.0]))[0]) == pytest.approx([4.5 / 7, 2.5 / 7])


def test_a_value_on_the_cut_is_below_it() -> None:
    fitted = Threshold(5.0, True, np.array([[0.0, -1], [-1, 0]]))
    assert fitted.predict(np.array([5.0, np.nextafter(5.0, 6)])).argmax(axis=1).tolist() == [0, 1]


def test_a_rare_class_is_answered_on_its_side_of_the_cut() -> None:
    # Above the cut all 4 positives and 10 of 100 negatives: a log frequency would answer "no".
    values = np.concatenate((np.arange(90), np.full(10, 200.0), np.full(4, 200.0)))
    fitted = fit_threshold(values, np.repeat([0, 1], [100, 4]), 1, 2)
    assert fitted.predict(np.array([0.0, 200])).argmax(axis=1).tolist() == [0, 1]
    # As if there were as many of each: 52 positives, 5.2 negatives, and a half of each.
    assert np.exp(fitted.logits[1]) == pytest.approx([5.7 / 58.2, 52.5 / 58.2])
    assert np.exp(fitted.logits[0]) == pytest.approx([90.5 / 91, 0.5 / 91])


def test_of_three_classes_the_positive_one_is_told_from_the_rest() -> None:
    values, labels = np.array([1.0, 1, 2, 2, 2, 9, 9]), np.array([0, 0, 2, 2, 2, 1, 1])
    fitted = fit_threshold(values, labels, 1, 3)
    logits = fitted.predict(np.array([0.0, 10]))
    assert fitted.cut == 5.5
    assert np.exp(logits[0]) == pytest.approx(np.array([2.5, 0.5, 3.5]) / 6.5)
    assert np.exp(logits[1]) == pytest.approx(np.array([0.5, 2.5, 0.5]) / 3.5)

"""Contributions of ids to a difference: that they add up, and what may not be paired."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import Held, answers, chosen, couples, part_of

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import part_metrics
from fusebench.prediction.predictions import PartPredictions
from fusebench.statistics.paired import LOWER_IS_BETTER, MEANS, pair, strata

LABELS = [0, 0, 0, 0, 0, 0, 1, 1]
RIGHT = {0: part_of(LABELS, answers(LABELS, []))}
metrics = pytest.mark.parametrize("metric", MEANS)


def _of(found: Held, metric: str) -> list[float]:
    return [float(part_metrics(part, 1)[metric]) for part in found.values()]


# --- What a row adds up to ---


@metrics
@settings(deadline=None, max_examples=60)
@given(fusions=couples())
def test_a_row_adds_up_to_the_difference_of_the_metrics(
    fusions: tuple[Held, Held], metric: str
) -> None:
    first, second = fusions
    paired = pair(first, second, metric)
    expected = np.array(_of(first, metric)) - np.array(_of(second, metric))
    # Metrics are rounded to six digits.
    assert paired.contributions.sum(axis=1) == pytest.approx(expected, abs=2e-6)
    assert paired.difference == pytest.approx(expected.mean(), abs=2e-6)
    assert paired.seeds == len(first)


@metrics
@settings(deadline=None, max_examples=30)
@given(fusions=couples())
def test_there_is_one_column_per_id(fusions: tuple[Held, Held], metric: str) -> None:
    paired = pair(*fusions, metric)
    ids = len(set(fusions[0][0].ids.tolist()))
    assert paired.contributions.shape == (len(fusions[0]), ids)
    assert paired.strata.shape == (ids,)


@metrics
@settings(deadline=None, max_examples=30)
@given(fusions=couples())
def test_the_other_way_round_every_sign_is_turned(fusions: tuple[Held, Held], metric: str) -> None:
    there, back = pair(*fusions, metric), pair(*fusions[::-1], metric)
    assert np.array_equal(there.contributions, -back.contributions)
    assert np.array_equal(there.strata, back.strata)
    assert there.discordant == back.discordant


@metrics
@settings(deadline=None, max_examples=30)
@given(fusions=couples(), order=st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    fusions: tuple[Held, Held], order: Random, metric: str
) -> None:
    places = list(range(len(fusions[0][0].labels)))
    order.shuffle(places)
    rows = np.array(places)
    first, second = ({seed: chosen(part, rows) for seed, part in held.items()} for held in fusions)
    found, expected = pair(first, second, metric), pair(*fusions, metric)
    assert found.contributions == pytest.approx(expected.contributions, abs=1e-12)
    assert np.array_equal(found.strata, expected.strata)
    assert np.array_equal(found.counts, expected.counts)


def test_a_sample_counts_by_its_class_in_balanced_accuracy_alone() -> None:
    wrong = {0: part_of(LABELS, answers(LABELS, [0, 7]))}
    balanced = pair(RIGHT, wrong, "balanced_accuracy")
    assert balanced.contributions[0] == pytest.approx([50 / 6, *[0] * 6, 50 / 2])
    assert balanced.weights == pytest.approx([50 / 6, 50 / 2])
    plain = pair(RIGHT, wrong, "accuracy")
    assert plain.contributions[0] == pytest.approx([100 / 8, *[0] * 6, 100 / 8])
    assert plain.weights == pytest.approx([100 / 8, 100 / 8])


@settings(deadline=None, max_examples=30)
@given(couples())
def test_weights_are_what_being_always_right_adds_up_to(fusions: tuple[Held, Held]) -> None:
    for metric in MEANS:
        paired = pair(*fusions, metric)
        bound = 0 if metric in LOWER_IS_BETTER else 100
        assert (paired.weights * paired.counts).sum() == pytest.approx(bound)
        assert paired.counts.sum() == len(fusions[0][0].labels)


# --- Twins ---


def test_twins_are_one_id() -> None:
    ids = ["a", "b", "c", "d", "e", "f", "a", "b"]
    first = {0: part_of(LABELS, answers(LABELS, []), ids)}
    # Of the twins "a" both are wrong; of "b" each fusion has one.
    second = {0: part_of(LABELS, answers(LABELS, [0, 6, 1]), ids)}
    first[0].logits[7] = answers([0], [])
    paired = pair(first, second, "accuracy")
    assert paired.contributions[0] == pytest.approx([25, 0, 0, 0, 0, 0])
    assert paired.discordant == 1


def test_an_id_is_discordant_when_it_is_so_in_any_seed() -> None:
    first = RIGHT | {1: RIGHT[0]}
    second = {
        0: part_of(LABELS, answers(LABELS, [2])),
        1: part_of(LABELS, answers(LABELS, [5])),
    }
    assert pair(first, second, "accuracy").discordant == 2
    assert pair(first, first, "accuracy").discordant == 0


# --- What cannot be paired ---


def _other_digest(part: PartPredictions) -> PartPredictions:
    return replace(part, digests=np.array(["other", *part.digests[1:]]))


def _other_label(part: PartPredictions) -> PartPredictions:
    return replace(part, labels=1 - part.labels)


def _other_order(part: PartPredictions) -> PartPredictions:
    return chosen(part, np.arange(len(part.labels))[::-1])


def _fewer(part: PartPredictions) -> PartPredictions:
    return chosen(part, np.arange(len(part.labels) - 1))


@pytest.mark.parametrize("change", [_other_digest, _other_label, _other_order, _fewer])
@pytest.mark.parametrize(("fusion", "seed"), [(0, 1), (1, 0), (1, 1)])
def test_other_samples_in_any_seed_of_either_are_refused(
    change: Callable[[PartPredictions], PartPredictions], fusion: int, seed: int
) -> None:
    fusions = [{0: RIGHT[0], 1: RIGHT[0]} for _ in range(2)]
    fusions[fusion][seed] = change(RIGHT[0])
    with pytest.raises(ArtifactError, match=r"test samples differ.*dvc repro"):
        pair(fusions[0], fusions[1], "accuracy")


# --- Strata ---


def test_ids_are_told_apart_by_the_classes_they_have_samples_of() -> None:
    # 6 ids of class 0 alone, 5 of class 1 alone, 7 twins.
    ids = [*range(6), *range(6, 11), *range(11, 18), *range(11, 18)]
    labels = [0] * 6 + [1] * 5 + [0] * 7 + [1] * 7
    found = strata(np.array(ids), np.array(labels))
    assert [len(set(found[part].tolist())) for part in (slice(6), slice(6, 11), slice(11, 18))] == [
        1, 1, 1,
    ]  # fmt: skip
    assert len(set(found.tolist())) == 3


@pytest.mark.parametrize(("small", "kinds"), [(4, 1), (5, 2)])
def test_a_kind_of_fewer_than_five_ids_joins_the_largest(small: int, kinds: int) -> None:
    labels = np.array([0] * 20 + [1] * small)
    found = strata(np.arange(len(labels)), labels)
    assert len(set(found.tolist())) == kinds


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=90))
def test_no_stratum_is_small_unless_it_is_the_only_one(samples: list[tuple[int, int]]) -> None:
    names, labels = zip(*samples, strict=True)
    ids = np.unique(names, return_inverse=True)[1]
    found = strata(ids, np.array(labels))
    assert len(found) == len(set(names))
    counts = np.unique(found, return_counts=True)[1]
    assert len(counts) == 1 or counts.min() >= 5
    # Ids with samples of the same classes are never parted.
    held = [
        frozenset(label for name, label in samples if name == each) for each in sorted(set(names))
    ]
    for kind in set(held):
        assert len({int(f) for f, k in zip(found, held, strict=True) if k == kind}) == 1

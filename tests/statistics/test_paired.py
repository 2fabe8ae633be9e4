"""Contributions of ids to a difference: that they add up, by group and stratum."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import BySeed, answers, paired_of, part_of, two_fusions

from fusebench.evaluation.metrics import METRICS
from fusebench.evaluation.metrics import means as means_over_samples
from fusebench.statistics.paired import strata

LABELS = [0, 0, 0, 0, 0, 0, 1, 1]
RIGHT = {0: part_of(LABELS, answers(LABELS, []))}
means = pytest.mark.parametrize("metric", means_over_samples())


# --- What a row adds up to ---


@means
@settings(deadline=None, max_examples=40)
@given(fusions=two_fusions())
def test_a_row_adds_up_to_the_difference_of_the_metric(
    fusions: tuple[BySeed, BySeed], metric: str
) -> None:
    first, second = fusions
    paired = paired_of(first, second, metric)
    values = [[METRICS[metric].function(part, 1) for part in parts.values()] for parts in fusions]
    expected = np.array(values[0]) - np.array(values[1])
    assert paired.contributions.sum(axis=1) == pytest.approx(expected, abs=1e-9)
    assert paired.difference == pytest.approx(expected.mean(), abs=1e-9)
    assert paired.seeds == len(first)
    ids = len(set(first[0].ids.tolist()))
    assert paired.contributions.shape == (len(first), ids)
    assert paired.strata.shape == (ids,)


@means
@settings(deadline=None, max_examples=20)
@given(fusions=two_fusions(), order=st.randoms(use_true_random=False))
def test_neither_order_of_samples_nor_of_fusions_matters(
    fusions: tuple[BySeed, BySeed], order: Random, metric: str
) -> None:
    positions = list(range(len(fusions[0][0].labels)))
    order.shuffle(positions)
    first, second = (
        {seed: part.take(positions) for seed, part in parts.items()} for parts in fusions
    )
    turned, expected = paired_of(second, first, metric), paired_of(*fusions, metric)
    assert -turned.contributions == pytest.approx(expected.contributions, abs=1e-12)
    assert np.array_equal(turned.strata, expected.strata)
    assert np.array_equal(turned.counts, expected.counts)


def test_a_sample_counts_by_its_class_in_balanced_accuracy_alone() -> None:
    wrong = {0: part_of(LABELS, answers(LABELS, [0, 7]))}
    balanced = paired_of(RIGHT, wrong, "balanced_accuracy")
    assert balanced.contributions[0] == pytest.approx([50 / 6, *[0] * 6, 50 / 2])
    assert balanced.weights == pytest.approx([50 / 6, 50 / 2])
    plain = paired_of(RIGHT, wrong, "accuracy")
    assert plain.contributions[0] == pytest.approx([100 / 8, *[0] * 6, 100 / 8])
    assert plain.weights == pytest.approx([100 / 8, 100 / 8])


@means
@settings(deadline=None, max_examples=20)
@given(fusions=two_fusions())
def test_weights_are_what_changing_every_sample_adds_up_to(
    fusions: tuple[BySeed, BySeed], metric: str
) -> None:
    paired = paired_of(*fusions, metric)
    assert (paired.weights * paired.counts).sum() == pytest.approx(METRICS[metric].span)
    part = fusions[0][0]
    assert paired.counts.sum() == len(set(zip(part.ids, part.labels, strict=True)))


# --- Groups ---


def test_samples_of_one_id_are_one_group() -> None:
    ids = ["a", "b", "c", "d", "e", "f", "a", "b"]
    first = {0: part_of(LABELS, answers(LABELS, []), ids)}
    # Both samples of "a" are wrong; of "b" each fusion has one.
    second = {0: part_of(LABELS, answers(LABELS, [0, 6, 1]), ids)}
    first[0].logits[7] = answers([0], [])
    paired = paired_of(first, second, "accuracy")
    assert paired.contributions[0] == pytest.approx([25, 0, 0, 0, 0, 0])
    assert paired.discordant == 1


def test_an_id_is_discordant_when_it_is_so_in_any_seed() -> None:
    first = RIGHT | {1: RIGHT[0]}
    second = {seed: part_of(LABELS, answers(LABELS, [row])) for seed, row in ((0, 2), (1, 5))}
    assert paired_of(first, second, "accuracy").discordant == 2
    assert paired_of(first, first, "accuracy").discordant == 0


@means
@settings(deadline=None, max_examples=40)
@given(fusions=two_fusions())
def test_what_varies_adds_up_to_the_same_in_each_stratum(
    fusions: tuple[BySeed, BySeed], metric: str
) -> None:
    paired = paired_of(*fusions, metric)
    for stratum in np.unique(paired.strata):
        chosen = paired.strata == stratum
        expected = paired.contributions[:, chosen].sum(axis=1)
        assert paired.varying[:, chosen].sum(axis=1) == pytest.approx(expected, abs=1e-9)


def test_what_varies_is_not_how_many_samples_an_id_has() -> None:
    """The second fusion is wrong always: an id adds as much as it has samples, on no doubt."""
    labels = [0] * 9 + [1] * 6
    ids = [*"aaaabbbcd", *"aabbcd"]
    first = {0: part_of(labels, answers(labels, []), ids)}
    second = {0: part_of(labels, answers(labels, range(15)), ids)}
    paired = paired_of(first, second, "balanced_accuracy")
    assert len(set(paired.contributions[0].round(9))) == 3
    assert paired.varying[0] == pytest.approx([25.0] * 4)
    one_wrong = {0: part_of(labels, answers(labels, [0]), ids)}
    assert paired_of(first, one_wrong, "balanced_accuracy").discordant == 1


# --- Strata ---


@pytest.mark.parametrize(("small", "expected"), [(4, 1), (5, 2)])
def test_a_stratum_of_fewer_than_five_ids_joins_the_largest(small: int, expected: int) -> None:
    labels = np.array([0] * 20 + [1] * small)
    assert len(set(strata(np.arange(len(labels)), labels).tolist())) == expected


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=90))
def test_strata_are_the_classes_an_id_has_samples_of(samples: list[tuple[int, int]]) -> None:
    names, labels = zip(*samples, strict=True)
    chosen = strata(np.unique(names, return_inverse=True)[1], np.array(labels)).tolist()
    classes = [
        frozenset(label for name, label in samples if name == chosen_name)
        for chosen_name in sorted(set(names))
    ]
    assert len(chosen) == len(classes)
    # Ids with samples of the same classes are never parted.
    for kind in set(classes):
        assert len({s for s, c in zip(chosen, classes, strict=True) if c == kind}) == 1
    # Those with other classes are, unless there are too few of them.
    large = {kind for kind in classes if classes.count(kind) >= 5}
    assert len(set(chosen)) == max(1, len(large))

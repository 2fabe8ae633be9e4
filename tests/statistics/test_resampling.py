"""The two-way bootstrap against its own exact moments, and its two ways against each other."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from tests.parts import Held, crossed, part_of, unbounded

from fusebench.statistics.estimates import deviations, trained_again
from fusebench.statistics.paired import Floats, Paired, kinds_of, pair
from fusebench.statistics.resampling import Drawings, of_means, of_others, percentiles


def _source(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


def _second_moments(kinds: npt.NDArray[np.int64]) -> Floats:
    """Return E[v vᵀ] of how often each is drawn, each kind by itself (multinomial)."""
    counts = np.bincount(kinds)[kinds]
    same = kinds[:, None] == kinds
    moments: Floats = 1 - same / counts + np.eye(len(kinds))
    return moments


def _exact_variance(paired: Paired) -> float:
    """Return the variance of wᵀ C v / S, w and v being drawn independently of each other."""
    seeds = _second_moments(np.zeros(paired.seeds, np.int64))
    held = paired.contributions
    square = np.trace(seeds @ held @ _second_moments(paired.strata) @ held.T) / paired.seeds**2
    return float(square - paired.difference**2)


# --- What is drawn ---


def test_each_kind_is_drawn_as_often_as_it_has_ids() -> None:
    kinds = np.array([0] * 7 + [3] * 5 + [0] * 2)
    drawings = Drawings.make(4, kinds, 50)
    assert drawings.seeds.shape == (50, 4)
    assert drawings.ids.shape == (50, 14)
    assert set(drawings.seeds.sum(axis=1)) == {4}
    assert set(drawings.ids[:, kinds == 0].sum(axis=1)) == {9}
    assert set(drawings.ids[:, kinds == 3].sum(axis=1)) == {5}
    assert len(np.unique(drawings.ids, axis=0)) > 40


def test_drawings_repeat() -> None:
    kinds = np.repeat([0, 1], [20, 6])
    first, second = (Drawings.make(5, kinds, 30) for _ in range(2))
    assert np.array_equal(first.seeds, second.seeds)
    assert np.array_equal(first.ids, second.ids)


# --- Means ---


@pytest.mark.parametrize("kinds", [None, [0] * 20 + [1] * 10])
def test_means_vary_as_the_two_way_bootstrap_must(kinds: list[int] | None) -> None:
    paired = crossed(_source("exact"), (6, 30), seed=4, id_=1, both=1)
    apart = 0 if kinds is None else np.array(kinds)
    paired = unbounded(paired.contributions + apart, kinds)
    draws = 4000
    found = of_means(paired, Drawings.make(6, paired.strata, draws))
    exact = _exact_variance(paired)
    assert found.mean() == pytest.approx(paired.difference, abs=4 * math.sqrt(exact / draws))
    # A variance of so many draws carries √(2/4000) = 2.2 %.
    assert found.var(ddof=1) == pytest.approx(exact, rel=0.09)


def test_each_drawing_is_the_metric_of_what_was_drawn() -> None:
    paired = crossed(_source("one"), (3, 8), seed=1, id_=1, both=1)
    drawings = Drawings.make(3, paired.strata, 20)
    for value, seeds, ids in zip(
        of_means(paired, drawings), drawings.seeds, drawings.ids, strict=True
    ):
        rows = np.repeat(np.arange(3), seeds.astype(int))
        columns = np.repeat(np.arange(8), ids.astype(int))
        assert value == pytest.approx(paired.contributions[np.ix_(rows, columns)].sum() / 3)


def test_seed_by_id_is_counted_three_times() -> None:
    # Where there is nothing else the interval is √3 wide: on the wide side, never the narrow one.
    paired = crossed(_source("wide"), (30, 400), both=1)
    interaction = (deviations(paired)["seed_id"] or 0) ** 2 / paired.seeds
    assert _exact_variance(paired) == pytest.approx(3 * interaction, rel=0.2)


def test_without_seed_by_id_it_agrees_with_the_components() -> None:
    paired = crossed(_source("agrees"), (12, 400), seed=20, id_=1)
    # The bootstrap divides by n where the components divide by n − 1: 11/12 of the seeds' part.
    assert _exact_variance(paired) == pytest.approx(trained_again(paired).error ** 2, rel=0.1)


# --- Other metrics ---


def _fusions(classes: int = 2) -> dict[str, Held]:
    """Make two fusions, three seeds each, of 30 and 12 ids and 8 twins."""
    labels = [0] * 30 + [1] * 12 + [0] * 8 + [classes - 1] * 8
    ids = [str(row) for row in [*range(50), *range(42, 50)]]
    source = _source("others")
    return {
        name: {
            seed: part_of(labels, source.normal(0, 1, (58, classes)) + np.eye(classes)[labels], ids)
            for seed in (0, 1, 2)
        }
        for name in ("late", "add")
    }


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "nll"])
def test_both_ways_give_the_same_numbers_for_a_mean(metric: str) -> None:
    fusions = _fusions()
    drawn = of_others(fusions, metric, 1, draws=40)
    paired = pair(fusions["late"], fusions["add"], metric)
    expected = of_means(paired, Drawings.make(3, kinds_of(fusions["late"][0]), 40))
    # Metrics are rounded to six digits.
    assert drawn["late"] - drawn["add"] == pytest.approx(expected, abs=3e-6)


def test_every_fusion_gets_the_same_drawings() -> None:
    fusions = _fusions() | {"again": _fusions()["late"]}
    drawn = of_others(fusions, "f1", 1, draws=20)
    assert np.array_equal(drawn["late"], drawn["again"])
    assert not np.array_equal(drawn["late"], drawn["add"])
    # A fusion's drawings do not depend on which others are there.
    alone = of_others({"add": fusions["add"]}, "f1", 1, draws=20)
    assert np.array_equal(alone["add"], drawn["add"])


@pytest.mark.parametrize("classes", [2, 3])
def test_what_is_no_mean_varies_around_its_value(classes: int) -> None:
    fusions = _fusions(classes)
    drawn = of_others(fusions, "auroc", 1, draws=60)["late"]
    assert drawn.shape == (60,)
    assert len(set(drawn)) > 50
    assert 50 < np.median(drawn) < 100


def test_a_seed_that_is_not_drawn_does_not_count() -> None:
    # Seed 0 is always right, seeds 1 and 2 never: each drawing is the share of seed 0.
    right = part_of([0, 1] * 10, np.eye(2)[[0, 1] * 10])
    wrong = part_of([0, 1] * 10, np.eye(2)[[1, 0] * 10])
    drawn = of_others({"late": {0: right, 1: wrong, 2: wrong}}, "f1", 1, draws=30)["late"]
    drawings = Drawings.make(3, kinds_of(right), 30)
    assert drawn == pytest.approx(100 * drawings.seeds[:, 0] / 3)


def test_percentiles_hold_the_level_between_them() -> None:
    values = _source("percentiles").normal(size=1000)
    low, high = percentiles(values, 0.9)
    assert ((low < values) & (values < high)).sum() == 900
    assert (values < low).sum() == 50

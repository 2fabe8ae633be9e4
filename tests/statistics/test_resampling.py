"""The two-way bootstrap against its own exact moments, and its ways against each other."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from tests.parts import BySeed, crossed, paired_of, part_of, unbounded

from fusebench.evaluation.metrics import METRICS, means
from fusebench.prediction.predictions import PartPredictions
from fusebench.statistics.estimates import deviations, retrained
from fusebench.statistics.paired import Floats, Ints, Paired
from fusebench.statistics.resampling import (
    Resamples,
    of_any,
    of_means,
    percentiles,
)


def _source(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


def _second_moments(strata: npt.NDArray[np.int64]) -> Floats:
    """Return E[v vᵀ] of how often each is drawn, each stratum by itself (multinomial)."""
    counts = np.bincount(strata)[strata]
    same = strata[:, None] == strata
    moments: Floats = 1 - same / counts + np.eye(len(strata))
    return moments


def _exact_variance(paired: Paired) -> float:
    """Return the variance of wᵀ C v / S, w and v being drawn independently of each other."""
    seeds = _second_moments(np.zeros(paired.seeds, np.int64))
    table = paired.contributions
    square = np.trace(seeds @ table @ _second_moments(paired.strata) @ table.T) / paired.seeds**2
    return float(square - paired.difference**2)


# --- What is drawn ---


def test_each_stratum_is_drawn_as_often_as_it_has_ids() -> None:
    strata = np.array([0] * 7 + [3] * 5 + [0] * 2)
    resamples = Resamples.make(4, strata, 50)
    assert resamples.seeds.shape == (50, 4)
    assert resamples.ids.shape == (50, 14)
    assert set(resamples.seeds.sum(axis=1)) == {4}
    assert set(resamples.ids[:, strata == 0].sum(axis=1)) == {9}
    assert set(resamples.ids[:, strata == 3].sum(axis=1)) == {5}
    assert len(np.unique(resamples.ids, axis=0)) > 40
    again = Resamples.make(4, strata, 50)
    assert np.array_equal(resamples.seeds, again.seeds)
    assert np.array_equal(resamples.ids, again.ids)


# --- Means ---


@pytest.mark.parametrize("strata", [None, [0] * 20 + [1] * 10])
def test_means_vary_as_the_two_way_bootstrap_must(strata: list[int] | None) -> None:
    paired = crossed(_source("exact"), (6, 30), seed=4, id_=1, both=1)
    apart = 0 if strata is None else np.array(strata)
    paired = unbounded(paired.contributions + apart, strata)
    count = 4000
    differences = of_means(paired, Resamples.make(6, paired.strata, count))
    exact = _exact_variance(paired)
    assert differences.mean() == pytest.approx(paired.difference, abs=4 * math.sqrt(exact / count))
    # A variance of so many resamples carries √(2/4000) = 2.2 %.
    assert differences.var(ddof=1) == pytest.approx(exact, rel=0.09)


def test_each_difference_is_that_of_what_was_drawn() -> None:
    paired = crossed(_source("one"), (3, 8), seed=1, id_=1, both=1)
    resamples = Resamples.make(3, paired.strata, 20)
    for value, seeds, ids in zip(
        of_means(paired, resamples), resamples.seeds, resamples.ids, strict=True
    ):
        rows = np.repeat(np.arange(3), seeds.astype(int))
        columns = np.repeat(np.arange(8), ids.astype(int))
        assert value == pytest.approx(paired.contributions[np.ix_(rows, columns)].sum() / 3)


def test_seed_by_id_is_counted_three_times() -> None:
    # Where there is nothing else the interval is √3 wide: on the wide side, never the narrow one.
    paired = crossed(_source("wide"), (30, 400), both=1)
    interaction = deviations(paired)["seed_id"] ** 2 / paired.seeds
    assert _exact_variance(paired) == pytest.approx(3 * interaction, rel=0.2)


def test_without_seed_by_id_it_agrees_with_the_components() -> None:
    paired = crossed(_source("agrees"), (12, 400), seed=20, id_=1)
    # The bootstrap divides by n where the components divide by n − 1: 11/12 of the seeds' part.
    assert _exact_variance(paired) == pytest.approx(retrained(paired).error ** 2, rel=0.1)


# --- Any metric ---

# 30 and 12 ids of one class each, 8 of both.
ROWS = [*range(50), *range(42, 50)]


def _fusion(name: str) -> BySeed:
    """Make three seeds of one fusion."""
    labels = [0] * 30 + [1] * 12 + [0] * 8 + [1] * 8
    logits = _source(name).normal(0, 1, (3, 58, 2)) + np.eye(2)[labels]
    return {seed: part_of(labels, logits[seed], [str(row) for row in ROWS]) for seed in range(3)}


def _of_any(parts: BySeed, metric: str, ids: Ints, resamples: Resamples) -> Floats:
    def on(part: PartPredictions) -> Callable[[Ints], float]:
        return lambda positions: METRICS[metric].function(part.take(positions), 1)

    return of_any([on(part) for part in parts.values()], ids, resamples)


@pytest.mark.parametrize("metric", means())
def test_the_way_for_any_metric_gives_the_same_for_a_mean(metric: str) -> None:
    first, second = _fusion("late"), _fusion("add")
    paired = paired_of(first, second, metric)
    ids = np.unique(first[0].ids, return_inverse=True)[1]
    resamples = Resamples.make(3, paired.strata, 40)
    values = [_of_any(parts, metric, ids, resamples) for parts in (first, second)]
    assert values[0] - values[1] == pytest.approx(of_means(paired, resamples), abs=1e-9)


def test_a_seed_that_is_not_drawn_does_not_count() -> None:
    # Seed 0 is always right, seeds 1 and 2 never: each resample is the share of seed 0.
    resamples = Resamples.make(3, np.zeros(20, np.int64), 30)
    expected = pytest.approx(100 * resamples.seeds[:, 0] / 3)
    drawn: list[int] = []

    def of(seed: int) -> Callable[[Ints], float]:
        return lambda _: drawn.append(seed) or 100.0 * (seed == 0)  # type: ignore[func-returns-value]

    assert of_any([of(seed) for seed in range(3)], np.arange(20), resamples) == expected
    assert len(drawn) == (resamples.seeds > 0).sum()
    unknown = np.where(resamples.seeds > 0, [100.0, 0.0, 0.0], np.nan)
    assert resamples.mean(unknown) == expected


def test_percentiles_hold_the_level_between_them() -> None:
    values = _source("percentiles").normal(size=1000)
    low, high = percentiles(values, 0.9)
    assert ((low < values) & (values < high)).sum() == 900
    assert (values < low).sum() == 50

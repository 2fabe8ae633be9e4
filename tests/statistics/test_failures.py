"""Seeds that fail: seen in their values, bounded where unseen, compared by their successes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from fusebench.statistics.failures import (
    SeedValues,
    irregular,
    paired_p,
    rate_at_most,
    seed_values,
)
from fusebench.statistics.paired import Floats


def test_nothing_seen_in_ten_seeds_allows_a_quarter() -> None:
    assert rate_at_most(0, 10) == pytest.approx(1 - 0.05 ** (1 / 10))
    assert rate_at_most(0, 10) == pytest.approx(0.2589, abs=1e-4)
    assert rate_at_most(10, 10) == 1


@given(st.integers(1, 60), st.data())
def test_the_bound_is_clopper_and_pearsons(seeds: int, data: st.DataObject) -> None:
    failures = data.draw(st.integers(0, seeds - 1))
    bound = rate_at_most(failures, seeds)
    # At the bound, so few failures are seen in one study of twenty.
    assert stats.binom.cdf(failures, seeds, bound) == pytest.approx(0.05, abs=1e-6)
    assert bound > failures / seeds


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_shares_are_compared_by_the_exact_mcnemar_test(seeds: list[tuple[bool, bool]]) -> None:
    first, second = np.array(seeds, bool).T
    table = [[(first & second).sum(), (first & ~second).sum()],
             [(~first & second).sum(), (~first & ~second).sum()]]  # fmt: skip
    expected = mcnemar(table, exact=True).pvalue if (first != second).any() else 1
    assert paired_p(first, second) == pytest.approx(expected)
    assert paired_p(second, first) == paired_p(first, second)


def test_seeds_that_succeed_in_one_fusion_alone_are_shown_from_six_on() -> None:
    for seeds, shown in ((5, False), (6, True)):
        yes, no = np.ones(seeds, bool), np.zeros(seeds, bool)
        assert (paired_p(yes, no) <= 0.05) is shown


@pytest.mark.parametrize(
    ("differences", "seen"),
    [
        ([0.1, -0.4, 0.6, 0.4, -0.3, 0.9, 0.1, 0.5, -0.7, -47.0], True),
        ([-48.0, -47.5, 0.2, 0.3, 0.1, -48.2, 0.4, -48.0, 0.3, 0.2], True),
        ([3.1, 8.0, 5.6, 9.4, 2.3, 7.9, 6.1, 7.5, 5.7, 4.0], False),
        # Apart, but by no more than matters.
        ([0.0] * 9 + [1.0], False),
        ([0.0] * 10, False),
        ([-48.0, 0.0, 0.1, 0.2], False),
    ],
    ids=["one collapsed", "two heaps", "normal", "close", "equal", "few"],
)
def test_what_is_visible_of_irregular_differences(differences: list[float], seen: bool) -> None:
    assert _irregular(np.array(differences), 2.0) is seen


def _irregular(differences: Floats, margin: float | None, *, mixed: bool = True) -> bool:
    """Ask of a fusion with some seeds that fail, beside one that is always the same."""
    none, every = np.zeros(len(differences), bool), np.ones(len(differences), bool)
    some = every & (np.arange(len(differences)) > 0)
    first = SeedValues(99 + differences, none, some if mixed else every, 74.5, 50.0)
    second = SeedValues(np.full(len(differences), 99.0), none, every, 74.5, 50.0)
    asked = irregular(first, second, margin)
    assert irregular(second, first, margin) is asked
    return asked


def test_without_a_margin_any_difference_may_be_irregular() -> None:
    close = np.array([0.0] * 9 + [1.0])
    assert _irregular(close, None)
    assert not _irregular(close, 1.0)
    assert not _irregular(np.zeros(10), None)


def test_where_no_seed_fails_or_none_succeeds_means_are_compared() -> None:
    apart = np.array([0.0] * 9 + [-9.0])
    assert _irregular(apart, 2.0)
    assert not _irregular(apart, 2.0, mixed=False)
    none = np.zeros(10, bool)
    failed = SeedValues(apart, none, none, 74.5, 50.0)
    assert not irregular(failed, SeedValues(np.zeros(10), none, none, 74.5, 50.0), 2.0)


def test_a_rare_failure_among_many_seeds_lets_means_be_compared() -> None:
    for failures, mixed in ((3, False), (4, True), (36, True), (37, False)):
        seeds = SeedValues(np.zeros(40), np.zeros(40, bool), np.arange(40) >= failures, 74.5, 50.0)
        assert seeds.mixed is mixed
    assert not SeedValues(np.zeros(5), np.zeros(5, bool), np.ones(5, bool), 74.5, 50.0).mixed


def test_normal_differences_are_rarely_called_irregular() -> None:
    source = np.random.default_rng(7)
    called = [_irregular(source.normal(1, 3, 10), 2.0) for _ in range(2000)]
    # 1 % of 2,000: 20 ± 4.4.
    assert 5 <= sum(called) <= 40


def _seeds(values: list[float], collapsed: list[int] | None = None) -> SeedValues:
    failed = np.isin(np.arange(len(values)), collapsed or [])
    return SeedValues(np.array(values), failed, ~failed, 74.5, 50.0)


def test_a_mean_at_the_rate_that_is_not_ruled_out() -> None:
    seeds = _seeds([98.0] * 10)
    assert seeds.mean_at_collapse_rate == pytest.approx(98 - 0.2589 * 48, abs=0.01)
    one = _seeds([98.0] * 9 + [52.0], [9])
    rate = rate_at_most(1, 10)
    assert one.collapse_rate == rate
    assert one.mean_at_collapse_rate == pytest.approx((1 - rate) * 98 + rate * 52)
    all_of_them = _seeds([50.0] * 5, [0, 1, 2, 3, 4])
    assert all_of_them.mean_at_collapse_rate == 50


@pytest.mark.parametrize(
    ("values", "chance", "higher", "middle", "succeeded"),
    [
        ([[50.0, 90.0], [60.0, 99.0]], 50.0, True, 74.5, [[False, True], [False, True]]),
        ([[0.25, 0.05], [0.01, 0.2]], 0.25, False, 0.13, [[False, True], [True, False]]),
    ],
)
def test_success_is_beyond_the_middle_between_chance_and_the_best_seed(
    values: list[list[float]], chance: float, higher: bool, middle: float,
    succeeded: list[list[bool]],
) -> None:  # fmt: skip
    named = {name: np.array(of) for name, of in zip("ab", values, strict=True)}
    none = dict.fromkeys(named, np.zeros(2, bool))
    seeds = seed_values(named, none, chance, higher_is_better=higher)
    assert [of.success_beyond for of in seeds.values()] == [middle] * 2
    assert [of.succeeded.tolist() for of in seeds.values()] == succeeded

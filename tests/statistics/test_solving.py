"""Seeds that solve a task or do not: shares, times that are censored, and what compares them."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fusebench.statistics import solving
from fusebench.statistics.solving import (
    Times,
    log_rank,
    median_time,
    share_interval,
    share_ruled_out,
)

# Bland & Altman, "The logrank test", BMJ 328, 2004: weeks of patients with two kinds of glioma.
ASTROCYTOMA = (
    [6, 13, 21, 30, 37, 38, 49, 50, 63, 79, 86, 98, 202, 219],
    [31, 47, 80, 82, 82, 149],
)
GLIOBLASTOMA = (
    [10, 10, 12, 13, 14, 15, 16, 17, 18, 20, 24, 24, 25, 28, 30, 33, 35, 37, 40, 40, 46, 48, 76,
     81, 82, 91, 112, 181],
    [34, 40, 70],
)  # fmt: skip
SEEDS = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6)


def _times(solved: list[int], censored: list[int]) -> Times:
    ends = np.array([*solved, *censored], float)
    return Times(ends, np.arange(len(ends)) < len(solved))


def _drawn(seeds: list[tuple[int, bool]]) -> Times:
    return Times(np.array([end for end, _ in seeds], float), np.array([yes for _, yes in seeds]))


# --- Shares ---


@pytest.mark.parametrize(
    ("solved", "low", "high"),
    # 8 of 8: 0.025^(1/8); 4 of 8 as in any table of Clopper & Pearson.
    [(8, 0.025 ** (1 / 8), 1.0), (0, 0.0, 1 - 0.025 ** (1 / 8)), (4, 0.1570, 0.8430)],
)
def test_a_share_has_the_exact_interval(solved: int, low: float, high: float) -> None:
    assert share_interval(solved, 8) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 40), st.data())
def test_at_each_end_what_was_seen_has_a_chance_of_a_fortieth(
    seeds: int, data: st.DataObject
) -> None:
    solved = data.draw(st.integers(0, seeds))
    low, high = share_interval(solved, seeds)
    assert low <= solved / seeds <= high
    if solved:
        assert stats.binom.sf(solved - 1, seeds, low) == pytest.approx(0.025, abs=1e-6)
    if solved < seeds:
        assert stats.binom.cdf(solved, seeds, high) == pytest.approx(0.025, abs=1e-6)


def test_what_is_ruled_out_of_a_difference_follows_from_the_seeds_of_one_alone() -> None:
    assert share_ruled_out(0, 0, 8) == pytest.approx(1 - 0.025 ** (1 / 8))
    assert share_ruled_out(0, 0, 8, 5) == pytest.approx(1 - 0.005 ** (1 / 8))
    assert share_ruled_out(8, 0, 8) == 1
    assert share_ruled_out(2, 5, 8) == share_ruled_out(5, 2, 8) > 5 / 8


def test_what_is_ruled_out_is_so_in_95_percent_of_studies() -> None:
    source = np.random.default_rng(3)
    for first, second in ((0.3, 0.3), (0.45, 0.05), (0.0, 0.3)):
        kept = 0
        for _ in range(2000):
            alone, other, _rest = source.multinomial(8, [first, second, 1 - first - second])
            kept += abs(first - second) <= share_ruled_out(int(alone), int(other), 8)
        assert kept / 2000 >= 0.94


# --- Medians ---


@pytest.mark.parametrize(
    ("solved", "censored", "median"),
    [
        ([3, 5, 9], [], 5),
        # Half of them exactly, and one fewer.
        ([2, 3, 4, 7], [30] * 4, 7),
        ([2, 3, 4], [30] * 5, None),
        ([], [30] * 8, None),
        ([30] * 4, [30] * 4, 30),
        # Censored earlier: 1 − 1/4 = 0.75, then 0.75 · (1 − 1/2) = 0.375.
        ([2, 6], [4, 8], 6),
    ],
)
def test_the_median_is_kaplan_and_meiers(
    solved: list[int], censored: list[int], median: float | None
) -> None:
    assert median_time(_times(solved, censored)) == median


@given(st.integers(0, 12), st.integers(0, 12), st.data())
def test_a_median_is_there_exactly_where_half_solve_it(
    solved: int, failed: int, data: st.DataObject
) -> None:
    if not solved + failed:
        return
    ends = data.draw(st.lists(st.integers(1, 30), min_size=solved, max_size=solved))
    median = median_time(_times(ends, [30] * failed))
    assert (median is not None) is (solved >= failed)
    if median is not None:
        assert median == sorted(ends)[math.ceil((solved + failed) / 2) - 1]


# --- The log-rank test ---


def test_its_statistic_is_that_of_a_published_example() -> None:
    first, second = _times(*ASTROCYTOMA), _times(*GLIOBLASTOMA)
    found = log_rank(first, second)
    # Bland & Altman: 14 deaths observed of 22.48 expected; by the normal distribution p = 0.00618.
    assert found.excess == pytest.approx(14 - 22.48, abs=0.01)
    assert found.p == pytest.approx(0.00618, abs=5e-6)


def test_it_is_that_of_a_hand_computation() -> None:
    first, second = _times([1, 3], [4]), _times([2], [4, 4])
    # Expected in the first: 3/6 at 1, 2/5 at 2, 2/4 at 3.
    assert log_rank(first, second).excess == pytest.approx(2 - (0.5 + 0.4 + 0.5))
    # Of the 20 splits these have a sum as far from 0: scores are 5/6, 19/30 and 23/60 of those that
    # solve it and three times −37/60.
    scores = [5 / 6, 19 / 30, 23 / 60, -37 / 60, -37 / 60, -37 / 60]
    sums = [sum(scores[place] for place in chosen) for chosen in combinations(range(6), 3)]
    extreme = sum(abs(one) >= 0.6 - 1e-9 for one in sums)
    assert log_rank(first, second).p == pytest.approx(extreme / 20)


@given(SEEDS, SEEDS)
def test_its_statistic_is_scipys_and_sides_only_turn_the_sign(
    first: list[tuple[int, bool]], second: list[tuple[int, bool]]
) -> None:
    one, other = _drawn(first), _drawn(second)
    found, turned = log_rank(one, other), log_rank(other, one)
    assert 0 < found.p <= 1
    assert turned.p == pytest.approx(found.p)
    assert turned.excess == pytest.approx(-found.excess, abs=1e-9)
    assert found.excess == pytest.approx(_observed_less_expected(one, other), abs=1e-9)
    with np.errstate(all="ignore"):
        statistic = float(stats.logrank(one.censored, other.censored).statistic)
    if math.isfinite(statistic):
        assert np.sign(round(statistic, 9)) == np.sign(round(found.excess, 9))


def _observed_less_expected(first: Times, second: Times) -> float:
    """Return Mantel's O − E of the first: at each time, what its share at risk would have."""
    excess = 0.0
    for time in np.unique([*first.ends[first.solved], *second.ends[second.solved]]):
        at_risk = [(each.ends >= time).sum() for each in (first, second)]
        events = [(each.ends[each.solved] == time).sum() for each in (first, second)]
        excess += events[0] - sum(events) * at_risk[0] / sum(at_risk)
    return float(excess)


def test_all_apart_is_the_surest_and_eight_seeds_can_show_it() -> None:
    early, late = _times([1, 2, 3, 4, 5, 6, 7, 8], []), _times([], [30] * 8)
    found = log_rank(early, late)
    assert found.excess > 0
    assert found.p == pytest.approx(2 / math.comb(16, 8))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (([], [30] * 8), ([], [30] * 8)),
        (([3] * 8, []), ([3] * 8, [])),
        (([3, 5, 9], [30]), ([3, 5, 9], [30])),
        (([], [5]), ([], [30] * 3)),
    ],
    ids=["none solves it", "all at once", "alike", "watched for other times"],
)
def test_where_nothing_differs_p_is_1_without_a_warning(
    first: tuple[list[int], list[int]], second: tuple[list[int], list[int]]
) -> None:
    found = log_rank(_times(*first), _times(*second))
    assert found.excess == pytest.approx(0)
    assert found.p == pytest.approx(1)


def test_exact_and_asymptotic_agree_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _times([2, 3, 5, 8, 9, 12, 20], [30]), _times([6, 9, 11, 14, 18, 25], [30] * 2)
    exact = log_rank(first, second)
    monkeypatch.setattr(solving, "_MOST_SPLITS", 0)
    normal = log_rank(first, second)
    assert normal.excess == exact.excess
    assert normal.p == pytest.approx(exact.p, abs=0.03)
    assert normal.p == stats.logrank(first.censored, second.censored).pvalue


def test_like_times_are_told_apart_in_no_more_studies_than_is_said() -> None:
    source = np.random.default_rng(11)
    claims = []
    for _ in range(600):
        ends = np.minimum(3 + source.gamma(2, 4, 10).round(), 30)
        solved = (source.random(10) < 0.8) & (ends < 30)
        ends = np.where(solved, ends, 30.0)
        claims.append(log_rank(Times(ends[:5], solved[:5]), Times(ends[5:], solved[5:])).p <= 0.05)
    # 5 % of 600: 30 ± 5.3.
    assert sum(claims) <= 45

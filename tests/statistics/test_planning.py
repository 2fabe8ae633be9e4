"""Planned studies against statsmodels, simulation, and what must hold whatever the components."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from fusebench.statistics.planning import POWER, Pilot, power, seeds_needed

# So many seeds were had that nothing is to be doubted of their variance.
SURE = 10**7
PILOT = Pilot(difference=0.5, seeds=10, seed=2.5, id=0.6, seed_id=1.0, pseudo=0.47, step=0.33)


@pytest.mark.parametrize("seeds", [5, 10, 30])
@pytest.mark.parametrize("tests", [1, 14])
def test_with_a_known_variance_over_seeds_it_is_the_t_test(seeds: int, tests: int) -> None:
    pilot = Pilot(0.0, SURE, 3.0, 0.0, 0.0, 0.0, 0.0)
    expected = TTestPower().power(4 / 3, seeds, 0.05 / tests, alternative="larger")
    # Two-sided in truth: the other side adds next to nothing.
    two_sided = TTestPower().power(4 / 3, seeds, 0.025 / tests, alternative="larger")
    assert power(pilot, 4.0, tests, seeds) == pytest.approx(two_sided, abs=1e-4)
    assert power(pilot, 4.0, tests, seeds) < expected


def test_a_variance_that_is_hardly_known_promises_less() -> None:
    sure = power(replace(PILOT, seeds=SURE), 3.0, 1, 12)
    few = power(replace(PILOT, seeds=5), 3.0, 1, 12)
    assert few < power(PILOT, 3.0, 1, 12) < sure
    assert seeds_needed(replace(PILOT, seeds=5), 6.0, 14) > seeds_needed(PILOT, 6.0, 14)  # type: ignore[operator]


def test_the_promise_holds_on_average_over_pilots() -> None:
    # Seeds alone vary, with deviation 3; a pilot of five plans, a study of that size follows.
    source, shown, wanted = np.random.default_rng(3), [], 4.0
    for _ in range(600):
        pilot = source.normal(wanted, 3, 5)
        planned = seeds_needed(Pilot(float(pilot.mean()), 5, float(pilot.std(ddof=1)), 0, 0, 0, 0),
                               wanted, 1)  # fmt: skip
        assert planned is not None
        shown.append(stats.ttest_1samp(source.normal(wanted, 3, planned), 0).pvalue <= 0.05)
    # 80 % and four standard errors of 1.6 %.
    assert np.mean(shown) == pytest.approx(POWER, abs=0.066)


def test_the_variance_is_that_of_the_components() -> None:
    pilot = replace(PILOT, seeds=SURE)
    s, r, wanted = 8, 2.0, 3.0
    variance = (2.5**2 / s + 0.6**2 / r + 1.0**2 / (r * s) + 0.47**2 / r**2
                + 0.33 * (wanted - 0.5) / r)  # fmt: skip
    edge = stats.t.ppf(1 - 0.025, s - 1)
    expected = stats.nct.sf(edge, s - 1, wanted / math.sqrt(variance))
    assert power(pilot, wanted, 1, s, r) == pytest.approx(expected, abs=1e-3)


FIGURES = st.floats(0, 5)


@settings(deadline=None, max_examples=50)
@given(st.builds(Pilot, st.floats(-5, 5), st.integers(5, 30), FIGURES, FIGURES, FIGURES,
                 FIGURES, FIGURES), st.floats(0.5, 20), st.integers(1, 21))  # fmt: skip
def test_the_fewest_seeds_are_enough_and_one_less_is_not(
    pilot: Pilot, wanted: float, tests: int
) -> None:
    seeds = seeds_needed(pilot, wanted, tests)
    if seeds is None:
        assert power(pilot, wanted, tests, 1000) < POWER
        return
    assert power(pilot, wanted, tests, seeds) >= POWER
    assert seeds >= 5
    assert seeds == 5 or power(pilot, wanted, tests, seeds - 1) < POWER
    more = seeds_needed(pilot, wanted, tests, 4)
    assert more is not None
    assert more <= seeds


def test_without_any_variance_the_fewest_seeds_do() -> None:
    assert seeds_needed(Pilot(1.0, 5, 0, 0, 0, 0, 0), 1.0, 3) == 5


def test_what_ids_alone_leave_open_no_seed_mends() -> None:
    pilot = Pilot(0.0, 10, 0.5, 3.0, 0.5, 0.5, 0.3)
    assert seeds_needed(pilot, 2.0, 14) is None
    assert seeds_needed(pilot, 2.0, 14, 100) is not None

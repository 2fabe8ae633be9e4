"""What size of difference the holdout can show."""

import math
from collections.abc import Sequence

import pandas as pd
import pytest
from scipy.stats import norm
from tests.parts import study

from fusebench.confirm.resolution import resolution, smallest_shown
from fusebench.report.findings import compare_fusions
from fusebench.report.pairs import pair_rows
from fusebench.report.plan import pilot_of
from fusebench.report.roles import PLANNED
from fusebench.report.settings import CompareParams
from fusebench.statistics.planning import POWER, Pilot, power

IDS = 66
"""As many as the study's test has."""


def pairs_of(seeds: int, contrasts: Sequence[str] = ("any/any",)) -> pd.DataFrame:
    declared = CompareParams(
        primary="balanced_accuracy", margin={"balanced_accuracy": 2.0},
        contrasts=tuple(contrasts), temperature=True,
    )  # fmt: skip
    return compare_fusions(study(seeds), declared, draws="anew")[0]


@pytest.fixture(scope="module")
def ten() -> pd.DataFrame:
    return pairs_of(10)


def test_what_is_found_is_shown_and_less_is_not(ten: pd.DataFrame) -> None:
    planned = pair_rows(ten, PLANNED)
    assert len(planned) == 3
    for pair in planned:
        pilot = pilot_of(pair)
        found = smallest_shown(pilot, 3, 10, 0.5, 100)
        assert power(pilot, found, 3, 10, 0.5) >= POWER > power(pilot, 0.998 * found, 3, 10, 0.5)


def test_with_many_seeds_it_is_that_of_the_normal_distribution() -> None:
    """Only ids vary; a quarter of them has twice the deviation."""
    pilot = Pilot(50.0, 5000, 0.0, 2.0, 0.0, 0.0, 0.5)
    wanted = 2 * 2.0 * (norm.ppf(0.975) + norm.ppf(0.8))
    assert smallest_shown(pilot, 1, 5000, 0.25, 100) == pytest.approx(wanted, rel=2e-3)


def test_what_no_difference_can_overcome_is_infinite() -> None:
    spread = Pilot(0.0, 10, 60.0, 60.0, 60.0, 1.0, 5.0)
    assert smallest_shown(spread, 3, 10, 0.5, 100) == math.inf
    assert smallest_shown(Pilot(0.0, 10, 0.0, 0.0, 0.0, 0.0, 0.0), 3, 10, 0.5, 100) < 1e-3
    assert smallest_shown(Pilot(0.0, 10, math.nan, 0.0, 0.0, 0.0, 0.0), 3, 10, 0.5, 1e6) == math.inf


def test_median_and_range_over_planned_contrasts_are_said(ten: pd.DataFrame) -> None:
    low, middle, high = sorted(
        smallest_shown(pilot_of(pair), 3, 10, 33 / IDS, 100) for pair in pair_rows(ten, PLANNED)
    )
    assert resolution(ten, 33) == (
        f"With 10 seeds it shows differences of about {middle:.1f} points ({low:.1f} to "
        f"{high:.1f}, by contrast) with 80 %."
    )


def test_one_contrast_has_no_range() -> None:
    said = resolution(pairs_of(10, ["add/late"]), IDS)
    assert said.startswith("With 10 seeds it shows differences of about ")
    assert said.endswith(" points with 80 %.")


def test_more_ids_show_smaller_differences(ten: pd.DataFrame) -> None:
    pilot = pilot_of(pair_rows(ten, PLANNED)[0])
    found = [smallest_shown(pilot, 3, 10, ids / IDS, 100) for ids in (20, 33, 66, 660)]
    assert found == sorted(found, reverse=True)


def test_where_nothing_can_be_shown_it_is_said(ten: pd.DataFrame) -> None:
    assert resolution(ten, 2) == (
        "With 10 seeds it shows, in half of the planned contrasts or more, no difference with "
        "80 %, however large."
    )


def test_a_contrast_of_which_nothing_can_be_shown_ends_the_range(ten: pd.DataFrame) -> None:
    wide = ten.copy()
    wide.loc[wide["role"].eq(PLANNED).idxmax(), "seed_deviation"] = 500.0
    assert " to over 100, by contrast) with 80 %." in resolution(wide, IDS)


def test_few_seeds_and_no_planned_contrast_are_said() -> None:
    assert resolution(pairs_of(9), IDS) == (
        "What size of difference it can show cannot be said from 9 seed(s); from 10 on it can."
    )
    assert resolution(pairs_of(10, ["hadamard/rgb_only"]), IDS).startswith("No contrast is planned")

"""What is said of probabilities: shown by temperatures over seeds, or not said."""

from collections.abc import Sequence

import pandas as pd
import pytest
from tests.report.made_up import THRESHOLD

from fusebench.evaluation.temperature import HIGHEST, LOWEST
from fusebench.report.probabilities import PROBABILITY_KINDS
from fusebench.report.sureness import sureness

ABOUT_TWO = (1.9, 2.0, 2.1, 2.0, 1.95)
ABOUT_ONE = (0.7, 1.4, 1.0, 0.9, 1.1)
ABOUT_HALF = tuple(1 / value for value in ABOUT_TWO)


def _table(**temperatures: Sequence[float]) -> pd.DataFrame:
    rows = [
        {"fusion": name, "seed": seed, "temperature": value}
        for name, values in temperatures.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows).reindex(columns=list(PROBABILITY_KINDS))


def test_what_is_shown_is_named_with_its_interval() -> None:
    said = sureness(_table(late=ABOUT_TWO, concat=ABOUT_ONE, add=ABOUT_HALF))
    assert said.startswith(
        "Probabilities are shown to be too sure (temperature above 1): late (1.8"
    )
    assert "; not sure enough (below 1): add (0.4" in said
    assert "concat" not in said


def test_the_more_fusions_the_wider_the_intervals() -> None:
    near = (1.1, 1.3, 1.15, 1.25, 1.1)
    assert "too sure (" in sureness(_table(late=near))
    others = {f"other{number}": ABOUT_ONE for number in range(30)}
    assert sureness(_table(late=near, **others)) == (
        "No probabilities are shown to be too sure, or not sure enough."
    )


def test_few_seeds_say_nothing() -> None:
    said = sureness(_table(late=ABOUT_TWO[:4]))
    assert said.startswith("Whether probabilities are too sure is not said: 4 seed(s) are too few")


@pytest.mark.parametrize("table", [None, _table(late=(float("nan"),) * 5)])
def test_without_temperatures_there_is_no_sentence(table: pd.DataFrame | None) -> None:
    assert sureness(table) == ""


def test_bounds_are_told_and_the_baseline_is_left_out() -> None:
    said = sureness(_table(late=(LOWEST, 1.0, HIGHEST, 1.0, 1.0), **{THRESHOLD: ABOUT_TWO}))
    assert "; in 2 of 5 trainings the temperature is a bound, 0.05 or 20, " in said
    assert THRESHOLD not in said


TAIL = (
    "; in {} trainings the temperature is a bound, 0.05 or 20, since val alone would have it "
    "beyond, as where all its answers are right; of their fusions nothing is said."
)


@pytest.mark.parametrize("values", [(LOWEST,) * 5, (HIGHEST,) * 5])
def test_of_a_fusion_at_a_bound_in_every_seed_nothing_is_said(values: Sequence[float]) -> None:
    assert sureness(_table(late=values)) == (
        f"No probabilities are shown to be too sure, or not sure enough{TAIL.format('5 of 5')}"
    )


@pytest.mark.parametrize("bound", [LOWEST, HIGHEST])
def test_one_seed_at_a_bound_is_enough_to_say_nothing_of_its_fusion(bound: float) -> None:
    near = {LOWEST: (0.06, 0.06, 0.07, 0.06), HIGHEST: (19.0, 18.0, 19.0, 18.0)}[bound]
    held, above = (
        sureness(_table(late=(first, *near), add=ABOUT_TWO)) for first in (bound, near[0])
    )
    assert "late" in above
    assert "late" not in held
    assert "too sure (temperature above 1): add (1.8" in held
    assert held.endswith(TAIL.format("1 of 10"))


def test_a_fusion_at_a_bound_still_counts_among_those_that_hold_together() -> None:
    alone, beside = (
        sureness(_table(late=ABOUT_TWO, **more)) for more in ({}, {"add": (LOWEST,) * 5})
    )
    two = sureness(_table(late=ABOUT_TWO, add=ABOUT_ONE))
    interval = two.partition("late ")[2].partition(")")[0]
    assert f"late {interval})" in beside
    assert f"late {interval})" not in alone

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

"""The table of `show.py plan`: what it is made of, and what it refuses."""

import math

import pandas as pd
import pytest
from tests.report.made_up import BEST, PAIR, best_table, pairs_table

from fusebench.errors import ArtifactError, ParamsError
from fusebench.report.plan import pilot_of, plan_text
from fusebench.statistics.planning import Pilot, seeds_needed

ADD = PAIR._replace(first="add", seed_deviation=1.1, id_deviation=0.2, seed_id_deviation=0.7)
UNPLANNED = PAIR._replace(first="concat", role="unplanned")
PAIRS = pairs_table(PAIR, ADD, UNPLANNED)


def _text(difference: float | None = None, pairs: pd.DataFrame = PAIRS) -> str:
    return plan_text(pairs, best_table(BEST), difference, 100)


def test_each_planned_contrast_has_the_seeds_that_the_statistics_give() -> None:
    text = _text(5.0)
    pilots = {"late − hadamard": pilot_of(PAIR), "add − hadamard": pilot_of(ADD)}
    rows = {line[:16].strip(): line for line in text.splitlines() if " − " in line}
    assert set(rows) == set(pilots)
    for name, pilot in pilots.items():
        needed = [seeds_needed(pilot, 5.0, 2, ids) for ids in (1, 2, 4, 10)]
        assert rows[name].split()[3:] == [
            f"{pilot.seed:.1f}", f"{pilot.id:.1f}",
            *(word for count in needed for word in (str(count), "seeds")),
        ]  # fmt: skip
    said = " ".join(text.split())
    assert said.startswith(
        "Seeds that show a difference of 5 points of balanced accuracy with 80 %, in the first of "
        "Holm's steps over 2 contrasts (95 %), by how many test ids there are."
    )
    assert "From 10 seeds and 60 test ids at hand" in said
    assert said.endswith("Where the data name groups, each counts as one id.")
    assert max(map(len, text.splitlines())) <= 100


def test_the_margin_is_the_default() -> None:
    assert _text() == _text(2.0) != _text(3.0)


def test_what_cannot_be_reached_says_so() -> None:
    ids = PAIR._replace(id_deviation=9.0)
    text = _text(1.0, pairs_table(ids))
    assert "> 1,000" in text
    assert "a difference of 1 point of balanced accuracy" in " ".join(text.split())
    assert "over 1 contrast (95 %)" in " ".join(text.split())
    assert "60 ids  120 ids  240 ids  600 ids" in text


def test_contrasts_that_compare_successes_are_marked() -> None:
    apart = _text(5.0, pairs_table(PAIR._replace(compares="successes"), ADD))
    assert "late − hadamard* " in apart
    assert "\n*: seeds fall apart, so successes are compared; the plan is of means.\n" in apart
    assert "*" not in _text(5.0)


def test_a_pilot_is_made_of_the_pair() -> None:
    assert pilot_of(PAIR) == Pilot(8.0, 10, 3.2, 1.1, 2.2, 0.47, 0.33)


@pytest.mark.parametrize("difference", [0.0, -1.0, math.nan, math.inf])
def test_a_difference_that_is_none_is_refused(difference: float) -> None:
    with pytest.raises(ParamsError, match=r"^--difference .*: must be above 0$"):
        _text(difference)


def test_without_a_margin_a_difference_is_asked_for() -> None:
    best = best_table(BEST._replace(margin=math.nan))
    with pytest.raises(ParamsError, match=r"^--difference: must be given, since compare\.margin"):
        plan_text(PAIRS, best, None, 100)


def test_without_contrasts_or_seeds_there_is_no_plan() -> None:
    with pytest.raises(ArtifactError, match=r"pairs\.csv: no planned contrast among these fusions"):
        _text(2.0, pairs_table(UNPLANNED))
    with pytest.raises(ArtifactError, match=r"pairs\.csv: 3 seed\(s\) are too few to plan with"):
        _text(2.0, pairs_table(PAIR._replace(seeds=3)))
    with pytest.raises(ArtifactError, match=r"9 seed\(s\) are too few to plan with; from 10 on"):
        _text(2.0, pairs_table(PAIR._replace(seeds=9)))

"""Charts: their data, what leaves out fusions, and round figures for axes."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.page.reader import read, rows_of

from fusebench.page.chart import HIDDEN, Chart, decades, grid, not_run, percent, spread, whole

ROWS = pd.DataFrame({"fusion": ["late"], "x": [np.nan]})


def _chart(rows: pd.DataFrame = ROWS) -> Chart:
    return Chart("some", rows, {"transform": [{"filter": "own"}], "mark": "point"}, "Some marks")


def test_a_chart_leaves_out_what_is_switched_off() -> None:
    spec = _chart().whole_spec
    assert spec["params"] == [{"name": HIDDEN, "value": []}]
    assert spec["transform"] == [
        {"filter": "indexof(hidden, datum.fusion) < 0"}, {"filter": "own"},
    ]  # fmt: skip


def test_a_pair_goes_with_either_of_its_fusions() -> None:
    rows = pd.DataFrame({"first": ["late"], "second": ["add"]})
    filters = [step["filter"] for step in _chart(rows).whole_spec["transform"]]
    assert filters[:2] == [f"indexof(hidden, datum.{name}) < 0" for name in ("first", "second")]


def test_a_chart_of_no_fusion_is_left_as_it_is() -> None:
    rows = pd.DataFrame({"x": [1]})
    assert not _chart(rows).follows
    assert "data-of-fusions" not in _chart(rows).markup


def test_a_chart_has_a_place_that_says_what_there_is_to_see() -> None:
    page = read(_chart().markup)
    place, script = page.all("div")[0], page.all("script")[0]
    assert place.attributes["aria-label"] == "Some marks"
    assert place.attributes["id"] == script.attributes["data-chart"] == "some"
    content = json.loads(script.text)
    assert content["spec"] == _chart().whole_spec
    assert rows_of(content["columns"]) == [{"fusion": "late", "x": None}]


def test_several_charts_stand_side_by_side() -> None:
    assert read(grid([_chart(), _chart()])).elements[0].attributes["class"] == "grid"
    assert read(grid([_chart()])).elements[0].attributes["class"] == "single"


def test_what_is_spread_needs_both_ends() -> None:
    layer = spread({"type": "rule"}, {}, {"field": "mean", "title": "t"}, "from", "to")
    assert layer["encoding"]["y"] == {"field": "from", "title": "t"}
    assert layer["transform"] == [{"filter": "isValid(datum.from) && isValid(datum.to)"}]


def test_what_was_not_run_is_said_in_one_line_with_its_command() -> None:
    page = read(not_run("the study", "make study"))
    assert page.elements[0].text == "Not run: the study. make study runs it."
    assert page.all("code")[0].text == "make study"


@given(st.floats(1e-9, 1e9), st.floats(1, 1e6))
def test_decades_are_round_and_between_the_ends(low: float, ratio: float) -> None:
    figures = decades(low, low * ratio)
    assert figures == sorted(set(figures))
    for figure in figures:
        assert low <= figure <= low * ratio
        assert figure == float(f"{figure:.1e}"), "two digits at most"
    # From 1.0 to 1.2 is the widest gap between three of two digits.
    if ratio >= 1.21:
        assert len(figures) > 1
    # There are two of 1, 2 and 5 in any decade.
    if ratio >= 10:
        assert all(f"{figure:e}"[0] in "125" for figure in figures)


@pytest.mark.parametrize(
    ("low", "high", "figures"),
    [
        (0.01, 0.11, [0.01, 0.02, 0.05, 0.1]),
        (0.019, 0.051, [0.02, 0.05]),
        (0.021, 0.049, [0.03, 0.04]),
        (0.0105, 0.0139, [0.011, 0.012, 0.013]),
        (0.0105, 0.019, [0.011, 0.012, 0.013, 0.014, 0.015, 0.016, 0.017, 0.018, 0.019]),
        (0.02, 0.02, [0.02]),
    ],
)
def test_decades_have_more_figures_of_each_only_where_there_are_too_few(
    low: float, high: float, figures: list[float]
) -> None:
    assert decades(low, high) == figures


@pytest.mark.parametrize(
    ("last", "figures"), [(0, [0]), (4, [0, 1, 2, 3, 4]), (15, [0, 2, 4, 6, 8, 10, 12, 14])]
)
def test_whole_figures_are_a_dozen_at_most(last: int, figures: list[int]) -> None:
    assert whole(last) == {"values": figures, "format": "d"}


@given(st.integers(0, 10_000))
def test_whole_figures_begin_at_none_and_are_few(last: int) -> None:
    figures = whole(last)["values"]
    assert figures[0] == 0
    assert len(figures) <= 13


@given(st.floats(0, 100))
def test_scales_of_percent_begin_below_the_lowest_and_end_at_all(low: float) -> None:
    begin, end = percent(low)["domain"]
    assert 0 <= begin <= low
    assert low - begin < 10
    assert end == 100

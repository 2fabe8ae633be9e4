"""Test NLL against cost: the front, the interval of the mean, and the picture."""

import io
import json
import math
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Annotation, Text
from tests.project import ROOT
from tests.report.made_up import NAMES, cost_of, write_results

from fusebench.files import write_json
from fusebench.models.registry import FUSIONS
from fusebench.report.pareto import on_front, pareto_figure, pareto_table
from fusebench.report.results import Comparison, read_comparison

NUMBERS = st.lists(
    st.tuples(st.integers(0, 6).map(float), st.integers(0, 6).map(float)), min_size=1, max_size=12
)


@given(NUMBERS)
def test_front_is_what_no_other_point_dominates(points: list[tuple[float, float]]) -> None:
    losses, costs = ([point[axis] for point in points] for axis in (0, 1))
    front = on_front(losses, costs)
    assert any(front)
    for own, on in zip(points, front, strict=True):
        # Another point that is as low in both, and not the same.
        better = [p for p in points if p[0] <= own[0] and p[1] <= own[1] and p != own]
        assert on is not bool(better)
    # What is not on the front is beaten by a point that is.
    kept = [point for point, on in zip(points, front, strict=True) if on]
    for own, on in zip(points, front, strict=True):
        assert on or any(p[0] <= own[0] and p[1] <= own[1] for p in kept)
    # Along the front, what costs more has the lower loss.
    for one, other in combinations(set(kept), 2):
        assert (one[0] < other[0]) == (one[1] > other[1])


@given(NUMBERS)
def test_front_does_not_depend_on_the_order(points: list[tuple[float, float]]) -> None:
    losses, costs = ([point[axis] for point in points] for axis in (0, 1))
    assert on_front(losses[::-1], costs[::-1]) == on_front(losses, costs)[::-1]


def test_equal_points_are_both_on_the_front() -> None:
    assert on_front([1.0, 1.0, 2.0], [3.0, 3.0, 3.0]) == [True, True, False]


def test_table_has_a_row_per_fusion_and_none_of_a_baseline(comparison: Comparison) -> None:
    table = pareto_table(comparison)
    assert list(table) == [
        "fusion", "nll", "nll_low", "nll_high", "latency_ms", "parameters", "mflops",
        "on_front_latency", "on_front_parameters",
    ]  # fmt: skip
    assert table["fusion"].tolist() == list(NAMES)
    for row, result in zip(table.to_dict("records"), comparison.results, strict=False):
        values = result.metric_of_seeds("nll")
        assert row["nll"] == pytest.approx(np.mean(values), abs=1e-6)
        assert 0 <= row["nll_low"] <= row["nll"] <= row["nll_high"]
        assert row["latency_ms"] == cost_of(result.name)["latency_ms"]["median"]
        assert (row["parameters"], row["mflops"]) == (3_336_662, 101.5)
    # The first is the better and the faster one; both have as many parameters.
    assert table["on_front_latency"].tolist() == [1, 0]
    assert table["on_front_parameters"].tolist() == [1, 0]


def test_a_fusion_that_is_worse_but_cheaper_is_on_the_front(root: Path) -> None:
    cost = cost_of("hadamard")
    cost["latency_ms"]["median"] = 0.5
    write_json(root / "metrics/cost/hadamard.json", cost)
    table = pareto_table(read_comparison(root, NAMES))
    assert table["on_front_latency"].tolist() == [1, 1]
    assert table["on_front_parameters"].tolist() == [1, 0]


def _figure(comparison: Comparison, **columns: Any) -> Any:
    table = pareto_table(comparison).assign(**columns)
    return pareto_figure(comparison, table), table


def test_picture_has_a_mark_and_a_name_per_fusion_and_the_front(comparison: Comparison) -> None:
    figure, table = _figure(comparison, on_front_latency=[1, 1])
    latency, parameters = figure.axes
    assert (latency.get_xlabel(), parameters.get_xlabel()) == (
        "latency of one sample (ms)", "parameters",
    )  # fmt: skip
    for axes, column in ((latency, "latency_ms"), (parameters, "parameters")):
        assert axes.get_xscale() == "log"
        marks = [line for line in axes.lines if line.get_marker() not in ("None", None)]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == list(
            zip(table[column], table["nll"], strict=True)
        )
        names = [text.get_text() for text in axes.texts]
        assert names == ["late", "hadamard"]
    (front,) = [line for line in latency.lines if line.get_drawstyle() == "steps-post"]
    assert list(front.get_xdata()) == sorted(table["latency_ms"])
    (alone,) = [line for line in parameters.lines if line.get_drawstyle() == "steps-post"]
    assert list(alone.get_ydata()) == [table["nll"].min()]


@pytest.mark.parametrize(("ratio", "scale"), [(2, "linear"), (9, "linear"), (30, "log")])
def test_losses_that_differ_widely_have_a_logarithmic_axis(
    ratio: float, scale: str, comparison: Comparison
) -> None:
    figure, table = _figure(
        comparison, nll=[0.01, 0.01 * ratio], nll_low=[0.0, 0.0], nll_high=[5.0, 5.0]
    )
    axes = figure.axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    # Every mean is seen, whatever the intervals are; where they end may be beyond.
    assert low < table["nll"].min() < table["nll"].max() < high < 5


def test_names_stand_within_the_axes_and_off_each_other_and_the_marks(tmp_path: Path) -> None:
    names = FUSIONS.names()
    comparison = read_comparison(write_results(tmp_path, names, range(2)), names)
    generator = np.random.default_rng(0)
    for _ in range(3):
        figure, table = _figure(
            comparison, nll=generator.uniform(0.01, 0.08, len(names)),
            latency_ms=generator.uniform(1, 3, len(names)),
            parameters=generator.integers(90_000, 4_000_000, len(names)),
            nll_low=[math.nan] * len(names), nll_high=[math.nan] * len(names),
        )  # fmt: skip
        for axes, column in zip(figure.axes, ("latency_ms", "parameters"), strict=True):
            labels = [text for text in axes.texts if isinstance(text, Annotation)]
            assert [text.get_text() for text in labels] == [n.replace("_", " ") for n in names]
            boxes = [Text.get_window_extent(text) for text in labels]
            assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
            frame = axes.get_window_extent().padded(1)
            assert all(frame.containsx(box.x0) and frame.containsx(box.x1) for box in boxes)
            assert all(frame.containsy(box.y0) and frame.containsy(box.y1) for box in boxes)
            for point in zip(table[column], table["nll"], strict=True):
                x, y = axes.transData.transform(point)
                assert not any(box.contains(x, y) for box in boxes)


# --- The template of `dvc plots` ---

TEMPLATE = json.loads((ROOT / ".dvc/plots/pareto.json").read_text("utf-8"))


def test_template_reads_columns_that_the_table_has(comparison: Comparison) -> None:
    table = pareto_table(comparison)
    text = json.dumps(TEMPLATE)
    for column in ("nll_low", "nll_high", "parameters", "on_front_latency", "on_front_parameters"):
        assert column in text
        assert column in table
    assert TEMPLATE["usermeta"]["fusebench"]["section"] == "cost"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_a_browser_draws_both_panels(comparison: Comparison, tmp_path: Path) -> None:
    table = pareto_table(comparison)
    text = (ROOT / ".dvc/plots/pareto.json").read_text("utf-8")
    rows = table.astype(object).where(table.notna(), "").astype(str).assign(rev="workspace")
    for anchor, value in (
        ('"<DVC_METRIC_DATA>"', rows.to_json(orient="records")),
        ("<DVC_METRIC_TITLE>", "title"), ("<DVC_METRIC_X>", "latency_ms"),
        ("<DVC_METRIC_Y_LABEL>", "test NLL"), ("<DVC_METRIC_Y>", "nll"),
    ):  # fmt: skip
        text = text.replace(anchor, value)
    page = (ROOT / ".dvc/plots/page.html").read_text("utf-8").replace("{refresh_tag}", "")
    div = f'<div id="chart"></div><script>vegaEmbed("#chart", {text});</script>'
    (tmp_path / "index.html").write_text(page.replace("{plot_divs}", div), "utf-8")
    done = subprocess.run(
        [str(shutil.which("chromium")), "--headless", "--no-sandbox", "--disable-gpu",
         "--virtual-time-budget=20000", "--dump-dom", (tmp_path / "index.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    shown = done.stdout.partition("</head>")[2]
    assert "What a fusion costs" in shown
    assert shown.count("mark-symbol role-mark") >= 2 or shown.count("<canvas") == 1
    assert pd.read_csv(io.StringIO(table.to_csv(index=False)))["fusion"].tolist() == list(NAMES)

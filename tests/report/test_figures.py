"""Tables for `dvc plots`, pictures, and the templates that draw the tables."""

import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image
from tests.project import ROOT
from tests.report.made_up import MAJORITY, NAMES, PAIR, THRESHOLD, pairs_table, write_results

from fusebench.evaluation.curves import roc_points
from fusebench.evaluation.metrics import METRICS
from fusebench.files import read_table
from fusebench.models import registry
from fusebench.report import curves, figures
from fusebench.report.pairs import PAIRS, parse_pairs
from fusebench.report.results import Comparison, read_comparison

NAN = float("nan")
WORSE = PAIR._replace(first="add", difference=-6.0, retrained_low=-9.0, retrained_high=-3.0)
UNDECIDED = PAIR._replace(second="rgb_only", retrained_holm=0.2)


def test_training_table_is_mean_and_range_over_seeds(results: Path) -> None:
    table = curves.training_table(results / "plots/training", NAMES)
    late = table[table["fusion"] == "late"]
    assert late["epoch"].tolist() == [1, 2, 3]
    assert late.iloc[1][["low", "val_loss", "high"]].tolist() == [0.5, 0.55, 0.6]


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_table_is_mean_and_deviation_within_bounds(
    metric: str, comparison: Comparison
) -> None:
    table = curves.metrics_table(comparison)
    rows = table[table["metric"] == metric].set_index("fusion")
    assert list(rows.index) == [*NAMES, MAJORITY, THRESHOLD]
    assert set(rows["label"]) == {METRICS[metric].label}
    assert set(rows["unit"]) == {METRICS[metric].unit}
    lowest, highest = METRICS[metric].bounds
    for result in comparison.results:
        mean, deviation = result.metrics["test"][metric].values()
        row = rows.loc[result.name]
        assert row["mean"] == mean
        assert row["low"] == pytest.approx(max(mean - deviation, lowest), abs=1e-6)
        assert row["high"] == pytest.approx(min(mean + deviation, highest), abs=1e-6)


def test_no_deviation_reaches_beyond_a_bound(results: Path) -> None:
    comparison = read_comparison(results, NAMES)
    late = comparison.results[0]
    late.metrics["test"]["recall"] = {"mean": 99.0, "deviation": 2.0}
    late.metrics["test"]["nll"] = {"mean": 0.1, "deviation": 0.25}
    table = curves.metrics_table(Comparison((late,))).set_index("metric")
    assert table.loc["recall", ["low", "high"]].tolist() == [97.0, 100.0]
    assert table.loc["nll", ["low", "high"]].tolist() == [0.0, 0.35]


def _plots(root: Path) -> dict[str, bytes]:
    written = (*(root / "plots").glob("*.png"), *(root / "plots/curves").iterdir())
    return {path.name: path.read_bytes() for path in written}


def test_written_tables_and_pictures_repeat_to_the_bit(
    root: Path, compared: Path, comparison: Comparison
) -> None:
    figures.write_plots(
        comparison, parse_pairs((compared / PAIRS).read_text("utf-8")), root / "plots"
    )
    contents = _plots(root)
    assert contents == _plots(compared)
    pictures = {"confusion", "metrics", "pairs", "precision_recall", "roc", "training"}
    tables = {"training", "roc", "precision_recall", "metrics"}
    names = {f"{name}.png" for name in pictures} | {f"{name}.csv" for name in tables}
    assert set(contents) == names
    for name in pictures:
        picture = Image.open(io.BytesIO(contents[f"{name}.png"])).convert("RGB")
        assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 20
    roc = read_table(root / "plots/curves/roc.csv", {"fusion": str})
    assert set(roc["fusion"]) == set(NAMES)


def _lines(axes: Axes, marker: str) -> list[Any]:
    return [line for line in axes.lines if line.get_marker() == marker]


def test_metrics_figure_has_a_panel_per_metric_within_its_bounds(comparison: Comparison) -> None:
    table = curves.metrics_table(comparison)
    figure = figures.metrics_figure(comparison, table)
    # The last row may have room for more.
    panels = dict(zip(METRICS, figure.axes, strict=False))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["late", "hadamard", "majority class", "threshold"]
    for name, metric in METRICS.items():
        axes = panels[name]
        assert metric.label in axes.get_title()
        low, high = axes.get_xlim()
        assert metric.bounds[0] <= low < high <= metric.bounds[1]
        whiskers = [tuple(line.get_xdata()) for line in _lines(axes, "None")]
        rows = table[table["metric"] == name]
        assert whiskers == list(zip(rows["low"], rows["high"], strict=True))
        dots = [np.asarray(line.get_xdata()) for line in axes.lines if line.get_markersize() == 5.5]
        assert np.concatenate(dots).tolist() == rows["mean"].tolist()
        seeds = [line for line in axes.lines if line.get_markersize() == 3]
        assert [np.asarray(line.get_xdata()).tolist() for line in seeds] == [
            result.metric_of_seeds(name) for result in comparison.results
        ]


@pytest.fixture(scope="session")
def all_fusions(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    names = registry.names()
    return read_comparison(write_results(tmp_path_factory.mktemp("all"), names, (0,)), names)


def test_names_in_the_metrics_figure_do_not_run_into_each_other(all_fusions: Comparison) -> None:
    figure = figures.metrics_figure(all_fusions, curves.metrics_table(all_fusions))
    with mpl.style.context(figures.STYLE_SHEET):
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
        titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert len(boxes) == len(all_fusions.results)
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))
    assert not any(one.overlaps(other) for n, one in enumerate(titles) for other in titles[n + 1 :])


def test_every_fusion_and_the_threshold_have_a_confusion(all_fusions: Comparison) -> None:
    figure = figures.confusion_figure(all_fusions)
    titles = [axes.get_title() for axes in figure.axes if axes.axison]
    assert titles == [name.replace("_", " ") for name in (*registry.names(), THRESHOLD)]


def test_ranking_figure_has_a_line_per_fusion_and_seed(comparison: Comparison) -> None:
    tables = roc_points(comparison.fusions)
    (axes,) = figures.ranking_figure(comparison, tables).axes
    assert len(axes.lines) == 4
    assert axes.get_xlabel() == "false positive rate (%)"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["late", "hadamard"]


def test_pairs_figure_has_both_intervals_and_colours_what_is_shown() -> None:
    descriptive = PAIR._replace(metric="nll", role="descriptive")
    pairs = [PAIR, WORSE, UNDECIDED]
    (axes,) = figures.pairs_figure(pairs_table(*pairs, descriptive)).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["late − hadamard", "add − hadamard", "late − rgb only"]
    thick, thin = (
        [line for line in axes.lines if line.get_linewidth() == width] for width in (2.6, 1.2)
    )
    for lines, claim in ((thick, "retrained"), (thin, "fixed")):
        assert [tuple(np.asarray(line.get_xdata())) for line in lines] == [
            (getattr(pair, f"{claim}_low"), getattr(pair, f"{claim}_high")) for pair in pairs
        ]
    colours = [line.get_color() for line in thick]
    assert colours[0] == colours[1] != colours[2]
    assert axes.get_xlabel() == "difference of test balanced accuracy (points)"
    assert "10 seeds" in axes.get_title()


def test_pairs_figure_of_one_seed_says_so() -> None:
    one = PAIR._replace(seeds=1, retrained_low=NAN, retrained_high=NAN, retrained_holm=NAN)
    (axes,) = figures.pairs_figure(pairs_table(one)).axes
    assert axes.get_title() == "95 % intervals; 1 seed(s) are too few for a verdict"


def test_pairs_figure_of_one_fusion_says_so() -> None:
    (axes,) = figures.pairs_figure(pairs_table()).axes
    assert axes.get_title() == "One fusion: nothing to compare"


def test_every_fusion_has_a_colour_and_a_marker_of_its_own() -> None:
    names = [f"fusion{number}" for number in range(7)]
    colours = figures.colours(names)
    assert len({*colours.values()}) == 8
    assert colours[MAJORITY] == colours[THRESHOLD] not in {colours[name] for name in names}
    assert len({figures.markers(names)[name] for name in names}) == 7
    # It keeps its colour when another is appended.
    assert figures.colours(names[:3])[names[2]] == colours[names[2]]


def _colour_ranges(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if node.get("field") in ("fusion", "Model") and "range" in node.get("scale", {}):
            yield node["scale"]["range"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _colour_ranges(child)


@pytest.mark.parametrize("name", ["band", "curves", "metrics", "simple_bars"])
def test_templates_of_dvc_plots_have_the_same_colours(name: str) -> None:
    template = json.loads((ROOT / f".dvc/plots/{name}.json").read_text("utf-8"))
    ranges = list(_colour_ranges(template))
    assert ranges
    assert all(colours == list(figures.PALETTE) for colours in ranges)


def test_page_of_dvc_plots_loads_nothing_from_the_web() -> None:
    page = (ROOT / ".dvc/plots/page.html").read_text("utf-8")
    assert "{plot_divs}" in page
    for word in ("{scripts}", "<script src", "<link"):
        assert word not in page

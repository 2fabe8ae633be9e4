"""Tables for `dvc plots`, pictures, and the templates that draw the tables."""

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from tests.report.made_up import (
    BEST,
    MAJORITY,
    NAMES,
    PAIR,
    THRESHOLD,
    best_table,
    findings_of,
    pairs_table,
    write_results,
)
from tests.report.made_up import WORSE as NOT_BEST

from fusebench.evaluation.metrics import METRICS
from fusebench.files import read_table
from fusebench.models.registry import FUSIONS
from fusebench.report import (
    answer,
    curves,
    distances,
    drawing,
    figures,
    intervals,
    looks,
    pareto,
    ranking,
)
from fusebench.report.best import Best
from fusebench.report.findings import Findings
from fusebench.report.pairs import Pair
from fusebench.report.results import Comparison, read_comparison

NAN = float("nan")
WORSE = PAIR._replace(first="add", difference=-6.0, retrained_low=-9.0, retrained_high=-3.0)
UNDECIDED = PAIR._replace(second="rgb_only", holm=0.2)


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


# Of what is measured there is no picture for a paper: what is there repeats to the bit.
OF_TIMES = {"pareto"}
PICTURES = {
    "best", "confusion", "metrics", "pairs", "precision_recall", "reliability", "roc", "training",
}  # fmt: skip


def _plots(root: Path) -> dict[str, bytes]:
    folders = ("*.png", "curves/*", "vector/*")
    written = [path for pattern in folders for path in (root / "plots").glob(pattern)]
    return {path.name: path.read_bytes() for path in written}


def test_written_tables_and_pictures_repeat_to_the_bit(
    root: Path, compared: Path, comparison: Comparison
) -> None:
    findings = Findings.read(lambda path: (compared / path).read_bytes())
    tables = curves.curve_tables(comparison, findings, root / "plots")
    figures.write_plots(comparison, findings, tables, root / "plots")
    contents = _plots(root)
    assert contents == _plots(compared)
    assert set(tables) == {
        "answer", "best", "intervals", "metrics", "pareto", "roc", "precision_recall",
        "reliability", "training",
    }  # fmt: skip
    names = {f"{name}.{form}" for name in PICTURES for form in ("png", "pdf", "svg")}
    names |= {f"{name}.png" for name in OF_TIMES}
    assert set(contents) == names | {f"{name}.csv" for name in tables}
    for name in PICTURES | OF_TIMES:
        content = contents[f"{name}.png"]
        picture = Image.open(io.BytesIO(content))
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert len(content) < 400_000
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        assert len(np.unique(pixels, axis=0)) > 20
    roc = read_table(root / "plots/curves/roc.csv", {"fusion": str})
    assert set(roc["fusion"]) == set(NAMES)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_vector_pictures_need_no_font_and_have_no_date(name: str, compared: Path) -> None:
    pdf = (compared / f"plots/vector/{name}.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    svg = (compared / f"plots/vector/{name}.svg").read_text("utf-8")
    assert "<text" not in svg
    for word in ("CreationDate", "Producer", "<dc:date", "Matplotlib v"):
        assert word not in svg
        assert word.encode() not in pdf


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
    names = FUSIONS.names()
    return read_comparison(write_results(tmp_path_factory.mktemp("all"), names, (0,)), names)


def test_names_in_the_metrics_figure_do_not_run_into_each_other(all_fusions: Comparison) -> None:
    figure = figures.metrics_figure(all_fusions, curves.metrics_table(all_fusions))
    with drawing.styled():
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
        titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert len(boxes) == len(all_fusions.results)
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))
    assert not any(one.overlaps(other) for n, one in enumerate(titles) for other in titles[n + 1 :])


def test_every_fusion_and_the_threshold_have_a_confusion(all_fusions: Comparison) -> None:
    figure = figures.confusion_figure(all_fusions)
    titles = [axes.get_title() for axes in figure.axes if axes.axison]
    assert titles == [name.replace("_", " ") for name in (*FUSIONS.names(), THRESHOLD)]


def colours_in(path: Path) -> set[str]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {"#{:02X}{:02X}{:02X}".format(*pixel) for pixel in np.unique(pixels, axis=0)}


@pytest.mark.parametrize("name", ["roc", "precision_recall"])
def test_every_fusion_has_its_own_colour_where_the_lines_of_all_cross(
    name: str, tmp_path: Path
) -> None:
    names = FUSIONS.names()
    comparison = read_comparison(write_results(tmp_path, names, range(6)), names)
    table = getattr(ranking, f"{name}_table")(comparison.fusions)
    figure = getattr(ranking, f"{name}_figure")(comparison, table)
    wanted = {looks.looks(names)[name].colour for name in names}
    figures.save_in_full_colour(figure, tmp_path / "full.png")
    assert wanted <= colours_in(tmp_path / "full.png")
    drawing.save(figure, tmp_path / "few.png")
    assert not wanted <= colours_in(tmp_path / "few.png"), "then there is no need for the other"


def test_pictures_of_many_fusions_are_written_in_full_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = FUSIONS.names()
    comparison = read_comparison(write_results(tmp_path, names, (0,)), names)
    findings = findings_of(comparison, PAIR)
    tables = curves.curve_tables(comparison, findings, tmp_path / "plots")
    written: dict[str, set[str]] = {"save": set(), "save_in_full_colour": set()}
    for way, into in written.items():
        monkeypatch.setattr(figures, way, lambda _, path, into=into: into.add(path.stem))
    monkeypatch.setattr(figures, "write_vector", lambda *_: None)
    figures.write_plots(comparison, findings, tables, tmp_path / "plots")
    assert written["save_in_full_colour"] == {"precision_recall", "roc"} | OF_TIMES
    assert written["save"] == PICTURES - written["save_in_full_colour"]


LONG = ("late", "mixture_of_many_experts", *(f"fusion_{number}" for number in range(6)))


def test_no_word_of_any_picture_is_cut(tmp_path: Path) -> None:
    comparison = read_comparison(write_results(tmp_path, LONG, (0, 1)), LONG)
    pairs = [PAIR._replace(first=name, difference=-4.0) for name in LONG[1:]]
    best = [BEST._replace(fusion=name, below=3.0) for name in LONG]
    findings = findings_of(comparison, *pairs, best=best)
    tables = curves.curve_tables(comparison, findings, tmp_path / "plots")
    for figure in (
        figures.metrics_figure(comparison, tables["metrics"]),
        figures.training_figure(comparison, tables["training"]),
        figures.confusion_figure(comparison),
        ranking.roc_figure(comparison, tables["roc"]),
        intervals.pairs_figure(comparison, findings.pairs),
        distances.best_figure(comparison, findings.best),
        pareto.pareto_figure(comparison, tables["pareto"]),
    ):
        drawing.freeze(figure)
        # In inches, of all that is drawn.
        drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert -0.01 <= drawn.x0 <= drawn.x1 <= width + 0.01
        assert -0.01 <= drawn.y0 <= drawn.y1 <= height + 0.01


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("name", ["roc", "precision_recall"])
def test_rankings_are_drawn_whole_and_in_their_corner(name: str, comparison: Comparison) -> None:
    table = getattr(ranking, f"{name}_table")(comparison.fusions)
    figure = getattr(ranking, f"{name}_figure")(comparison, table)
    whole, near = figure.axes
    for axes in (whole, near):
        assert len([line for line in axes.lines if line.get_linestyle() != ":"]) == 4
    assert whole.get_xlim() == (-2, 102)
    points = table[table["panel"] == "whole"]
    corner = getattr(ranking, f"{name}_corner")(points)
    (frame,) = whole.patches
    assert frame.get_extents().transformed(whole.transData.inverted()).extents == pytest.approx(
        [corner.x[0], corner.y[0], corner.x[1], corner.y[1]]
    )
    assert near.get_xlim() == pytest.approx(corner.x, abs=1)
    assert near.get_ylim() == pytest.approx(corner.y, abs=1)
    # Outside of the axes, where it hides no line.
    assert [axes.get_legend() for axes in figure.axes] == [None, None]
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["late", "hadamard", "by chance"]
    assert f"synthetic samples, 2 seed(s), results {comparison.fingerprint}" in _texts(figure)


def test_chance_is_the_diagonal_and_the_share_of_the_positive_class(
    comparison: Comparison,
) -> None:
    for name, expected in (
        ("roc", [[0, 0], [100, 100]]),
        ("precision_recall", [[0, 20], [100, 20]]),
    ):
        table = getattr(ranking, f"{name}_table")(comparison.fusions)
        figure = getattr(ranking, f"{name}_figure")(comparison, table)
        (chance,) = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
        assert np.asarray(chance.get_xydata())[[0, -1]].tolist() == expected


def test_a_corner_holds_the_knees_of_good_curves_alone() -> None:
    rows = [("a", 0, n, x, y) for n, (x, y) in enumerate([(0, 0), (0, 90), (1, 99.2), (100, 100)])]
    columns = ["fusion", "seed", "point", "false_positive_rate", "true_positive_rate"]
    points = pd.DataFrame(rows, columns=columns)
    assert ranking.roc_corner(points) == ((0, 2), (98, 100))


def test_lines_end_where_they_leave_the_corner() -> None:
    corner = ranking.Corner((0, 2), (98, 100))
    x, y = np.array([0.0, 0.0, 1.0, 4.0]), np.array([0.0, 99.0, 99.0, 100.0])
    within = ranking._within(x, y, corner)
    assert within == pytest.approx(np.array([[0, 98], [0, 99], [1, 99], [2, 99 + 1 / 3]]))


def test_training_has_a_panel_per_fusion_with_the_others_in_grey(comparison: Comparison) -> None:
    table = pd.DataFrame(
        [
            {"fusion": name, "epoch": epoch, "val_loss": 1 / epoch, "low": 0.5 / epoch, "high": 2}
            for name in NAMES
            for epoch in (1, 2)
        ]
    )
    figure = figures.training_figure(comparison, table)
    assert [axes.get_title() for axes in figure.axes] == ["late", "hadamard"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    for name, axes in zip(NAMES, figure.axes, strict=True):
        assert axes.get_yscale() == "log"
        drawn = [line.get_color() for line in axes.lines]
        assert sorted(drawn) == sorted([looks.CONTEXT, looks.looks(NAMES)[name].colour])
        assert len(axes.collections) == 1


@pytest.mark.parametrize("count", [1, 4, 5, 14])
def test_panels_of_any_number_of_fusions(count: int) -> None:
    figure, panels = drawing.grid(count, (2, 2), (0, 0))
    assert len(panels) == count
    assert [axes for axes in figure.axes if axes.axison] == panels
    assert figure.get_size_inches()[0] == 2 * min(4, count)


def _suptitle(axes: Axes) -> str:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure.get_suptitle()


def _pairs(comparison: Comparison, *pairs: Pair) -> Axes:
    (axes,) = intervals.pairs_figure(comparison, pairs_table(*pairs)).axes
    return axes


def test_pairs_figure_has_both_intervals_and_colours_what_is_shown(comparison: Comparison) -> None:
    descriptive = PAIR._replace(metric="nll", role="descriptive")
    axes = _pairs(comparison, WORSE, UNDECIDED._replace(difference=2.0), PAIR, descriptive)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    # The largest first; the better fusion of each stands first.
    assert labels == ["late − hadamard", "hadamard − add", "late − rgb only"]
    thick, thin = (
        [line for line in axes.lines if line.get_linewidth() == width] for width in (2.6, 1.2)
    )
    assert [tuple(np.asarray(line.get_xdata())) for line in thick] == [
        (4.5, 11.5),
        (3, 9),
        (4.5, 11.5),
    ]
    assert [tuple(np.asarray(line.get_xdata())) for line in thin] == [
        (6.9, 9.1),
        (-9.1, -6.9),
        (6.9, 9.1),
    ]
    assert [line.get_color() for line in thick] == [looks.SHOWN, looks.SHOWN, looks.GREY]
    assert axes.get_xlabel() == "difference of test balanced accuracy (points)"
    assert "10 seeds" in _suptitle(axes)
    note = f"synthetic samples, 2 seed(s), results {comparison.fingerprint}"
    assert note in _texts(axes.get_figure(root=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "difference", "sides"),
    [
        ("balanced_accuracy", 8.0, ("← favours the second", "favours the first →")),
        ("nll", -0.2, ("← favours the first", "favours the second →")),
    ],
)
def test_pairs_say_which_side_favours_whom(
    metric: str, difference: float, sides: tuple[str, str], comparison: Comparison
) -> None:
    axes = _pairs(comparison, PAIR._replace(metric=metric, difference=difference))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["late − hadamard"]
    left, right = axes.texts
    assert (left.get_text(), right.get_text()) == sides
    assert (left.get_horizontalalignment(), right.get_horizontalalignment()) == ("right", "left")


@settings(max_examples=60)
@given(st.sampled_from(sorted(METRICS)), st.lists(st.floats(-300, 300), min_size=5, max_size=5))
def test_no_interval_is_outside_what_a_difference_can_be(metric: str, values: list[float]) -> None:
    ends = sorted(values)
    pair = PAIR._replace(
        metric=metric, retrained_low=ends[0], fixed_low=ends[1], difference=ends[2],
        fixed_high=ends[3], retrained_high=ends[4],
    )  # fmt: skip
    (row,) = intervals.intervals_table(pairs_table(pair)).to_dict("records")
    low, high = METRICS[metric].bounds
    reach = high - low
    assert -reach <= row["low"] <= row["fixed_low"] <= row["fixed_high"] <= row["high"] <= reach
    assert (row["difference"] >= 0) is METRICS[metric].higher_is_better or row["difference"] == 0


def test_too_few_seeds_have_not_the_colour_of_what_is_shown(comparison: Comparison) -> None:
    one = PAIR._replace(seeds=1, retrained_low=NAN, retrained_high=NAN, holm=NAN)
    few = PAIR._replace(seeds=3)
    for pair in (one, few):
        axes = _pairs(comparison, pair)
        assert _suptitle(axes) == (
            f"95 % intervals; {pair.seeds} seed(s) are too few for a verdict\n"
            "thick: trained again; thin: these models alone; hollow: not tested"
        )
        assert looks.SHOWN not in {line.get_color() for line in axes.lines}
        (said,) = intervals.intervals_table(pairs_table(pair))["shown"]
        assert said == "too few seeds to say"


def test_pairs_figure_of_one_fusion_says_so(comparison: Comparison) -> None:
    assert _suptitle(_pairs(comparison)) == "One fusion: nothing to compare"


def test_answer_begins_with_the_recommendation_and_ends_with_each_pair(
    comparison: Comparison,
) -> None:
    findings = findings_of(comparison, PAIR, WORSE)
    table = answer.answer_table(comparison, findings)
    assert table["line"].tolist() == list(range(len(table)))
    said = table.groupby("sentence")["text"].agg(" ".join).tolist()
    kinds = table.groupby("sentence")["kind"].first().tolist()
    assert (kinds[0], said[0]) == ("answer", findings.answer)
    assert said[1 : 1 + len(findings.remarks)] == findings.remarks
    assert said[-2:] == findings.sentences
    assert kinds[-2:] == ["pair", "pair"]
    assert f"Synthetic samples, 2 seed(s), results {comparison.fingerprint}." in said
    assert table["text"].str.len().max() <= 100


# --- The distance to the best ---

MAYBE = BEST._replace(fusion="add", mean=96.9, below=3.4)
GOOD = BEST._replace(below=1.8)


def _best(comparison: Comparison, *rows: Best) -> Axes:
    (axes,) = distances.best_figure(comparison, best_table(*rows)).axes
    return axes


def test_distances_say_what_is_as_good_and_what_is_not() -> None:
    table = distances.distances_table(best_table(GOOD, MAYBE, NOT_BEST))
    assert table["fusion"].tolist() == ["late", "add", "hadamard"]
    assert table["distance"].tolist() == pytest.approx([0, 0.6, 8.0])
    assert table["below"].tolist() == [1.8, 3.4, 10.7]
    assert table["said"].tolist() == [
        "as good as the best", "may be the best", "shown not to be the best"
    ]  # fmt: skip
    assert set(table["axis"]) == {"test balanced accuracy below the best (points)"}
    loss = distances.distances_table(best_table(GOOD._replace(metric="nll", mean=0.01)))
    assert set(loss["axis"]) == {"test NLL above the best (nats)"}
    few = distances.distances_table(best_table(GOOD._replace(below=NAN, seeds=3)))
    assert few["said"].tolist() == ["too few seeds to say"]


def test_distances_are_drawn_up_to_their_bounds_with_the_margin(comparison: Comparison) -> None:
    axes = _best(comparison, GOOD, MAYBE, NOT_BEST)
    ends = [np.asarray(line.get_xdata()).tolist() for line in axes.lines]
    bars = [tuple(pair) for pair in ends if len(pair) == 2]
    assert bars == [(0, 1.8), (0, 3.4), (0, 10.7), (2.0, 2.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["late", "add", "hadamard"]
    assert [text.get_text() for text in axes.texts] == ["margin 2"]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "as good as the best", "may be the best", "shown not to be the best"
    ]  # fmt: skip
    assert "all together with 95 %, 10 seeds" in _suptitle(axes)
    assert axes.get_xlim()[0] == 0


def test_without_a_margin_or_enough_seeds_no_line_is_drawn(comparison: Comparison) -> None:
    bare = _best(comparison, *(row._replace(margin=NAN) for row in (GOOD, NOT_BEST)))
    assert not bare.texts
    few = [row._replace(seeds=3, below=NAN, candidate="yes") for row in (GOOD, NOT_BEST)]
    assert "3 seed(s) are too few for bounds" in _suptitle(_best(comparison, *few))


def test_pairs_that_are_not_tested_stand_below_and_hollow(comparison: Comparison) -> None:
    unplanned = WORSE._replace(role="unplanned", difference=-20.0, holm=NAN)
    axes = _pairs(comparison, PAIR, unplanned)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["late − hadamard", "hadamard − add"]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == [looks.SHOWN, "white"]
    table = intervals.intervals_table(pairs_table(PAIR, unplanned))
    assert table["shown"].tolist() == ["shown", "not tested"]
    assert table["group"].tolist() == ["planned contrasts", "other pairs, not tested"]


def test_all_that_is_drawn_of_distances_is_within_the_axes(comparison: Comparison) -> None:
    for rows in (
        [GOOD._replace(margin=50.0), MAYBE],
        [row._replace(seeds=3, below=NAN) for row in (GOOD, NOT_BEST)],
        [GOOD._replace(below=0.0, margin=NAN), GOOD._replace(below=0.0, margin=NAN)],
    ):
        axes = _best(comparison, *rows)
        ends = np.concatenate([np.asarray(line.get_xdata(), float) for line in axes.lines])
        low, high = axes.get_xlim()
        assert low <= np.nanmin(ends) <= np.nanmax(ends) < high

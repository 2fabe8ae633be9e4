"""Reliability: how often answers are right, by how sure they are, before and after scaling."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusebench.evaluation.metrics import CALIBRATION_BINS, METRICS, confidences
from fusebench.evaluation.temperature import is_bound, scaled
from fusebench.prediction.predictions import PartPredictions
from fusebench.report.drawing import grid, styled
from fusebench.report.looks import GREY, looks, note, title
from fusebench.report.probabilities import temperatures
from fusebench.report.results import Comparison, Result

_DIGITS = 4
_COLUMNS = ("fusion", "scaled", "bin", "low", "high", "confidence", "accuracy", "count")
# Area of a marker that stands for all samples, and of the smallest that is still seen, in points².
_LARGEST, _SMALLEST = 160.0, 4.0


def reliability_table(comparison: Comparison, probabilities: pd.DataFrame | None) -> pd.DataFrame:
    """Return how often answers are right on test, by bins of confidence.

    Parameters
    ----------
    probabilities : DataFrame or None
        As metrics/probabilities.csv, which has the temperatures; None: as stored alone.

    Returns
    -------
    DataFrame
        fusion; scaled: 1 after temperature scaling, else 0; bin: number from 0; low, high: its
        ends; confidence and accuracy: means over the samples of all seeds; count: samples in it,
        mean over seeds. All but scaled, bin and count in percent. Empty bins are left out.
    """
    known = {} if probabilities is None else temperatures(probabilities)
    rows: list[tuple[object, ...]] = []
    for result in comparison.results:
        if not result.predictions.info["inputs"]:
            continue
        tests = {seed: parts["test"] for seed, parts in result.predictions.seeds.items()}
        rows += [(result.name, 0, *row) for row in _bins(list(tests.values()))]
        if all((result.name, seed) in known for seed in tests):
            cooled = [scaled(part, known[result.name, seed]) for seed, part in tests.items()]
            rows += [(result.name, 1, *row) for row in _bins(cooled)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _bins(seeds: list[PartPredictions]) -> Iterator[tuple[float, ...]]:
    """Yield bin, low, high, confidence, accuracy and count of each bin that is not empty."""
    confidence, correct, bins = (
        np.concatenate(columns) for columns in zip(*map(confidences, seeds), strict=True)
    )
    for number in np.unique(bins).tolist():
        inside = bins == number
        means = [100 * float(values[inside].mean()) for values in (confidence, correct)]
        ends = [100 * (number + end) / CALIBRATION_BINS for end in (0, 1)]
        figures = (*ends, *means, float(inside.sum()) / len(seeds))
        yield (number, *(round(value, _DIGITS) for value in figures))


def reliability_figure(
    comparison: Comparison, table: pd.DataFrame, probabilities: pd.DataFrame | None
) -> Figure:
    """Draw accuracy by confidence, a panel per fusion: as stored, and after temperature scaling.

    Parameters
    ----------
    table : DataFrame
        As `reliability_table`.
    probabilities : DataFrame or None
        As metrics/probabilities.csv; its means stand over the panels.
    """
    results = [row for row in comparison.results if row.predictions.info["inputs"]]
    with styled():
        figure, panels = grid(len(results), (2.5, 2.5), (0.6, 1.1), shared="xy")
        for axes, result in zip(panels, results, strict=True):
            colour = looks(list(comparison.fusions))[result.name].colour
            _draw(axes, table[table["fusion"] == result.name], colour)
            axes.set_title(f"{title(result.name)}\n{_summary(result, probabilities)}", fontsize=9)
            axes.tick_params(labelbottom=True, labelleft=True)
        lowest = 100 / len(results[0].predictions.classes)
        panels[0].set(xlim=(lowest - 3, 103), ylim=(-5, 105))
        figure.supylabel("accuracy (%) of test samples by confidence (%)", fontsize=10)
        figure.suptitle(
            "Reliability on test, all seeds: area by share of samples; dotted: as sure as right",
            fontsize=11,
        )
        if table["scaled"].any():
            figure.legend(handles=_legend(), loc="outside lower left", ncols=2, fontsize=9)
        note(figure, comparison)
    return figure


def _draw(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":", zorder=1)
    for scaled_too, rows in table.groupby("scaled"):
        share = rows["count"] / rows["count"].sum()
        axes.scatter(
            rows["confidence"], rows["accuracy"], s=_SMALLEST + _LARGEST * share,
            facecolors=colour if scaled_too else "none", edgecolors=colour if scaled_too else GREY,
            linewidths=1, alpha=0.85, clip_on=False, zorder=3 - scaled_too,
        )  # fmt: skip


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], linestyle="none", marker="o", mfc=face, mec=GREY, label=words)
        for face, words in (("none", "as stored"), (GREY, "after temperature scaling (colour)"))
    ]


def _summary(result: Result, probabilities: pd.DataFrame | None) -> str:
    """Return the calibration error, and with a temperature its mean over seeds and what it does."""
    metric = METRICS["calibration_error"]
    before = f"ECE {metric.text(result.metrics['test'][metric.name]['mean'])}"
    if probabilities is None:
        return before
    rows = probabilities[probabilities["fusion"] == result.name]
    if not len(rows) or rows["temperature"].isna().any():
        return before
    after = metric.text(float(rows["scaled_calibration_error"].mean()))
    bounded = sum(map(is_bound, rows["temperature"].tolist()))
    held = f" ({bounded} at bound)" if bounded else ""
    return f"T {rows['temperature'].mean():.2f}{held}\n{before} → {after}"

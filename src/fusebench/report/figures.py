"""The comparison as PNG pictures; they need no browser and stand in the README."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.files import replace_file
from fusebench.report.curves import Row
from fusebench.report.results import Comparison
from fusebench.report.style import STYLE_SHEET, colours, markers, title

mpl.use("Agg")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in one step, without the date or version that would change its bytes."""
    with replace_file(path) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})


def _note(figure: Figure, comparison: Comparison) -> None:
    kind = "rendered" if comparison.rendered else "recorded"
    # Below the axes, where the layout keeps room for it.
    figure.supxlabel(
        f"{kind} samples, {len(comparison.seeds)} seed(s)", x=0.99, ha="right", fontsize=7,
        color="#666666",
    )  # fmt: skip


def training_picture(comparison: Comparison, rows: Sequence[Row]) -> Figure:
    """Draw val loss by epoch: mean of the seeds, with a band from lowest to highest."""
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(7, 4.2))
        axes = figure.subplots()
        names = comparison.trained
        for name in names:
            held = [row for row in rows if row["fusion"] == name]
            epochs = [int(row["epoch"]) for row in held]
            mean, low, high = (
                [float(row[key]) for row in held] for key in ("val_loss", "low", "high")
            )
            colour = colours(names)[name]
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
            marker = markers(names)[name]
            axes.plot(epochs, mean, color=colour, marker=marker, ms=4, label=title(name))
        axes.set(
            xlabel="epoch", ylabel="val loss (nats per sample)", yscale="log",
            title="Validation loss: mean over seeds, band from lowest to highest",
        )  # fmt: skip
        axes.legend()
        _note(figure, comparison)
    return figure


def ranking_picture(comparison: Comparison, rows: Sequence[Row], x: str, y: str) -> Figure:
    """Draw ROC or precision-recall on test, a thin line per seed."""
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(5.4, 4.6))
        axes = figure.subplots()
        names = comparison.trained
        for name in names:
            for seed in comparison.seeds:
                held = [row for row in rows if row["fusion"] == name and row["seed"] == seed]
                axes.plot(
                    [float(row[x]) for row in held], [float(row[y]) for row in held],
                    color=colours(names)[name], linewidth=1.3, alpha=0.85,
                    label=title(name) if seed == comparison.seeds[0] else None,
                )  # fmt: skip
        positive = next(iter(comparison.predictions.values())).info["positive"]
        axes.set(
            xlabel=f"{x.replace('_', ' ')} (%)", ylabel=f"{y.replace('_', ' ')} (%)",
            xlim=(-2, 102), ylim=(-2, 102),
            title=f"Test, positive class {positive}: one line per seed",
        )  # fmt: skip
        axes.legend()
        _note(figure, comparison)
    return figure


def accuracy_picture(comparison: Comparison, rows: Sequence[Row]) -> Figure:
    """Draw balanced accuracy on test as bars with the deviation over seeds, and each seed."""
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(7, 4.2))
        axes = figure.subplots()
        chosen = colours(list(comparison.predictions))
        for place, (row, result) in enumerate(zip(rows, comparison.results, strict=True)):
            mean, name = float(row["balanced_accuracy"]), str(row["fusion"])
            axes.bar(place, mean, color=chosen[name], width=0.62)
            axes.errorbar(place, mean, mean - float(row["low"]), color="#222222", capsize=5)
            seeds = result.metrics["test"]["seeds"].values()
            values = [seed["balanced_accuracy"] for seed in seeds]
            offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [0.0]
            axes.plot(
                place + np.array(offsets), values, "o", ms=4, mfc="white", mec="#222222", mew=1
            )
            axes.text(place, 2, f"{mean:.1f}", ha="center", color="white", fontweight="bold")
        # A word per line, or the names of many fusions would run into each other.
        words = [str(row["fusion"]).replace("_", "\n") for row in rows]
        axes.set_xticks(range(len(rows)), words, fontsize=9)
        axes.set(
            ylabel="test balanced accuracy (%)", ylim=(0, 104),
            title="Mean over seeds (bar), ± standard deviation (whisker), each seed (circle)",
        )  # fmt: skip
        axes.grid(visible=False, axis="x")
        _note(figure, comparison)
    return figure


def confusion_picture(comparison: Comparison) -> Figure:
    """Draw the confusion of each fusion and of the threshold, shaded by row share.

    Numbers are test samples, mean over seeds.
    """
    with mpl.style.context([STYLE_SHEET, {"axes.grid": False}]):
        names = list(comparison.predictions)
        columns = min(4, len(names))
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(2.9 * columns, 3.1 * rows))
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        held = [result for result in comparison.results if result.name in names]
        for axes, result in zip(grid, held, strict=False):
            seeds = result.metrics["test"]["seeds"].values()
            counts = np.mean([seed["confusion"] for seed in seeds], axis=0)
            _draw_confusion(axes, counts, comparison.predictions[result.name].classes)
            axes.set_title(title(result.name), color=colours(names)[result.name])
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        figure.suptitle("Test samples, mean over seeds; shade: share of the actual class")
        _note(figure, comparison)
    return figure


def _draw_confusion(axes: Axes, counts: npt.NDArray[np.float64],
                    classes: Sequence[str]) -> None:  # fmt: skip
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.25)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column, row, f"{count:,.1f}\n{100 * shares[row, column]:.1f} %", ha="center",
            va="center", color="white" if shares[row, column] > 0.6 else "black", fontsize=9,
        )  # fmt: skip
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="actual")

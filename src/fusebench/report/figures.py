"""The comparison as PNG pictures; they need no browser and stand in the README."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import replace_file
from fusebench.prediction.predictions import BASELINES
from fusebench.report.curves import write_curves
from fusebench.report.pairs import Pair, primary_pairs
from fusebench.report.results import Comparison
from fusebench.report.verdict import State, state
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

mpl.use("Agg")

# Okabe & Ito, "Color universal design" (2008), without yellow, which is lost on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_GREY, _LIGHT_GREY = "#8A8A8A", "#B5B5B5"
# Settings of matplotlib, in its own format.
STYLE_SHEET = Path(__file__).with_name("fusebench.mplstyle")


def write_plots(comparison: Comparison, pairs: pd.DataFrame, folder: Path) -> None:
    """Write <folder>/curves/*.csv for `dvc plots` and <folder>/*.png to look at.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    folder : Path
        Holds training/<fusion>.csv, the learning curves that stage train wrote.
    """
    tables = write_curves(comparison, folder)
    figures = {
        "training": training_figure(comparison, tables["training"]),
        "roc": ranking_figure(comparison, tables["roc"]),
        "precision_recall": ranking_figure(comparison, tables["precision_recall"]),
        "metrics": metrics_figure(comparison, tables["metrics"]),
        "confusion": confusion_figure(comparison),
        "pairs": pairs_figure(pairs),
    }
    for name, figure in figures.items():
        save(figure, folder / f"{name}.png")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in one step, without the date or version that would change its bytes."""
    with replace_file(path) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})


def title(name: str) -> str:
    """Return how pictures call a fusion or baseline."""
    return name.replace("_", " ")


def colours(fusions: Sequence[str]) -> dict[str, str]:
    """Return the colour of each fusion, by its position in `fusions`, and of the baselines."""
    chosen = {name: PALETTE[number % len(PALETTE)] for number, name in enumerate(fusions)}
    return chosen | dict.fromkeys(BASELINES, _GREY)


def markers(fusions: Sequence[str]) -> dict[str, str]:
    """Return the marker of each fusion and baseline: told apart without colour, too."""
    chosen = {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(fusions)}
    return chosen | dict.fromkeys(BASELINES, "o")


def _note(figure: Figure, comparison: Comparison) -> None:
    # Below the axes, where the layout keeps room for it.
    figure.supxlabel(
        f"{comparison.samples} samples, {len(comparison.seeds)} seed(s)", x=0.99, ha="right",
        fontsize=7, color="#666666",
    )  # fmt: skip


def training_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw val loss by epoch: mean of the seeds, with a band from lowest to highest."""
    names = list(comparison.fusions)
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(7, 4.2))
        axes = figure.subplots()
        for name, losses in table.groupby("fusion", sort=False):
            colour, epochs = colours(names)[name], losses["epoch"]
            axes.fill_between(
                epochs, losses["low"], losses["high"], color=colour, alpha=0.15, linewidth=0
            )
            axes.plot(
                epochs, losses["val_loss"], color=colour, marker=markers(names)[name], ms=4,
                label=title(name),
            )  # fmt: skip
        axes.set(
            xlabel="epoch", ylabel="val loss (nats per sample)", yscale="log",
            title="Validation loss: mean over seeds, band from lowest to highest",
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        _note(figure, comparison)
    return figure


def ranking_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw ROC or precision-recall on test, a thin line per seed.

    Parameters
    ----------
    table : DataFrame
        fusion, seed, point, and in the last two columns x and y.
    """
    x, y = table.columns[-2:]
    chosen = colours(list(comparison.fusions))
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(5.4, 4.6))
        axes = figure.subplots()
        for (name, seed), points in table.groupby(["fusion", "seed"], sort=False):
            axes.plot(
                points[x], points[y], color=chosen[name], linewidth=1.3, alpha=0.85,
                label=title(name) if seed == comparison.seeds[0] else None,
            )  # fmt: skip
        axes.set(
            xlabel=f"{x.replace('_', ' ')} (%)", ylabel=f"{y.replace('_', ' ')} (%)",
            xlim=(-2, 102), ylim=(-2, 102),
            title=f"Test, positive class {comparison.positive}: one line per seed",
        )  # fmt: skip
        axes.legend()
        _note(figure, comparison)
    return figure


def metrics_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw each metric on test: a dot per row of the comparison, with its deviation and seeds."""
    names = [title(result.name) for result in comparison.results]
    columns = min(4, len(METRICS))
    rows = -(-len(METRICS) // columns)
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(1.4 + 2.3 * columns, 0.7 + rows * (0.75 + 0.21 * len(names))))
        grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
        for axes, metric in zip(grid, METRICS.values(), strict=False):
            _draw_metric(axes, metric, comparison, table[table["metric"] == metric.name])
        for axes in grid[len(METRICS) :]:
            axes.set_axis_off()
        grid[0].set_yticks(range(len(names)), names)
        grid[0].set_ylim(len(names) - 0.5, -0.5)
        figure.suptitle(
            "Test: mean over seeds (filled), ± standard deviation (line), each seed (circle)",
            fontsize=11,
        )
        _note(figure, comparison)
    return figure


def _draw_metric(axes: Axes, metric: Metric, comparison: Comparison, table: pd.DataFrame) -> None:
    names = list(comparison.fusions)
    for position, (result, row) in enumerate(
        zip(comparison.results, table.to_dict("records"), strict=True)
    ):
        colour, marker = (look(names)[result.name] for look in (colours, markers))
        seeds = result.metric_of_seeds(metric.name)
        # Below the line, which would hide them.
        axes.plot(
            seeds, [position + 0.3] * len(seeds), "o", ms=3, mfc="none", mec=_GREY, mew=0.7,
            clip_on=False,
        )  # fmt: skip
        axes.plot(
            [row["low"], row["high"]], [position] * 2, color=colour, clip_on=False,
            solid_capstyle="butt",
        )  # fmt: skip
        axes.plot(row["mean"], position, marker, ms=5.5, color=colour, clip_on=False)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, metric.bounds[0]), min(high, metric.bounds[1]))
    unit = f" ({metric.unit})" if metric.unit else ""
    direction = "higher" if metric.higher_is_better else "lower"
    axes.set_title(f"{metric.label}{unit}\n{direction} is better", fontsize=9)
    axes.tick_params(labelsize=8)


def confusion_figure(comparison: Comparison) -> Figure:
    """Draw the confusion of each fusion and of the threshold, shaded by row share.

    Numbers are test samples, mean over seeds.
    """
    # What looks at no input says the same of every sample.
    results = [result for result in comparison.results if result.predictions.info["inputs"]]
    columns = min(4, len(results))
    rows = -(-len(results) // columns)
    with mpl.style.context([STYLE_SHEET, {"axes.grid": False}]):
        figure = Figure(figsize=(2.9 * columns, 3.1 * rows))
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, result in zip(grid, results, strict=False):
            seeds = result.metrics["test"]["seeds"].values()
            counts = np.mean([seed["confusion"] for seed in seeds], axis=0)
            _draw_confusion(axes, counts, result.predictions.classes)
            axes.set_title(title(result.name), color=colours(list(comparison.fusions))[result.name])
        for axes in grid[len(results) :]:
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


def pairs_figure(pairs: pd.DataFrame) -> Figure:
    """Draw the primary metric's differences: a dot, and the interval of each claim.

    Thick and dark: retrained; coloured where the difference is shown after Holm. Thin and light:
    these trained models.
    """
    rows = primary_pairs(pairs)
    with mpl.style.context(STYLE_SHEET):
        figure = Figure(figsize=(7, 1.5 + 0.27 * max(1, len(rows))))
        axes = figure.subplots()
        for position, pair in enumerate(rows):
            _draw_pair(axes, position, pair)
        axes.axvline(0, color="#555555", linewidth=1)
        names = [f"{title(pair.first)} − {title(pair.second)}" for pair in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_title(_pairs_title(rows))
        if rows:
            metric = METRICS[rows[0].metric]
            unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
            axes.set_xlabel(f"difference of test {metric.label}{unit}")
    return figure


def _draw_pair(axes: Axes, position: int, pair: Pair) -> None:
    shown = state(pair) in (State.BETTER, State.WORSE)
    colour = PALETTE[0] if shown else _GREY
    # Where an interval is not known (NaN), nothing is drawn.
    for low, high, line, offset, width in (
        (pair.retrained_low, pair.retrained_high, colour, 0.0, 2.6),
        (pair.fixed_low, pair.fixed_high, _LIGHT_GREY, 0.22, 1.2),
    ):
        axes.plot(
            [low, high], [position + offset] * 2, color=line, linewidth=width,
            solid_capstyle="butt",
        )  # fmt: skip
    axes.plot(pair.difference, position, marker="o", ms=4.5, color=colour)


def _pairs_title(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "One fusion: nothing to compare"
    seeds, level = pairs[0].seeds, f"{100 * LEVEL:.0f} %"
    if seeds < FEWEST_SEEDS:
        return f"{level} intervals; {seeds} seed(s) are too few for a verdict"
    return (
        f"{level} intervals, each by itself, over {seeds} seeds\n"
        "blue: shown after Holm; thin: these trained models alone"
    )

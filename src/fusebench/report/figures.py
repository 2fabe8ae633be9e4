"""The comparison as pictures; they need no browser and stand in the README."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fusebench.aside import replace_file, replace_folder
from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.report.curves import write_curves
from fusebench.report.distances import best_figure
from fusebench.report.drawing import freeze, grid, save, styled, write
from fusebench.report.findings import Findings
from fusebench.report.intervals import pairs_figure
from fusebench.report.looks import CONTEXT, GREY, looks, note, title
from fusebench.report.pareto import pareto_figure
from fusebench.report.ranking import precision_recall_figure, roc_figure
from fusebench.report.reliability import reliability_figure
from fusebench.report.results import Comparison

# Forms of a picture for a paper.
_VECTOR = ("pdf", "svg")
# Pictures in which the lines of all fusions cross, and of how many fusions 256 colours hold the
# shades that this gives; of more, one fusion would be drawn in the colour of another.
_CROSSING, _FEW = ("roc", "precision_recall"), 7


def write_plots(
    comparison: Comparison,
    findings: Findings,
    tables: Mapping[str, pd.DataFrame],
    folder: Path,
) -> None:
    """Write <folder>/curves/*.csv for `dvc plots`, and pictures.

    A picture is <folder>/<name>.png to look at, and <folder>/vector/<name>.pdf and .svg for a
    paper. Of times there is the first alone: what is in vector/ repeats to the bit.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As `curves.curve_tables`.
    """
    write_curves(tables, folder)
    figures = {
        "training": training_figure(comparison, tables["training"]),
        "roc": roc_figure(comparison, tables["roc"]),
        "precision_recall": precision_recall_figure(comparison, tables["precision_recall"]),
        "metrics": metrics_figure(comparison, tables["metrics"]),
        "confusion": confusion_figure(comparison),
        "reliability": reliability_figure(
            comparison, tables["reliability"], findings.probabilities
        ),
        "pairs": pairs_figure(comparison, findings.pairs),
        "best": best_figure(comparison, findings.best),
    }
    for name, figure in figures.items():
        crossing = name in _CROSSING and len(comparison.fusions) > _FEW
        (save_in_full_colour if crossing else save)(figure, folder / f"{name}.png")
    write_vector(figures, folder / "vector")
    save_in_full_colour(pareto_figure(comparison, tables["pareto"]), folder / "pareto.png")


def save_in_full_colour(figure: Figure, path: Path) -> None:
    """Write a figure as PNG in one step; `save` would merge colours where there are many."""
    freeze(figure)
    with replace_file(path) as aside:
        write(figure, aside, "png")


def write_vector(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as PDF and SVG into a folder that holds nothing else."""
    with replace_folder(folder) as aside:
        for name, figure in figures.items():
            for form in _VECTOR:
                write(figure, aside / f"{name}.{form}", form)


def training_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw val loss by epoch, a panel per fusion: mean of the seeds, band from lowest to highest.

    The means of the other fusions stand behind in light grey.
    """
    names = list(comparison.fusions)
    with styled():
        figure, panels = grid(len(names), (2.4, 2.0), (0.6, 0.9), shared="xy")
        for name, axes in zip(names, panels, strict=True):
            draw_training(axes, name, names, table)
            axes.tick_params(labelbottom=True)
        panels[0].set_yscale("log")
        panels[0].xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        figure.supylabel("val loss (nats per sample) by epoch", fontsize=10)
        figure.suptitle(
            "Val loss: mean over seeds, band from lowest to highest; grey: the other fusions",
            fontsize=11,
        )
        note(figure, comparison)
    return figure


def draw_training(axes: Axes, name: str, names: Sequence[str], table: pd.DataFrame) -> None:
    """Draw the val loss of fusion `name` of `names`, and in grey that of the others.

    Parameters
    ----------
    table : DataFrame
        As `curves.training_table`.
    """
    look = looks(names)[name]
    for other, losses in table.groupby("fusion", sort=False):
        if other != name:
            axes.plot(losses["epoch"], losses["val_loss"], color=CONTEXT, linewidth=1, zorder=1)
    own = table[table["fusion"] == name]
    axes.fill_between(
        own["epoch"], own["low"], own["high"], color=look.colour, alpha=0.25, linewidth=0
    )
    axes.plot(
        own["epoch"], own["val_loss"], color=look.colour, marker=look.marker, ms=4,
        linestyle=look.linestyle, zorder=3,
    )  # fmt: skip
    axes.set_title(title(name), fontsize=10)


def metrics_figure(comparison: Comparison, table: pd.DataFrame) -> Figure:
    """Draw each metric on test: a dot per row of the comparison, with its deviation and seeds."""
    names = [title(result.name) for result in comparison.results]
    fusions = list(comparison.fusions)
    with styled():
        figure, panels = grid(len(METRICS), (2.3, 0.75 + 0.21 * len(names)), (1.4, 0.7), shared="y")
        for axes, metric in zip(panels, METRICS.values(), strict=True):
            of_seeds = [result.metric_of_seeds(metric.name) for result in comparison.results]
            draw_metric(axes, metric, fusions, table[table["metric"] == metric.name], of_seeds)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        figure.suptitle(
            "Test: mean over seeds (filled), ± standard deviation (line), each seed (circle)",
            fontsize=11,
        )
        note(figure, comparison)
    return figure


def draw_metric(
    axes: Axes,
    metric: Metric,
    fusions: Sequence[str],
    table: pd.DataFrame,
    of_seeds: Sequence[Sequence[float]],
) -> None:
    """Draw a metric: a row per fusion and baseline, from above.

    Parameters
    ----------
    fusions : sequence of str
        All fusions of the comparison: a colour is by the position among them.
    table : DataFrame
        fusion, mean, low and high, as in `curves.metrics_table`.
    of_seeds : sequence of sequence of float
        The value of each seed, by row of `table`.
    """
    chosen = looks(fusions)
    for position, (seeds, row) in enumerate(zip(of_seeds, table.to_dict("records"), strict=True)):
        look = chosen[row["fusion"]]
        # Below the line, which would hide them.
        axes.plot(
            seeds, [position + 0.3] * len(seeds), "o", ms=3, mfc="none", mec=GREY, mew=0.7,
            clip_on=False,
        )  # fmt: skip
        axes.plot(
            [row["low"], row["high"]], [position] * 2, color=look.colour, clip_on=False,
            solid_capstyle="butt",
        )  # fmt: skip
        axes.plot(row["mean"], position, look.marker, ms=5.5, color=look.colour, clip_on=False)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, metric.bounds[0]), min(high, metric.bounds[1]))
    unit = f" ({metric.unit})" if metric.unit else ""
    direction = "higher" if metric.higher_is_better else "lower"
    axes.set_title(f"{metric.label}{unit}\n{direction} is better", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=8.5)


def confusion_figure(comparison: Comparison) -> Figure:
    """Draw the confusion of each fusion and of the threshold, shaded by row share.

    Numbers are test samples, mean over seeds.
    """
    # What looks at no input says the same of every sample.
    results = [result for result in comparison.results if result.predictions.info["inputs"]]
    size = max(1.0, len(results[0].predictions.classes) / 3)
    with styled({"axes.grid": False}):
        figure, panels = grid(len(results), (2.6 * size, 2.7 * size), (0, 0.6))
        for axes, result in zip(panels, results, strict=True):
            seeds = result.metrics["test"]["seeds"].values()
            counts = np.mean([seed["confusion"] for seed in seeds], axis=0)
            _draw_confusion(axes, counts, result.predictions.classes)
            axes.set_title(title(result.name))
        figure.suptitle(
            "Test samples, mean over seeds; shade: share of the actual class", fontsize=11
        )
        note(figure, comparison)
    return figure


def _draw_confusion(axes: Axes, counts: npt.NDArray[np.float64],
                    classes: Sequence[str]) -> None:  # fmt: skip
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # So far below the darkest grey that black letters are legible on all.
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.7)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column, row, f"{count:,.1f}\n{100 * shares[row, column]:.1f} %", ha="center",
            va="center", color="black", fontsize=10,
        )  # fmt: skip
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="actual")

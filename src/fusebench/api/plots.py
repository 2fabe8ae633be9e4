"""Results as pictures, in axes of matplotlib: one picture of the page or the README each."""

from collections.abc import Collection

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fusebench.api.results import Results
from fusebench.errors import ParamsError
from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import MEASURED_PARTS
from fusebench.report.curves import over_seeds, spread
from fusebench.report.drawing import styled
from fusebench.report.figures import draw_metric, draw_training
from fusebench.report.intervals import draw_pairs, pairs_size
from fusebench.report.looks import looks, note_text, title
from fusebench.report.roles import primary_metric

# Room in points between a title and what `draw_pairs` writes above the axes.
_ABOVE = 22


def plot_comparison(
    results: Results, metric: str | None = None, part: str = "test", ax: Axes | None = None
) -> Axes:
    """Draw a metric of each fusion and baseline: mean, ± standard deviation, and each seed.

    Parameters
    ----------
    results : Results
    metric : str, optional
        One of those in `results.comparison`; by default the one that decides
        (`compare.primary` of the params).
    part : {"test", "val"}
    ax : Axes, optional
        By default those of a new figure of pyplot.

    Returns
    -------
    Axes
        The unit of the metric is in the title; a row per fusion and baseline.

    Raises
    ------
    ParamsError
        There is no such metric or part.
    """
    name = metric or primary_metric(results.pairs) or "balanced_accuracy"
    _check("metric", name, METRICS)
    _check("part", part, MEASURED_PARTS)
    table = results.comparison.query("metric == @name and part == @part")
    ends = [
        spread(METRICS[name], mean, deviation if deviation > 0 else None)
        for mean, deviation in zip(table["mean"], table["deviation"], strict=True)
    ]
    table = table.assign(low=[low for low, _ in ends], high=[high for _, high in ends])
    chosen = results.seeds.query("metric == @name and part == @part")
    of_seeds = [chosen.loc[chosen["fusion"] == row, "value"].tolist() for row in table["fusion"]]
    axes = _axes(results, ax, (6.4, 1.6 + 0.3 * len(table)))
    with styled():
        draw_metric(axes, METRICS[name], results.fusions, table, of_seeds)
        axes.set_yticks(range(len(table)), [title(row) for row in table["fusion"]])
        axes.set_ylim(len(table) - 0.5, -0.5)
        return _titled(axes, results, f"{part}: {axes.get_title()}")


def plot_pairs(results: Results, ax: Axes | None = None) -> Axes:
    """Draw the difference of every two fusions on the metric that decides, with 95 % intervals.

    As plots/pairs.png: thick: the fusions, trained again, blue where the difference is shown after
    Holm's correction; thin: these trained models; hollow: not tested.

    Parameters
    ----------
    results : Results
    ax : Axes, optional
        By default those of a new figure of pyplot.

    Returns
    -------
    Axes
        x: the difference in the metric's unit (points, nats); a row per pair.
    """
    axes = _axes(results, ax, pairs_size(results.pairs))
    with styled():
        return _titled(axes, results, draw_pairs(axes, results.pairs), above=_ABOVE)


def plot_training(results: Results, fusion: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the val loss by epoch, mean over seeds.

    Parameters
    ----------
    results : Results
    fusion : str, optional
        The one whose band from the lowest to the highest seed is drawn, all others being grey. By
        default all fusions, each in its colour, without bands.
    ax : Axes, optional
        By default those of a new figure of pyplot.

    Returns
    -------
    Axes
        x: epochs; y: nats per sample, logarithmic.

    Raises
    ------
    ParamsError
        There is no such fusion among the results.
    """
    if fusion is not None:
        _check("fusion", fusion, results.fusions)
    table, names = over_seeds(results.training), results.fusions
    axes = _axes(results, ax, (6.4, 4.0))
    with styled():
        if fusion is not None:
            draw_training(axes, fusion, names, table)
        else:
            for name, look in looks(names).items():
                own = table[table["fusion"] == name]
                if len(own):
                    axes.plot(
                        own["epoch"], own["val_loss"], color=look.colour, marker=look.marker, ms=4,
                        linestyle=look.linestyle, label=title(name),
                    )  # fmt: skip
            axes.legend()
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", ylabel="val loss (nats per sample)")
        return _titled(axes, results, f"{title(fusion)}: val loss" if fusion else "Val loss")


def _check(argument: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ParamsError(f"{argument} = '{value}': must be one of {', '.join(allowed)}")


def _axes(results: Results, ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes that were given, or those of a new figure, which says what it shows."""
    if ax is not None:
        return ax
    # Outside the style: it ends with all settings as they were before, and the first figure lets
    # the user's own backend set some for good.
    figure = plt.figure(figsize=size, layout="constrained", facecolor="white")
    seeds = results.seeds["seed"].nunique()
    with styled():
        note_text(
            figure, f"{results.samples} samples, {seeds} seed(s), results {results.fingerprint}"
        )
        return figure.subplots()


def _titled(axes: Axes, results: Results, words: str, above: float | None = None) -> Axes:
    """Set the title, so many points above; a picture of stale results says that they are."""
    lines = [words, *(["Stale: results.stale says why"] if results.stale else [])]
    axes.set_title("\n".join(lines), fontsize=10, pad=above)
    return axes

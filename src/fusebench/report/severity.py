"""The pictures of robustness: a curve over severities per corruption, and an overview."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.inputs.corruption import SEVERITIES, corruption_of
from fusebench.report.drawing import styled
from fusebench.report.looks import TEXT_GREY, looks, title
from fusebench.report.robustness_text import percent

# Fusions are drawn beside each other, so that intervals do not cover one another.
_SPREAD = 0.5


def severity_figure(table: pd.DataFrame, corruption: str, chance: float, note: str) -> Figure:
    """Draw balanced accuracy by severity, a line per fusion, with its interval over seeds.

    Parameters
    ----------
    table : DataFrame
        As metrics/robustness.csv.
    chance : float
        Balanced accuracy of an answer that does not look, in percent.
    note : str
        What stands below, on what the samples are.
    """
    fusions = list(dict.fromkeys(table["fusion"]))
    known = corruption_of(corruption)
    with styled():
        figure = Figure(figsize=(7.4, 4.0))
        axes = figure.subplots()
        for number, fusion in enumerate(fusions):
            rows = _rows(table, fusion, corruption)
            offset = _SPREAD * ((number + 0.5) / len(fusions) - 0.5)
            _draw(axes, rows, fusion, fusions, offset)
        axes.axhline(chance, color=TEXT_GREY, linewidth=1, linestyle=":")
        amounts = [f"{amount:g}" for amount in known.severities]
        axes.set_xticks(range(SEVERITIES + 1), ["clean", *amounts])
        axes.set_xlim(-0.5, SEVERITIES + 0.5)
        axes.grid(visible=False, axis="x")
        axes.set(xlabel=f"{known.amount} ({known.unit})", ylabel="test balanced accuracy (%)")
        figure.suptitle(
            f"{known.label[0].upper()}{known.label[1:]}\n"
            f"{_shown(table)}; dotted: chance", fontsize=11,
        )  # fmt: skip
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        figure.supxlabel(note, x=0.99, ha="right", fontsize=8, color=TEXT_GREY)
    return figure


def _shown(table: pd.DataFrame) -> str:
    return "one seed" if table["low"].isna().all() else "mean and 95 % interval over seeds"


def _rows(table: pd.DataFrame, fusion: str, corruption: str) -> pd.DataFrame:
    """Return a fusion's clean row and those of a corruption."""
    own = table[table["fusion"] == fusion]
    return own[own["corruption"].isin(["clean", corruption])].sort_values("severity")


def _draw(
    axes: Axes, rows: pd.DataFrame, fusion: str, fusions: Sequence[str], offset: float
) -> None:
    look = looks(fusions)[fusion]
    places = rows["severity"].to_numpy(float) + offset
    means = rows["balanced_accuracy"].to_numpy()
    ends = np.abs(rows[["low", "high"]].to_numpy().T - means)
    axes.errorbar(
        places, means, yerr=np.nan_to_num(ends), color=look.colour, marker=look.marker, ms=5,
        linestyle=look.linestyle, linewidth=1.2, elinewidth=1, label=title(fusion),
    )  # fmt: skip


def overview_figure(table: pd.DataFrame, summary: pd.DataFrame, note: str) -> Figure:
    """Draw what each fusion keeps under each corruption, as shades and figures.

    Parameters
    ----------
    table, summary : DataFrame
        As metrics/robustness.csv and metrics/robustness_summary.csv.
    """
    corrupted = table[table["severity"] > 0]
    means = corrupted.pivot_table(
        "robustness", "corruption", "fusion", aggfunc="mean", dropna=False
    )
    # In the order of the table, not of the alphabet.
    kept = 100 * means.reindex(
        index=corrupted["corruption"].unique(), columns=table["fusion"].unique()
    )
    with styled({"axes.grid": False}):
        size = (2.8 + 0.85 * kept.shape[1], 1.9 + 0.34 * (len(kept) + 1))
        figure = Figure(figsize=size)
        axes = figure.subplots()
        overall = dict(zip(summary["fusion"], 100 * summary["robustness"], strict=True))
        labels = [corruption_of(str(name)).label for name in kept.index]
        values = np.vstack([kept.to_numpy(), [overall[name] for name in kept.columns]])
        # So far below the darkest grey that black figures are legible on all.
        axes.imshow(values, cmap="Greys", vmin=0, vmax=170, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else percent(value / 100)
            axes.text(column, row, text, ha="center", va="center", fontsize=9)
        axes.axhline(len(kept) - 0.5, color="black", linewidth=1)
        axes.set_yticks(range(len(values)), [*labels, "all, each sensor the same"])
        axes.set_xticks(range(kept.shape[1]), [title(str(name)) for name in kept.columns],
                        rotation=25, ha="right")  # fmt: skip
        figure.suptitle(
            "Advantage over chance that is left (%), mean over severities and seeds", fontsize=11
        )
        figure.supxlabel(note, x=0.99, ha="right", fontsize=8, color=TEXT_GREY)
    return figure


def severity_figures(
    table: pd.DataFrame, summary: pd.DataFrame, chance: float, note: str
) -> Mapping[str, Figure]:
    """Return the overview, "robustness", and a figure per corruption, by its name; or none."""
    corruptions = list(dict.fromkeys(table.loc[table["severity"] > 0, "corruption"]))
    if not corruptions:
        return {}
    figures = {"robustness": overview_figure(table, summary, note)}
    for name in corruptions:
        figures[str(name)] = severity_figure(table, str(name), chance, note)
    return figures

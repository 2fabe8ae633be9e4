"""What longer studies found, where their results are kept."""

from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from fusebench.page.chart import (
    BAND,
    Chart,
    Spec,
    axis,
    grid,
    lines,
    not_run,
    note,
    percent,
    spread,
    tooltip,
    with_titles,
)
from fusebench.page.markup import Markup, joined, table
from fusebench.page.robustness import figure
from fusebench.page.sources import Sources
from fusebench.page.stored import TABLES
from fusebench.report.declared import SAMPLES, differing
from fusebench.report.looks import title
from fusebench.report.recommendation import listed
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

_INTERVAL = f"{100 * LEVEL:.0f} % interval"
Row = Mapping[str, object]
# Of each column: its heading, and what stands in it.
_TUNING: dict[str, tuple[str, str]] = {
    "lr": ("learning rate", "{:g}"), "schedule": ("schedule", "{}"), "epochs": ("epochs", "{}"),
    "trials": ("trials", "{}"), "val_nll": ("val NLL", "{:.4f}"),
    "default_balanced_accuracy": ("default (%)", "{:.1f}"),
    "tuned_balanced_accuracy": ("tuned (%)", "{:.1f}"),
    "default_rank": ("rank, default", "{:g}"), "tuned_rank": ("rank, tuned", "{:g}"),
}  # fmt: skip
_ROBUST: dict[str, Callable[[Row], str]] = {
    "recipe": lambda row: str(row["recipe"]),
    "clean (%)": lambda row: _figure(row, "clean_balanced_accuracy"),
    "change (points)": lambda row: _change(row, "clean_change", "clean_low", "clean_high"),
    "corrupted (%)": lambda row: _figure(row, "corrupted_balanced_accuracy"),
    "change, corrupted (points)": lambda row: _change(
        row, "corrupted_change", "corrupted_low", "corrupted_high"
    ),
    "robustness": lambda row: _figure(row, "robustness", 3),
    "its change": lambda row: _figure(row, "robustness_change", 3, "+"),
}


def learning_curve(sources: Sources) -> Markup:
    """Return balanced accuracy by the number of training samples."""
    rows = sources.tables["learning_curve"]
    if rows.empty:
        return not_run("the study of training sizes", TABLES["learning_curve"].command)
    sizes = sorted(set(rows["train_samples"].tolist()))
    x = axis(
        "train_samples", "training samples", scale={"type": "log", "nice": False},
        axis={"format": ",d", "values": sizes},
    )  # fmt: skip
    few = rows["seeds"] < FEWEST_SEEDS
    rows = rows.assign(low=rows["low"].mask(few), high=rows["high"].mask(few))
    said = "balanced accuracy (%)"
    lowest = rows[["balanced_accuracy", "low"]].min(axis=None)
    y = axis("balanced_accuracy", said, scale=percent(lowest))
    told = tooltip({
        "model": ("fusion", ""), "train_samples": ("training samples", ",d"),
        "balanced_accuracy": (said, ".1f"), "low": ("from", ".1f"), "high": ("to", ".1f"),
        "epochs": ("epochs", "d"), "steps": ("steps", ",d"), "seeds": ("seeds", "d"),
    })  # fmt: skip
    spec: Spec = {"height": 320, "layer": [spread(BAND, x, y), *lines(x, y, told)]}
    chart = Chart("learning-curve", with_titles(rows), spec,
                  "Balanced accuracy by training samples, a line per fusion")  # fmt: skip
    low, high = int(rows["steps"].min()), int(rows["steps"].max())
    steps = f"{low:,} steps" if low == high else f"{low:,} to {high:,} steps"
    how = f"Test, after {steps} of training. Line: mean over {_seeds(rows['seeds'])}"
    how += "." if few.any() else f", band: its {_INTERVAL}."
    return joined([*_origin(sources, "learning_curve", "sizes"), note(how), grid([chart])])


def tuning(sources: Sources) -> Markup:
    """Return what each fusion gained from settings of its own."""
    rows = sources.tables["tuning"]
    if rows.empty:
        return not_run("tuning of each fusion", TABLES["tuning"].command)
    cells = [
        (row["fusion"], [title(row["fusion"]), *(_text(name, row[name]) for name in _TUNING)])
        for row in rows.to_dict("records")
    ]
    how = (
        "Chosen by val NLL of one seed. Balanced accuracy on test: default, mean over "
        f"{_seeds(rows['default_seeds'])}; tuned, over {_seeds(rows['tuned_seeds'])}."
    )
    if (rows["default_seeds"] != rows["tuned_seeds"]).any():
        how += " So not all that differs is due to tuning."
    shown = table(
        ["fusion", *(heading for heading, _ in _TUNING.values())], cells,
        label="Default and tuned settings",
    )  # fmt: skip
    return joined([*_origin(sources, "tuning", "fusions"), note(how), shown])


def _text(name: str, value: object) -> str:
    return "" if pd.isna(value) else _TUNING[name][1].format(value)


def robust_training(sources: Sources) -> Markup:
    """Return what training with corruptions brought."""
    rows = sources.tables["robust"]
    if rows.empty:
        return not_run("the study of training with corruptions", TABLES["robust"].command)
    cells = [
        (str(row["fusion"]), [title(str(row["fusion"])), *(cell(row) for cell in _ROBUST.values())])
        for row in rows.to_dict("records")
    ]
    how = (
        "Balanced accuracy on test, on clean samples and under corruptions, against the same "
        f"fusions and seeds with the params as they are; mean over {_seeds(rows['seeds'])}"
    )
    how += (
        f", which describes these trainings alone (from {FEWEST_SEEDS} on with intervals)."
        if (rows["seeds"] < FEWEST_SEEDS).any()
        else f", changes with their {_INTERVAL}."
    )
    shown = table(["fusion", *_ROBUST], cells, label="Training with corruptions")
    return joined([*_origin(sources, "robust", "recipes"), note(how), shown])


def _figure(row: Row, name: str, digits: int = 1, sign: str = "") -> str:
    value = float(str(row[name]))
    text = figure(value, digits)
    return f"+{text}" if sign and value > 0 else text


def _change(row: Row, name: str, low: str, high: str) -> str:
    """Return a change with its interval, where there are seeds enough for one."""
    text = _figure(row, name, sign="+")
    if int(str(row["seeds"])) < FEWEST_SEEDS:
        return text
    return f"{text} ({_figure(row, low, sign='+')} to {_figure(row, high, sign='+')})"


def _seeds(counts: "pd.Series[int]") -> str:
    low, high = int(counts.min()), int(counts.max())
    many = f"{low}" if low == high else f"{low} to {high}"
    return f"{many} seed{'' if many == '1' else 's'}"


def _origin(sources: Sources, study: str, what: str) -> Iterator[Markup]:
    """Say what of a study was not run, and where it is not of the params and samples of the page.

    Parameters
    ----------
    what : str
        What the study consists of, in the plural.
    """
    origin, command = sources.origins[study], TABLES[study].command
    if origin.left:
        yield note(
            f"Of {len(origin.planned)} planned {what} not run: {listed(origin.left)}; "
            f"{command} goes on."
        )
    if keys := differing(origin.declared, sources.declared):
        named = [key if key != SAMPLES else "data (the samples)" for key in keys]
        commits = listed([commit[:7] for commit in origin.commits])
        yield note(
            f"Not of the params and samples of this page, but of other {listed(named)}: run on "
            f"commit {commits}; {command} runs it anew."
        )

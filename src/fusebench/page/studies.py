"""What longer studies found, where their results are kept."""

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
from fusebench.report.looks import title

_TUNING = {
    "lr": "learning rate", "schedule": "schedule", "epochs": "epochs", "trials": "trials",
    "val_nll": "val NLL", "default_balanced_accuracy": "default (%)",
    "tuned_balanced_accuracy": "tuned (%)", "default_rank": "rank, default",
    "tuned_rank": "rank, tuned",
}  # fmt: skip
_DIGITS = {
    "lr": "{:g}", "val_nll": "{:.4f}", "default_balanced_accuracy": "{:.1f}",
    "tuned_balanced_accuracy": "{:.1f}", "default_rank": "{:g}", "tuned_rank": "{:g}",
}  # fmt: skip


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
    how = "Test; about as many steps in each. Line: mean over seeds, band: its 95 % interval."
    return joined([note(how), grid([chart])])


def tuning(sources: Sources) -> Markup:
    """Return what each fusion gained from settings of its own."""
    rows = sources.tables["tuning"]
    if rows.empty:
        return not_run("tuning of each fusion", TABLES["tuning"].command)
    lines = [
        (row["fusion"], [title(row["fusion"]), *(_text(name, row[name]) for name in _TUNING)])
        for row in rows.to_dict("records")
    ]
    how = "Chosen by val NLL. Default and tuned: balanced accuracy on test, mean over seeds."
    shown = table(["fusion", *_TUNING.values()], lines, label="Default and tuned settings")
    return joined([note(how), shown])


def _text(name: str, value: object) -> str:
    return "" if pd.isna(value) else _DIGITS.get(name, "{}").format(value)


def robust_training(sources: Sources) -> Markup:
    """Return what training with corruptions brought, as the study has it."""
    rows = sources.tables["robust"]
    if rows.empty:
        return not_run("the study of training with corruptions", TABLES["robust"].command)
    lines = [
        (str(row["fusion"]), [title(str(row["fusion"])),
                              *(_cell(row[name]) for name in rows if name != "fusion")])
        for row in rows.to_dict("records")
    ]  # fmt: skip
    head = ["fusion", *(title(str(name)) for name in rows if name != "fusion")]
    how = "Against the same fusions and seeds, trained without corruptions. Accuracy in %."
    return joined([note(how), table(head, lines, label="Training with corruptions")])


def _cell(text: str) -> str:
    """Return a cell of which the kind is not declared: a figure to two digits, else as it is."""
    try:
        number = float(text)
    except ValueError:
        return title(text)
    return text if text.lstrip("-").isdigit() else figure(number, 2)

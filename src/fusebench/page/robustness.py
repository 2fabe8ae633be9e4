"""Robustness: balanced accuracy by the severity of each corruption."""

import math

import pandas as pd

from fusebench.page.chart import (
    BAR,
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
    whole,
    with_titles,
)
from fusebench.page.markup import Markup, joined, table
from fusebench.page.sources import Sources
from fusebench.page.stored import TABLES
from fusebench.report.looks import title
from fusebench.report.robustness_text import label

CLEAN = "clean"


def robustness(sources: Sources) -> Markup:
    """Return a chart per corruption, and how robust each fusion is over all."""
    rows, command = sources.tables["robustness"], TABLES["robustness"].command
    if not (rows["severity"] > 0).any():
        return not_run(
            "the fusions on corrupted test samples (stress.corruptions in params.yaml)", command
        )
    clean = rows[rows["corruption"] == CLEAN]
    scale = percent(rows[["balanced_accuracy", "low"]].min(axis=None))
    charts = [
        _chart(str(name), pd.concat([clean, group]), scale, number)
        for number, (name, group) in enumerate(
            rows[rows["corruption"] != CLEAN].groupby("corruption", sort=False)
        )
    ]
    how = (
        "Balanced accuracy on test by severity; 0 is without corruption. Line: mean over seeds, "
        "bar: its 95 % interval. Models were trained as they are compared above."
    )
    return joined([note(how), *_summary(sources), grid(charts)])


def _chart(name: str, rows: pd.DataFrame, scale: Spec, number: int) -> Chart:
    rows = with_titles(rows)
    rows["said"] = [
        _amount(amount, unit)
        for amount, unit in zip(rows["amount"].tolist(), rows["unit"].tolist(), strict=True)
    ]
    x = axis("severity", "severity", axis=whole(rows["severity"].max()))
    told = tooltip({
        "model": ("fusion", ""), "severity": ("severity", "d"), "said": ("amount", ""),
        "balanced_accuracy": ("balanced accuracy (%)", ".1f"), "low": ("from", ".1f"),
        "high": ("to", ".1f"),
    })  # fmt: skip
    y = axis("balanced_accuracy", "balanced accuracy (%)", scale=scale)
    spec: Spec = {"height": 220, "layer": [spread(BAR, x, y), *lines(x, y, told)]}
    columns = ["model", "fusion", "severity", "said", "balanced_accuracy", "low", "high"]
    called = _called(name, rows)
    alt = f"Balanced accuracy by severity of {called}, a line per fusion"
    return Chart(f"robustness-{number}", rows[columns], spec, alt, called)


def _called(name: str, rows: pd.DataFrame) -> str:
    """Return how a corruption is called, with its amounts: "Noise on ranges (0.1, 1 m)"."""
    worse = rows[rows["severity"] > 0].drop_duplicates("severity")
    amounts = ", ".join(f"{amount:g}" for amount in worse["amount"].tolist())
    words = label(name)
    return f"{words[0].upper()}{words[1:]} ({amounts} {worse['unit'].iloc[0]})"


def _amount(amount: float, unit: str) -> str:
    return f"{amount:g} {unit}".rstrip() if amount else "none"


def _summary(sources: Sources) -> list[Markup]:
    """Return the table of each fusion's robustness over all corruptions, if there is one."""
    rows = sources.tables["robustness_summary"]
    if rows.empty:
        return []
    lines = [
        (row["fusion"], [title(row["fusion"]), figure(row["robustness"], 3), label(row["worst"]),
                         figure(row["worst_robustness"], 3)])
        for row in rows.to_dict("records")
    ]  # fmt: skip
    head = ["fusion", "robustness", "worst corruption", "robustness there"]
    how = (
        "Robustness: of what a fusion has above chance on clean samples, the share that is left, "
        "mean over corruptions and severities, each sensor counting the same. Empty: not shown "
        "to be above chance."
    )
    return [table(head, lines, label="Robustness of each fusion"), note(how)]


def figure(value: float, digits: int) -> str:
    """Return a figure as tables show it; "" where there is none."""
    return "" if math.isnan(value) else f"{value:,.{digits}f}"

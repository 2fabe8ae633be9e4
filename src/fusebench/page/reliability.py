"""Reliability: whether an answer is right as often as its probability says."""

import pandas as pd

from fusebench.page.chart import (
    FUSION,
    Chart,
    Spec,
    axis,
    grid,
    not_run,
    note,
    tooltip,
    with_titles,
)
from fusebench.page.markup import Markup, joined, table
from fusebench.page.robustness import figure
from fusebench.page.sources import Sources
from fusebench.page.stored import TABLES
from fusebench.report.looks import title

_FIGURES = {
    "temperature": ("temperature", 2),
    "nll": ("NLL", 4),
    "scaled_nll": ("NLL, scaled", 4),
    "brier": ("Brier score", 4),
    "scaled_brier": ("Brier score, scaled", 4),
    "calibration_error": ("calibration error (%)", 2),
    "scaled_calibration_error": ("calibration error, scaled (%)", 2),
}


def reliability(sources: Sources) -> Markup:
    """Return accuracy against confidence, and the figures before and after scaling."""
    curves, figures = sources.tables["reliability"], sources.tables["probabilities"]
    if curves.empty and figures.empty:
        return not_run("the reliability of the probabilities", TABLES["reliability"].command)
    charts = [
        _chart(int(str(scaled)), rows) for scaled, rows in curves.groupby("scaled", sort=True)
    ]
    how = (
        "Test samples by the probability of the answer, in bins; mean over seeds, larger marks: "
        "more samples. On the dotted line an answer is right as often as its probability says."
    )
    return joined([note(how), grid(charts), *_table(figures)])


def _chart(scaled: int, rows: pd.DataFrame) -> Chart:
    heading = "With a temperature fitted on val" if scaled else "As trained"
    rows = with_titles(rows)
    rows = rows.assign(expected=rows["confidence"]).sort_values(["fusion", "bin"], kind="stable")
    scale = {"zero": False, "nice": False}
    x = axis("confidence", "confidence (%)", scale=scale)
    y = axis("accuracy", "accuracy (%)", scale=scale)
    told = tooltip({
        "model": ("fusion", ""), "confidence": ("confidence (%)", ".1f"),
        "accuracy": ("accuracy (%)", ".1f"), "count": ("samples", ",.1f"),
    })  # fmt: skip
    spec: Spec = {
        "height": 300,
        "layer": [
            {"mark": {"type": "line", "color": "@muted", "strokeDash": [2, 3], "strokeWidth": 1},
             "encoding": {"x": x, "y": axis("expected", "accuracy (%)", scale=scale)}},
            {"mark": {"type": "line", "strokeWidth": 1.4, "opacity": 0.7},
             "encoding": {"x": x, "y": y, "color": FUSION}},
            {"mark": {"type": "point", "filled": True, "opacity": 1},
             "encoding": {"x": x, "y": y, "color": FUSION, "tooltip": told,
                          "size": {"field": "count", "type": "quantitative", "legend": None,
                                   "scale": {"type": "log", "range": [15, 140]}}}},
        ],
    }  # fmt: skip
    rows = rows[rows["count"] > 0]
    columns = ["model", "fusion", "bin", "confidence", "accuracy", "expected", "count"]
    label = f"Accuracy against confidence, {heading.lower()}, a line per fusion"
    return Chart(f"reliability-{scaled}", rows[columns], spec, label, heading)


def _table(figures: pd.DataFrame) -> list[Markup]:
    if figures.empty:
        return []
    shown = {name: _FIGURES[name] for name in _FIGURES if figures[name].notna().any()}
    means = figures.groupby("fusion", sort=False)[list(shown)].mean()
    lines = [
        (str(name), [title(str(name)), *(figure(row[key], shown[key][1]) for key in shown)])
        for name, row in means.iterrows()
    ]
    head = ["fusion", *(heading for heading, _ in shown.values())]
    label = "Figures of the probabilities, mean over seeds"
    return [table(head, lines, label=label), note(f"{label}.")]

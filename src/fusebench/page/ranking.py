"""ROC and precision-recall curves."""

import pandas as pd

from fusebench.page.chart import FUSION, Chart, Spec, axis, grid, note, tooltip, with_titles
from fusebench.page.markup import Markup, joined
from fusebench.page.sources import Sources

# Headings by name of the panel; other panels keep theirs.
_PANELS = {"whole": "", "corner": ", the corner enlarged"}
_KINDS = {
    "roc": ("ROC", "false_positive_rate", "true_positive_rate"),
    "precision_recall": ("Precision and recall", "recall", "precision"),
}


def ranking(sources: Sources) -> Markup:
    """Return the charts of both kinds, whole and their corners."""
    charts = [
        _chart(kind, panel, rows)
        for kind in _KINDS
        for panel, rows in sources.tables[kind].groupby("panel", sort=False)
    ]
    how = (
        f"On test, a line per seed: {sources.info['positive']} against the rest. Dotted: an answer "
        "by chance."
    )
    return joined([note(how), grid(charts)])


def _chart(kind: str, panel: object, rows: pd.DataFrame) -> Chart:
    heading, x, y = _KINDS[kind]
    headings = [f"{name.replace('_', ' ')} (%)" for name in (x, y)]
    scale = {"zero": False, "nice": False}
    across = axis(x, headings[0], scale=scale)
    told = tooltip({
        "model": ("fusion", ""), "seed": ("seed", "d"), x: (headings[0], ".2f"),
        y: (headings[1], ".2f"),
    })  # fmt: skip
    spec: Spec = {
        "height": 300,
        "layer": [
            {"mark": {"type": "line", "color": "@muted", "strokeDash": [2, 3], "strokeWidth": 1},
             "transform": [{"filter": "isValid(datum.chance)"},
                           {"aggregate": [{"op": "max", "field": "chance", "as": "by_chance"}],
                            "groupby": [x]}],
             "encoding": {"x": across, "y": axis("by_chance", headings[1], scale=scale)}},
            {"mark": {"type": "line", "strokeWidth": 1.6, "clip": True},
             "encoding": {"x": across, "y": axis(y, headings[1], scale=scale),
                          "order": {"field": "point", "type": "quantitative"},
                          "detail": {"field": "seed"}, "color": FUSION, "tooltip": told}},
        ],
    }  # fmt: skip
    columns = ["model", "fusion", "seed", "point", x, y, "chance"]
    words = f"{heading}{_PANELS.get(str(panel), f': {panel}')}"
    name = f"{kind.replace('_', '-')}-{'whole' if panel == 'whole' else 'corner'}"
    return Chart(name, with_titles(rows)[columns], spec, f"{words}, a line per seed", words)

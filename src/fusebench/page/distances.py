"""How far each fusion can be below the best, and the differences with their intervals."""

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.page.chart import FUSION, Chart, Spec, axis, grid, note, tooltip
from fusebench.page.markup import Markup, joined
from fusebench.page.sources import Sources
from fusebench.report.distances import UNKNOWN

# Between the two names of a pair, as `report.intervals` writes it.
_MINUS = " − "
_STEP = 26


def distances(sources: Sources) -> Markup:
    """Return the chart of the distances, and one of the intervals for each group of pairs."""
    best = sources.tables["best"]
    intervals = sources.tables["intervals"]
    side = _side(sources)
    parts = [note(_how(best, side)), grid([_distances_chart(sources, best, side)])]
    ends = intervals[["low", "high", "fixed_low", "fixed_high", "difference"]]
    domain = [ends.min(axis=None), ends.max(axis=None)]
    groups = [
        _intervals_chart(sources, rows, number, domain)
        for number, (_, rows) in enumerate(intervals.groupby("group", sort=False))
    ]
    if groups:
        parts += [note(_how_intervals(intervals)), *(grid([chart]) for chart in groups)]
    return joined(parts)


def _how(best: pd.DataFrame, side: str) -> str:
    if (best["said"] == UNKNOWN).all():
        return "Mark: distance of the mean to the best mean. Seeds are too few for bounds."
    return (
        f"Mark: distance of the mean to the best mean. Bar: at most so far {side} the best, all "
        "together with 95 % confidence. Dashed: the declared margin, within which a fusion is as "
        "good as the best."
    )


def _side(sources: Sources) -> str:
    """Return on which side of the best the others are, by the metric that decides."""
    metric = METRICS[str(sources.findings.best["metric"].iloc[0])]
    return "below" if metric.higher_is_better else "above"


def _distances_chart(sources: Sources, best: pd.DataFrame, side: str) -> Chart:
    rows = best.assign(
        model=best["fusion"],
        fusion=[sources.named.get(name, name) for name in best["fusion"].tolist()],
        zero=0.0,
    )
    heading = str(rows["axis"].iloc[0])
    y = {"field": "model", "type": "nominal", "sort": None, "title": None}
    told = tooltip({
        "model": ("fusion", ""), "distance": ("distance to the best", ".2f"),
        "below": (f"at most {side}", ".2f"), "said": ("said", ""),
    })  # fmt: skip
    legend = (
        {"orient": "bottom", "symbolFillColor": "@muted"} if rows["said"].nunique() > 1 else None
    )
    shape = {"field": "said", "type": "nominal", "sort": None, "title": None, "legend": legend}
    padded = {"padding": 12}
    spec: Spec = {
        "height": {"step": _STEP},
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 4, "opacity": 0.45},
             "transform": [{"filter": "isValid(datum.below)"}],
             "encoding": {"x": axis("zero", heading), "x2": {"field": "below"}, "y": y,
                          "color": FUSION}},
            {"mark": {"type": "rule", "strokeDash": [4, 3], "color": "@muted"},
             "transform": [{"filter": "isValid(datum.margin)"},
                           {"aggregate": [{"op": "max", "field": "margin", "as": "limit"}]}],
             "encoding": {"x": axis("limit", heading)}},
            {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
             "encoding": {"x": axis("distance", heading, scale=padded), "y": y, "color": FUSION,
                          "shape": shape, "tooltip": told}},
        ],
    }  # fmt: skip
    columns = ["fusion", "model", "distance", "below", "margin", "said", "zero"]
    order = ", ".join(rows["model"].tolist())
    label = f"Distance of each fusion to the best, {heading}; from the best on: {order}"
    return Chart("distances", rows[columns], spec, label)


def _how_intervals(intervals: pd.DataFrame) -> str:
    first = intervals.iloc[0]
    return (
        f"Mark: a difference; {first['left']}, {first['right']}. Thin line: its 95 % interval for "
        "the fusions, trained again; thick line: for these trained models alone. In blue: shown, "
        "after Holm's correction over the planned contrasts."
    )


def _intervals_chart(
    sources: Sources, rows: pd.DataFrame, number: int, domain: list[float]
) -> Chart:
    pairs = [pair.partition(_MINUS) for pair in rows["pair"].tolist()]
    rows = rows.assign(
        first=[sources.named.get(first, first) for first, _, _ in pairs],
        second=[sources.named.get(second, second) for _, _, second in pairs],
    )
    heading, group = str(rows["axis"].iloc[0]), str(rows["group"].iloc[0])
    columns = [
        "pair", "difference", "low", "high", "fixed_low", "fixed_high", "shown", "first", "second",
    ]  # fmt: skip
    label = f"Differences with 95 % intervals: {group}, {heading}"
    return Chart(
        f"intervals-{number}", rows[columns], _intervals_spec(heading, domain), label,
        group.capitalize(),
    )  # fmt: skip


def _intervals_spec(heading: str, domain: list[float]) -> Spec:
    told = tooltip({
        "pair": ("pair", ""), "difference": ("difference", "+.2f"), "low": ("from", "+.2f"),
        "high": ("to", "+.2f"), "fixed_low": ("these models: from", "+.2f"),
        "fixed_high": ("these models: to", "+.2f"), "shown": ("said", ""),
    })  # fmt: skip
    shared = {
        "y": {"field": "pair", "type": "nominal", "sort": None, "title": None},
        "color": {
            "condition": {"test": "datum.shown === 'shown'", "value": "@accent"},
            "value": "@muted",
        },
        "tooltip": told,
    }

    def x(field: str) -> Spec:
        return axis(field, heading, scale={"domain": domain, "nice": True})

    return {
        "height": {"step": _STEP - 4},
        "layer": [
            {"mark": {"type": "rule", "color": "@muted", "strokeDash": [2, 3]},
             "encoding": {"x": {"datum": 0}}},
            {"mark": {"type": "rule", "strokeWidth": 1.4},
             "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
             "encoding": {"x": x("low"), "x2": {"field": "high"}, **shared}},
            {"mark": {"type": "rule", "strokeWidth": 5, "opacity": 0.45},
             "encoding": {"x": x("fixed_low"), "x2": {"field": "fixed_high"}, **shared}},
            {"mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
             "encoding": {"x": x("difference"), **shared}},
        ],
    }  # fmt: skip

"""What a fusion costs against what it brings."""

from fusebench.page.chart import (
    BAR,
    FUSION,
    Chart,
    Spec,
    axis,
    decades,
    grid,
    not_run,
    note,
    spread,
    tooltip,
    with_titles,
)
from fusebench.page.markup import Markup, joined
from fusebench.page.sources import Sources
from fusebench.page.stored import TABLES

# Name, heading and format of the axis.
_COSTS = {
    "latency_ms": ("latency", "latency (ms)", "~g"),
    "parameters": ("parameters", "parameters", "~s"),
}
# Of an interval that reaches to 0 or below, so much of the lowest NLL is shown.
_SHOWN = 0.3
# Half of the last digit that the table has.
_LEAST = 5e-7


def cost(sources: Sources) -> Markup:
    """Return test NLL against latency and against parameters, and which none beats in both."""
    rows = sources.tables["pareto"]
    if rows.empty:
        return not_run("what each fusion costs", TABLES["pareto"].command)
    interval = " with its 95 % interval over seeds" if rows["nll_low"].notna().any() else ""
    how = (
        f"Test NLL{interval}, against cost; left and low is good, both axes are logarithmic. "
        "Filled, and joined by the line: no other fusion has both as low, and one of the two lower."
    )
    return joined([note(how), grid([_chart(sources, cost) for cost in _COSTS])])


def _chart(sources: Sources, cost: str) -> Chart:
    name, heading, form = _COSTS[cost]
    front = f"on_front_{name}"
    rows = with_titles(sources.tables["pareto"])
    # An axis of logarithms has no 0, which stands for all that is below the digits of the table.
    rows["shown"] = rows["nll"].clip(lower=_LEAST)
    rows["shown_low"] = rows["nll_low"].clip(lower=_SHOWN * rows["shown"].min())
    rows["shown_high"] = rows["nll_high"].clip(lower=_LEAST)
    # Round figures beside the lowest and the highest, too.
    ticks = decades(rows[cost].min() / 2, rows[cost].max() * 2)
    x = axis(cost, heading, scale={"type": "log", "nice": False, "padding": 32},
             axis={"format": form, "values": ticks})  # fmt: skip
    loss = "test NLL (nats)"
    told = tooltip({
        "model": ("fusion", ""), "nll": (loss, ".4f"), "nll_low": ("from", ".4f"),
        "nll_high": ("to", ".4f"), "latency_ms": ("latency (ms)", ".2f"),
        "parameters": ("parameters", ",d"), "mflops": ("MFLOPs per sample", ",.1f"),
    })  # fmt: skip
    # Of one seed there is no interval.
    losses = decades(
        rows[["shown", "shown_low"]].min(axis=None), rows[["shown", "shown_high"]].max(axis=None)
    )
    y = axis("shown", loss, scale={"type": "log", "nice": False, "padding": 16},
             axis={"values": losses})  # fmt: skip
    filled = {"condition": {"test": f"datum.{front} == 1", "value": 1}, "value": 0.12}
    spec: Spec = {
        "height": 320,
        "layer": [
            {"mark": {"type": "line", "interpolate": "step-after", "color": "@muted",
                      "strokeWidth": 1.2},
             "transform": [{"filter": f"datum.{front} == 1"}], "encoding": {"x": x, "y": y}},
            spread(BAR, x, y, "shown_low", "shown_high"),
            {"mark": {"type": "point", "filled": True, "size": 110, "strokeWidth": 2},
             "encoding": {"x": x, "y": y, "color": FUSION, "stroke": FUSION,
                          "fillOpacity": filled, "tooltip": told}},
            {"mark": {"type": "text", "dy": -13, "fontSize": 11, "color": "@ink"},
             "encoding": {"x": x, "y": y, "text": {"field": "model"}}},
        ],
    }  # fmt: skip
    columns = [
        "model", "fusion", "shown", "shown_low", "shown_high", "nll", "nll_low", "nll_high",
        "latency_ms", "parameters", "mflops", front,
    ]  # fmt: skip
    label = f"Test NLL against {heading}, a mark per fusion"
    return Chart(f"pareto-{name}", rows[columns], spec, label, f"Test NLL and {name}")

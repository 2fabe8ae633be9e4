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


def cost(sources: Sources) -> Markup:
    """Return test NLL against latency and against parameters, and which none beats in both."""
    if sources.tables["pareto"].empty:
        return not_run("what each fusion costs", TABLES["pareto"].command)
    how = (
        "Test NLL with its 95 % interval over seeds, against cost; left and low is good, both axes "
        "are logarithmic. Filled, and joined by the line: no other fusion has both as low, and one "
        "of the two lower."
    )
    return joined([note(how), grid([_chart(sources, cost) for cost in _COSTS])])


def _chart(sources: Sources, cost: str) -> Chart:
    name, heading, form = _COSTS[cost]
    front = f"on_front_{name}"
    rows = with_titles(sources.tables["pareto"])
    rows["shown_low"] = rows["nll_low"].clip(lower=_SHOWN * rows["nll"].min())
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
    losses = decades(rows["shown_low"].min(), rows[["nll", "nll_high"]].max(axis=None))
    y = axis("nll", loss, scale={"type": "log", "nice": False, "padding": 16},
             axis={"values": losses})  # fmt: skip
    filled = {"condition": {"test": f"datum.{front} == 1", "value": 1}, "value": 0.12}
    spec: Spec = {
        "height": 320,
        "layer": [
            {"mark": {"type": "line", "interpolate": "step-after", "color": "@muted",
                      "strokeWidth": 1.2},
             "transform": [{"filter": f"datum.{front} == 1"}], "encoding": {"x": x, "y": y}},
            spread(BAR, x, y, "shown_low", "nll_high"),
            {"mark": {"type": "point", "filled": True, "size": 110, "strokeWidth": 2},
             "encoding": {"x": x, "y": y, "color": FUSION, "stroke": FUSION,
                          "fillOpacity": filled, "tooltip": told}},
            {"mark": {"type": "text", "dy": -13, "fontSize": 11, "color": "@ink"},
             "encoding": {"x": x, "y": y, "text": {"field": "model"}}},
        ],
    }  # fmt: skip
    columns = [
        "model", "fusion", "nll", "nll_low", "nll_high", "shown_low", "latency_ms", "parameters",
        "mflops", front,
    ]  # fmt: skip
    label = f"Test NLL against {heading}, a mark per fusion"
    return Chart(f"pareto-{name}", rows[columns], spec, label, f"Test NLL and {name}")

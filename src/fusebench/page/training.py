"""Training curves: val loss over epochs."""

from fusebench.page.chart import (
    FUSION,
    Chart,
    Spec,
    axis,
    decades,
    grid,
    note,
    tooltip,
    with_titles,
)
from fusebench.page.markup import Markup, joined
from fusebench.page.sources import Sources


def training(sources: Sources) -> Markup:
    """Return the chart of val loss over epochs."""
    x = axis("epoch", "epoch", scale={"nice": False}, axis={"tickMinStep": 1, "format": "d"})
    rows = with_titles(sources.tables["training"])
    ticks = decades(rows["low"].min(), rows["high"].max())

    def y(field: str) -> Spec:
        return axis(field, "val loss (nats)", scale={"type": "log", "nice": False},
                    axis={"values": ticks})  # fmt: skip

    told = tooltip({
        "model": ("fusion", ""), "epoch": ("epoch", "d"), "val_loss": ("val loss", ".4f"),
        "low": ("lowest", ".4f"), "high": ("highest", ".4f"),
    })  # fmt: skip
    spec: Spec = {
        "height": 340,
        "layer": [
            {"mark": {"type": "area", "opacity": 0.13},
             "encoding": {"x": x, "y": y("low"), "y2": {"field": "high"}, "color": FUSION}},
            {"mark": {"type": "line", "strokeWidth": 2},
             "encoding": {"x": x, "y": y("val_loss"),
                          "color": FUSION}},
            {"mark": {"type": "point", "filled": True, "size": 32, "opacity": 1},
             "encoding": {"x": x, "y": y("val_loss"),
                          "color": FUSION, "tooltip": told}},
        ],
    }  # fmt: skip
    chart = Chart(
        "training", rows, spec,
        "Val loss over epochs, a line per fusion",
    )  # fmt: skip
    how = "Line: mean over seeds. Band: from the lowest seed to the highest. Logarithmic scale."
    return joined([note(how), grid([chart])])

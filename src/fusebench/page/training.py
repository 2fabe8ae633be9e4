"""Training curves: val loss over epochs."""

from fusebench.page.chart import (
    BAND,
    Chart,
    Spec,
    axis,
    decades,
    grid,
    lines,
    note,
    spread,
    tooltip,
    whole,
    with_titles,
)
from fusebench.page.markup import Markup, joined
from fusebench.page.sources import Sources


def training(sources: Sources) -> Markup:
    """Return the chart of val loss over epochs."""
    rows = with_titles(sources.tables["training"])
    ticks = decades(rows["low"].min(), rows["high"].max())
    x = axis("epoch", "epoch", scale={"nice": False}, axis=whole(rows["epoch"].max()))
    y = axis(
        "val_loss", "val loss (nats)", scale={"type": "log", "nice": False},
        axis={"values": ticks},
    )  # fmt: skip
    told = tooltip({
        "model": ("fusion", ""), "epoch": ("epoch", "d"), "val_loss": ("val loss", ".4f"),
        "low": ("lowest", ".4f"), "high": ("highest", ".4f"),
    })  # fmt: skip
    spec: Spec = {"height": 340, "layer": [spread(BAND, x, y), *lines(x, y, told)]}
    chart = Chart("training", rows, spec, "Val loss over epochs, a line per fusion")
    how = "Line: mean over seeds. Band: from the lowest seed to the highest. Logarithmic scale."
    return joined([note(how), grid([chart])])

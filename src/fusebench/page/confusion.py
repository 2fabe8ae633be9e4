"""Confusion: what was answered, by what it is."""

import pandas as pd

from fusebench.page.chart import note
from fusebench.page.markup import Markup, joined, table, tag
from fusebench.page.sources import Sources
from fusebench.report.looks import title

_LEVELS = 10


def confusion(sources: Sources) -> Markup:
    """Return a small table per fusion."""
    how = (
        "Test samples, mean over seeds. Rows: what a sample is; columns: what was answered. Colour "
        "by the share of the row, in %."
    )
    figures = [
        tag("figure", tag("h3", title(name)), _matrix(name, rows), data_fusion=name)
        for name, rows in sources.confusion.items()
    ]
    return joined([note(how), tag("div", *figures, class_="grid cards")])


def _matrix(name: str, rows: pd.DataFrame) -> Markup:
    classes = list(dict.fromkeys(rows["actual"].tolist()))
    cells = {
        (row["actual"], row["predicted"]): _cell(row["count"], row["share"])
        for row in rows.to_dict("records")
    }
    lines = [
        ("", [actual, *(cells.get((actual, answered), "") for answered in classes)])
        for actual in classes
    ]
    return tag(
        "div",
        table(["is \\ answered", *classes], lines, label=f"Confusion of {title(name)}"),
        class_="heat",
    )


def _cell(count: float, share: float) -> Markup:
    return tag(
        "span", f"{share:.1f}", title=f"{count:,.1f} samples",
        class_=f"share-{round(share * _LEVELS / 100)}",
    )  # fmt: skip

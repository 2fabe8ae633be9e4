"""Charts: rows and a specification of Vega-Lite, as the page's script takes them.

In a specification, "@ink", "@muted" and "@accent" stand for colours of style.css, and `FUSION` for
the colour of the row's fusion. The script puts in what they are, on a light page and on a dark one.
What is drawn of a fusion that is switched off is left out: see `HIDDEN`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fusebench.page.markup import Markup, joined, json_script, paragraph, tag
from fusebench.page.stored import packed
from fusebench.report.looks import title

FUSION: dict[str, Any] = {
    "field": "fusion", "type": "nominal", "scale": "@fusions", "legend": None,
}  # fmt: skip
"""Encodes the colour of the row's fusion."""
HIDDEN = "hidden"
"""The parameter that holds the names of the fusions that are switched off."""
# Columns by which a row belongs to a fusion, or to two.
_OF_FUSIONS = ("fusion", "first", "second")

Spec = dict[str, Any]
BAND: Spec = {"type": "area", "opacity": 0.13, "clip": True}
BAR: Spec = {"type": "rule", "strokeWidth": 1.2, "opacity": 0.55, "clip": True}
"""Marks of what is spread: a band along a line, a bar at a mark."""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes
    ----------
    name : str
        In the page; letters and hyphens.
    rows : DataFrame
        What is drawn. A row with a `fusion` (or `first` and `second`) goes when that is switched
        off.
    spec : dict
        Of Vega-Lite, without data.
    label : str
        What there is to see, in words.
    heading : str
        Above the chart; "": none.
    """

    name: str
    rows: pd.DataFrame
    spec: Spec
    label: str
    heading: str = ""

    @property
    def whole_spec(self) -> Spec:
        """The specification with what leaves out fusions; the script puts in the rows."""
        filters = [
            {"filter": f"indexof({HIDDEN}, datum.{column}) < 0"}
            for column in _OF_FUSIONS
            if column in self.rows
        ]
        own = dict(self.spec)
        transforms = [*filters, *own.pop("transform", [])]
        return {
            "width": "container",
            "autosize": {"contains": "padding"},
            "params": [{"name": HIDDEN, "value": []}],
            "transform": transforms,
            **own,
        }

    @property
    def markup(self) -> Markup:
        """The chart's place in the page."""
        place = tag("div", class_="chart", id=self.name, role="img", aria_label=self.label)
        heading = tag("h3", self.heading) if self.heading else Markup()
        content = {"spec": self.whole_spec, "columns": packed(self.rows)}
        data = json_script(content, class_="spec", data_chart=self.name)
        return tag("figure", heading, place, data, data_of_fusions=self.follows or None)

    @property
    def follows(self) -> bool:
        """Whether fusions can be switched off in it."""
        return any(column in self.rows for column in _OF_FUSIONS)


def grid(charts: Sequence[Chart]) -> Markup:
    """Return charts side by side where the window is wide enough."""
    kind = "grid" if len(charts) > 1 else "single"
    return tag("div", *(chart.markup for chart in charts), class_=kind)


def note(text: str) -> Markup:
    """Return how a chart is to be read."""
    return paragraph(text, "note")


def with_titles(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the column `model`: what the page calls their fusion."""
    return table.assign(model=[title(name) for name in table["fusion"].tolist()])


def axis(field: str, heading: str | None, **more: Any) -> Spec:
    """Return the encoding of a figure along an axis."""
    return {"field": field, "type": "quantitative", "title": heading, **more}


def lines(x: Spec, y: Spec, told: list[Spec]) -> list[Spec]:
    """Return layers: a line per fusion, with marks that tell their figures."""
    return [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": FUSION}},
        {"mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": FUSION, "tooltip": told}},
    ]  # fmt: skip


def spread(mark: Spec, x: Spec, y: Spec, low: str = "low", high: str = "high") -> Spec:
    """Return a layer: `mark` from one column to another per fusion, where both are there."""
    return {
        "mark": mark,
        "transform": [{"filter": f"isValid(datum.{low}) && isValid(datum.{high})"}],
        "encoding": {"x": x, "y": y | {"field": low}, "y2": {"field": high}, "color": FUSION},
    }


def decades(low: float, high: float) -> list[float]:
    """Return round figures between two above 0, for an axis: 1, 2 and 5 of each decade.

    More of each where those are fewer than two, to two digits at most.
    """
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    found: list[float] = []
    for tenths in ((10, 20, 50), range(10, 100, 10), range(10, 100)):
        figures = [
            float(f"{digits}e{power - 1}") for power in range(first, last + 1) for digits in tenths
        ]
        found = [figure for figure in figures if low <= figure <= high]
        if len(found) > 1:
            break
    return found


def whole(last: int) -> Spec:
    """Return the look of an axis of whole figures from 0 to `last`, a dozen of them at most."""
    return {"values": list(range(0, int(last) + 1, int(last) // 12 + 1)), "format": "d"}


def percent(low: float) -> Spec:
    """Return a scale from the tens below a figure to 100 %; intervals may end beyond."""
    return {"domain": [max(0, 10 * math.floor(low / 10)), 100]}


def tooltip(fields: Mapping[str, tuple[str, str]]) -> list[Spec]:
    """Return what is told of a mark under the pointer.

    Parameters
    ----------
    fields : mapping of str to (str, str)
        Heading and number format by column; format "": a text.
    """
    return [
        {"field": name, "title": heading, "type": "quantitative", "format": form}
        if form
        else {"field": name, "title": heading, "type": "nominal"}
        for name, (heading, form) in fields.items()
    ]


def not_run(what: str, command: str) -> Markup:
    """Return the line that says what was not run, and what runs it."""
    return paragraph(joined([f"Not run: {what}. ", tag("code", command), " runs it."]), "absent")

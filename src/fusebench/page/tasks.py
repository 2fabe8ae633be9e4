"""Tasks × fusions: how often each fusion solved the demonstration tasks."""

import itertools
import math
from collections.abc import Sequence

from fusebench.page.chart import not_run, note
from fusebench.page.markup import Markup, joined, table, tag
from fusebench.page.sources import Sources
from fusebench.report.looks import title
from fusebench.report.suite import SuiteRow


def tasks(sources: Sources) -> Markup:
    """Return a table of the share of seeds that solved each task, coloured by it."""
    rows = [row for row in sources.suite if not row.probe]
    if not rows:
        return not_run("the fusions on the demonstration tasks", "make interactions")
    cells = {(row.cell, row.fusion): row for row in rows}
    names = list(dict.fromkeys(row.cell for row in rows))
    fusions = list(dict.fromkeys(row.fusion for row in rows))
    # Those of this comparison first, in its order.
    own = [name for name in sources.fusions if name in fusions]
    lines = [
        (name, [title(name), *(_cell(cells.get((task, name))) for task in names)])
        for name in (*own, *(name for name in fusions if name not in own))
    ]
    heat = table(["fusion", *names], lines, label="Share of seeds that solved each task")
    return joined([note(_how(rows)), tag("div", heat, class_="heat")])


def _cell(row: SuiteRow | None) -> Markup:
    """Return how many seeds solved it; the colour is by their share, 0 to 4 quarters."""
    if row is None:
        return tag("span", "–", class_="none")
    when = "" if math.isnan(row.median_epoch) else f"; half of them by epoch {row.median_epoch:g}"
    return tag(
        "span", f"{row.solved}/{row.seeds}", title=f"{row.words}{when}",
        class_=f"level-{round(4 * row.solved / row.seeds)}",
    )  # fmt: skip


def _how(rows: Sequence[SuiteRow]) -> str:
    said = []
    for task, group in itertools.groupby(rows, key=lambda row: row.cell):
        first = next(iter(group))
        said.append(f"{task} {first.budget_epochs}")
    return (
        "Seeds that solved the task, of those that were trained; measured on rendered samples, not "
        f"on the data of this comparison. Epochs at most: {', '.join(said)}."
    )

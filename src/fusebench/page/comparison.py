"""The comparison: a row per fusion and baseline, with every metric."""

from fusebench.page.chart import note
from fusebench.page.markup import Markup, joined, table, tag
from fusebench.page.sources import Sources
from fusebench.report.table import whole_table


def comparison(sources: Sources) -> Markup:
    """Return the table and its note."""
    cells, words = whole_table(sources.findings.table, sources.findings.pairs)
    names = sources.findings.table["Model"].tolist()
    lines = [
        (name if name in sources.fusions else "", row)
        for name, row in zip(names, cells.itertuples(index=False, name=None), strict=True)
    ]
    shown = table(list(cells), lines, label="Comparison of all fusions")
    return joined([tag("div", shown, class_="sortable"), note(words)])

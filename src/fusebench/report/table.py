"""The comparison as one table: in metrics/comparison.csv, on the screen and as Markdown."""

import csv
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import parse_table
from fusebench.prediction.predictions import BASELINES
from fusebench.report.columns import FIRST, LAST, MEMORY, MFLOPS, Column
from fusebench.report.results import Comparison, Result
from fusebench.report.roles import primary_metric

TABLE = Path("metrics/comparison.csv")
AT_CHANCE = "At Chance"
"""Column that `chance.with_chance` adds: names of the metrics at chance, joined by a space."""
SCREEN_WIDTH = 100


RESULTS = "Results"
"""Column that names the predictions that were compared: pictures made from them bear it, too."""
# Without these a table cannot be shown; a file of an earlier commit may lack others.
_NEEDED = ("Model", "Seeds", "Samples")
# Shown before the others where there is no room for all; the metric that decides comes first.
_PREFERRED = ("balanced_accuracy", "nll", "f1")


def comparison_table(comparison: Comparison) -> pd.DataFrame:
    """Return the comparison, a row per fusion and baseline.

    Returns
    -------
    DataFrame
        The first columns are the notebook's eight: means over seeds on val, on which the epoch was
        selected; and the deviation of its accuracy. Then each metric on test, as mean and sample
        standard deviation over seeds. Rates in percent, NLL in nats per sample; memory of a
        training step in MB (10⁶ bytes). NaN: not measured.
    """
    table = pd.DataFrame([_row(result) for result in comparison.results])
    table[RESULTS] = comparison.fingerprint
    return table


def _row(result: Result) -> dict[str, Any]:
    row = {column.name: column.value(result) for column in FIRST}
    for name, metric in METRICS.items():
        summary = result.metrics["test"][name]
        row[column_of(metric)] = summary["mean"]
        deviation = summary["deviation"]
        row[f"{column_of(metric)} Deviation"] = float("nan") if deviation is None else deviation
    return row | {column.name: column.value(result) for column in LAST}


def column_of(metric: Metric) -> str:
    """Return the column that holds the mean of a metric on test."""
    return f"Test {metric.heading}"


def parse_comparison_table(text: str) -> pd.DataFrame:
    """Return the table that the text of metrics/comparison.csv holds.

    A file of an earlier commit may lack columns, or have others.

    Raises
    ------
    ArtifactError
        A column that is needed is missing, or a cell is of another kind.
    """
    header = next(csv.reader(text.splitlines()), [])
    kinds: dict[str, type] = {name: float for name in header if name.startswith("Test ")}
    kinds |= {RESULTS: str} if RESULTS in header else {}
    for column in (*FIRST, *LAST):
        if column.name in header or column.name in _NEEDED:
            kinds[column.name] = column.kind
    return parse_table(TABLE, text, kinds)


def screen_table(table: pd.DataFrame, pairs: pd.DataFrame, width: int = SCREEN_WIDTH) -> str:
    """Return the comparison for a screen: as many test metrics as fit, and which are left out.

    Parameters
    ----------
    table : DataFrame
        As `comparison_table` returns it.
    pairs : DataFrame
        As metrics/pairs.csv: they say which metric decides.
    """
    shown = _shown_metrics(table, pairs, width)
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(_screen(_cells(table, shown)))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([*lines, *textwrap.wrap(_note(table, shown), width)])


def markdown_table(table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Return the comparison as Markdown, with the same columns as on a screen, and its note."""
    shown = _shown_metrics(table, pairs, SCREEN_WIDTH)
    cells = _cells(table, shown)
    align = ("left", *["right"] * (cells.shape[1] - 1))
    markdown: str = cells.to_markdown(index=False, disable_numparse=True, colalign=align)
    return f"{markdown}\n\n{_note(table, shown)}"


def whole_table(table: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the comparison with every metric, as text by heading, and its note."""
    shown = _known_metrics(table, pairs)
    return _cells(table, shown), _note(table, shown)


def _known_metrics(table: pd.DataFrame, pairs: pd.DataFrame) -> list[Metric]:
    """Return the metrics that the table holds, what is to be shown first before the others."""
    order = dict.fromkeys([primary_metric(pairs), *_PREFERRED, *METRICS])
    metrics = [METRICS[name] for name in order if name in METRICS]
    return [metric for metric in metrics if column_of(metric) in table]


def _shown_metrics(table: pd.DataFrame, pairs: pd.DataFrame, width: int) -> list[Metric]:
    """Return the first metrics that fit into `width` columns, one at least."""
    metrics = _known_metrics(table, pairs)
    console = Console(width=100 * width)
    for count in range(len(metrics), 1, -1):
        if console.measure(_screen(_cells(table, metrics[:count]))).maximum <= width:
            return metrics[:count]
    return metrics[:1]


def _screen(cells: pd.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    for heading in cells:
        # A word per line: figures are narrower than what they are called.
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    table.columns[0].justify = "left"
    for row in cells.itertuples(index=False):
        table.add_row(*row)
    return table


def _cells(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Return what a reader sees, as text, by heading."""
    # What is measured on val stands beside what is measured on test.
    first = sorted(FIRST, key=lambda column: column.heading.startswith("val"))
    cells = _texts(table, first)
    for metric in metrics:
        # The last digit says nothing beside a deviation of seeds.
        form = f"{{:.{max(metric.digits - 1, 0)}f}}".format
        mean = _text(table[column_of(metric)], form)
        deviation = _text(table[f"{column_of(metric)} Deviation"], form)
        spread = deviation.map(lambda text: text and f" ± {text}")
        # In front, where it does not move the figures of a column that is aligned to the right.
        marks = _is_at_chance(table, metric).map({True: "*", False: ""})
        cells[f"test {metric.label}"] = marks + mean + spread
    return pd.DataFrame(cells | _texts(table, LAST))


def _is_at_chance(table: pd.DataFrame, metric: Metric) -> "pd.Series[bool]":
    if AT_CHANCE not in table:
        return pd.Series(data=False, index=table.index)
    return table[AT_CHANCE].map(lambda names: metric.name in names.split())


def _texts(table: pd.DataFrame, columns: Sequence[Column]) -> dict[str, "pd.Series[str]"]:
    # Earlier tables have the memory of the whole process there.
    other = {MEMORY} if MFLOPS not in table else set()
    return {
        column.heading: _text(table[column.name], column.text)
        for column in columns
        if column.heading and column.name in table and column.name not in other
    }


def _text(cells: "pd.Series[Any]", form: Callable[[Any], str]) -> "pd.Series[str]":
    return cells.map(lambda cell: "" if pd.isna(cell) else form(cell))


def _note(table: pd.DataFrame, shown: Sequence[Metric]) -> str:
    first = table.iloc[0]
    units: dict[str, list[str]] = {"%": ["val accuracy"], "nats": ["val loss"]}
    for metric in shown:
        units.setdefault(metric.unit, []).append(metric.label)
    measures = "; ".join(f"in {unit}: {', '.join(units[unit])}" for unit in units if unit)
    others = [
        metric.label
        for metric in METRICS.values()
        if metric not in shown and column_of(metric) in table
    ]
    more = f" Only in {TABLE.name}: {', '.join(others)}." if others else ""
    return (
        f"{first['Samples'].capitalize()} samples, {first['Seeds']} seed(s); {measures}."
        f"{_note_on_memory(table)} Test: mean ± standard deviation over seeds. The epoch was "
        f"selected on val: choose by val. No test figure selects an epoch.{more}"
        f"{_note_on_chance(table, shown)}{_note_on_collapse(table)}{_note_on_results(table)}"
    )


def _note_on_memory(table: pd.DataFrame) -> str:
    return " MB: held at most in a training step." if {MFLOPS, MEMORY} <= {*table} else ""


def _note_on_results(table: pd.DataFrame) -> str:
    return f" Results {table[RESULTS].iloc[0]}." if RESULTS in table else ""


def _note_on_chance(table: pd.DataFrame, shown: Sequence[Metric]) -> str:
    levels = [
        f"{metric.label} {metric.text(table[f'{column_of(metric)} Chance'].iloc[0])}"
        for metric in shown
        if _is_at_chance(table, metric).any()
    ]
    if not levels:
        return ""
    return (
        " *: at chance, not shown to be better than an answer that does not look at the sample "
        f"({', '.join(levels)}); the majority class, which does not look, is not marked."
    )


def _note_on_collapse(table: pd.DataFrame) -> str:
    if "Collapsed To" not in table:
        return ""
    rows = table[(table["Collapsed To"] != "") & ~table["Model"].isin(BASELINES)]
    said = [f"{row['Model']} {row['Collapsed To']}" for _, row in rows.iterrows()]
    if not said:
        return ""
    return f" Collapsed seeds answer one class for every test sample: {'; '.join(said)}."

"""The comparison as one table: in metrics/comparison.csv, on the screen and as Markdown."""

import csv
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import parse_table
from fusebench.prediction.predictions import MEASURED_PARTS
from fusebench.report.results import Comparison, Result

TABLE = Path("metrics/comparison.csv")
SCREEN_WIDTH = 100

# Columns but those of the test metrics, and what their cells are.
_KINDS = {
    "Model": str, "Strategy": str, "Validation Loss": float, "F1 Score": float, "Parameters": int,
    "Time (s/epoch)": float, "Memory (MB)": float, "Accuracy": float, "Seeds": int,
    "Collapsed Seeds": int, "Samples": str,
}  # fmt: skip
# Shown before the others where there is no room for all; the metric that decides comes first.
_PREFERRED = ("balanced_accuracy", "f1", "nll")


def comparison_table(comparison: Comparison) -> pd.DataFrame:
    """Return the comparison, a row per fusion and baseline.

    Returns
    -------
    DataFrame
        The first eight columns are the notebook's, now computed: means over seeds on val, on which
        the epoch was selected. Then each metric on test, as mean and sample standard deviation
        over seeds. Rates in percent, NLL in nats per sample, memory in MB (10⁶ bytes). NaN: not
        measured.
    """
    return pd.DataFrame([_row(result, comparison) for result in comparison.results])


def _row(result: Result, comparison: Comparison) -> dict[str, Any]:
    val, test, measured = result.metrics["val"], result.metrics["test"], result.measured
    row: dict[str, Any] = {
        "Model": result.name,
        "Strategy": result.predictions.info["strategy"],
        "Validation Loss": val["nll"]["mean"],
        "F1 Score": val["f1"]["mean"],
        "Parameters": result.metrics["parameters"],
        "Time (s/epoch)": measured["seconds_per_epoch"]["median"] if measured else float("nan"),
        "Memory (MB)": measured["memory"]["peak_mb"] if measured else float("nan"),
        "Accuracy": val["accuracy"]["mean"],
    }
    for name, metric in METRICS.items():
        deviation = test[name]["deviation"]
        row[_column(metric)] = test[name]["mean"]
        row[f"{_column(metric)} Deviation"] = float("nan") if deviation is None else deviation
    return row | {
        "Seeds": len(comparison.seeds),
        "Collapsed Seeds": result.metrics["collapsed_seeds"],
        "Samples": comparison.samples,
    }


def _column(metric: Metric) -> str:
    return f"Test {metric.heading}"


def parse_comparison_table(text: str) -> pd.DataFrame:
    """Return the table that the text of metrics/comparison.csv holds.

    A file of an earlier commit may lack a metric, or have one more.

    Raises
    ------
    ArtifactError
        A column is missing, or a cell is of another kind.
    """
    header = next(csv.reader(text.splitlines()), [])
    metrics = {column: float for column in header if column.startswith("Test ")}
    return parse_table(TABLE, text, _KINDS | metrics)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return metrics/comparison.json: nested by fusion, figures that repeat to the bit only."""
    return {
        result.name: {
            part: {name: result.metrics[part][name] for name in METRICS} for part in MEASURED_PARTS
        }
        | {name: result.metrics[name] for name in ("parameters", "collapsed_seeds")}
        for result in comparison.results
    }


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


def _known_metrics(table: pd.DataFrame, pairs: pd.DataFrame) -> list[Metric]:
    """Return the metrics that the table holds, what is to be shown first before the others."""
    primary = pairs.loc[pairs["role"] == "primary", "metric"].tolist()[:1]
    order = dict.fromkeys([*primary, *_PREFERRED, *METRICS])
    metrics = [METRICS[name] for name in order if name in METRICS]
    return [metric for metric in metrics if _column(metric) in table]


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
    cells = {
        "model": table["Model"].str.replace("_", " "),
        "parameters": table["Parameters"].map("{:,}".format),
        "s per epoch": _rounded(table["Time (s/epoch)"], 2),
        "MB": _rounded(table["Memory (MB)"], 0),
        "val loss": _rounded(table["Validation Loss"], METRICS["nll"].digits),
        "val accuracy": _rounded(table["Accuracy"], METRICS["accuracy"].digits),
    }
    for metric in metrics:
        # The last digit says nothing beside a deviation of seeds.
        mean, deviation = (
            _rounded(table[column], max(metric.digits - 1, 0))
            for column in (_column(metric), f"{_column(metric)} Deviation")
        )
        cells[f"test {metric.label}"] = mean + deviation.map(lambda text: text and f" ± {text}")
    return pd.DataFrame(cells | {"collapsed seeds": table["Collapsed Seeds"].astype(str)})


def _rounded(column: "pd.Series[float]", digits: int) -> "pd.Series[str]":
    return column.map(lambda value: "" if pd.isna(value) else f"{value:.{digits}f}")


def _note(table: pd.DataFrame, shown: Sequence[Metric]) -> str:
    first = table.iloc[0]
    units: dict[str, list[str]] = {"%": ["val accuracy"], "nats": ["val loss"]}
    for metric in shown:
        units.setdefault(metric.unit, []).append(metric.label)
    measures = "; ".join(f"in {unit}: {', '.join(units[unit])}" for unit in units if unit)
    others = [
        metric.label
        for metric in METRICS.values()
        if metric not in shown and _column(metric) in table
    ]
    more = f" Only in {TABLE}: {', '.join(others)}." if others else ""
    return (
        f"{first['Samples'].capitalize()} samples, {first['Seeds']} seed(s); {measures}. Test: "
        "mean ± standard deviation over seeds. The epoch was selected on val, so choose by val and "
        f"quote test.{more}"
    )

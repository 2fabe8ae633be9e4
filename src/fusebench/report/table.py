"""The comparison as a CSV file, as JSON and as a table on the screen."""

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fusebench.report.results import MAJORITY, Comparison, Result

SCREEN_WIDTH = 100
TEST_COLUMNS = {
    "Test Accuracy": "accuracy",
    "Test Balanced Accuracy": "balanced_accuracy",
    "Test F1 Score": "f1",
    "Test NLL": "nll",
    "Test AUROC": "auroc",
}
_JSON_METRICS = ("accuracy", "balanced_accuracy", "f1", "auroc", "average_precision", "nll")


def csv_rows(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows of metrics/comparison.csv.

    The first eight columns are the notebook's, now computed: means over seeds on val, on which the
    epoch was selected. Then test figures, as mean and sample standard deviation over seeds. Rates
    in percent, NLL in nats per sample, memory in MB (10⁶ bytes). Empty: not measured.
    """
    header = [
        "Model", "Strategy", "Validation Loss", "F1 Score", "Parameters", "Time (s/epoch)",
        "Memory (MB)", "Accuracy",
    ]  # fmt: skip
    for column in TEST_COLUMNS:
        header += [column, f"{column} Deviation"]
    header += ["Seeds", "Stuck Seeds", "Samples"]
    return header, [_csv_row(result, comparison) for result in comparison.results]


def _csv_row(result: Result, comparison: Comparison) -> list[Any]:
    val, test, measured = result.metrics["val"], result.metrics["test"], result.measured
    row: list[Any] = [
        result.name,
        result.strategy,
        val["nll"]["mean"],
        val["f1"]["mean"],
        result.metrics["parameters"],
        measured["seconds_per_epoch"]["median"] if measured else "",
        measured["memory"]["peak_mb"] if measured else "",
        val["accuracy"]["mean"],
    ]
    for metric in TEST_COLUMNS.values():
        deviation = test[metric]["deviation"]
        row += [test[metric]["mean"], "" if deviation is None else deviation]
    stuck = "" if result.name == MAJORITY else result.metrics["stuck_seeds"]
    return [*row, len(comparison.seeds), stuck, "rendered" if comparison.rendered else "recorded"]


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return metrics/comparison.json: nested by fusion, figures that repeat to the bit only."""
    return {
        result.name: {
            part: {name: result.metrics[part][name] for name in _JSON_METRICS}
            for part in ("val", "test")
        }
        | {name: result.metrics[name] for name in ("parameters", "stuck_seeds")}
        for result in comparison.results
    }


def screen_table(rows: Sequence[dict[str, str]]) -> str:
    """Return the lines of comparison.csv as a table of at most 100 columns."""
    kind, seeds = rows[0]["Samples"], rows[0]["Seeds"]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    table.add_column("\nmodel", no_wrap=True)
    for heading in (
        "\nparameters", "s per\nepoch", "\nMB", "val\nloss", "val\naccuracy",
        "test balanced\naccuracy", "test\nF1", "test\nNLL", "stuck\nseeds",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    stream = io.StringIO()
    console = Console(file=stream, width=SCREEN_WIDTH, color_system=None, highlight=False)
    console.print(table)
    console.print(
        f"{kind.capitalize()} samples; {seeds} seed(s); rates in %, NLL in nats; test: mean ± "
        "standard deviation over seeds. The epoch was selected on val, so choose by val and quote "
        "test."
    )
    lines = (line.rstrip() for line in stream.getvalue().splitlines())
    return "\n".join(lines)


def _cells(row: dict[str, str]) -> list[str]:
    parameters = int(row["Parameters"])
    return [
        row["Model"].replace("_", " "),
        f"{parameters:,}" if parameters else "",
        _rounded(row["Time (s/epoch)"], 2),
        _rounded(row["Memory (MB)"], 0),
        _rounded(row["Validation Loss"], 4),
        _rounded(row["Accuracy"], 2),
        _spread(row, "Test Balanced Accuracy", 1),
        _spread(row, "Test F1 Score", 1),
        _spread(row, "Test NLL", 3),
        row["Stuck Seeds"],
    ]


def _rounded(cell: str, digits: int) -> str:
    return f"{float(cell):.{digits}f}" if cell else ""


def _spread(row: dict[str, str], column: str, digits: int) -> str:
    deviation = row[f"{column} Deviation"]
    mean = _rounded(row[column], digits)
    return f"{mean} ± {_rounded(deviation, digits)}" if deviation else mean

"""The columns of the comparison that are no test metric."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

from fusebench.evaluation.measure import collapsed_classes
from fusebench.report.results import Result


@dataclass(frozen=True)
class Column:
    """A column of the comparison that is not a test metric. It is declared here alone.

    Attributes
    ----------
    name : str
        In metrics/comparison.csv.
    kind : {str, int, float}
        Of its cells; float may be NaN: not measured.
    value : callable
        Gives the cell of a result.
    heading : str
        On screens and in Markdown; empty: it is in the file alone.
    text : callable
        Gives what a reader sees of a cell.
    """

    name: str
    kind: type
    value: Callable[[Result], Any]
    heading: str = ""
    text: Callable[[Any], str] = str


def _val(metric: str, key: str = "mean") -> Callable[[Result], float]:
    def value(result: Result) -> float:
        figure = result.metrics["val"][metric][key]
        # There is no deviation of one seed.
        return float("nan") if figure is None else float(figure)

    return value


def _measured(file: str, *keys: str) -> Callable[[Result], float]:
    def value(result: Result) -> float:
        content = getattr(result, file)
        return float(reduce(getitem, keys, content)) if content else float("nan")

    return value


def _classes(metrics: dict[str, Any]) -> str:
    """Return the classes that seeds collapsed to: "2 × cubes, 1 × spheres"."""
    classes = collapsed_classes(metrics)
    return ", ".join(f"{count} × {name}" for name, count in classes.items())


MFLOPS, MEMORY = "MFLOPs per Sample", "Memory (MB)"
# The notebook's eight, now computed; then the test metrics; then the last.
FIRST = (
    Column("Model", str, lambda result: result.name, "model", lambda name: name.replace("_", " ")),
    Column("Strategy", str, lambda result: result.predictions.info["strategy"]),
    Column("Validation Loss", float, _val("nll"), "val loss", "{:.4f}".format),
    Column("F1 Score", float, _val("f1")),
    Column("Parameters", int, lambda row: row.metrics["parameters"], "parameters", "{:,}".format),
    Column("Time (s/epoch)", float, _measured("measured", "seconds_per_epoch", "median"),
           "s per epoch", "{:.2f}".format),
    Column(MEMORY, float, _measured("cost", "step_mb"), "MB", "{:.0f}".format),
    Column("Accuracy", float, _val("accuracy"), "val accuracy", "{:.2f}".format),
    Column("Accuracy Deviation", float, _val("accuracy", "deviation")),
)  # fmt: skip
LAST = (
    Column("Seeds", int, lambda result: len(result.predictions.seeds)),
    Column(
        "Robustness (%)",
        float,
        lambda row: 100 * row.robustness,
        "robust (%)",
        lambda percent: f"{round(percent) + 0:d}",
    ),
    Column("Collapsed Seeds", int, lambda row: row.metrics["collapsed_seeds"], "collapsed seeds"),
    Column("Collapsed To", str, lambda row: _classes(row.metrics)),
    Column("Samples", str, lambda result: result.samples),
    Column(MFLOPS, float, _measured("cost", "mflops_per_sample")),
    Column("Latency (ms)", float, _measured("cost", "latency_ms", "median")),
    Column("Latency p95 (ms)", float, _measured("cost", "latency_ms", "p95")),
    Column("Samples per Second", float, _measured("cost", "samples_per_second", "median")),
    Column("Train Seconds", float, _measured("cost", "train_seconds")),
)

"""The tables that `dvc plots` and the pictures are drawn from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusebench.aside import replace_folder
from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import read_table, write_table
from fusebench.report.answer import answer_table
from fusebench.report.distances import distances_table
from fusebench.report.findings import Findings
from fusebench.report.intervals import intervals_table
from fusebench.report.pareto import pareto_table
from fusebench.report.ranking import precision_recall_table, roc_table
from fusebench.report.reliability import reliability_table
from fusebench.report.results import Comparison

_DIGITS = 6


def curve_tables(
    comparison: Comparison, findings: Findings, folder: Path
) -> Mapping[str, pd.DataFrame]:
    """Return the tables by name; nothing is written.

    Parameters
    ----------
    folder : Path
        Holds training/<fusion>.csv, the learning curves that stage train wrote.
    """
    return {
        "answer": answer_table(comparison, findings),
        "best": distances_table(findings.best),
        "intervals": intervals_table(findings.pairs),
        "metrics": metrics_table(comparison),
        "roc": roc_table(comparison.fusions),
        "precision_recall": precision_recall_table(comparison.fusions),
        "pareto": pareto_table(comparison),
        "reliability": reliability_table(comparison, findings.probabilities),
        "training": training_table(folder / "training", list(comparison.fusions)),
    }


def write_curves(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the tables to <folder>/curves/<name>.csv."""
    with replace_folder(folder / "curves") as aside:
        for name, table in tables.items():
            write_table(aside / f"{name}.csv", table)


def training_table(folder: Path, fusions: Sequence[str]) -> pd.DataFrame:
    """Return the val loss over seeds, per fusion and epoch.

    Parameters
    ----------
    folder : Path
        Holds <fusion>.csv with the columns seed, epoch and val_loss.

    Returns
    -------
    DataFrame
        fusion, epoch; val_loss (mean), low and high (lowest and highest), in nats.
    """
    kinds = {"epoch": int, "val_loss": float}
    tables = [read_table(folder / f"{name}.csv", kinds).assign(fusion=name) for name in fusions]
    return over_seeds(pd.concat(tables, ignore_index=True))


def over_seeds(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the val loss over seeds, as `training_table` does.

    Parameters
    ----------
    losses : DataFrame
        fusion, epoch and val_loss; a row per fusion, seed and epoch.
    """
    by_epoch = losses.groupby(["fusion", "epoch"], sort=False)["val_loss"]
    table = by_epoch.agg(val_loss="mean", low="min", high="max").map(_significant)
    return table.reset_index()


def _significant(loss: float) -> float:
    """Return a loss to six digits; never 0, which a logarithmic axis cannot show."""
    return float(f"{max(loss, 1e-12):.{_DIGITS}g}")


def metrics_table(comparison: Comparison) -> pd.DataFrame:
    """Return each metric on test, per row of the comparison.

    Returns
    -------
    DataFrame
        metric, label, unit, better ("higher" or "lower"), fusion; mean over seeds; low and high:
        mean ∓ standard deviation, within what the metric can be.
    """
    rows: list[dict[str, Any]] = []
    for name, metric in METRICS.items():
        for result in comparison.results:
            mean, deviation = (result.metrics["test"][name][key] for key in ("mean", "deviation"))
            low, high = spread(metric, mean, deviation)
            rows.append(
                {"metric": name, "label": metric.label, "unit": metric.unit,
                 "better": "higher" if metric.higher_is_better else "lower",
                 "fusion": result.name, "mean": mean, "low": low, "high": high}
            )  # fmt: skip
    return pd.DataFrame(rows)


def spread(metric: Metric, mean: float, deviation: float | None) -> tuple[float, float]:
    """Return mean ∓ standard deviation, within what the metric can be; None: of one seed."""
    ends = np.clip([mean - (deviation or 0.0), mean + (deviation or 0.0)], *metric.bounds)
    low, high = ends.round(_DIGITS).tolist()
    return low, high

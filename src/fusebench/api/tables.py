"""What stages wrote as tables for whoever computes with them: a row per value, named columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.files import parse_json, parse_table
from fusebench.prediction.predictions import (
    BASELINES,
    MEASURED_PARTS,
    FusionPredictions,
    PartPredictions,
)
from fusebench.report import robustness_files
from fusebench.report.columns import MEMORY, MFLOPS
from fusebench.report.findings import Findings
from fusebench.report.robustness_files import SUMMARY_KINDS
from fusebench.report.robustness_pairs import PAIR_KINDS
from fusebench.report.stored import checked_metrics, decoded, read_if_there
from fusebench.report.table import AT_CHANCE, column_of

Read = Callable[[Path], bytes]
"""Gives the content of a file by its path."""

# It does not look at the sample, and so is chance itself.
_MAJORITY, _ = BASELINES
# Columns of metrics/comparison.csv that say what a fusion costs, by their names here.
_COST = {
    "parameters": "Parameters",
    "mflops_per_sample": MFLOPS,
    "latency_ms": "Latency (ms)",
    "latency_p95_ms": "Latency p95 (ms)",
    "samples_per_second": "Samples per Second",
    "step_mb": MEMORY,
    "seconds_per_epoch": "Time (s/epoch)",
    "train_seconds": "Train Seconds",
}
_TRAINING = {
    "seed": int, "epoch": int, "train_loss": float, "val_loss": float, "accuracy": float,
    "balanced_accuracy": float, "f1": float,
}  # fmt: skip
_ROBUSTNESS = {
    "fusion": str, "corruption": str, "sensor": str, "severity": int, "amount": float, "unit": str,
    "balanced_accuracy": float, "low": float, "high": float, "nll": float, "robustness": float,
}  # fmt: skip


def metrics_of(read: Read, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return metrics/fusions/<name>.json of fusions and baselines; ArtifactError if broken."""
    paths = {name: Path("metrics/fusions") / f"{name}.json" for name in names}
    return {
        name: checked_metrics(path, parse_json(path, read(path))) for name, path in paths.items()
    }


def comparison_rows(metrics: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Return each metric of each fusion and baseline, over seeds.

    Parameters
    ----------
    metrics : mapping of str to dict
        Of `metrics_of`.
    table : DataFrame
        As metrics/comparison.csv, which tells what is at chance on test.
    """
    told = {row["Model"]: row for row in table.to_dict("records") if row["Model"] != _MAJORITY}
    rows = [
        {
            "fusion": name, "part": part, "metric": metric.name, "unit": metric.unit,
            **of[part][metric.name], "seeds": len(of[part]["seeds"]),
            **_chance(metric, told.get(name, {}) if part == "test" else {}),
        }
        for name, of in metrics.items()
        for part in MEASURED_PARTS
        for metric in METRICS.values()
    ]  # fmt: skip
    # One seed has no deviation, which JSON has as null.
    kinds = {"deviation": float, "chance": float, "at_chance": "boolean"}
    return pd.DataFrame(rows).astype(kinds)


def _chance(metric: Metric, told: Mapping[str, Any]) -> dict[str, Any]:
    level = told.get(f"{column_of(metric)} Chance", np.nan)
    known = AT_CHANCE in told and not np.isnan(float(level))
    return {"chance": level, "at_chance": metric.name in told[AT_CHANCE].split() if known else None}


def seed_rows(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Return each metric of each seed; `metrics` is of `metrics_of`."""
    rows = [
        {
            "fusion": name, "seed": int(seed), "part": part, "metric": metric,
            "value": figures[metric], "collapsed": figures["collapsed"] or "",
        }
        for name, of in metrics.items()
        for part in MEASURED_PARTS
        for seed, figures in of[part]["seeds"].items()
        for metric in METRICS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def cost_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return what each fusion costs; `table` is as metrics/comparison.csv."""
    # Earlier tables have the memory of the whole process there.
    other = {MEMORY} if MFLOPS not in table else set()
    columns = {
        name: table[column] if column in table and column not in other else np.nan
        for name, column in _COST.items()
    }
    return pd.DataFrame({"fusion": table["Model"], **columns})


def training_rows(read: Read, fusions: Sequence[str]) -> pd.DataFrame:
    """Return plots/training/<fusion>.csv of all fusions; ArtifactError if missing or broken."""
    tables = []
    for name in fusions:
        path = Path("plots/training") / f"{name}.csv"
        table = parse_table(path, decoded(read(path), path), _TRAINING)[list(_TRAINING)]
        table.insert(0, "fusion", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def robustness_rows(read: Read, findings: Findings) -> tuple[pd.DataFrame, ...]:
    """Return what stage robustness found, its summary and its pairs; without a row: did not run."""
    path = robustness_files.TABLE
    content = read_if_there(read, path)
    found = findings.robustness
    if content is None or found is None:
        return tuple(
            pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
            for kinds in (_ROBUSTNESS, SUMMARY_KINDS, PAIR_KINDS)
        )
    table = parse_table(path, decoded(content, path), _ROBUSTNESS)
    return table, found.summary.copy(), found.pairs.copy()


def prediction_rows(predictions: Mapping[str, FusionPredictions]) -> pd.DataFrame:
    """Return what each model says of each sample of val and test."""
    tables = [
        pd.DataFrame({"fusion": name, "seed": seed, "part": part, **_said(of, known.classes)})
        for name, known in predictions.items()
        for seed, parts in known.seeds.items()
        for part, of in parts.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _said(part: PartPredictions, classes: Sequence[str]) -> dict[str, Any]:
    probabilities = softmax(part.logits.astype(np.float64), axis=1)
    return {
        "id": part.ids, "group": part.groups, "class": part.classes,
        "predicted": np.array(classes)[part.logits.argmax(axis=1)],
        **dict(_by_class("p", classes, probabilities)),
        **dict(_by_class("logit", classes, part.logits)),
    }  # fmt: skip


def _by_class(prefix: str, classes: Sequence[str], values: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"{prefix}_{name}", values[:, label]) for label, name in enumerate(classes))

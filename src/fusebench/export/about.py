"""export.json: all that is said of an exported model, from which its card is written too."""

import inspect
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fusebench import yaml12
from fusebench.config import PARAMS_FILE, load_section
from fusebench.evaluation.measure import constant_answer, part_metrics
from fusebench.evaluation.metrics import METRICS
from fusebench.export.check import TOLERANCE, Check, Difference
from fusebench.export.format import Format
from fusebench.export.graph import Tensors, output_of
from fusebench.export.results import Results
from fusebench.export.subject import Subject
from fusebench.inference.calibrated import remark
from fusebench.models.base import fusion_class
from fusebench.page.checkout import commit_of
from fusebench.prediction.predictions import PartPredictions
from fusebench.report.best import Best
from fusebench.report.robustness_files import Kept
from fusebench.split.params import SplitParams

SCHEMA = 1
"""Version of export.json. It rises when a reader of an earlier one would misread the file."""

_CITATION = Path("CITATION.cff")


def about(
    subject: Subject, name: str, written: Format, checked: Check,
    kept: tuple[Difference | None, str], results: Results, behind: str, requires: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Return what export.json holds, but for the digests of the files beside it.

    Parameters
    ----------
    name : str
        Of the format.
    kept : Difference or None, str
        As `check.from_kept`.
    behind : str
        As `results.behind`.
    requires : mapping
        As `Format.requires`.

    Returns
    -------
    dict
        unknown: why something else is null, by its key; of all else the keys are what they say.
        Metrics have the units of `evaluation.metrics`, angles are radians.
    """
    description, dataset = subject.description, subject.description.dataset
    kind = fusion_class(description.spec.fusion)
    difference, no_kept = kept
    unknown = {
        **results.unknown,
        **({"kept_predictions": no_kept} if no_kept else {}),
        **(dict.fromkeys(("counts", "split", "exported"), behind) if behind else {}),
        **({"temperatures": subject.uncalibrated} if subject.uncalibrated else {}),
    }
    return {
        "schema": SCHEMA,
        "fusion": description.spec.fusion,
        "strategy": kind.strategy,
        "formula": (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " "),
        "format": name,
        "classes": list(dataset.classes),
        "positive": dataset.positive,
        "inputs": [_tensors(each) for each in subject.graph.inputs],
        "outputs": [_tensors(output_of(description))],
        "seeds": list(subject.seeds),
        "all_seeds": len(subject.seeds) == len(description.seeds),
        "temperatures": {str(seed): value for seed, value in subject.temperatures.items()} or None,
        "calibration_remark": remark(subject.temperatures, subject.uncalibrated),
        "parameters": sum(tensor.numel() for tensor in subject.graph.models[0].parameters()),
        "stem": description.spec.stem,
        "trained_in": description.spec.precision,
        "settings": dict(description.settings),
        "best_epochs": {str(seed): description.seeds[seed].best_epoch for seed in subject.seeds},
        "lidar": description.lidar.model_dump(mode="json"),
        "sensors": dataset.sensors.model_dump(mode="json"),
        "azimuth": list(description.azimuth),
        "zenith": list(description.zenith),
        "data": _data(subject, behind),
        "parts": _parts(subject, behind),
        "check": {
            "part": "test",
            "samples": len(subject.rows),
            "batch": checked.batch,
            "last_batch": checked.last,
            "tolerance": TOLERANCE,
            "from_torch_fp32": asdict(checked.from_torch),
            "from_kept_predictions": None if difference is None else asdict(difference),
        },
        **_own_metrics(subject, checked, behind),
        "metrics": results.metrics,
        "metrics_seeds": results.seeds,
        "metrics_collapsed": None if results.metrics is None else results.collapsed,
        "metrics_at_chance": None if results.metrics is None else results.at_chance,
        "results": results.fingerprint or None,
        "best": _best(results.best),
        "robustness": _robustness(results.robustness),
        "calibration": [each._asdict() for each in results.probabilities] or None,
        "training": results.environment,
        "commit": _commit(),
        "licence": _licence(),
        "requires": dict(requires),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("numpy", "torch")},
            **written.versions(),
        },
        "unknown": unknown,
        "weights": {str(seed): description.seeds[seed].weights for seed in subject.seeds},
    }


def _tensors(of: Tensors) -> dict[str, Any]:
    return {**asdict(of), "shape": ["batch", *of.shape]}


def _data(subject: Subject, behind: str) -> dict[str, Any]:
    """Return what the data are; how many they were only where the samples are still the same."""
    table, dataset = subject.samples.table, subject.description.dataset
    counts = table["class"].value_counts()
    return {
        "synthetic": dataset.synthetic,
        "task": dataset.task,
        "layout": dataset.layout,
        "counts": None if behind else {name: int(counts.get(name, 0)) for name in dataset.classes},
        "groups": None if behind else int(table["group"].nunique()),
    }


def _parts(subject: Subject, behind: str) -> dict[str, Any]:
    """Return how many samples of each class are in which part, and how parts were drawn."""
    seeds, manifest = subject.seeds, subject.manifest
    of_train = {str(seed): dict(subject.description.seeds[seed].train_counts) for seed in seeds}
    if behind:
        return {"train": of_train, "test": None, "val": None, "split": None}
    return {
        "train": of_train,
        "test": manifest.class_counts(seeds[0], "test"),
        "val": {str(seed): manifest.class_counts(seed, "val") for seed in seeds},
        "split": load_section(PARAMS_FILE, "split", SplitParams).model_dump(mode="json"),
    }


def _own_metrics(subject: Subject, checked: Check, behind: str) -> dict[str, Any]:
    """Return the metrics of the exported file on test, and what limits them."""
    if behind:
        return dict.fromkeys(("exported", "exported_zeros", "exported_collapsed"))
    # The smallest probabilities may be 0 in fp32, and the logarithm of that is no number.
    found, smallest = checked.probabilities, float(np.finfo(np.float32).tiny)
    logits: Any = np.log(np.where(found > 0, found, smallest))
    part = PartPredictions.of(subject.rows, logits)
    dataset = subject.description.dataset
    measured = part_metrics(part, dataset.classes.index(dataset.positive))
    of_true = np.take_along_axis(found, part.labels[:, None], axis=1)
    label = constant_answer(part)
    return {
        "exported": {name: measured[name] for name in METRICS},
        "exported_zeros": int((of_true == 0).sum()),
        "exported_collapsed": None if label is None else dataset.classes[label],
    }


def _best(best: Best | None) -> dict[str, Any] | None:
    return None if best is None else _finite(best._asdict())


def _robustness(kept: Kept | None) -> dict[str, Any] | None:
    return None if kept is None else _finite(kept._asdict())


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with null where a table has no number: that is no JSON."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in row.items()
    }


def _commit() -> str | None:
    commit = commit_of(Path())
    return f"{commit.name}{'-dirty' if commit.changed else ''}" if commit.name else None


def _licence() -> str:
    """Return the licence of the project, by its SPDX identifier."""
    return str(yaml12.load(_CITATION.read_text("utf-8"))["license"])

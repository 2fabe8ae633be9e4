"""Stage baseline: the logits that two rules without a trained model give for val and test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.baselines.threshold import Threshold, fit, sizes
from fusebench.files import replace_folder, write_json
from fusebench.models.registry import BASELINES
from fusebench.prediction.predictions import MEASURED_PARTS, SCHEMA, PartPredictions, write_seed
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples

MAJORITY, THRESHOLD = BASELINES

Answer = Callable[[pd.DataFrame], npt.NDArray[np.float32]]
"""Gives logits (n, k) for the samples of a part."""


@dataclass(frozen=True)
class Rule:
    """A rule without a trained model.

    Attributes
    ----------
    name : str
        Of the baseline.
    inputs : tuple of str
        Which of "rgb" and "lidar" it looks at.
    parameters : int
        How many numbers are fitted, those that only set the probabilities left out.
    fit : callable
        From the samples of a training part to an answer.
    notes : dict
        What info.json says of it beside the rest; filled by `fit`.
    """

    name: str
    inputs: tuple[str, ...]
    parameters: int
    fit: Callable[[int, pd.DataFrame], Answer]
    notes: dict[str, Any] = field(default_factory=dict)


def majority_rule(samples: Samples) -> Rule:
    """Return the constant answer: each class with its share of the training part."""
    classes = len(samples.dataset.classes)

    def fit_shares(_seed: int, train: pd.DataFrame) -> Answer:
        counts = np.bincount(train["label"], minlength=classes)
        logits = np.log(counts / counts.sum()).astype(np.float32)
        return lambda rows: np.tile(logits, (len(rows), 1))

    return Rule(MAJORITY, (), 0, fit_shares)


def threshold_rule(samples: Samples) -> Rule:
    """Return the threshold on (number of returns) · (smallest range)²; see `threshold.fit`."""
    dataset = samples.dataset
    values = sizes(samples.lidar, dataset.max_range)
    positive, classes = dataset.classes.index(dataset.positive), len(dataset.classes)
    cuts: dict[str, Any] = {}

    def fit_cut(seed: int, train: pd.DataFrame) -> Answer:
        labels = train["label"].to_numpy(np.int64)
        fitted: Threshold = fit(values[train["row"].to_numpy()], labels, positive, classes)
        cuts[str(seed)] = {"cut": fitted.cut, "positive_above": fitted.positive_above}
        return lambda rows: fitted.predict(values[rows["row"].to_numpy()])

    return Rule(THRESHOLD, ("lidar",), 1, fit_cut, {"cuts": cuts})


def predict_baseline(rule: Rule, samples: Samples, manifest: Manifest, folder: Path) -> None:
    """Fit a rule per seed and keep its logits of val and test in `folder`, as a fusion's.

    Raises
    ------
    ArtifactError
        The manifest was drawn from other samples.
    """
    manifest.check_samples(samples.table)
    with replace_folder(folder) as aside:
        for seed in manifest.seeds:
            answer = rule.fit(seed, manifest.part(seed, "train"))
            parts = {}
            for part in MEASURED_PARTS:
                rows = manifest.part(seed, part)
                parts[part] = PartPredictions.of(rows, answer(rows))
            write_seed(aside, seed, parts)
        write_json(aside / "info.json", _info(rule, samples, manifest))


def _info(rule: Rule, samples: Samples, manifest: Manifest) -> dict[str, Any]:
    dataset = samples.dataset
    return {
        "schema": SCHEMA,
        "fusion": rule.name,
        "strategy": "none",
        "inputs": list(rule.inputs),
        "parameters": rule.parameters,
        "classes": list(dataset.classes),
        "positive": dataset.positive,
        "synthetic": dataset.synthetic,
        "seeds": manifest.seeds,
        "train_counts": {
            str(seed): manifest.class_counts(seed, "train") for seed in manifest.seeds
        },
        **rule.notes,
    }

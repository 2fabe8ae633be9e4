"""Stage baseline: the logits that two rules without a trained model give for val and test."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.aside import replace_folder
from fusebench.baselines.threshold import fit_threshold, sizes
from fusebench.prediction.predictions import (
    BASELINES,
    MEASURED_PARTS,
    PartPredictions,
    write_info,
    write_seed,
)
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
        From the samples of a training part to an answer, and what is to be noted of the fit.
    """

    name: str
    inputs: tuple[str, ...]
    parameters: int
    fit: Callable[[pd.DataFrame], tuple[Answer, dict[str, Any]]]


def majority_rule(samples: Samples) -> Rule:
    """Return the constant answer: each class with its share of the training part."""
    classes = len(samples.dataset.classes)

    def fit_shares(train: pd.DataFrame) -> tuple[Answer, dict[str, Any]]:
        counts = np.bincount(train["label"], minlength=classes)
        logits = np.log(counts / counts.sum()).astype(np.float32)
        return lambda rows: np.tile(logits, (len(rows), 1)), {}

    return Rule(MAJORITY, (), 0, fit_shares)


def threshold_rule(samples: Samples) -> Rule:
    """Return the threshold on (number of returns) · (smallest range)²; see `threshold.fit`."""
    dataset = samples.dataset
    # Of all samples, in their order; it is fitted on train and answers for val and test alone.
    chunks = [sizes(samples.ranges(rows), dataset.max_range) for rows in samples.chunks()]
    values = np.concatenate(chunks)
    positive, classes = dataset.classes.index(dataset.positive), len(dataset.classes)

    def fit_cut(train: pd.DataFrame) -> tuple[Answer, dict[str, Any]]:
        labels = train["label"].to_numpy(np.int64)
        fitted = fit_threshold(values[train["row"].to_numpy()], labels, positive, classes)
        notes = {"cut": fitted.cut, "positive_above": fitted.positive_above}
        return lambda rows: fitted.predict(values[rows["row"].to_numpy()]), notes

    return Rule(THRESHOLD, ("lidar",), 1, fit_cut)


def predict_baseline(
    rule: Rule, samples: Samples, manifest: Manifest, folder: Path
) -> dict[int, dict[str, Any]]:
    """Fit a rule per seed and keep its logits of val and test in `folder`, as a fusion's.

    Returns
    -------
    dict of int to dict
        What is noted of each seed's fit; info.json holds it as `fits`.

    Raises
    ------
    ArtifactError
        The manifest was drawn from other samples.
    """
    manifest.check_samples(samples.table)
    fits: dict[int, dict[str, Any]] = {}
    with replace_folder(folder) as aside:
        for seed in manifest.seeds:
            answer, fits[seed] = rule.fit(manifest.part(seed, "train"))
            parts = {}
            for part in MEASURED_PARTS:
                rows = manifest.part(seed, part)
                parts[part] = PartPredictions.of(rows, answer(rows))
            write_seed(aside, seed, parts)
        write_info(aside, _info(rule, samples, manifest, fits))
    return fits


def _info(
    rule: Rule, samples: Samples, manifest: Manifest, fits: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    dataset = samples.dataset
    return {
        "fusion": rule.name,
        "strategy": "none",
        "inputs": list(rule.inputs),
        "parameters": rule.parameters,
        "classes": list(dataset.classes),
        "positive": dataset.positive,
        "synthetic": dataset.synthetic,
        "task": dataset.task,
        "seeds": manifest.seeds,
        "train_counts": {
            str(seed): manifest.class_counts(seed, "train") for seed in manifest.seeds
        },
        "fits": {str(seed): notes for seed, notes in fits.items()},
    }

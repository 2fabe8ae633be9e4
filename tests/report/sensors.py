"""A comparison made up of models that see one sensor or both, of data whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.evaluation.measure import fusion_metrics
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.results import Comparison, Result

SIZES = {"val": 200, "test": 600}
RGB, LIDAR, BOTH = ("rgb",), ("lidar",), ("rgb", "lidar")
CLASSES = ("cubes", "spheres", "cones", "rings", "tori", "plates", "rods", "cups", "nets", "jars",
           "boxes")  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A fusion or baseline: what it sees, and how often each seed names the class.

    Attributes
    ----------
    inputs : sequence of str
    right : sequence of float
        Per seed, on val; else it names any class.
    on_test : sequence of float, optional
        The same on test, where that is not as on val.
    trained : bool
        Whether it is a fusion.
    settings : mapping, optional
    """

    inputs: Sequence[str]
    right: Sequence[float]
    on_test: Sequence[float] | None = None
    trained: bool = True
    settings: Mapping[str, Any] | None = None

    def share(self, part: str, seed: int) -> float:
        """Return how often a seed names the class."""
        return (self.on_test if self.on_test and part == "test" else self.right)[seed]


MAJORITY = Model((), (0.0, 0.0), trained=False)
# Each sensor tells the whole class, but for a few samples.
SHAPE = {
    "add": Model(BOTH, (0.99, 0.98)), "rgb_only": Model(RGB, (0.98, 0.97)),
    "lidar_only": Model(LIDAR, (0.97, 0.98)), "majority_class": MAJORITY,
    "threshold": Model(LIDAR, (0.5, 0.5), trained=False),
}  # fmt: skip


def changed(**models: Model | None) -> dict[str, Model]:
    """Return the models of `SHAPE` with others in their place; None: without it."""
    return {name: model for name, model in {**SHAPE, **models}.items() if model is not None}


def truth(part: str, classes: int, rare: int = 0) -> npt.NDArray[np.int64]:
    """Return the labels of a part; `rare`: of the last class only so many."""
    labels = np.arange(SIZES[part]) % classes
    if rare:
        last = np.flatnonzero(labels == classes - 1)
        labels[last[rare:]] = 0
    return labels.astype(np.int64)


def _part(
    name: str, model: Model, part: str, seed: int, labels: npt.NDArray[np.int64], classes: int
) -> PartPredictions:
    source = np.random.default_rng([len(name), seed, len(labels), classes])
    right = source.random(len(labels)) < model.share(part, seed)
    said = np.where(right, labels, source.integers(0, classes, len(labels)))
    if not model.inputs:
        said = 0 * labels
    # As sure as it ought to be: then the lowest NLL is that of the model that is right most often.
    sure = np.log(max(0.02, 1.001 - model.share(part, seed)) / classes)
    logits = np.where(np.eye(classes, dtype=bool)[said], 0.0, sure)
    return PartPredictions(
        np.array([f"{row:04d}" for row in range(len(labels))]), np.array(CLASSES)[labels],
        np.array([f"{part}{row}" for row in range(len(labels))]), labels,
        (logits + source.normal(0, 0.01, logits.shape)).astype(np.float32),
    )  # fmt: skip


def comparison_of(
    models: Mapping[str, Model], classes: int = 2, *, seeds: int = 2, rare: int = 0
) -> Comparison:
    """Return the comparison of some models, as stage compare would read it."""
    labels = {part: truth(part, classes, rare) for part in SIZES}
    names = list(CLASSES[:classes])
    results = []
    for name, model in models.items():
        parts = {
            seed: {
                part: _part(name, model, part, seed, labels[part], classes) for part in SIZES
            }
            for seed in range(seeds)
        }  # fmt: skip
        info = {
            "fusion": name, "strategy": "none", "inputs": list(model.inputs), "parameters": 1,
            "classes": names, "positive": names[1], "synthetic": True, "seeds": list(parts),
            "train_counts": {str(seed): dict.fromkeys(names, 50) for seed in parts},
            "settings": dict(model.settings or {}),
        }  # fmt: skip
        predictions = FusionPredictions(info, parts)
        measured: dict[str, Any] | None = {"environment": {}} if model.trained else None
        metrics = fusion_metrics(predictions)
        results.append(Result(name, predictions, metrics, measured, None, name))
    return Comparison(tuple(results))

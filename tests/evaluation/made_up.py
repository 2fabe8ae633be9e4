"""Predictions made up for tests of the metrics."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fusebench.prediction.predictions import FusionPredictions, PartPredictions

NAMES = ("cubes", "spheres", "cones", "tori")


def part_of(labels: Sequence[int], logits: Any) -> PartPredictions:
    """Make the predictions of one part; each sample is its own."""
    text = np.array([str(row) for row in range(len(labels))])
    names = np.array([NAMES[label] for label in labels])
    return PartPredictions(
        text, names, text, np.array(labels, np.int64), np.array(logits, np.float32)
    )


def seeded_part(classes: int) -> PartPredictions:
    """Return 60 samples, rather well predicted, with ties."""
    source = np.random.default_rng(classes)
    shares = {2: [0.8, 0.2], 3: [0.6, 0.3, 0.1]}[classes]
    labels = source.choice(classes, 60, p=shares)
    logits = source.normal(0, 2, (60, classes)) + 2 * np.eye(classes)[labels]
    logits[::3] = logits[::3].round()
    return part_of(labels.tolist(), logits)


@st.composite
def parts(draw: Callable[..., Any]) -> PartPredictions:
    """Draw a part of 2 to 4 classes, each of which is there; some with ties, some very sure."""
    classes = draw(st.integers(2, 4))
    labels = [*range(classes), *draw(st.lists(st.integers(0, classes - 1), max_size=25))]
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = draw(st.sampled_from([1, 5, 300])) * source.standard_normal((len(labels), classes))
    return part_of(labels, logits.round() if draw(st.booleans()) else logits)


def fusion_of(
    seeds: dict[int, dict[str, PartPredictions]], counts: Sequence[int] = (9, 1)
) -> FusionPredictions:
    """Make a fusion's predictions; `counts`: samples of each class in the training part."""
    classes = list(NAMES[: len(counts)])
    train_counts = dict(zip(classes, counts, strict=True))
    info = {
        "fusion": "add", "strategy": "intermediate", "inputs": ["rgb", "lidar"],
        "parameters": 117_314, "classes": classes, "positive": "spheres", "synthetic": True,
        "seeds": list(seeds), "train_counts": {str(seed): train_counts for seed in seeds},
    }  # fmt: skip
    return FusionPredictions(info, seeds)

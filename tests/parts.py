"""Predictions and paired contributions, made up for tests of the statistics and the report."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.statistics.paired import Floats, Paired, pair

NAMES = ("cubes", "spheres", "cones")
BySeed = dict[int, PartPredictions]


def part_of(
    labels: Sequence[int], logits: Any, ids: Sequence[str] | None = None
) -> PartPredictions:
    """Make the predictions of one part; unless ids are given, each sample has its own."""
    names = [str(row) for row in range(len(labels))] if ids is None else list(ids)
    return PartPredictions(
        np.array(names),
        np.array([NAMES[label] for label in labels]),
        np.array([f"{name}/{label}" for name, label in zip(names, labels, strict=True)]),
        np.array(labels, np.int64),
        np.array(logits, np.float32),
    )


def answers(labels: Sequence[int], wrong: Sequence[int], classes: int = 2) -> npt.NDArray[Any]:
    """Return logits that are right but in the rows `wrong`."""
    said = np.array(labels)
    said[list(wrong)] = (said[list(wrong)] + 1) % classes
    logits: npt.NDArray[Any] = 4.0 * np.eye(classes)[said]
    return logits


@st.composite
def two_fusions(draw: Callable[..., Any]) -> tuple[BySeed, BySeed]:
    """Draw two fusions on the same samples: 2 or 3 classes, groups, ties, 1 to 3 seeds."""
    classes = draw(st.integers(2, 3))
    labels = [*range(classes), *draw(st.lists(st.integers(0, classes - 1), max_size=40))]
    ids = [str(draw(st.integers(0, len(labels)))) for _ in labels]
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rounded = draw(st.booleans())

    def make() -> PartPredictions:
        logits = source.normal(0, 3, (len(labels), classes))
        return part_of(labels, logits.round() if rounded else logits, ids)

    seeds = draw(st.integers(1, 3))
    return {seed: make() for seed in range(seeds)}, {seed: make() for seed in range(seeds)}


def paired_of(first: BySeed, second: BySeed, metric: str) -> Paired:
    """Pair predictions on a metric that is a mean, as the report does."""
    chosen, part = METRICS[metric], next(iter(first.values()))
    ours, theirs = (
        np.array([chosen.per_sample(part) for part in parts.values() if chosen.per_sample])
        for parts in (first, second)
    )
    weights = chosen.weights(part.labels)
    return pair(ours, theirs, part.ids, part.labels, weights, chosen.span)


@st.composite
def contributions(draw: Callable[..., Any], fewest_seeds: int = 1) -> Paired:
    """Draw contributions of ids of 1 to 3 strata, many 0, with the weights of accuracy."""
    shape = draw(st.integers(fewest_seeds, 6)), draw(st.integers(2, 40))
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = source.choice([-1.0, 0.0, 1.0], shape, p=draw(st.sampled_from(SHARES)))
    values += draw(st.sampled_from([0.0, 0.5])) * source.normal(size=(shape[0], 1))
    counts = np.array([shape[1] // 2, shape[1] - shape[1] // 2])
    weights = np.full(2, 100 / shape[1])
    strata = source.integers(0, draw(st.integers(1, 3)), shape[1])
    return Paired(values * weights[0], strata, weights, counts)


SHARES = ([0.0, 1.0, 0.0], [0.02, 0.96, 0.02], [0.3, 0.4, 0.3], [0.0, 0.5, 0.5])


def crossed(
    source: np.random.Generator,
    shape: tuple[int, int],
    seed: float = 0.0,
    id_: float = 0.0,
    both: float = 0.0,
) -> Paired:
    """Simulate normal contributions of one stratum, in a metric without bounds.

    Parameters
    ----------
    shape : (seeds, ids)
    seed, id_, both : float
        Deviations of the terms: `seed` of the whole difference, the others of one id's share.
    """
    seeds, ids = shape
    values = source.normal(0, seed, (seeds, 1)) / ids + source.normal(0, id_, (1, ids))
    values = values + source.normal(0, both, shape)
    return unbounded(values)


def unbounded(values: Floats, strata: Any = None) -> Paired:
    """Return contributions in a metric without bounds, of one stratum unless `strata` says more."""
    chosen = np.zeros(values.shape[1], np.int64) if strata is None else np.array(strata)
    return Paired(values, chosen, np.zeros(2), np.array([1, values.shape[1] - 1]))


def fusion(name: str, parts: BySeed) -> FusionPredictions:
    """Return a fusion whose test part is given by seed; its val part is the same."""
    classes = list(NAMES[: next(iter(parts.values())).logits.shape[1]])
    info = {
        "fusion": name, "strategy": "intermediate", "inputs": ["rgb", "lidar"], "parameters": 3,
        "classes": classes, "positive": "spheres", "synthetic": True, "seeds": list(parts),
        "train_counts": {str(seed): dict.fromkeys(classes, 1) | {"cubes": 9} for seed in parts},
    }  # fmt: skip
    return FusionPredictions(
        info, {seed: {"val": part, "test": part} for seed, part in parts.items()}
    )


LABELS = [0] * 40 + [1] * 20 + [0] * 6 + [1] * 6
"""40 ids of cubes alone, 20 of spheres alone, 6 of both."""
IDS = [f"{row:02}" for row in [*range(66), *range(60, 66)]]
_SHARES = {"late": 0.3, "concat": 0.16, "add": 0.08}


def study(seeds: int = 5) -> dict[str, FusionPredictions]:
    """Make three fusions, each with fewer wrong answers than the one before it.

    Seed 3 of the first has collapsed to cubes.
    """
    fusions = {}
    for place, (name, share) in enumerate(_SHARES.items()):
        source, parts = np.random.default_rng(place), {}
        for seed in range(seeds):
            wrong = np.flatnonzero(source.random(len(LABELS)) < share).tolist()
            noise = source.normal(0, 0.5, (len(LABELS), 2))
            logits = answers(LABELS, wrong) + noise
            if (name, seed) == ("late", 3):
                logits = answers(LABELS, np.flatnonzero(LABELS).tolist())
            parts[seed] = part_of(LABELS, logits, IDS)
        fusions[name] = fusion(name, parts)
    return fusions

"""Made-up results of the study of training sizes, for its tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studies.common.experiments import Experiment, Read
from studies.common.study import Kept
from studies.learning_curve.tables import Results

Accuracies = Mapping[str, Sequence[Sequence[float]]]
"""By fusion: of each size, balanced accuracy of each seed, in %."""

SIZES = (107, 215, 430, 860, 1720)


def size(samples: int, accuracies: Mapping[str, Sequence[float]]) -> Kept:
    """Return what is kept of a size."""
    steps = -(-samples // 32)
    epochs = round(405 / steps)
    return {
        "commit": "0123abcdef", "share": round(samples / 10750, 4), "train_samples": samples,
        "epochs": epochs, "steps_per_epoch": steps, "steps": epochs * steps,
        "samples": {"train": samples, "val": 215, "test": 2150}, "device": "cpu",
        "processor": "a processor", "precision": "fp32", "torch": "2",
        "fusions": {
            name: {
                "balanced_accuracy": {str(seed): value for seed, value in enumerate(values)},
                "nll": {str(seed): 1 - value / 100 for seed, value in enumerate(values)},
            }
            for name, values in accuracies.items()
        },
    }  # fmt: skip


def results(
    accuracies: Accuracies,
    sizes: Sequence[int] = SIZES,
    *,
    planned: Sequence[str] = (),
    margin: float | None = 2.0,
) -> Results:
    """Return the results of some sizes."""
    return Results.of(
        [
            size(samples, {name: of[place] for name, of in accuracies.items()})
            for place, samples in enumerate(sizes)
        ],
        planned,
        margin,
    )


def flat(*means: float, seeds: int = 5, spread: float = 0.2) -> list[list[float]]:
    """Return seeds around some means, so that differences between sizes have no scatter."""
    middle = (seeds - 1) / 2
    return [[mean + spread * (seed - middle) for seed in range(seeds)] for mean in means]


def files(experiment: Experiment, params: Mapping[str, Any], train: int) -> Read:
    """Return what reads the files of an experiment of a size."""
    seeds = params["train"]["seeds"]
    share = float(experiment.overrides[0].partition("=")[2])
    parts = ["train"] * train + ["val"] * 2 + ["test"] * 4 + ["unused"]
    environment = {"device": "cpu", "processor": "p", "precision": "fp32", "torch": "2"}
    found: dict[str, str] = {
        "data/split.csv": "".join(f"{line}\n" for line in [f"seed_{seeds[0]}", *parts])
    }
    for name in params["fusions"]:
        of = {str(seed): {"balanced_accuracy": 60 + 100 * share + seed, "nll": 0.5 - share}
              for seed in seeds}  # fmt: skip
        found[f"metrics/fusions/{name}.json"] = json.dumps({"test": {"seeds": of}})
        found[f"metrics/training/{name}.json"] = json.dumps({"environment": environment})

    def read(path: Path) -> bytes:
        return found[path.as_posix()].encode()

    return read

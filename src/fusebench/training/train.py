"""Stage train: one fusion, all seeds, in one process."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from fusebench.aside import replace_folder
from fusebench.device import Device, Precision, environment, peak_memory
from fusebench.files import write_json, write_table
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import ModelSpec, fusion_class
from fusebench.models.description import Description, SeedDescription
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training.loop import Task, TrainingState, fit, start
from fusebench.training.settings import TrainParams


@dataclass(frozen=True)
class OutputPaths:
    """Where a fusion's training leaves what it made."""

    models: Path
    curve: Path
    metrics: Path

    @classmethod
    def of(cls, fusion: str, root: Path = Path()) -> "OutputPaths":
        """Return the paths of one fusion below the project's root."""
        return cls(
            root / "models" / fusion,
            root / "plots/training" / f"{fusion}.csv",
            root / "metrics/training" / f"{fusion}.json",
        )


@dataclass(frozen=True)
class Recipe:
    """All params that a trained model depends on; `precision` is what train.precision came to."""

    fusion: str
    train: TrainParams
    lidar: LidarParams
    precision: Precision

    @property
    def settings(self) -> dict[str, Any]:
        """What fusions must share to be compared, by the names of `train`; seeds are apart."""
        return {**self.train.model_dump(exclude={"seeds"}), "precision": self.precision}

    def spec(self, samples: Samples) -> ModelSpec:
        """Return what builds this fusion for the given samples."""
        height, width = samples.rgb.shape[1:3]
        classes = len(samples.dataset.classes)
        return ModelSpec(self.fusion, classes, (height, width), self.train.pooling, self.precision)


def train_fusion(
    recipe: Recipe,
    samples: Samples,
    manifest: Manifest,
    device: Device,
    progress: Progress,
    paths: OutputPaths,
) -> None:
    """Train every seed of a fusion and write models, learning curves and measurements.

    Raises
    ------
    ArtifactError
        The manifest was drawn without one of the seeds.
    TrainingError
        A loss is no longer a number.
    """
    manifest.check_samples(samples.table)

    def show_epoch(task: Task, state: TrainingState) -> None:
        progress.epoch(task.label, task.settings.epochs, _rate(task, state), state.records[-1])

    def show_batch(task: Task, state: TrainingState, share: float) -> None:
        progress.batch(task.label, state.epoch + 1, task.settings.epochs, share)

    states: dict[int, TrainingState] = {}
    with replace_folder(paths.models) as folder:
        for seed in recipe.train.seeds:
            task = _task(recipe, seed, samples, manifest, device)
            state = fit(task, start(task), show_epoch, show_batch)
            weights.save(folder / f"seed_{seed}.safetensors", state.best_weights)
            best = state.records[state.best_epoch - 1]
            progress.seed(task.label, task.settings.epochs, _rate(task, state), best)
            # The optimiser's state and the last weights are needed no more.
            states[seed] = replace(state, best_weights={})
        _describe(recipe, samples, manifest, device, states).write(folder)
    records = [asdict(record) for state in states.values() for record in state.records]
    write_table(paths.curve, pd.DataFrame(records))
    write_json(paths.metrics, _measurements(list(states.values()), device, recipe.precision))


def _task(recipe: Recipe, seed: int, samples: Samples, manifest: Manifest, device: Device) -> Task:
    names = fusion_class(recipe.fusion).inputs
    train, val = (
        Inputs.load(samples, manifest.part(seed, part), recipe.lidar, names, device.device)
        for part in ("train", "val")
    )
    positive = samples.dataset.classes.index(samples.dataset.positive)
    spec = recipe.spec(samples)
    return Task(spec, recipe.train, seed, train, val, positive, device.device)


def _describe(
    recipe: Recipe,
    samples: Samples,
    manifest: Manifest,
    device: Device,
    states: dict[int, TrainingState],
) -> Description:
    return Description(
        recipe.spec(samples),
        recipe.lidar,
        samples.dataset.classes,
        {
            seed: SeedDescription(state.best_epoch, manifest.class_counts(seed, "train"))
            for seed, state in states.items()
        },
        recipe.settings,
        environment(device, recipe.precision),
    )


def _measurements(
    states: Sequence[TrainingState], device: Device, precision: Precision
) -> dict[str, Any]:
    """Return time and memory; of order 1, since `dvc metrics diff` rounds to five decimals."""
    seconds = [of_epoch for state in states for of_epoch in state.seconds]
    return {
        "seconds_per_epoch": {
            "median": round(median(seconds), 4),
            "min": round(min(seconds), 4),
            "max": round(max(seconds), 4),
        },
        "memory": peak_memory(device),
        "environment": environment(device, precision),
    }


def _rate(task: Task, state: TrainingState) -> float:
    """Return the samples per second of the last epoch, its train and val pass."""
    return (len(task.train) + len(task.val)) / state.seconds[-1]

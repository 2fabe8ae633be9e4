"""Stage train: one fusion, all seeds, in one process."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from fusebench.device import Device, Precision, environment, peak_memory
from fusebench.files import replace_file, replace_folder, write_json
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import registry, weights
from fusebench.models.base import ModelSpec
from fusebench.models.description import Description, SeedDescription
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples, write_csv
from fusebench.training.loop import EpochRecord, Task, TrainingState, fit, start
from fusebench.training.progress import Progress
from fusebench.training.settings import TrainParams


@dataclass(frozen=True)
class Places:
    """Where a fusion's training leaves what it made."""

    models: Path
    curve: Path
    metrics: Path

    @classmethod
    def of(cls, fusion: str) -> "Places":
        """Return the places of one fusion below the project's root."""
        return cls(
            Path("models") / fusion,
            Path("plots/training") / f"{fusion}.csv",
            Path("metrics/training") / f"{fusion}.json",
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


def train_fusion(
    recipe: Recipe,
    samples: Samples,
    manifest: Manifest,
    device: Device,
    progress: Progress,
    places: Places,
) -> None:
    """Train every seed of a fusion and write models, learning curves and measurements.

    Raises
    ------
    ArtifactError
        The manifest was drawn without one of the seeds.
    TrainingError
        A loss is no longer a number.
    """
    manifest.check_rows(samples.rows)
    classes = samples.dataset.classes
    spec = ModelSpec(
        recipe.fusion,
        len(classes),
        (samples.rgb.shape[1], samples.rgb.shape[2]),
        recipe.train.pooling,
        recipe.precision,
    )
    states: dict[int, TrainingState] = {}
    with replace_folder(places.models) as folder:
        for seed in recipe.train.seeds:
            task = _task(spec, recipe, seed, samples, manifest, device)
            state = fit(task, start(task), progress.epoch)
            weights.save(folder / f"seed_{seed}.safetensors", state.best_weights)
            progress.seed(task, state)
            # The optimiser's state and the last weights are needed no more.
            states[seed] = replace(state, best_weights={})
        seeds = {
            seed: SeedDescription(state.best_epoch, _class_counts(manifest, seed, classes))
            for seed, state in states.items()
        }
        found = environment(device, recipe.precision)
        Description(spec, recipe.lidar, classes, seeds, recipe.settings, found).write(folder)
    _write_curve(places.curve, [record for state in states.values() for record in state.records])
    write_json(places.metrics, _measurements(list(states.values()), device, recipe.precision))


def _task(
    spec: ModelSpec,
    recipe: Recipe,
    seed: int,
    samples: Samples,
    manifest: Manifest,
    device: Device,
) -> Task:
    names = registry.fusion_class(spec.fusion).inputs
    train, val = (
        Inputs.load(samples, manifest.rows_of(seed, part), recipe.lidar, names, device.device)
        for part in ("train", "val")
    )
    positive = samples.dataset.classes.index(samples.dataset.positive)
    return Task(spec, recipe.train, seed, train, val, positive, device.device)


def _class_counts(manifest: Manifest, seed: int, classes: Sequence[str]) -> dict[str, int]:
    """Return how many samples of each class the training part holds."""
    held = Counter(row.class_name for row in manifest.rows_of(seed, "train"))
    return {name: held[name] for name in classes}


def _write_curve(path: Path, records: Sequence[EpochRecord]) -> None:
    header = [field.name for field in fields(EpochRecord)]
    with replace_file(path) as aside:
        write_csv(aside, header, [astuple(record) for record in records])


def _measurements(
    states: Sequence[TrainingState], device: Device, precision: Precision
) -> dict[str, Any]:
    """Return time and memory; of order 1, since `dvc metrics diff` rounds to five decimals."""
    seconds = [each for state in states for each in state.seconds]
    return {
        "seconds_per_epoch": {
            "median": round(median(seconds), 4),
            "min": round(min(seconds), 4),
            "max": round(max(seconds), 4),
        },
        "memory": peak_memory(device),
        "environment": environment(device, precision),
    }

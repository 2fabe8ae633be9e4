"""All that bench.py and study.py take from the library but its training loop.

That is data, settings and verdict. How inputs are opened is known here alone, for scale.py too.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import pandas as pd

from benchmarks.timing import SPLIT_SEED
from fusebench.config import PARAMS_FILE, load_keys, load_section
from fusebench.device import Precision, RuntimeParams, prepare
from fusebench.inputs.lidar import LidarParams
from fusebench.models.registry import FusionParams
from fusebench.samples.manifest import Manifest, read_manifest
from fusebench.samples.samples import Samples, open_samples
from fusebench.split.draw import draw
from fusebench.split.params import SplitParams
from fusebench.training.settings import TrainParams

if TYPE_CHECKING:
    import torch

    from fusebench.inputs.inputs import PartInputs

SAMPLES = Path("data/samples")
MANIFEST = Path("data/split.csv")

Rows: TypeAlias = pd.DataFrame
"""Some of the samples, as the library lists them."""


@dataclass(frozen=True)
class TrainingData:
    """What every implementation trains on, and with which settings."""

    samples: Samples
    train: Rows
    val: Rows
    lidar: LidarParams
    settings: TrainParams

    @classmethod
    def read(cls) -> Self:
        """Return what stages extract and split wrote into this project.

        Raises
        ------
        ArtifactError
            Something is missing or broken.
        """
        samples, manifest = open_samples(SAMPLES), read_manifest(MANIFEST)
        manifest.check_samples(samples.table)
        train, val = (manifest.part(SPLIT_SEED, part) for part in ("train", "val"))
        lidar = load_section(PARAMS_FILE, "lidar", LidarParams)
        return cls(samples, train, val, lidar, load_section(PARAMS_FILE, "train", TrainParams))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, in pixels."""
        height, width = self.samples.rgb.shape[1:3]
        return height, width

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.samples.dataset.classes)


def load_inputs(
    samples: Samples,
    rows: Rows,
    lidar: LidarParams,
    names: Sequence[str],
    device: "torch.device",
    streamed: bool = False,
) -> "PartInputs":
    """Return the maps of some samples: held in memory, or made batch by batch."""
    from fusebench.inputs.streamed import open_inputs

    return open_inputs(samples, rows, lidar, names, device, 0 if streamed else sys.maxsize)


def runtime(**changes: Any) -> RuntimeParams:
    """Return section `runtime` of params.yaml with some values replaced."""
    return load_section(PARAMS_FILE, "runtime", RuntimeParams).model_copy(update=changes)


def rows_and_labels(rows: Rows) -> list[tuple[int, int]]:
    """Return the position in the arrays and the label of each sample."""
    return list(zip(rows["row"], rows["label"], strict=True))


@dataclass(frozen=True)
class StudySettings:
    """The sections of params.yaml that the precision study's numbers depend on."""

    fusions: tuple[str, ...]
    train: TrainParams
    lidar: LidarParams
    split: SplitParams

    @classmethod
    def read(cls, seeds: Sequence[int]) -> Self:
        """Return what params.yaml holds, with other seeds."""
        train = load_section(PARAMS_FILE, "train", TrainParams)
        return cls(
            load_keys(PARAMS_FILE, FusionParams).fusions,
            train.model_copy(update={"seeds": tuple(seeds)}),
            load_section(PARAMS_FILE, "lidar", LidarParams),
            load_section(PARAMS_FILE, "split", SplitParams),
        )

    @property
    def values(self) -> dict[str, Any]:
        """The settings as plain values, for a file."""
        sections = ("train", "lidar", "split")
        return {
            "fusions": list(self.fusions),
            **{name: getattr(self, name).model_dump(mode="json") for name in sections},
        }

    def manifest(self, samples: Samples) -> Manifest:
        """Return a split of the samples for these seeds."""
        return Manifest(draw(samples.table, self.split, self.train.seeds))


def metrics_of_test(
    settings: StudySettings, fusion: str, normalize: bool, precision: Precision
) -> list[dict[str, Any]]:
    """Train and evaluate a fusion with one thread; return the metrics of test, one per seed."""
    # These import torch, which a process that only reads results does without.
    from fusebench.evaluation.measure import fusion_metrics
    from fusebench.prediction.predict import predict_fusion
    from fusebench.prediction.predictions import read_predictions
    from fusebench.progress import Progress
    from fusebench.training.recipe import Recipe, Training
    from fusebench.training.train import OutputPaths, train_fusion

    device = prepare(runtime(device="cpu", threads=1, portable=False))
    samples = open_samples(SAMPLES)
    manifest = settings.manifest(samples)
    lidar = settings.lidar.model_copy(update={"normalize": normalize})
    recipe = Recipe(fusion, settings.train, lidar, precision)
    with TemporaryDirectory() as name:
        folder = Path(name)
        outputs = OutputPaths(folder / "models", folder / "curve.csv", folder / "metrics.json")
        progress = Progress("off", len(settings.train.seeds))
        train_fusion(Training(recipe, samples, manifest, device, ""), progress, outputs)
        predict_fusion(folder / "models", samples, manifest, device, folder / fusion)
        test = fusion_metrics(read_predictions(folder / fusion))["test"]
    return list(test["seeds"].values())


def verdict_text(folder: Path) -> str:
    """Return what the comparison kept in a folder recommends, and its table, as Markdown."""
    from fusebench.report.export import exported, verdict_head

    return verdict_head(exported(folder))

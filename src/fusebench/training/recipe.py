"""What decides the result of a training: params, samples, draw, machine and code; and its key."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from fusebench.config import read
from fusebench.device import Device, Precision, environment
from fusebench.files import dvc_digest
from fusebench.inputs.augmented import augmented_inputs
from fusebench.inputs.corruption import code_of, corruption_of
from fusebench.inputs.inputs import PartInputs
from fusebench.inputs.lidar import LidarParams
from fusebench.inputs.streamed import open_inputs
from fusebench.models.base import ModelSpec, fusion_class
from fusebench.models.settings import NOTEBOOK, ModelSettings
from fusebench.processor import processor_kind
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples, StoredDataset
from fusebench.sealed import digest_of
from fusebench.training.loop import Task
from fusebench.training.settings import TrainParams
from fusebench.training.stacked import reason_against

_PIPELINE = Path("dvc.yaml")
# What Python leaves beside the code.
_NO_CODE = ("__pycache__", "*.pyc")
# Of the environment, what libraries choose their code by: see docs/portable.md.
_VARIABLES = (
    "ATEN_", "CUBLAS_", "CUDNN_", "DNNL_", "MKL_", "NPY_", "NVIDIA_TF32", "ONEDNN_", "TORCH_",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """All params that a trained model depends on; `precision` is what train.precision came to."""

    fusion: str
    train: TrainParams
    lidar: LidarParams
    precision: Precision
    model: ModelSettings = NOTEBOOK

    @property
    def settings(self) -> dict[str, Any]:
        """What fusions must share to be compared, by the names of `train`; seeds are apart.

        And what decides of `model`, where that is not the notebook's.
        """
        off = set() if self.train.augment else {"augment"}
        train = self.train.model_dump(mode="json", exclude={"seeds", *off})
        return {**train, "precision": self.precision, **self.model.decisive}

    def spec(self, samples: Samples) -> ModelSpec:
        """Return what builds this fusion for the given samples.

        Raises
        ------
        ParamsError
            They are too small for the stem.
        """
        height, width = samples.rgb.shape[1:3]
        self.model.check_size((height, width), "data/samples")
        classes, pooling = len(samples.dataset.classes), self.train.pooling
        return ModelSpec(
            self.fusion, classes, (height, width), pooling, self.precision, self.model.stem
        )


@dataclass(frozen=True)
class Training:
    """The training of one fusion, with all that decides what comes of it.

    Attributes
    ----------
    code : str
        Names the code, as `code_digest`.
    stacked : bool
        Whether the seeds are to be trained in one pass, if they can be.
    """

    recipe: Recipe
    samples: Samples
    manifest: Manifest
    device: Device
    code: str
    stacked: bool = False

    @cached_property
    def against_stacking(self) -> str | None:
        """Why the seeds cannot be trained in one pass; None if they can.

        Raises
        ------
        ArtifactError
            The manifest was drawn without one of the seeds.
        """
        train = self.recipe.train
        if train.augment:
            return "train.augment corrupts samples of one seed at a time"
        counts = {seed: len(self.manifest.part(seed, "train")) for seed in train.seeds}
        return reason_against(counts, train.batch_size, self.recipe.model.stem)

    @property
    def together(self) -> list[int] | None:
        """The seeds that are trained in one pass; None where each is trained by itself."""
        if not self.stacked or self.against_stacking:
            return None
        return list(self.recipe.train.seeds)

    @property
    def environment(self) -> dict[str, Any]:
        """What the last bits and the speed of the training depend on, as it is recorded."""
        recorded = environment(self.device, self.recipe.precision)
        return {**recorded, "stacked": self.together is not None}

    @property
    def _uses_torchvision(self) -> bool:
        """Whether an encoder is made of it, or a corruption."""
        return self.recipe.model.stem != "notebook" or bool(self.recipe.train.augment)

    def label(self, seed: int) -> str:
        """Return how messages call the training of a seed."""
        return f"{self.recipe.fusion} seed {seed}"

    def task(self, seed: int, beside: int = 1) -> Task:
        """Return what one seed is trained on and how; this loads its inputs.

        Parameters
        ----------
        beside : int
            How many seeds share the memory budget.

        Raises
        ------
        ArtifactError
            The manifest was drawn without this seed.
        """
        recipe, samples, device = self.recipe, self.samples, self.device.device
        names = fusion_class(recipe.fusion).inputs

        def part(name: str, budget: int) -> PartInputs:
            rows = self.manifest.part(seed, name)
            return open_inputs(samples, rows, recipe.lidar, names, device, budget)

        # Val first: it is smaller, and read as often.
        budget = self.device.memory_budget // beside
        val = part("val", budget)
        probabilities = recipe.train.probabilities
        # Corrupted samples are made anew each epoch: the maps of clean ones are not used.
        train = part("train", 0 if probabilities else budget - val.held_bytes)
        positive = samples.dataset.classes.index(samples.dataset.positive)
        spec, rows = recipe.spec(samples), self.manifest.part(seed, "train")

        def augmented(epoch: int) -> PartInputs:
            return augmented_inputs(
                samples, rows, recipe.lidar, names, device, probabilities, seed, epoch
            )

        return Task(
            spec, recipe.train, seed, train, val, positive, device, recipe.model,
            augmented if probabilities else None,
        )  # fmt: skip

    def key(self, seed: int) -> dict[str, Any]:
        """Return all that decides what comes of a seed: where it is equal, so are the bits.

        Other seeds are in it only where they are trained in one pass: that changes the last bits.
        Samples are named by their content, in their order, and only those that this seed trains
        and validates on.
        """
        axes = self.samples.azimuth, self.samples.zenith
        parts = {part: self.manifest.part(seed, part) for part in ("train", "val")}
        spec = self.recipe.spec(self.samples)
        return {
            "fusion": self.recipe.fusion,
            "seed": seed,
            "stacked": self.together,
            "settings": self.recipe.settings,
            "lidar": self.recipe.lidar.model_dump(),
            "spec": asdict(spec),
            "dataset": StoredDataset.of(self.samples.dataset).model_dump(mode="json"),
            "lidar_size": list(self.samples.lidar.shape[1:]),
            "angles": [digest_of(angles.tobytes()) for angles in axes],
            "samples": {part: digest_of(_text(rows).encode()) for part, rows in parts.items()},
            "code": self.code,
            "environment": environment(self.device, self.recipe.precision),
            "processor": processor_kind(),
            "torchvision": version("torchvision") if self._uses_torchvision else None,
            "variables": {
                name: value
                for name, value in sorted(os.environ.items())
                if name.startswith(_VARIABLES)
            },
        }


def _text(rows: pd.DataFrame) -> str:
    """Return samples without their positions in the arrays, which decide nothing."""
    text: str = rows.drop(columns="row").to_csv(index=False, lineterminator="\n")
    return text


def loaded_code(fusion: str, corruptions: Iterable[str] = ()) -> str:
    """Import what the training of a fusion runs of its own, then return what names the code.

    First, so that the digest is of what is run: later imports would run what was edited meanwhile.
    Parameters and errors as `code_digest`.
    """
    listed = list(corruptions)
    fusion_class(fusion)
    for name in listed:
        corruption_of(name)
    return code_digest(fusion, listed)


def code_digest(fusion: str, corruptions: Iterable[str] = ()) -> str:
    """Return what names the code that stage train@<fusion> depends on, by dvc.yaml and settings.

    Parameters
    ----------
    corruptions : iterable of str
        Names of those that befall training samples.

    Raises
    ------
    ParamsError
        dvc.yaml is missing or broken.
    """
    listed = [
        path.replace("${item.fusion}", fusion)
        for path in read(_PIPELINE)["stages"]["train"]["deps"]
        if path.startswith(("src/", "requirements"))
    ]
    digests = [f"{path} {dvc_digest(Path(path), _NO_CODE)}" for path in sorted(listed)]
    digests += [f"{name} {code_of(name)}" for name in corruptions]
    return digest_of("\n".join(digests).encode())

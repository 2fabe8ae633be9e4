"""Stage predict: the logits that each trained model of a fusion gives for val and test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch

from fusebench.aside import replace_folder
from fusebench.device import Device
from fusebench.errors import REMEDY, ArtifactError
from fusebench.inputs.inputs import PartInputs
from fusebench.inputs.streamed import open_inputs
from fusebench.models.base import Fusion, build, predict
from fusebench.models.description import FILE, Description, load_seed
from fusebench.prediction.predictions import (
    MEASURED_PARTS,
    PartPredictions,
    write_info,
    write_seed,
)
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples

BATCH = 32
"""Samples at once: no more memory is touched than in training, and larger batches are slower."""


@dataclass(frozen=True)
class KeptModels:
    """The kept models of a fusion, one per seed, which fit the samples.

    Attributes
    ----------
    folder : Path
        Where they are kept.
    model : Fusion
        Into which the weights of a seed are read.
    """

    folder: Path
    description: Description
    model: Fusion
    samples: Samples
    manifest: Manifest
    device: Device

    @classmethod
    def open(
        cls, folder: Path, fusion: str, samples: Samples, manifest: Manifest, device: Device
    ) -> Self:
        """Read what a folder says of the models in it, but no weights yet.

        Raises
        ------
        ArtifactError
            The models are missing, broken, of another fusion, or were trained on other classes.
        """
        description = Description.read(folder)
        check_models(folder, description, fusion, device)
        _check_same_kind(folder, description, samples)
        manifest.check_samples(samples.table)
        return cls(folder, description, build(description.spec), samples, manifest, device)

    def predict(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, PartPredictions]]]:
        """Yield each seed with the logits of its model for some parts, by their names.

        Raises
        ------
        ArtifactError
            Weights or samples are missing or broken, or a seed is not in the manifest.
        """
        device, model = self.device, self.model
        # Test is the same for every seed, and so is val where the draws are fixed.
        cached: dict[str, tuple[pd.DataFrame, PartInputs]] = {}
        for seed in self.description.seeds:
            load_seed(self.folder, self.description, seed, model)
            model.to(device.device).to(memory_format=torch.channels_last)
            parts = {}
            for part in names:
                rows = self.manifest.part(seed, part)
                if part not in cached or not cached[part][0].equals(rows):
                    cached.pop(part, None)
                    held = sum(inputs.held_bytes for _, inputs in cached.values())
                    cached[part] = rows, open_inputs(
                        self.samples, rows, self.description.lidar, model.inputs, device.device,
                        device.memory_budget - held,
                    )  # fmt: skip
                logits = predict(model, cached[part][1], BATCH).cpu().numpy()
                parts[part] = PartPredictions.of(rows, logits)
            yield seed, parts

    @property
    def info(self) -> dict[str, Any]:
        """What info.json says of the predictions, its schema and digests left out."""
        return _info(self.model, self.description, self.samples)


def predict_fusion(
    models: Path, samples: Samples, manifest: Manifest, device: Device, folder: Path
) -> None:
    """Predict val and test with every seed's model and keep the logits in `folder`.

    Raises
    ------
    ArtifactError
        As `KeptModels`.
    """
    kept = KeptModels.open(models, folder.name, samples, manifest, device)
    with replace_folder(folder) as aside:
        for seed, parts in kept.predict(MEASURED_PARTS):
            write_seed(aside, seed, parts)
        write_info(aside, kept.info)


def check_models(models: Path, description: Description, fusion: str, device: Device) -> None:
    """Refuse models of another fusion than the one that is to answer, or in another precision.

    Raises
    ------
    ArtifactError
        They are of another fusion; or in bf16, and the device is to compute as every other.
    """
    if description.spec.fusion != fusion:
        raise ArtifactError(
            f"{models / FILE}: models of fusion '{description.spec.fusion}', not of '{fusion}'; "
            f"{REMEDY}"
        )
    if device.portable and description.spec.precision == "bf16":
        raise ArtifactError(
            f"{models / FILE}: trained in bf16, and runtime.portable is true; 'dvc repro -s -f "
            f"train@{fusion}' trains anew"
        )


def _check_same_kind(models: Path, description: Description, samples: Samples) -> None:
    """Refuse models that were trained for other samples than these."""
    height, width = samples.rgb.shape[1:3]
    for name, trained, present in (
        ("classes", list(description.classes), list(samples.dataset.classes)),
        ("image size", list(description.spec.image_size), [height, width]),
    ):
        if trained != present:
            raise ArtifactError(
                f"{models / FILE}: trained on {name} {trained}, the samples have {present}; "
                "'dvc repro' trains anew"
            )


def _info(model: Fusion, description: Description, samples: Samples) -> dict[str, Any]:
    return {
        "fusion": description.spec.fusion,
        "strategy": model.strategy,
        "inputs": list(model.inputs),
        "parameters": sum(tensor.numel() for tensor in model.parameters()),
        "classes": list(samples.dataset.classes),
        "positive": samples.dataset.positive,
        "synthetic": samples.dataset.synthetic,
        "task": samples.dataset.task,
        "seeds": list(description.seeds),
        "train_counts": {
            str(seed): dict(described.train_counts) for seed, described in description.seeds.items()
        },
        "settings": dict(description.settings),
    }

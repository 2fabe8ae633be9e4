"""Stage evaluate: what each trained model of a fusion says of val and test."""

from pathlib import Path
from typing import Any

import torch

from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import PARTS
from fusebench.files import replace_folder, write_json
from fusebench.inputs.inputs import Inputs
from fusebench.models import registry, weights
from fusebench.models.base import Fusion, predict
from fusebench.models.description import FILE, Description
from fusebench.prediction.predictions import PartPredictions, write_seed
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import SampleRow, Samples

_BATCH = 128


def predict_fusion(
    models: Path, samples: Samples, manifest: Manifest, device: Device, folder: Path
) -> None:
    """Predict val and test with every seed's model and keep the logits in `folder`.

    Raises
    ------
    ArtifactError
        The models are missing, broken, or were trained on other classes.
    """
    description = Description.read(models)
    _check_same_kind(models, description, samples)
    manifest.check_rows(samples.rows)
    model = registry.build(description.spec)
    # Test is the same for every seed, and so is val where the draws are fixed.
    held: dict[str, tuple[list[SampleRow], Inputs]] = {}
    with replace_folder(folder) as aside:
        for seed in description.seeds:
            weights.load(models / f"seed_{seed}.safetensors", model)
            model.to(device.device).to(memory_format=torch.channels_last)
            parts = {}
            for part in PARTS:
                rows = manifest.rows_of(seed, part)
                if part not in held or held[part][0] != rows:
                    inputs = Inputs.load(
                        samples, rows, description.lidar, model.inputs, device.device
                    )
                    held[part] = rows, inputs
                logits = predict(model, held[part][1], _BATCH).cpu().numpy()
                parts[part] = PartPredictions.of(rows, logits)
            write_seed(aside, seed, parts)
        write_json(aside / "info.json", _info(model, description, samples))


def _check_same_kind(models: Path, description: Description, samples: Samples) -> None:
    """Refuse models that were trained for other samples than these."""
    height, width = samples.rgb.shape[1:3]
    for name, trained, held in (
        ("classes", list(description.classes), list(samples.dataset.classes)),
        ("image size", list(description.spec.image_size), [height, width]),
    ):
        if trained != held:
            raise ArtifactError(
                f"{models / FILE}: trained on {name} {trained}, the samples have {held}; "
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
        "rendered": samples.dataset.rendered,
        "seeds": list(description.seeds),
        "train_counts": {
            str(seed): dict(found.train_counts) for seed, found in description.seeds.items()
        },
        "settings": dict(description.settings),
        "environment": dict(description.environment),
    }

"""Stage evaluate: what each trained model of a fusion says of val and test."""

from pathlib import Path
from typing import Any

from fusebench.data.inputs import Inputs
from fusebench.data.lidar import LidarParams
from fusebench.data.samples import Samples
from fusebench.data.split import Manifest
from fusebench.errors import ArtifactError
from fusebench.evaluation.predictions import PartPredictions, write_seed
from fusebench.files import read_json, replace_folder, write_json
from fusebench.models import registry, weights
from fusebench.models.fusion import ModelSpec
from fusebench.models.inference import predict
from fusebench.training.device import Device

PARTS = ("val", "test")
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
    description = read_json(models / "model.json")
    dataset = samples.dataset
    if description["classes"] != list(dataset.classes):
        raise ArtifactError(
            f"{models / 'model.json'}: trained on classes {description['classes']}, the samples "
            f"have {list(dataset.classes)}; 'dvc repro' trains anew"
        )
    spec = ModelSpec.parse(description["spec"])
    lidar = LidarParams(**description["lidar"])
    model = registry.build(spec)
    with replace_folder(folder) as aside:
        for seed in map(int, description["seeds"]):
            weights.load(models / f"seed_{seed}.safetensors", model)
            model.to(device.device)
            parts = {}
            for part in PARTS:
                rows = manifest.rows_of(seed, part)
                inputs = Inputs.load(samples, rows, lidar, model.inputs, device.device)
                logits = predict(model, inputs, _BATCH).cpu().numpy()
                parts[part] = PartPredictions.of(rows, logits)
            write_seed(aside, seed, parts)
        write_json(aside / "info.json", _info(spec, model, description, samples))


def _info(
    spec: ModelSpec, model: Any, description: dict[str, Any], samples: Samples
) -> dict[str, Any]:
    return {
        "fusion": spec.fusion,
        "strategy": model.strategy,
        "inputs": list(model.inputs),
        "parameters": sum(tensor.numel() for tensor in model.parameters()),
        "classes": list(samples.dataset.classes),
        "positive": samples.dataset.positive,
        "rendered": samples.dataset.rendered,
        "seeds": [int(seed) for seed in description["seeds"]],
        "train_counts": {
            seed: found["train_counts"] for seed, found in description["seeds"].items()
        },
    }

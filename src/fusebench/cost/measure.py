"""Stage cost: what the model of a fusion costs, in training and after."""

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field

from fusebench.config import Section, from_settings
from fusebench.cost.memory import step_bytes
from fusebench.cost.speed import BATCH, MANY, ONE_SAMPLE, forward_seconds, operations
from fusebench.device import Device, environment
from fusebench.errors import REMEDY, ArtifactError, ParamsError
from fusebench.files import read_json
from fusebench.models.base import Fusion, build
from fusebench.models.description import FILE, Description, load_seed
from fusebench.sealed import checked
from fusebench.training.settings import TrainParams


class _Median(Section):
    model_config = ConfigDict(extra="ignore")
    median: float = Field(gt=0)


class _Measured(Section):
    """What of metrics/training/<fusion>.json is read here."""

    model_config = ConfigDict(extra="ignore")
    seconds_per_epoch: _Median


def measure_cost(fusion: str, models: Path, training: Path, device: Device) -> dict[str, Any]:
    """Return what metrics/cost/<fusion>.json holds.

    Parameters
    ----------
    models : Path
        models/<fusion>; the first seed's model is measured.
    training : Path
        metrics/training/<fusion>.json.

    Returns
    -------
    dict
        parameters; mflops_per_sample (forward, 10⁶, two per multiply-add); latency_ms of one
        sample, and samples_per_second of a batch; step_mb, the most that is held in a training
        step (10⁶ bytes); train_seconds, of all epochs of one seed; environment.

    Raises
    ------
    ArtifactError
        Models or measurements are missing or broken, or the models are of another fusion.
    """
    description = Description.read_whole(models)
    if description.spec.fusion != fusion:
        raise ArtifactError(
            f"{models / FILE}: models of fusion '{description.spec.fusion}', not of '{fusion}'; "
            f"{REMEDY}"
        )
    settings = _settings(models, description)
    of_epoch = checked(_Measured, read_json(training), training).seconds_per_epoch.median
    spec, on = description.spec, device.device
    # First, while there is no other model that a GPU's memory could be taken by.
    step = step_bytes(spec, settings, on)
    model = build(spec)
    load_seed(models, description, next(iter(description.seeds)), model)
    model.to(on).to(memory_format=torch.channels_last)
    return {
        "parameters": sum(tensor.numel() for tensor in model.parameters()),
        "mflops_per_sample": operations(model, spec, on) / 1e6,
        **_times(model, description, on),
        "step_mb": round(step / 1e6, 3),
        "train_seconds": round(of_epoch * settings.epochs, 3),
        "environment": environment(device, spec.precision),
    }


def _times(model: Fusion, description: Description, device: torch.device) -> dict[str, Any]:
    spec = description.spec
    single = 1e3 * np.array(forward_seconds(model, spec, device, 1, ONE_SAMPLE))
    batches = forward_seconds(model, spec, device, BATCH, MANY)
    return {
        "latency_ms": {
            "median": round(float(np.median(single)), 4),
            "p95": round(float(np.percentile(single, 95)), 4),
            "runs": len(single),
        },
        "samples_per_second": {"median": round(BATCH / median(batches), 1), "batch": BATCH},
    }


def _settings(models: Path, description: Description) -> TrainParams:
    """Return what a model was trained with; raise ArtifactError if it is not all there."""
    known = {name: value for name, value in description.settings.items()
             if name in TrainParams.model_fields}  # fmt: skip
    content = {**known, "seeds": list(description.seeds)}
    try:
        return from_settings(TrainParams, content, f"{models / FILE}: settings")
    except ParamsError as error:
        raise ArtifactError(f"{error}; {REMEDY}") from None


def line(fusion: str, cost: dict[str, Any]) -> str:
    """Return what the screen says of a fusion's cost."""
    return (
        f"{fusion}: {cost['mflops_per_sample']:.1f} MFLOPs per sample, "
        f"{cost['latency_ms']['median']:.2f} ms latency, "
        f"{cost['samples_per_second']['median']:,.0f} samples per second, "
        f"{cost['step_mb']:.0f} MB in a training step"
    )

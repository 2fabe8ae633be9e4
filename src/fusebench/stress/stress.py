"""Stage stress: the logits that each trained model of a fusion gives for corrupted test samples."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from fusebench.aside import replace_folder
from fusebench.device import Device
from fusebench.inputs.augmented import CorruptedInputs
from fusebench.inputs.corruption import Condition, corrupted, corruption_of
from fusebench.inputs.inputs import Inputs, PartInputs, maps_bytes
from fusebench.models.base import Fusion, build, predict
from fusebench.models.description import load_seed
from fusebench.prediction.predict import BATCH, KeptModels
from fusebench.prediction.predictions import PartPredictions
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.stress.selection import CLEAN, conditions, selected
from fusebench.stress.stored import StressPredictions, write_stress

Logits = npt.NDArray[np.float32]


def stress_fusion(
    models: Path,
    samples: Samples,
    manifest: Manifest,
    device: Device,
    names: Sequence[str],
    folder: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Predict corrupted test samples with every seed's model; keep the logits in `folder`.

    Parameters
    ----------
    names : sequence of str
        Of the corruptions.
    say : callable
        Shows a line.

    Raises
    ------
    ArtifactError
        As `KeptModels`.
    """
    kept = KeptModels.open(models, folder.name, samples, manifest, device)
    seeds = list(kept.description.seeds)
    rows = selected(manifest.part(seeds[0], "test"))
    chosen = conditions(names)
    logits = _logits(kept, rows, chosen, say)
    predictions = StressPredictions(
        kept.info,
        chosen,
        {
            seed: [PartPredictions.of(rows, made) for made in of_seed]
            for seed, of_seed in zip(seeds, logits, strict=True)
        },
    )
    with replace_folder(folder) as aside:
        write_stress(aside, predictions)


def _logits(
    kept: KeptModels,
    rows: pd.DataFrame,
    chosen: Sequence[Condition],
    say: Callable[[str], None],
) -> list[list[Logits]]:
    """Return the logits of each seed under each condition, each of shape (n, k)."""
    seen = {seed: _load(kept, seed) for seed in kept.description.seeds}
    made: list[list[Logits]] = [[] for _ in seen]
    told = ""
    for condition in chosen:
        if condition.corruption not in (told, CLEAN.corruption):
            told = condition.corruption
            say(f"{kept.description.spec.fusion}: {corruption_of(told).label}")
        if made[0] and corruption_of(condition.corruption).sensor not in kept.model.inputs:
            # It does not see that sensor.
            for of_seed in made:
                of_seed.append(of_seed[0])
            continue
        inputs = _inputs(kept, rows, condition)
        for model, of_seed in zip(seen.values(), made, strict=True):
            of_seed.append(predict(model, inputs, BATCH).cpu().numpy())
    return made


def _load(kept: KeptModels, seed: int) -> Fusion:
    model = build(kept.description.spec)
    load_seed(kept.folder, kept.description, seed, model)
    return model.to(kept.device.device).to(memory_format=torch.channels_last)


def _inputs(kept: KeptModels, rows: pd.DataFrame, condition: Condition) -> PartInputs:
    """Return the corrupted samples as models see them: once for all seeds, if memory allows."""
    lidar, device, names = kept.description.lidar, kept.device.device, kept.model.inputs
    samples = kept.samples
    # While maps are made, what both sensors recorded is held, too.
    recorded = len(rows) * (samples.rgb[0].nbytes + samples.lidar[0].nbytes)
    if recorded + 2 * maps_bytes(samples, len(rows), names) > kept.device.memory_budget:
        return CorruptedInputs(samples, rows, lidar, names, device, lambda _: [condition])
    befell = corrupted(samples, rows, [[condition]] * len(rows), ())
    return Inputs.load(befell, befell.table, lidar, names, device)

"""Models for tests that were not trained, and samples that are taken out of an archive."""

import zipfile
from pathlib import Path

import pandas as pd

from fusebench.device import Precision
from fusebench.inputs.lidar import LidarParams
from fusebench.models import weights
from fusebench.models.base import ModelSpec, build
from fusebench.models.description import Description, SeedDescription
from fusebench.samples.samples import Samples

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)


def write_files(archive: Path, table: pd.DataFrame, folder: Path) -> None:
    """Take samples of the demonstration archive out of it: their files, those of angles, test.csv.

    Ids have the class before them, since two classes may have the same.
    """
    keys = list(zip(table["class"], table["id"], strict=True))
    listed = {
        sensor: [f"assessment/{of}/{sensor}/{key}{ending}" for of, key in keys]
        for sensor, ending in (("rgb", ".png"), ("lidar", ".npy"))
    }
    angles = [
        f"assessment/{of}/{angle}.npy"
        for of in sorted(set(table["class"]))
        for angle in ("azimuth", "zenith")
    ]
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder, [*listed["rgb"], *listed["lidar"], *angles])
    ids = [f"{of}-{key}" for of, key in keys]
    pd.DataFrame({"id": ids, **listed}).to_csv(folder / "test.csv", index=False)


def store_models(
    folder: Path,
    samples: Samples,
    fusion: str = "add",
    *,
    seeds: tuple[int, ...] = (0,),
    precision: Precision = "fp32",
    lidar: LidarParams = LIDAR,
) -> Path:
    """Store untrained models of a fusion as if they were trained on samples; return the folder."""
    dataset = samples.dataset
    size = dataset.sensors.camera.image_size
    spec = ModelSpec(fusion, len(dataset.classes), size, "max", precision)
    folder.mkdir(parents=True)
    for seed in seeds:
        model = build(spec)
        weights.initialize(model, seed)
        weights.save(folder / f"seed_{seed}.safetensors", model.state_dict())
    described = {seed: SeedDescription(1, dict.fromkeys(dataset.classes, 3)) for seed in seeds}
    azimuth, zenith = (tuple(of.tolist()) for of in (samples.azimuth, samples.zenith))
    Description(spec, lidar, dataset, azimuth, zenith, described, {"lr": 1e-3}).write(folder)
    return folder

"""The samples that stage extract wrote: packed arrays, and a table with a row per sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import read_json, read_npz, read_table

SAMPLE_COLUMNS = {"row": int, "id": str, "class": str, "label": int, "digest": str}
"""Columns of samples.csv.

row: position in the arrays. id: as in the archive, text. class: name; label: its position in
`Dataset.classes`. digest: names the content, 32 hexadecimal digits.
"""
SCHEMA = 2
"""Version of dataset.json. It rises when a reader of an earlier one would misread the file."""


@dataclass(frozen=True)
class Dataset:
    """What all samples share (dataset.json).

    Attributes
    ----------
    classes : tuple of str
        Class names; a label is a position in it.
    positive : str
        The class that precision, recall and ROC speak of.
    max_range : float
        Range without return, in metres.
    focal_length : float
        Of the camera, in pixels of the stored images.
    quarter_turns : int
        Clockwise turns that bring a LiDAR map into the image's orientation.
    synthetic : bool
        Whether stage synthesize made the samples; otherwise they were recorded.
    """

    classes: tuple[str, ...]
    positive: str
    max_range: float
    focal_length: float
    quarter_turns: int
    synthetic: bool


@dataclass(frozen=True)
class Samples:
    """All samples of an archive. The large arrays are mapped, not read.

    Attributes
    ----------
    rgb : array of uint8, shape (N, H, W, 3)
    lidar : array of float32, shape (N, h, w), range in metres
    azimuth : array of float32, shape (h,), radians, one angle per row of a LiDAR map
    zenith : array of float32, shape (w,), radians, one angle per column
    table : DataFrame, N rows
        `SAMPLE_COLUMNS`, in the order of the arrays.
    """

    rgb: npt.NDArray[np.uint8]
    lidar: npt.NDArray[np.float32]
    azimuth: npt.NDArray[np.float32]
    zenith: npt.NDArray[np.float32]
    table: pd.DataFrame
    dataset: Dataset


def read_dataset(folder: Path) -> Dataset:
    """Return what dataset.json says; raise ArtifactError if it is missing or broken."""
    path = folder / "dataset.json"
    content = read_json(path)
    if content.pop("schema", 1) != SCHEMA:
        raise ArtifactError(f"{path}: of another version of fusebench; 'dvc repro' remakes it")
    try:
        dataset = Dataset(**{**content, "classes": tuple(content["classes"])})
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: {error}; 'dvc repro -f extract' remakes it") from None
    if dataset.positive not in dataset.classes:
        raise ArtifactError(
            f"{path}: positive = '{dataset.positive}' is none of its classes; "
            "'dvc repro -f extract' remakes it"
        )
    return dataset


def read_samples_table(folder: Path) -> pd.DataFrame:
    """Return samples.csv; raise ArtifactError if it is missing or broken."""
    return read_table(folder / "samples.csv", SAMPLE_COLUMNS)


def open_samples(folder: Path) -> Samples:
    """Open the folder that stage extract wrote.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or the files disagree about the number of samples.
    """
    table = read_samples_table(folder)
    rgb, lidar = (_map_array(folder / f"{name}.npy") for name in ("rgb", "lidar"))
    angles = read_npz(folder / "angles.npz", ("azimuth", "zenith"))
    counts = {"samples.csv": len(table), "rgb.npy": len(rgb), "lidar.npy": len(lidar)}
    if len(set(counts.values())) > 1:
        raise ArtifactError(f"{folder}: numbers of samples differ: {counts}; 'dvc checkout' mends")
    return Samples(rgb, lidar, angles["azimuth"], angles["zenith"], table, read_dataset(folder))


def _map_array(path: Path) -> Any:
    try:
        # Read-only: DVC links these files to its cache.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: broken ({error}); 'dvc checkout' mends it") from None

"""Samples in any number, made of those in data/samples: packed, and as an archive."""

import io
import shutil
import tempfile
import zipfile
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from benchmarks.processes import BenchmarkError
from benchmarks.scaling.plan import Plan
from fusebench.files import write_table
from fusebench.samples.samples import Samples, describe

# Rows copied at once.
_CHUNK = 4096
# Different members of a class; all others repeat them.
_MEMBERS = 64
# What a file system and a zip add.
_MARGIN = 1.05


def check_disk(samples: Samples, plan: Plan) -> None:
    """Refuse to begin where the temporary folder has too little room.

    Raises
    ------
    BenchmarkError
        Names the folder, what is needed and what is free.
    """
    of_one = samples.rgb[0].nbytes + samples.lidar[0].nbytes
    # All sizes packed; and later the largest archive beside what is extracted from it.
    needed = _MARGIN * of_one * max(sum(plan.sizes), 2 * max(plan.sizes))
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchmarkError(
            f"{folder}: {free / 1e9:.1f} GB are free, {max(plan.sizes):,} samples need "
            f"{needed / 1e9:.1f} GB; TMPDIR names another folder"
        )


def scaled_table(samples: Samples, count: int) -> pd.DataFrame:
    """Return a table of `count` samples; column `source` holds the row that each repeats.

    The rows are spread evenly, so that classes keep their shares; ids that are equal there are
    equal here, so that groups keep their sizes.
    """
    rows = np.arange(count) * len(samples.table) // count
    table = samples.table.iloc[rows].reset_index(drop=True).rename(columns={"row": "source"})
    copies = table.groupby("source").cumcount().astype(str)
    table["id"] = copies.str.zfill(4) + table["id"]
    table.insert(0, "row", np.arange(count))
    return table


def write_samples(samples: Samples, count: int, folder: Path) -> None:
    """Write `count` samples into a new folder, as stage extract does."""
    folder.mkdir()
    table = scaled_table(samples, count)
    source = table.pop("source").to_numpy()
    for name, array in (("rgb.npy", samples.rgb), ("lidar.npy", samples.lidar)):
        _write_rows(folder / name, array, source)
    np.savez(
        folder / "angles.npz", allow_pickle=False, azimuth=samples.azimuth, zenith=samples.zenith
    )
    write_table(folder / "samples.csv", table)
    describe(folder, samples.dataset, count)


def _write_rows(path: Path, array: npt.NDArray[np.generic], rows: npt.NDArray[np.integer]) -> None:
    """Write some rows of an array as an .npy file, a chunk at a time."""
    shape = (len(rows), *array.shape[1:])
    written = np.lib.format.open_memmap(path, "w+", array.dtype, shape)
    for start in range(0, len(rows), _CHUNK):
        written[start : start + _CHUNK] = array[rows[start : start + _CHUNK]]
    written.flush()


def write_archive(samples: Samples, count: int, path: Path) -> None:
    """Write a zip with `count` pairs, stored as they are; its members are a few, repeated."""
    table = scaled_table(samples, count)
    members = {name: _members(samples, name) for name in samples.dataset.classes}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in members:
            archive.writestr(f"{name}/azimuth.npy", _npy(samples.azimuth))
            archive.writestr(f"{name}/zenith.npy", _npy(samples.zenith))
        for name, ids in table.groupby("class")["id"]:
            for id_, (image, ranges) in zip(ids, cycle(members[name]), strict=False):
                archive.writestr(f"{name}/rgb/{id_}.png", image)
                archive.writestr(f"{name}/lidar/{id_}.npy", ranges)


def _members(samples: Samples, class_name: str) -> list[tuple[bytes, bytes]]:
    """Return some images and maps of a class, as they stand in an archive."""
    rows = samples.table.loc[samples.table["class"] == class_name, "row"].head(_MEMBERS)
    return [(_png(samples.rgb[row]), _npy(samples.lidar[row])) for row in rows]


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()

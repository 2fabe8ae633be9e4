"""The samples that stage extract wrote: packed arrays, and a table with a row per sample."""

import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from fusebench.config import AsTuple, Section
from fusebench.errors import REMEDY, ArtifactError
from fusebench.files import read_npz, read_table
from fusebench.samples.sensors import Sensors
from fusebench.sealed import check_file, checked, file_digest, read_sealed, write_sealed

SAMPLE_COLUMNS = {
    "row": int, "id": str, "group": str, "class": str, "label": int, "digest": str,
}  # fmt: skip
"""Columns of samples.csv.

row: position in the arrays. id: as in the archive, text. group: what belongs together, the id where
the data name nothing else. class: name; label: its position in `Dataset.classes`. digest: names the
content, 32 hexadecimal digits.
"""
SCHEMA = 4
"""Version of dataset.json. It rises when a reader of an earlier one would misread the file."""
DATASET = "dataset.json"
_ARRAYS = ("rgb.npy", "lidar.npy")
_TABLE, _ANGLES = "samples.csv", "angles.npz"
# Rows read at once: enough for numpy's speed, little memory.
_CHUNK = 256


@dataclass(frozen=True)
class Dataset:
    """What all samples share (dataset.json).

    Attributes
    ----------
    classes : tuple of str
        Class names; a label is a position in it.
    positive : str
        The class that precision, recall and ROC speak of.
    sensors : Sensors
        What they were recorded with.
    synthetic : bool
        Whether stage synthesize made the samples; otherwise they were recorded.
    layout : str
        How they lay in the archive, as `data.layout` names it.
    task : str or None
        Of synthetic samples: what `synthesize.task` names.
    """

    classes: tuple[str, ...]
    positive: str
    sensors: Sensors
    synthetic: bool
    layout: str
    task: str | None = None

    @property
    def max_range(self) -> float:
        """Range without return, in metres."""
        return self.sensors.lidar.max_range


class StoredDataset(Section):
    """A `Dataset` as it is stored."""

    classes: Annotated[tuple[str, ...], AsTuple] = Field(min_length=2)
    positive: str
    sensors: Sensors
    synthetic: bool
    task: str | None = None
    layout: str

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return what is stored of a dataset."""
        return cls.model_construct(**{key: getattr(dataset, key) for key in cls.model_fields})

    def dataset(self, path: Path) -> Dataset:
        """Return what was stored in this file.

        Raises
        ------
        ArtifactError
            The positive class is none of the classes.
        """
        if self.positive not in self.classes:
            raise ArtifactError(
                f"{path}: positive = '{self.positive}' is none of its classes; {REMEDY}"
            )
        return Dataset(
            self.classes, self.positive, self.sensors, self.synthetic, self.layout, self.task
        )


class _Described(StoredDataset):
    """dataset.json: a `Dataset`, the number of samples, and the digest of each file."""

    samples: int = Field(ge=1)
    files: dict[str, str]


@dataclass(frozen=True)
class Samples:
    """All samples of an archive. The large arrays are mapped, not read.

    What is read of them goes through `images` and `ranges`, which check it.

    Attributes
    ----------
    rgb : array of uint8, shape (N, H, W, 3)
    lidar : array of float32, shape (N, h, w), range in metres
    azimuth : array of float32, shape (h,), radians, one angle per row of a LiDAR map
    zenith : array of float32, shape (w,), radians, one angle per column
    table : DataFrame, N rows
        `SAMPLE_COLUMNS`, in the order of the arrays.
    folder : Path or None
        Where the arrays are mapped from. None: they were made in memory, where no file can be
        broken, and are not checked.
    """

    rgb: npt.NDArray[np.uint8]
    lidar: npt.NDArray[np.float32]
    azimuth: npt.NDArray[np.float32]
    zenith: npt.NDArray[np.float32]
    table: pd.DataFrame
    dataset: Dataset
    folder: Path | None = None
    # Whether the digest of a row was found right: each is looked at once.
    _checked: npt.NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_checked", np.zeros(len(self.rgb), bool))

    def images(self, rows: "Rows") -> npt.NDArray[np.uint8]:
        """Return the images of some rows, (n, H, W, 3); raise ArtifactError if one is broken."""
        self._check(rows)
        return np.asarray(self.rgb[np.asarray(rows)])

    def ranges(self, rows: "Rows") -> npt.NDArray[np.float32]:
        """Return the LiDAR maps of some rows, (n, h, w); raise ArtifactError if one is broken."""
        self._check(rows)
        return np.asarray(self.lidar[np.asarray(rows)])

    def chunks(self) -> Iterator[npt.NDArray[np.intp]]:
        """Yield all rows, some at a time."""
        for start in range(0, len(self.table), _CHUNK):
            yield np.arange(start, min(start + _CHUNK, len(self.table)))

    def _check(self, rows: "Rows") -> None:
        if self.folder is None:
            return
        wanted = np.unique(rows)
        # Not to_numpy, which copies the column.
        digests = self.table["digest"].array
        for row in wanted[~self._checked[wanted]].tolist():
            if content_digest(self.rgb[row], self.lidar[row]) != digests[row]:
                raise ArtifactError(
                    f"{_broken_array(self.folder)}: row {row} is not the sample that {_TABLE} "
                    f"names; {REMEDY}"
                )
            self._checked[row] = True


Rows = npt.NDArray[np.integer] | Sequence[int]
"""Positions in the arrays."""


def content_digest(rgb: npt.NDArray[np.uint8], lidar: npt.NDArray[np.float32]) -> str:
    """Return what names a sample by its content: 32 hexadecimal digits of BLAKE2b."""
    digest = blake2b(rgb.tobytes(), digest_size=16)
    digest.update(lidar.tobytes())
    return digest.hexdigest()


def _broken_array(folder: Path) -> Path:
    """Return which of the arrays is not as it was written: a sample's digest is of both."""
    files = _read_described(folder).files
    names = [name for name in _ARRAYS if file_digest(folder / name) != files.get(name)]
    return folder / names[0] if names else folder


def describe(folder: Path, dataset: Dataset, samples: int) -> None:
    """Write dataset.json into a folder that holds all other files of this number of samples."""
    names = (*_ARRAYS, _ANGLES, _TABLE)
    content = {
        "schema": SCHEMA,
        **StoredDataset.of(dataset).model_dump(mode="json"),
        "samples": samples,
        "files": {name: file_digest(folder / name) for name in names},
    }
    write_sealed(folder / DATASET, content)


def _read_described(folder: Path) -> _Described:
    path = folder / DATASET
    content = read_sealed(path, SCHEMA, "of another version of fusebench; 'dvc repro' remakes it")
    return checked(_Described, content, path)


def read_dataset(folder: Path) -> Dataset:
    """Return what dataset.json says; raise ArtifactError if it is missing or broken."""
    return _read_described(folder).dataset(folder / DATASET)


def read_samples_table(folder: Path) -> pd.DataFrame:
    """Return samples.csv; raise ArtifactError if it is missing, broken, or of other samples."""
    return _read_table(folder, _read_described(folder))


def _read_table(folder: Path, described: _Described) -> pd.DataFrame:
    path = folder / _TABLE
    _check_file(folder, _TABLE, described)
    table = read_table(path, SAMPLE_COLUMNS)
    if not np.array_equal(table["row"], np.arange(described.samples)):
        raise ArtifactError(f"{path}: rows are not 0 to {described.samples - 1}; {REMEDY}")
    return table


def _check_file(folder: Path, name: str, described: _Described) -> None:
    check_file(folder / name, described.files.get(name, ""), folder / DATASET)


def open_samples(folder: Path) -> Samples:
    """Open the folder that stage extract wrote.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or of other samples. The large arrays are only checked for
        their shape; see `Samples`.
    """
    described = _read_described(folder)
    table = _read_table(folder, described)
    count = len(table)
    rgb = _map_array(folder / "rgb.npy", np.uint8, (count, None, None, 3))
    lidar = _map_array(folder / "lidar.npy", np.float32, (count, None, None))
    _check_file(folder, _ANGLES, described)
    angles = read_npz(folder / _ANGLES, ("azimuth", "zenith"))
    dataset = described.dataset(folder / DATASET)
    return Samples(rgb, lidar, angles["azimuth"], angles["zenith"], table, dataset, folder)


def _map_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int | None, ...]) -> Any:
    """Map an array of some shape, in which None stands for any length."""
    try:
        # Read-only: DVC links these files to its cache.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (
        AttributeError, EOFError, MemoryError, OSError, OverflowError, SyntaxError, TypeError,
        ValueError, tokenize.TokenError,
    ) as error:  # fmt: skip
        # Most are of numpy's parser of the header, which takes it for a line of Python.
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{path}: broken ({reason}); {REMEDY}") from None
    # A flipped bit in the header may turn float32 into int32, or the order of its bytes.
    fits = isinstance(array, np.memmap) and len(array.shape) == len(shape)
    if (
        not fits
        or array.dtype != np.dtype(dtype)
        or any(
            wanted not in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
        )
    ):
        wanted = " × ".join("any" if length is None else str(length) for length in shape)
        raise ArtifactError(
            f"{path}: is {array.dtype} of shape {array.shape}; must be {np.dtype(dtype)}, "
            f"{wanted}; {REMEDY}"
        )
    return array

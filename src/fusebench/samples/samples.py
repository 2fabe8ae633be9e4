"""The samples that stage extract wrote, as arrays and as a table."""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fusebench.errors import ArtifactError
from fusebench.files import read_json

SAMPLE_COLUMNS = ("row", "id", "class", "label", "digest")


@dataclass(frozen=True)
class SampleRow:
    """One line of samples.csv."""

    row: int
    id: str
    class_name: str
    label: int
    digest: str

    def cells(self) -> list[str | int]:
        """Return the line's cells in the order of `SAMPLE_COLUMNS`."""
        return [self.row, self.id, self.class_name, self.label, self.digest]

    @classmethod
    def parse(cls, line: Mapping[str, str]) -> Self:
        """Return the row that a line of a CSV file holds."""
        return cls(int(line["row"]), line["id"], line["class"], int(line["label"]), line["digest"])


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
    rendered : bool
        Whether the samples were rendered, not recorded.
    """

    classes: tuple[str, ...]
    positive: str
    max_range: float
    focal_length: float
    quarter_turns: int
    rendered: bool


@dataclass(frozen=True)
class Samples:
    """All samples of an archive. The large arrays are mapped, not read.

    Attributes
    ----------
    rgb : array of uint8, shape (N, H, W, 3)
    lidar : array of float32, shape (N, h, w), range in metres
    azimuth : array of float32, shape (h,), radians, one angle per row of a LiDAR map
    zenith : array of float32, shape (w,), radians, one angle per column
    rows : tuple of SampleRow, length N
    """

    rgb: npt.NDArray[np.uint8]
    lidar: npt.NDArray[np.float32]
    azimuth: npt.NDArray[np.float32]
    zenith: npt.NDArray[np.float32]
    rows: tuple[SampleRow, ...]
    dataset: Dataset


def read_dataset(folder: Path) -> Dataset:
    """Return what dataset.json says; raise ArtifactError if it is missing or broken."""
    content = read_json(folder / "dataset.json")
    try:
        return Dataset(**{**content, "classes": tuple(content["classes"])})
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{folder / 'dataset.json'}: {error}; 'dvc repro -f extract' remakes it"
        ) from None


def read_rows(folder: Path) -> tuple[SampleRow, ...]:
    """Return samples.csv; raise ArtifactError if it is missing or broken."""
    path = folder / "samples.csv"
    return parse_rows(path, read_csv(path, SAMPLE_COLUMNS))


def parse_rows(path: Path, lines: Iterable[Mapping[str, str]]) -> tuple[SampleRow, ...]:
    """Return the rows of a CSV file's lines; raise ArtifactError where a number is none."""
    try:
        return tuple(map(SampleRow.parse, lines))
    except ValueError as error:
        raise ArtifactError(f"{path}: {error}; 'dvc checkout' mends it") from None


def write_csv(
    path: Path, header: Sequence[str], lines: Iterable[Sequence[str | int | float]]
) -> None:
    """Write a CSV file with Unix line ends; ids with commas or quotes are kept whole."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the lines of a CSV file that a stage wrote.

    Raises
    ------
    ArtifactError
        The file is missing, or has not all `columns` in each line.
    """
    try:
        return parse_csv(path, path.read_text("utf-8"), columns)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: broken ({error}); 'dvc checkout' mends it") from None


def parse_csv(path: Path, text: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the lines of a CSV file's text; raise ArtifactError as `read_csv` does."""
    try:
        lines = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ArtifactError(f"{path}: broken ({error}); 'dvc checkout' mends it") from None
    for number, line in enumerate(lines, start=2):
        lacking = [column for column in columns if line.get(column) is None]
        if lacking:
            raise ArtifactError(f"{path}: line {number}: column '{lacking[0]}' is missing")
    return lines


def open_samples(folder: Path) -> Samples:
    """Open the folder that stage extract wrote.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or the files disagree about the number of samples.
    """
    rows = read_rows(folder)
    rgb, lidar = (_map_array(folder / f"{name}.npy") for name in ("rgb", "lidar"))
    angles = read_npz(folder / "angles.npz", ("azimuth", "zenith"))
    counts = {"samples.csv": len(rows), "rgb.npy": len(rgb), "lidar.npy": len(lidar)}
    if len(set(counts.values())) > 1:
        raise ArtifactError(f"{folder}: numbers of samples differ: {counts}; 'dvc checkout' mends")
    return Samples(rgb, lidar, angles["azimuth"], angles["zenith"], rows, read_dataset(folder))


def _map_array(path: Path) -> Any:
    try:
        # Read-only: DVC links these files to its cache.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (ValueError, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: broken ({error}); 'dvc checkout' mends it") from None


def read_npz(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the named arrays of an .npz file that a stage wrote.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or lacks an array.
    """
    try:
        # Opened here, since numpy leaves a broken file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except (
        AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile,
        zlib.error,
    ) as error:  # fmt: skip
        # An .npy file under this name has no `with`; a pickle is refused with ValueError.
        raise ArtifactError(f"{path}: broken ({error}); 'dvc checkout' mends it") from None

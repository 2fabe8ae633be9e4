"""Reading the folder that stage extract wrote: everything checked, nothing copied."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.archives import npy

from fusebench.errors import ArtifactError
from fusebench.files import read_json, write_json
from fusebench.samples.samples import SAMPLE_COLUMNS, SCHEMA, Samples, open_samples, read_dataset

FILES = ("rgb.npy", "lidar.npy", "angles.npz", "samples.csv", "dataset.json")


@pytest.fixture
def folder(samples_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small samples that a test may spoil."""
    return shutil.copytree(samples_folder, tmp_path / "samples")


def refusal(folder: Path, name: str = "") -> str:
    with pytest.raises(ArtifactError) as caught:
        open_samples(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / name}: ")
    assert message.isprintable()
    return message


def test_samples_hold_arrays_and_a_table_of_text_and_numbers(samples: Samples) -> None:
    assert samples.rgb.shape == (100, 64, 64, 3)
    assert samples.lidar.shape == (100, 64, 64)
    assert samples.azimuth.shape == samples.zenith.shape == (64,)
    table = samples.table
    assert list(table.columns) == list(SAMPLE_COLUMNS)
    assert table["row"].tolist() == list(range(100))
    assert table["id"].tolist() == [f"{n:04}" for n in (*range(60), *range(40))]
    assert table["label"].tolist() == [0] * 60 + [1] * 40
    assert table["class"].tolist() == ["cubes"] * 60 + ["spheres"] * 40
    assert table["digest"].str.fullmatch("[0-9a-f]{32}").all()
    assert samples.dataset.classes == ("cubes", "spheres")
    assert samples.dataset.synthetic


def test_arrays_are_mapped_and_cannot_be_written(samples: Samples) -> None:
    for array in (samples.rgb, samples.lidar):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert "no such file" in refusal(folder, name)


@pytest.mark.parametrize("kept", [0, 10, -1])
@pytest.mark.parametrize("name", ["rgb.npy", "lidar.npy", "angles.npz"])
def test_a_file_cut_off_is_named(folder: Path, name: str, kept: int) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])
    assert "'dvc checkout' mends it" in refusal(folder, name)


def pickled() -> bytes:
    """An .npy file of Python objects, which would run code where it is opened."""
    return npy(np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("samples.csv", b"row,id,class,label\n0,0000,cubes,0\n"),
        ("samples.csv", b"row,id,class,label,digest\nzero,0000,cubes,0,ab\n"),
        ("angles.npz", npy(np.zeros(3, np.float32))),
        ("rgb.npy", b"no array"),
        ("rgb.npy", pickled()),
        ("dataset.json", b"[]"),
        ("dataset.json", b"{"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:30]),
)
def test_a_file_with_other_content_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    refusal(folder, name)


def test_a_table_with_fewer_rows_than_the_arrays_is_refused(folder: Path) -> None:
    lines = (folder / "samples.csv").read_text("utf-8").splitlines(keepends=True)
    (folder / "samples.csv").write_text("".join(lines[:-1]), "utf-8")
    assert "'samples.csv': 99, 'rgb.npy': 100" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": None}, "of another version"),
        ({"schema": 1}, "of another version"),
        ({"schema": SCHEMA + 1}, "of another version"),
        ({"positive": None}, "positive"),
        ({"more": 1}, "more"),
        ({"classes": 3}, "not iterable"),
    ],
    ids=str,
)
def test_another_description_of_the_dataset_is_refused(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    content = {**read_json(folder / "dataset.json"), **change}
    kept = {key: value for key, value in content.items() if value is not None}
    write_json(folder / "dataset.json", kept)
    message = refusal(folder, "dataset.json")
    assert reason in message
    assert "remakes it" in message


def test_the_description_before_this_schema_is_refused(folder: Path) -> None:
    """It said `rendered`, and had no schema."""
    content = read_json(folder / "dataset.json")
    del content["schema"]
    write_json(folder / "dataset.json", {**content, "rendered": content.pop("synthetic")})
    with pytest.raises(ArtifactError, match=r"dataset\.json: of another version of fusebench"):
        read_dataset(folder)

"""Reading the folder that stage extract wrote: everything checked, nothing copied."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.archives import npy
from tests.sealing import rewrite

from fusebench.errors import ArtifactError
from fusebench.files import read_json, write_json
from fusebench.samples import samples as samples_module
from fusebench.samples.samples import (
    SAMPLE_COLUMNS,
    SCHEMA,
    Samples,
    content_digest,
    open_samples,
    read_dataset,
)

FILES = ("rgb.npy", "lidar.npy", "angles.npz", "samples.csv", "dataset.json")


ROWS = (0, 33, 99)


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
    assert "'make mend' repairs it" in refusal(folder, name)


def pickled() -> bytes:
    """An .npy file of Python objects, which would run code where it is opened."""
    return npy(np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("samples.csv", b"row,id,group,class,label\n0,0000,0000,cubes,0\n"),
        ("samples.csv", b"row,id,group,class,label,digest\nzero,0000,0000,cubes,0,ab\n"),
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
    assert "is not the file that" in refusal(folder, "samples.csv")


@pytest.mark.parametrize("name", ["rgb.npy", "lidar.npy"])
def test_an_array_of_other_samples_is_refused(folder: Path, name: str) -> None:
    np.save(folder / name, np.load(folder / name)[:-1])
    assert "must be" in refusal(folder, name)


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", ["rgb.npy", "lidar.npy"])
def test_no_flipped_bit_of_a_header_passes(folder: Path, name: str, step: int) -> None:
    content = (folder / name).read_bytes()
    whole = open_samples(folder).images(ROWS), open_samples(folder).ranges(ROWS)
    for place in range(0, 128 * 8, step):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        (folder / name).write_bytes(flipped)
        said = ""
        try:
            samples = open_samples(folder)
            # What the header does not tell, the content tells where it is read.
            same = bool(
                np.array_equal(samples.images(ROWS), whole[0])
                and np.array_equal(samples.ranges(ROWS), whole[1])
            )
        except ArtifactError as error:
            same, said = False, str(error)
        assert same or said.startswith(f"{folder / name}: ")
        assert said.isprintable()


@pytest.mark.parametrize("name", ["rgb.npy", "lidar.npy"])
@pytest.mark.parametrize("read", ["images", "ranges"])
def test_a_flipped_bit_of_a_sample_is_named_where_it_is_read(
    folder: Path, name: str, read: str
) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    samples = open_samples(folder)
    assert len(getattr(samples, read)([0, 98])) == 2, "those are as they were"
    with pytest.raises(ArtifactError) as caught:
        getattr(samples, read)([0, 99])
    assert str(caught.value) == (
        f"{folder / name}: row 99 is not the sample that samples.csv names; 'make mend' repairs it"
    )


def test_a_sample_is_checked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(rgb: NDArray[np.uint8], lidar: NDArray[np.float32]) -> str:
        checked.append(content_digest(rgb, lidar))
        return checked[-1]

    monkeypatch.setattr(samples_module, "content_digest", counted)
    samples = open_samples(folder)
    samples.images([7, 3, 7])
    samples.ranges(np.array([3, 9]))
    assert checked == samples.table["digest"][[3, 7, 9]].tolist()


def test_what_is_read_in_chunks_is_all_and_in_order(samples: Samples) -> None:
    rows = np.concatenate(list(samples.chunks()))
    assert rows.tolist() == list(range(100))
    np.testing.assert_array_equal(samples.images([7, 3]), samples.rgb[[7, 3]])
    np.testing.assert_array_equal(samples.ranges([7, 3]), samples.lidar[[7, 3]])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": None}, "of another version"),
        ({"schema": 1}, "of another version"),
        ({"schema": SCHEMA + 1}, "of another version"),
        ({"positive": None}, "key 'positive' is missing"),
        ({"positive": "cones"}, "is none of its classes"),
        ({"more": 1}, "unknown key 'more'"),
        ({"classes": 3}, "classes = 3: must be a valid list"),
        ({"sensors": {"camera": 3}}, "sensors.camera = 3: must be"),
        ({"sensors": None}, "key 'sensors' is missing"),
        ({"max_range": 50.0}, "unknown key 'max_range'"),
        ({"samples": 99}, "rows are not 0 to 98"),
        ({"files": {}}, "is not the file that"),
    ],
    ids=str,
)
def test_another_description_of_the_dataset_is_refused(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content.update(change)
        for key in [key for key, value in content.items() if value is None]:
            del content[key]

    rewrite(folder / "dataset.json", spoil)
    with pytest.raises(ArtifactError) as caught:
        open_samples(folder)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(str(folder))


def test_a_changed_description_is_refused_though_it_is_valid(folder: Path) -> None:
    path = folder / "dataset.json"
    path.write_text(path.read_text("utf-8").replace('"spheres",', '"cubes",', 1), "utf-8")
    assert "is not as it was written; 'make mend' repairs it" in refusal(folder, "dataset.json")


def test_the_description_before_this_schema_is_refused(folder: Path) -> None:
    """It said `rendered`, and had no schema."""
    content = read_json(folder / "dataset.json")
    del content["schema"], content["digest"]
    write_json(folder / "dataset.json", {**content, "rendered": content.pop("synthetic")})
    with pytest.raises(ArtifactError, match=r"dataset\.json: of another version of fusebench"):
        read_dataset(folder)

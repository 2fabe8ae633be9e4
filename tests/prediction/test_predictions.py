import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fusebench.errors import ArtifactError
from fusebench.prediction.predictions import PartPredictions, read_predictions, write_seed
from fusebench.samples.samples import SampleRow

ARRAYS = {"part", "id", "class", "label", "digest", "logits"}


def part_of(first: int, count: int) -> PartPredictions:
    rows = [
        SampleRow(n, f"{n:04}", ("cubes", "spheres", "cones")[n % 3], n % 3, f"{n:032x}")
        for n in range(first, first + count)
    ]
    logits = np.random.default_rng(first).standard_normal((count, 3)).astype(np.float32)
    return PartPredictions.of(rows, logits)


PARTS = {"val": part_of(0, 4), "test": part_of(10, 7)}
INFO = {
    "fusion": "add",
    "strategy": "intermediate",
    "inputs": ["rgb", "lidar"],
    "rendered": False,
    "parameters": 3,
    "classes": ["cubes", "spheres", "cones"],
    "positive": "spheres",
    "seeds": [0, 12],
    "train_counts": {
        "0": {"cubes": 5, "spheres": 2, "cones": 1},
        "12": {"cones": 3, "cubes": 1, "spheres": 0},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (0, 12):
        write_seed(tmp_path, seed, PARTS)
    (tmp_path / "info.json").write_text(json.dumps(INFO))
    return tmp_path


def test_file_has_the_documented_arrays_and_needs_no_pickle(folder: Path) -> None:
    with np.load(folder / "seed_12.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    assert set(arrays) == ARRAYS
    assert {len(values) for values in arrays.values()} == {11}
    assert arrays["part"].tolist() == ["val"] * 4 + ["test"] * 7
    assert (arrays["logits"].dtype, arrays["logits"].shape) == (np.float32, (11, 3))
    assert arrays["label"].dtype == np.int64
    assert {arrays[name].dtype.kind for name in ("part", "id", "class", "digest")} == {"U"}
    assert arrays["id"][:4].tolist() == ["0000", "0001", "0002", "0003"]
    named = [INFO["classes"][label] for label in arrays["label"]]  # type: ignore[index]
    assert arrays["class"].tolist() == named


def test_what_was_written_is_read(folder: Path) -> None:
    predictions = read_predictions(folder)
    assert predictions.info == INFO
    assert list(predictions.seeds) == [0, 12]
    assert predictions.classes == ["cubes", "spheres", "cones"]
    assert predictions.positive == 1
    assert predictions.train_counts(0).tolist() == [5, 2, 1]
    assert predictions.train_counts(12).tolist() == [1, 0, 3]
    for part, written in PARTS.items():
        found = predictions.seeds[12][part]
        for name in ("ids", "classes", "digests", "labels", "logits"):
            assert np.array_equal(getattr(found, name), getattr(written, name)), name


def test_long_and_foreign_ids_are_kept(tmp_path: Path) -> None:
    rows = [SampleRow(0, "Straße 7, links", "cubes", 0, "a"), SampleRow(1, "1", "cubes", 0, "b")]
    part = PartPredictions.of(rows, np.zeros((2, 3), np.float32))
    write_seed(tmp_path, 0, {"val": part, "test": part_of(0, 2)})
    with np.load(tmp_path / "seed_0.npz", allow_pickle=False) as stored:
        assert stored["id"][:2].tolist() == ["Straße 7, links", "1"]


def test_same_content_gives_the_same_bytes_at_any_time(folder: Path) -> None:
    assert (folder / "seed_0.npz").read_bytes() == (folder / "seed_12.npz").read_bytes()
    with zipfile.ZipFile(folder / "seed_0.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# --- Broken files ---


def refusal(folder: Path, file: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_predictions(folder)
    message = str(caught.value)
    assert str(folder / file) in message
    assert len(message.splitlines()) == 1
    return message


def test_missing_seed_is_named(folder: Path) -> None:
    (folder / "seed_12.npz").unlink()
    assert "no such file" in refusal(folder, "seed_12.npz")


def spoilt(content: bytes, how: str) -> bytes:
    return {
        "empty": b"",
        "half": content[: len(content) // 2],
        "last byte gone": content[:-1],
        "text": b"not at all " * 9,
        "byte before": b"\xff" + content,
    }[how]


@pytest.mark.parametrize("file", ["info.json", "seed_0.npz"])
@pytest.mark.parametrize("how", ["empty", "half", "last byte gone", "text", "byte before"])
def test_broken_file_is_named(folder: Path, file: str, how: str) -> None:
    path = folder / file
    path.write_bytes(spoilt(path.read_bytes(), how))
    refusal(folder, file)


def test_spoilt_bytes_inside_are_noticed(folder: Path) -> None:
    path = folder / "seed_0.npz"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("logits.npy")
    content = bytearray(path.read_bytes())
    middle = info.header_offset + 60 + info.compress_size // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    refusal(folder, "seed_0.npz")


def arrays_of(folder: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(folder / "seed_0.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_lacking_array_is_named_with_its_file(folder: Path, name: str) -> None:
    arrays = arrays_of(folder)
    del arrays[name]
    np.savez(folder / "seed_0.npz", allow_pickle=False, **arrays)
    assert name in refusal(folder, "seed_0.npz")


def test_arrays_of_different_length_are_refused(folder: Path) -> None:
    arrays = arrays_of(folder)
    arrays["logits"] = arrays["logits"][:-1]
    np.savez(folder / "seed_0.npz", allow_pickle=False, **arrays)
    refusal(folder, "seed_0.npz")


def test_pickled_array_is_refused(folder: Path) -> None:
    arrays = arrays_of(folder)
    arrays["id"] = np.array([{"a": 1}] * 11, dtype=object)
    np.savez(folder / "seed_0.npz", allow_pickle=True, **arrays)
    refusal(folder, "seed_0.npz")


def test_plain_array_in_place_of_the_archive_is_refused(folder: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3), allow_pickle=False)
    (folder / "seed_0.npz").write_bytes(buffer.getvalue())
    refusal(folder, "seed_0.npz")


def test_missing_info_is_named(folder: Path) -> None:
    (folder / "info.json").unlink()
    refusal(folder, "info.json")


def test_info_without_seeds_is_named(folder: Path) -> None:
    (folder / "info.json").write_text(
        json.dumps({key: value for key, value in INFO.items() if key != "seeds"})
    )
    assert "seeds" in refusal(folder, "info.json")

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets import table_of
from tests.sealing import reseal, rewrite

from fusebench.errors import ArtifactError
from fusebench.prediction.predictions import (
    SCHEMA,
    PartPredictions,
    read_predictions,
    write_info,
    write_seed,
)

FIELDS = ("ids", "classes", "digests", "labels", "logits")
CLASSES = ["cubes", "spheres", "cones"]
INFO: dict[str, Any] = {
    "fusion": "add", "strategy": "intermediate", "inputs": ["rgb", "lidar"],
    "synthetic": False, "parameters": 3, "classes": CLASSES, "positive": "spheres",
    "seeds": [0, 12],
    "train_counts": {
        "0": {"cubes": 5, "spheres": 2, "cones": 1}, "12": {"cones": 3, "cubes": 1, "spheres": 0},
    },
}  # fmt: skip


def part_of(ids: list[str], groups: list[str] | None = None) -> PartPredictions:
    rows = table_of(ids, [row % 3 for row in range(len(ids))], CLASSES, groups=groups)
    rows.index += 40
    logits = np.random.default_rng(len(ids)).standard_normal((len(ids), 3)).astype(np.float32)
    return PartPredictions.of(rows, logits)


PARTS = {
    "val": part_of(["0000", "0001", "Straße 7, links", "1"]),
    "test": part_of([f"{number:04}" for number in range(7)]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "add"
    folder.mkdir()
    for seed in (0, 12):
        write_seed(folder, seed, PARTS)
    write_info(folder, INFO)
    return folder


def arrays_of(folder: Path) -> dict[str, Any]:
    with np.load(folder / "seed_12.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def test_file_has_the_documented_arrays_and_needs_no_pickle(folder: Path) -> None:
    arrays = arrays_of(folder)
    assert {name: array.dtype.kind for name, array in arrays.items()} == {
        "part": "U", "id": "U", "class": "U", "digest": "U", "label": "i", "logits": "f",
    }  # fmt: skip
    assert arrays["part"].tolist() == ["val"] * 4 + ["test"] * 7
    assert (arrays["logits"].dtype, arrays["logits"].shape) == (np.float32, (11, 3))
    assert arrays["label"].dtype == np.int64
    assert arrays["id"][:4].tolist() == ["0000", "0001", "Straße 7, links", "1"]
    assert arrays["class"].tolist() == [CLASSES[label] for label in arrays["label"]]


def test_what_was_written_is_read(folder: Path) -> None:
    predictions = read_predictions(folder)
    assert predictions.info == INFO
    assert list(predictions.seeds) == [0, 12]
    assert (predictions.classes, predictions.positive) == (CLASSES, 1)
    for part, written in PARTS.items():
        for name in FIELDS:
            stored = getattr(predictions.seeds[12][part], name)
            assert np.array_equal(stored, getattr(written, name)), name


GROUPED = part_of(["0", "1", "2"], ["frame 1", "frame 1", "frame 2"])


def test_groups_are_kept_where_ids_are_none(folder: Path) -> None:
    assert "group" not in arrays_of(folder)
    write_seed(folder, 12, {"val": PARTS["val"], "test": GROUPED})
    write_info(folder, INFO)
    read = read_predictions(folder).seeds
    assert read[12]["test"].groups.tolist() == ["frame 1", "frame 1", "frame 2"]
    assert read[12]["test"].take([2, 0]).groups.tolist() == ["frame 2", "frame 1"]
    for part in (read[12]["val"], read[0]["test"]):
        assert part.groups.tolist() == part.ids.tolist()


@pytest.mark.parametrize("groups", [np.arange(7), np.array(["frame 1"])])
def test_groups_that_do_not_fit_are_refused(folder: Path, groups: Any) -> None:
    write_seed(folder, 12, {"val": PARTS["val"], "test": GROUPED})
    write_info(folder, INFO)
    np.savez(folder / "seed_12.npz", allow_pickle=False, **arrays_of(folder) | {"group": groups})
    reseal(folder)
    assert "groups are not as documented" in refusal(folder, "seed_12.npz")


def test_taken_samples_keep_what_belongs_to_them() -> None:
    part, positions = PARTS["test"], [6, 0, 0]
    taken = part.take(positions)
    for name in FIELDS:
        assert getattr(taken, name).tolist() == getattr(part, name)[positions].tolist()


def test_same_content_gives_the_same_bytes_at_any_time(folder: Path) -> None:
    assert (folder / "seed_0.npz").read_bytes() == (folder / "seed_12.npz").read_bytes()
    with zipfile.ZipFile(folder / "seed_0.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


# --- Broken files ---


def refusal(folder: Path, file: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_predictions(folder)
    assert str(caught.value).startswith(f"{folder / file}: ")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("file", ["info.json", "seed_12.npz"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(b""), ""),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), ""),
        (lambda path: path.write_bytes(b"\xff" + path.read_bytes()), ""),
    ],
    ids=["missing", "empty", "last byte gone", "byte before"],
)
def test_missing_or_broken_file_is_named(folder: Path, file: str, spoil: Any, reason: str) -> None:
    spoil(folder / file)
    assert reason in refusal(folder, file)


def test_spoilt_bytes_inside_are_noticed(folder: Path) -> None:
    path = folder / "seed_12.npz"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("logits.npy")
    content = bytearray(path.read_bytes())
    middle = info.header_offset + 60 + info.compress_size // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    refusal(folder, "seed_12.npz")


@pytest.mark.parametrize("name", ["part", "id", "class", "label", "digest", "logits"])
def test_lacking_array_is_named_with_its_file(folder: Path, name: str) -> None:
    arrays = arrays_of(folder)
    del arrays[name]
    np.savez(folder / "seed_12.npz", allow_pickle=False, **arrays)
    reseal(folder)
    assert name in refusal(folder, "seed_12.npz")


def test_arrays_of_different_length_are_refused(folder: Path) -> None:
    arrays = arrays_of(folder)
    arrays["logits"] = arrays["logits"][:-1]
    np.savez(folder / "seed_12.npz", allow_pickle=False, **arrays)
    reseal(folder)
    assert "shapes or types" in refusal(folder, "seed_12.npz")


def test_pickled_array_is_refused(folder: Path) -> None:
    arrays = arrays_of(folder) | {"id": np.array([{"a": 1}] * 11, dtype=object)}
    np.savez(folder / "seed_12.npz", allow_pickle=True, **arrays)
    reseal(folder)
    refusal(folder, "seed_12.npz")


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("label", lambda values: values + 3, "a label is none of the classes'"),
        ("label", lambda values: (values + 1) % 3, "a class is not the one of its label"),
        ("part", lambda values: np.full_like(values, "val"), "parts are ['val']"),
        ("logits", lambda values: values[:, :2], "shapes or types"),
        ("logits", lambda values: values * np.float32("nan"), "a logit is no number"),
        ("logits", lambda values: values.view(np.int32), "shapes or types"),
        ("id", lambda values: np.arange(len(values)), "shapes or types"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    folder: Path, name: str, spoil: Any, reason: str
) -> None:
    arrays = arrays_of(folder)
    arrays[name] = spoil(arrays[name])
    np.savez(folder / "seed_12.npz", allow_pickle=False, **arrays)
    reseal(folder)
    assert reason in refusal(folder, "seed_12.npz")


def test_valid_logits_that_info_was_not_written_for_are_refused(folder: Path) -> None:
    arrays = arrays_of(folder)
    np.savez(folder / "seed_12.npz", allow_pickle=False, **arrays | {"logits": -arrays["logits"]})
    assert refusal(folder, "seed_12.npz").endswith(
        f"is not the file that {folder / 'info.json'} was written for; 'make mend' repairs it"
    )


def test_a_seed_too_many_is_refused(folder: Path) -> None:
    write_seed(folder, 3, PARTS)
    assert "info.json does not name it" in refusal(folder, "seed_3.npz")


def test_predictions_of_another_fusion_are_refused(folder: Path) -> None:
    moved = folder.rename(folder.with_name("late"))
    assert "predictions of 'add', not of 'late'" in refusal(moved, "info.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"positive": "cones and more"}, "is none of its classes"),
        ({"parameters": -1}, "parameters = -1: must be"),
        ({"seeds": [0]}, "train_counts are not of its seeds"),
        ({"synthetic": "yes"}, "synthetic = 'yes': must be"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_info_with_a_value_that_is_not_allowed_is_refused(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    rewrite(folder / "info.json", lambda info: info.update(change))
    assert reason in refusal(folder, "info.json")


def test_a_changed_info_is_refused_though_it_is_valid(folder: Path) -> None:
    path = folder / "info.json"
    path.write_text(path.read_text("utf-8").replace('"positive": "spheres"', '"positive": "cubes"'))
    assert "is not as it was written; 'make mend' repairs it" in refusal(folder, "info.json")


@pytest.mark.parametrize("name", INFO)
def test_info_that_lacks_something_is_named(folder: Path, name: str) -> None:
    rewrite(folder / "info.json", lambda info: info.pop(name))
    assert f"'{name}' is missing" in refusal(folder, "info.json")


@pytest.mark.parametrize(("schema", "named"), [({}, 1), ({"schema": 1}, 1), ({"schema": 99}, 99)])
def test_other_format_is_refused(folder: Path, schema: dict[str, int], named: int) -> None:
    (folder / "info.json").write_text(json.dumps({**INFO, **schema}))
    assert refusal(folder, "info.json").endswith(
        f"predictions of format {named}, this version of fusebench reads {SCHEMA}"
    )

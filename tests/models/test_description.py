"""model.json promises files, and says of each what it holds."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.datasets import dataset_of
from tests.sealing import rewrite

from fusebench.errors import ArtifactError
from fusebench.models.base import build
from fusebench.models.description import Description, load_seed
from fusebench.models.settings import STEMS
from fusebench.samples.samples import StoredDataset

DATASET = StoredDataset.of(dataset_of()).model_dump(mode="json")


@pytest.fixture
def folder(project: Path) -> Path:
    return project / "models/add"


def refusal(ask: Callable[[Path], object], folder: Path, file: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        ask(folder)
    assert str(caught.value).startswith(f"{folder / file}: ")
    assert str(caught.value).isprintable()
    return str(caught.value)


def load(folder: Path) -> None:
    description = Description.read(folder)
    load_seed(folder, description, 1, build(description.spec))


def test_what_was_trained_is_all_there(folder: Path) -> None:
    Description.read_whole(folder)
    load(folder)


def test_the_encoder_is_stored_and_the_notebooks_is_the_one_that_is_not_named(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text("utf-8"))
    assert "stem" not in content["spec"], "files are as they were before there were others"
    described = Description.read(folder)
    assert described.spec.stem == "notebook"
    for stem in STEMS:
        replace(described, spec=replace(described.spec, stem=stem)).write(folder)
        assert Description.read(folder).spec.stem == stem
    rewrite(folder / "model.json", lambda content: content["spec"].update(stem="resnet34"))
    assert "spec.stem = 'resnet34': must be 'notebook', " in refusal(
        Description.read, folder, "model.json"
    )


@pytest.mark.parametrize("ask", [Description.read, Description.read_whole])
def test_a_promised_seed_that_is_not_there_is_named(folder: Path, ask: Any) -> None:
    (folder / "seed_0.safetensors").unlink()
    assert "no such file; 'dvc repro' makes it" in refusal(ask, folder, "seed_0.safetensors")


@pytest.mark.parametrize("ask", [Description.read, Description.read_whole])
def test_a_seed_that_is_not_promised_is_named(folder: Path, ask: Any) -> None:
    shutil.copy(folder / "seed_0.safetensors", folder / "seed_7.safetensors")
    said = refusal(ask, folder, "seed_7.safetensors")
    assert said.endswith("model.json does not name it; 'make mend' repairs it")


@pytest.mark.parametrize("ask", [load, Description.read_whole])
@pytest.mark.parametrize("place", [7, 600, -1])
def test_a_flipped_bit_of_the_weights_is_named(folder: Path, ask: Any, place: int) -> None:
    content = bytearray((folder / "seed_1.safetensors").read_bytes())
    content[place] ^= 1
    (folder / "seed_1.safetensors").write_bytes(content)
    assert refusal(ask, folder, "seed_1.safetensors").endswith(
        f"is not the file that {folder / 'model.json'} was written for; 'make mend' repairs it"
    )


def test_the_weights_of_another_seed_are_refused(folder: Path) -> None:
    shutil.copy(folder / "seed_0.safetensors", folder / "seed_1.safetensors")
    refusal(load, folder, "seed_1.safetensors")


def test_a_seed_taken_out_by_hand_is_noticed(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text("utf-8"))
    del content["seeds"]["1"]
    (folder / "model.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    assert "is not as it was written" in refusal(Description.read, folder, "model.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seeds": {}}, "seeds = {}"),
        ({"seeds": {"one": {}}}, "seeds"),
        ({"seeds": {"0": {"best_epoch": 0, "train_counts": {}, "weights": ""}}}, "best_epoch = 0"),
        ({"dataset": DATASET | {"classes": ["a", "b", "spheres"]}}, "classes = 2: there are 3 c"),
        ({"dataset": DATASET | {"classes": "cubes"}}, "dataset.classes = 'cubes': must be"),
        ({"dataset": DATASET | {"positive": "cones"}}, "positive = 'cones' is none of its classes"),
        ({"dataset": DATASET | {"sensors": {}}}, "key 'dataset.sensors.camera' is missing"),
        ({"azimuth": 3}, "azimuth = 3: must be"),
        ({"zenith": ["up"]}, "zenith"),
        ({"zenith": [0.5]}, "zenith: 1 angles; the sensor has "),
        ({"settings": []}, "settings = []: must be"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    rewrite(folder / "model.json", lambda content: content.update(change))
    assert reason in refusal(Description.read, folder, "model.json")

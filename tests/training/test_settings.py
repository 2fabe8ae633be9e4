from pathlib import Path
from typing import Any

import pytest

from fusebench.errors import ArtifactError
from fusebench.files import write_json
from fusebench.inputs.lidar import LidarParams
from fusebench.models.settings import NOTEBOOK, ModelSettings
from fusebench.training.settings import TrainParams, read_settings

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
TRAIN = {
    "seeds": [0, 1], "epochs": 15, "batch_size": 32, "lr": 0.001, "weight_decay": 0.1,
    "schedule": "cosine", "class_weights": "balanced", "augment": (),
    "pooling": "max", "precision": "auto",
}  # fmt: skip


def stored(path: Path, **changes: Any) -> Path:
    train = TrainParams.model_validate(TRAIN).settings() | changes
    write_json(path / "add.json", {"train": train, "lidar": LIDAR.settings()})
    return path / "add.json"


@pytest.mark.parametrize(
    "changes", [{}, {"weight_decay": 0.0, "schedule": "constant", "class_weights": "none"}]
)
def test_settings_are_read_as_they_were_written(changes: dict[str, Any], tmp_path: Path) -> None:
    params = TrainParams.model_validate(TRAIN | changes)
    settings = params.settings()
    assert not changes.keys() & settings.keys(), "features that are off are left out"
    write_json(tmp_path / "add.json", {"train": settings, "lidar": LIDAR.settings()})
    assert read_settings(tmp_path / "add.json") == (params, LIDAR, NOTEBOOK)


@pytest.mark.parametrize(
    "model",
    [
        ModelSettings(stem="mobilenet_v3_small", weights=None, digest=None),
        ModelSettings(stem="resnet18", weights="w.safetensors", digest="0" * 32),
    ],
)
def test_an_encoder_is_read_as_it_was_written(model: ModelSettings, tmp_path: Path) -> None:
    params = TrainParams.model_validate(TRAIN)
    content = {
        "train": params.settings(), "lidar": LIDAR.settings(), "model": model.settings()
    }  # fmt: skip
    write_json(tmp_path / "add.json", content)
    assert read_settings(tmp_path / "add.json") == (params, LIDAR, model)


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ({"stem": "resnet34"}, "model: stem = 'resnet34': must be 'notebook', 'resnet18' or"),
        ({"stem": "resnet18", "weights": 3}, "model: weights = 3: must be a valid string"),
        ({"weights": "w"}, "model: weights = 'w': must be empty while stem is 'notebook'"),
        (None, "model: empty: must be a valid mapping"),
    ],
)
def test_a_wrong_encoder_is_one_line(model: object, line: str, tmp_path: Path) -> None:
    train = TrainParams.model_validate(TRAIN).settings()
    content = {"train": train, "lidar": LIDAR.settings(), "model": model}
    write_json(tmp_path / "add.json", content)
    with pytest.raises(ArtifactError) as caught:
        read_settings(tmp_path / "add.json")
    assert str(caught.value).startswith(f"{tmp_path / 'add.json'}: {line}")
    assert str(caught.value).endswith("; 'make mend' repairs it")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"lr": "abc"}, "train: lr = 'abc': must be a valid number"),
        ({"lr": 0}, "train: lr = 0: must be greater than 0"),
        ({"epochs": 1.5}, "train: epochs = 1.5: must be a valid integer"),
        ({"batch_size": True}, "train: batch_size = True: must be a valid integer"),
        ({"schedule": "linear"}, "train: schedule = 'linear': must be 'constant' or 'cosine'"),
        ({"seeds": [1, 2, 1]}, "train: seeds: [1, 2, 1]: each seed may be listed once"),
        ({"learning": 1}, "train: unknown key 'learning'"),
    ],
)
def test_wrong_setting_is_one_line_with_file_key_and_value(
    changes: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError) as caught:
        read_settings(stored(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'add.json'}: {line}")
    assert str(caught.value).endswith("; 'make mend' repairs it")
    assert len(str(caught.value).splitlines()) == 1


def test_missing_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"add\.json: no such file; 'dvc repro' makes it"):
        read_settings(tmp_path / "add.json")

"""Training on corrupted samples: what it trains on, what decides it, and that it goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.library import elsewhere
from tests.project import ROOT
from tests.training.test_kept import SETTINGS, Killed, kill_after, train

from fusebench.config import load
from fusebench.device import Device
from fusebench.inputs.corruption import CORRUPTIONS, code_of
from fusebench.inputs.lidar import LidarParams
from fusebench.params import Params
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training, code_digest, loaded_code
from fusebench.training.settings import TrainParams

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
DROPOUT = [{"corruption": "rgb_off", "probability": 0.5}]
Make = Callable[..., Training]


@pytest.fixture
def make(samples: Samples, manifest: Manifest, cpu: Device) -> Make:
    """Return a training of fusion add; keywords change its params."""

    def make(**changes: Any) -> Training:
        params = TrainParams.model_validate({**SETTINGS, "augment": DROPOUT, **changes})
        return Training(Recipe("add", params, LIDAR, "fp32"), samples, manifest, cpu, "")

    return make


def test_each_epoch_trains_on_samples_of_its_own_and_val_stays_clean(make: Make) -> None:
    task, plain = make().task(0), make(augment=[]).task(0)
    order = torch.arange(len(task.train))
    clean, _ = plain.train_in(0).batch(order)
    first, labels = task.train_in(0).batch(order)
    off = ~first["rgb"].flatten(1).any(1)
    assert 0.3 < float(off.float().mean()) < 0.7
    assert torch.equal(first["rgb"][~off], clean["rgb"][~off])
    assert torch.equal(first["lidar"], clean["lidar"])
    assert torch.equal(labels, plain.train.labels)
    second, _ = task.train_in(1).batch(order)
    assert not torch.equal(second["rgb"], first["rgb"])
    val = torch.arange(len(task.val))
    assert torch.equal(task.val.batch(val)[0]["rgb"], plain.val.batch(val)[0]["rgb"])


def test_it_trains_another_model_and_none_is_the_plain_one(make: Make, tmp_path: Path) -> None:
    nothing = KeptSeeds()
    plain = train(make(augment=[]), tmp_path / "plain", nothing)
    augmented = train(make(), tmp_path / "augmented", nothing)
    assert plain["seed_0.safetensors"] != augmented["seed_0.safetensors"]
    again = train(make(), tmp_path / "again", nothing)
    assert again == augmented, "it repeats to the bit"


def test_ended_after_an_epoch_it_goes_on_to_the_same_bits(make: Make, tmp_path: Path) -> None:
    said: list[str] = []
    kept = KeptSeeds(tmp_path / "kept", 0, 10**9, said.append)
    straight = train(make(), tmp_path / "straight", KeptSeeds())
    undo = kill_after(2, "epoch")
    try:
        with pytest.raises(Killed):
            train(make(), tmp_path / "ended", kept)
    finally:
        undo()
    assert train(make(), tmp_path / "ended", kept) == straight
    assert any("goes on after epoch" in line for line in said)


def test_it_decides_the_key_of_kept_seeds_and_the_settings_that_are_recorded(make: Make) -> None:
    plain, augmented = make(augment=[]), make()
    assert plain.key(0) != augmented.key(0)
    assert "augment" not in plain.recipe.settings
    assert augmented.recipe.settings["augment"] == DROPOUT
    assert plain.key(0)["torchvision"] is None
    assert augmented.key(0)["torchvision"] is not None, "corruptions may be made of it"


def test_seeds_are_not_trained_in_one_pass(make: Make) -> None:
    reason = make(seeds=[0, 1]).against_stacking
    assert reason == "train.augment corrupts samples of one seed at a time"


def _with_copied_corruptions(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Read the code of corruptions from a copy."""
    source = CORRUPTIONS.path("rgb_off").parent
    copy = elsewhere(CORRUPTIONS, folder / "library", monkeypatch)
    for path in source.glob("*.py"):
        shutil.copy(path, copy)
    return copy


def test_only_the_code_of_corruptions_that_are_used_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    copy = _with_copied_corruptions(monkeypatch, tmp_path)
    before = code_digest("add", ["rgb_off"])
    assert before == loaded_code("add", ["rgb_off"])
    (copy / "rgb_blur.py").write_text("another", "utf-8")
    (copy / "a_new_one.py").write_text("", "utf-8")
    assert code_digest("add", ["rgb_off"]) == before
    (copy / "rgb_off.py").write_text("another", "utf-8")
    assert code_digest("add", ["rgb_off"]) != before
    assert code_digest("add") == code_digest("add", [])


def test_stage_check_writes_the_code_of_corruptions_that_are_used_alone(
    params_text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = yaml.safe_load(params_text)

    def settings(fusion: str, **override: Any) -> Any:
        content["override"] = {"late": override}
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content), "utf-8")
        return load(path, Params).checked_files()[f"settings/{fusion}.json"]

    copy = _with_copied_corruptions(monkeypatch, tmp_path)
    plain = settings("late")
    assert "corruptions" not in plain
    assert "augment" not in plain["train"], "what is off is left out"
    augmented = settings("late", augment=DROPOUT)
    assert augmented["corruptions"] == {"rgb_off": code_of("rgb_off")}
    assert settings("add", augment=DROPOUT) == settings("add"), "of another fusion nothing changes"
    (copy / "rgb_blur.py").write_text("another", "utf-8")
    assert settings("late", augment=DROPOUT) == augmented
    (copy / "rgb_off.py").write_text("another", "utf-8")
    assert settings("late", augment=DROPOUT) != augmented


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([{"corruption": "rgb_of", "probability": 0.1}],
         "train.augment.0.corruption: 'rgb_of' is no corruption (did you mean 'rgb_off'?)"),
        ([{"corruption": "rgb_off", "probability": 2}],
         "train.augment.0.probability = 2: must be less than or equal to 1"),
        ([{"corruption": "rgb_off"}], "key 'train.augment.0.probability' is missing"),
        (DROPOUT * 2, "train.augment: ['rgb_off', 'rgb_off']: each corruption may be listed once"),
        ("rgb_off", "train.augment = 'rgb_off': must be a valid list"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_one_line(
    value: object, message: str, params_text: str, tmp_path: Path
) -> None:
    _refused(params_text, tmp_path, "train", "augment", value, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["rgb_of"], "stress.corruptions: 'rgb_of' is no corruption (did you mean 'rgb_off'?)"),
        (["rgb_off"] * 2, "stress.corruptions: ['rgb_off', 'rgb_off']: each corruption may be"),
        ([1], "stress.corruptions.0 = 1: must be a valid string"),
        ("none", "stress.corruptions = 'none': must be a valid list"),
    ],
)
def test_a_wrong_list_of_corruptions_is_refused_in_one_line(
    value: object, message: str, params_text: str, tmp_path: Path
) -> None:
    _refused(params_text, tmp_path, "stress", "corruptions", value, message)


def _refused(
    params_text: str, folder: Path, section: str, key: str, value: object, message: str
) -> None:
    content = yaml.safe_load(params_text)
    content[section][key] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(Exception, match=r"params\.yaml: ") as caught:
        load(path, Params)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_stands_for_every_corruption(params_text: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params_text, "utf-8")
    assert list(load(path, Params).stress.corruptions) == CORRUPTIONS.names()

"""New samples, from files to the logits that stage predict keeps of them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.data import kitti_files
from tests.inference.made_up import store_models
from tests.inference.made_up_temperatures import write_temperatures
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from fusebench.data.extract import extract
from fusebench.data.layout import Layout
from fusebench.data.settings import LAYOUTS
from fusebench.device import Device, Precision, RuntimeParams
from fusebench.errors import ArchiveError, ArtifactError, BadSamplesError, ParamsError
from fusebench.inference import preparation
from fusebench.inference.predict import AnyPath, answer_files
from fusebench.inference.predictor import Answers
from fusebench.inference.runtime import DEFAULT, prepared
from fusebench.models.base import Fusion
from fusebench.prediction.predict import KeptModels
from fusebench.prediction.predictions import read_predictions
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples, open_samples

SPHERES = Path("new/assessment/spheres")


@contextmanager
def seen() -> Iterator[list[dict[str, Tensor]]]:
    """Take down what fusions are given."""
    batches: list[dict[str, Tensor]] = []

    def take(module: nn.Module, given: tuple[dict[str, Tensor]]) -> None:
        if isinstance(module, Fusion):
            batches.append(given[0])

    hook = register_module_forward_pre_hook(take)
    try:
        yield batches
    finally:
        hook.remove()


def ask(paths: AnyPath | list[Path], models: AnyPath, device: Device, **options: object) -> Answers:
    """Answer without temperatures, which these models have none of, and without a word."""
    said: list[str] = []
    answers = answer_files(
        paths, models, device=device, calibrated=False, say=said.append, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    assert said == []
    return answers


# --- The same inputs, the same logits ---


def test_files_of_the_archive_are_given_and_get_what_its_samples_do(
    answered: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    models = answered / "models/add"
    with seen() as new:
        answers = ask(answered / "new/test.csv", models, cpu)
    with seen() as trained:
        [*KeptModels.open(models, "add", samples, manifest, cpu).predict(["test"])]
    assert len(new) == len(trained) == 2, "a batch for each seed"
    for mine, kept in zip(new, trained, strict=True):
        assert mine.keys() == kept.keys() == {"rgb", "lidar"}
        for sensor, maps in mine.items():
            assert torch.equal(maps, kept[sensor])
            assert maps.stride() == kept[sensor].stride(), "the layout decides the last bits"
    stored = read_predictions(answered / "predictions/add")
    assert answers.seeds == tuple(stored.seeds)
    for logits, parts in zip(answers.logits, stored.seeds.values(), strict=True):
        np.testing.assert_array_equal(logits, parts["test"].logits, strict=True)
    ids = manifest.part(0, "test")
    assert answers.ids == (ids["class"] + "-" + ids["id"]).tolist()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("fusion", ["concat", "lidar_only"])
def test_in_either_precision_equal_batches_get_equal_bits(
    precision: Precision, fusion: str, answered: Path, samples: Samples, manifest: Manifest,
    cpu: Device, tmp_path: Path,
) -> None:  # fmt: skip
    models = store_models(tmp_path / fusion, samples, fusion, precision=precision)
    kept = KeptModels.open(models, fusion, samples, replace_seeds(manifest), cpu)
    ((_, parts),) = kept.predict(["test"])
    answers = ask(answered / "new/test.csv", models, cpu)
    np.testing.assert_array_equal(answers.logits[0], parts["test"].logits, strict=True)


def replace_seeds(manifest: Manifest) -> Manifest:
    """Return the manifest of seed 0 alone."""
    return Manifest(manifest.table.drop(columns="seed_1"))


@pytest.mark.parametrize("batch", [1, np.int64(7), 1000, 10**24])
def test_another_batch_size_changes_the_last_bits_at_most(
    batch: Any, answered: Path, cpu: Device
) -> None:
    table, models = answered / "new/test.csv", answered / "models/add"
    logits = ask(table, models, cpu, batch_size=batch).logits
    np.testing.assert_allclose(logits, ask(table, models, cpu).logits, rtol=0, atol=1e-5)


def test_how_many_are_held_at_once_changes_no_bit(
    answered: Path, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, models = answered / "new/test.csv", answered / "models/add"
    whole = ask(table, models, cpu, batch_size=4)
    monkeypatch.setattr(preparation, "_HELD", 1)
    with seen() as batches:
        parts = ask(table, models, cpu, batch_size=4)
    assert [len(batch["rgb"]) for batch in batches] == [4] * 14 + [2] * 2
    assert parts.ids == whole.ids
    np.testing.assert_array_equal(parts.logits, whole.logits)
    streamed = ask(table, models, replace(cpu, memory_budget=0), batch_size=4)
    np.testing.assert_array_equal(streamed.logits, whole.logits)


def test_the_three_ways_of_naming_files_give_the_same(answered: Path, cpu: Device) -> None:
    models, folder = answered / "models/add", answered / SPHERES
    of_folder = ask(folder, models, cpu, batch_size=1)
    assert of_folder.ids == sorted(path.stem for path in (folder / "rgb").iterdir())
    for number, key in enumerate(of_folder.ids[:3]):
        files = [folder / f"rgb/{key}.png", folder / f"lidar/{key}.npy"]
        answers = ask(files, models, cpu)
        assert answers.ids == [key]
        np.testing.assert_array_equal(answers.logits[:, 0], of_folder.logits[:, number])
    listed = ask(str(answered / "new/test.csv"), str(models), cpu, batch_size=1)
    places = [listed.ids.index(f"spheres-{key}") for key in of_folder.ids]
    np.testing.assert_array_equal(of_folder.logits, listed.logits[:, places])


def test_a_fusion_of_one_sensor_needs_its_file_alone(
    root: Path, samples: Samples, cpu: Device
) -> None:
    table = pd.read_csv(root / "new/test.csv").head(1)
    for sensor, other in (("rgb", "lidar"), ("lidar", "rgb")):
        models = store_models(root / f"models/{sensor}_only", samples, f"{sensor}_only")
        path = root / "new" / table[sensor][0]
        alone = ask(path, models, cpu)
        assert (alone.fusion, alone.ids) == (f"{sensor}_only", [path.stem])
        table.drop(columns=other).to_csv(root / f"new/{sensor}.csv", index=False)
        listed = ask(root / f"new/{sensor}.csv", models, cpu)
        np.testing.assert_array_equal(alone.logits, listed.logits)
        with pytest.raises(ArchiveError, match=f"must be a file of {sensor}, as the fusion sees;"):
            ask([path, path], models, cpu)


# --- Which models ---


def test_seeds_are_those_that_are_asked_for(answered: Path, cpu: Device) -> None:
    table, models = answered / "new/test.csv", answered / "models/add"
    both = ask(table, models, cpu)
    assert ask(table, models, cpu, seeds=[1]).logits.tolist() == both.logits[1:].tolist()
    turned = ask(table, models, cpu, seeds=np.array([1, 0]))
    assert turned.seeds == (1, 0)
    assert turned.logits.tolist() == both.logits[::-1].tolist()


@pytest.mark.parametrize(
    ("seeds", "reason"),
    [
        ([0, 9], r"seeds: 9: not in {}/model\.json; must be among \[0, 1\]"),
        ([0, 0], r"seeds \[0, 0\]: must be one or more, each once"),
        ([], r"seeds \[\]: must be one or more, each once"),
        (0, "seeds 0: must be a list of whole numbers"),
        ([0.0], r"seeds \[0\.0\]: must be a list of whole numbers"),
        ("01", "seeds '01': must be a list of whole numbers"),
        (np.array([[0, 1]]), r"seeds array\(\[\[0, 1\]\]\): must be a list of whole numbers"),
    ],
)
def test_a_wrong_choice_of_seeds_is_refused(
    seeds: Any, reason: str, answered: Path, cpu: Device
) -> None:
    models = answered / "models/add"
    with pytest.raises(ParamsError, match=f"^{reason.format(models)}$"):
        ask(answered / "new/test.csv", models, cpu, seeds=seeds)


@pytest.mark.usefixtures("root")
def test_models_of_another_fusion_are_refused_where_one_is_named(cpu: Device) -> None:
    assert ask(SPHERES, "models/add", cpu, fusion="add").fusion == "add"
    with pytest.raises(ArtifactError, match=r"model\.json: models of fusion 'add', not of 'late'"):
        ask(SPHERES, "models/add", cpu, fusion="late")


@pytest.mark.parametrize("fusion", ["add", "rgb_only"])
def test_models_of_what_was_cut_out_of_frames_are_refused(
    fusion: str, tmp_path: Path, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = kitti_files.members(kitti_files.street())
    archive = kitti_files.write_folder(tmp_path / "kitti", frames)
    params = kitti_files.params(archive)
    extract(params, kitti_files.sensors(), tmp_path / "samples", tmp_path / "data.json")
    store_models(tmp_path / "cut", open_samples(tmp_path / "samples"), fusion)
    images, clouds = (sorted((archive / "training" / name).iterdir())
                      for name in ("image_2", "velodyne"))  # fmt: skip
    whole_frame = [images[0], clouds[0]] if fusion == "add" else [images[0]]
    with pytest.raises(ArtifactError) as caught:
        ask(whole_frame, "cut", cpu)
    assert str(caught.value) == (
        "cut/model.json: trained on data.layout kitti, whose samples are cut out of their files; "
        "what is cut out of new files is not known, so they are not predicted"
    )


def test_models_of_whole_files_are_taken_whichever_the_layout(
    root: Path, samples: Samples, cpu: Device
) -> None:
    for layout in LAYOUTS.names():
        if LAYOUTS.load(layout, Layout).whole_files:
            dataset = replace(samples.dataset, layout=layout)
            store_models(root / layout, replace(samples, dataset=dataset, folder=None))
            assert ask(SPHERES, layout, cpu).ids
    assert {path.name for path in root.iterdir()} >= {"class_folders", "manifest"}


def test_models_of_a_layout_that_is_not_known_are_refused(
    root: Path, samples: Samples, cpu: Device
) -> None:
    dataset = replace(samples.dataset, layout="tarballs")
    store_models(root / "other", replace(samples, dataset=dataset, folder=None))
    with pytest.raises(ParamsError, match="'tarballs' is no layout"):
        ask(SPHERES, "other", cpu)


def test_a_model_in_bf16_is_refused_in_portable_mode(
    root: Path, samples: Samples, cpu: Device
) -> None:
    store_models(root / "bf16", samples, precision="bf16")
    with pytest.raises(ArtifactError, match=r"trained in bf16, and runtime\.portable is true"):
        ask(SPHERES, "bf16", replace(cpu, portable=True))


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("file", ["model.json", "seed_1.safetensors"])
def test_missing_or_broken_models_are_named(file: str, cpu: Device) -> None:
    path = Path("models/add") / file
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ArtifactError, match=f"^{path}: .*'make mend' repairs it$"):
        ask(SPHERES, "models/add", cpu)
    path.unlink()
    with pytest.raises(ArtifactError, match=f"^{path}: no such file; 'dvc repro' makes it$"):
        ask(SPHERES, "models/add", cpu)


# --- Bad samples ---


def _spoil(root: Path) -> list[str]:
    """Spoil two samples of a folder, and add a third that is none; return the lines on them."""
    first, second, *_ = sorted((root / SPHERES / "rgb").iterdir())
    first.write_bytes(b"")
    ranges = SPHERES / f"lidar/{second.stem}.npy"
    ranges.unlink()
    return [
        f"{SPHERES / 'rgb' / second.name}: has no partner in lidar/",
        f"{SPHERES / 'rgb' / first.name}: not a PNG or JPEG image",
    ]


def test_bad_samples_stop_it_and_all_are_listed(root: Path, cpu: Device) -> None:
    lines = _spoil(root)
    with seen() as batches, pytest.raises(BadSamplesError) as caught:
        ask(SPHERES, "models/add", cpu)
    assert batches == [], "nothing is computed in vain"
    assert str(caught.value).splitlines() == [
        f"{SPHERES}: 2 bad sample(s); mend them, or leave them out with --skip-bad, or "
        "skip_bad=True",
        *(f"  {line}" for line in lines),
    ]


def test_bad_samples_are_left_out_and_told_where_that_is_asked_for(root: Path, cpu: Device) -> None:
    whole = ask(SPHERES, "models/add", cpu, batch_size=1)
    lines, said = _spoil(root), list[str]()
    answers = answer_files(
        SPHERES, "models/add", device=cpu, calibrated=False, skip_bad=True, batch_size=1,
        say=said.append,
    )  # fmt: skip
    assert said == [f"left out: {line}" for line in lines]
    assert answers.ids == whole.ids[2:]
    np.testing.assert_array_equal(answers.logits, whole.logits[:, 2:])


def test_where_no_sample_is_left_it_is_refused(root: Path, cpu: Device) -> None:
    for path in (root / SPHERES / "rgb").iterdir():
        path.write_bytes(b"")
    said: list[str] = []
    with pytest.raises(ArchiveError, match=f"^{SPHERES}: no sample can be read$"):
        answer_files(SPHERES, "models/add", device=cpu, skip_bad=True, say=said.append)
    assert len(said) == len([*(root / SPHERES / "rgb").iterdir()])


def test_other_angles_beside_the_samples_are_refused(root: Path, cpu: Device) -> None:
    np.save(root / SPHERES / "zenith.npy", np.linspace(0, 1, 64, dtype=np.float32))
    with pytest.raises(ArchiveError, match=r"zenith\.npy: other angles than those that"):
        ask(SPHERES, "models/add", cpu)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("size", "must"),
    [(0, "1 or more"), (-1, "1 or more"), (2.0, "a whole number, 1 or more"),
     ("2", "a whole number, 1 or more")],
)  # fmt: skip
def test_a_batch_of_none_is_refused(size: Any, must: str, cpu: Device) -> None:
    with pytest.raises(ParamsError, match=f"^batch size {size!r}: must be {must}$"):
        ask(SPHERES, "models/add", cpu, batch_size=size)


# --- Temperatures ---


@pytest.mark.usefixtures("root")
def test_why_it_is_not_calibrated_is_told(cpu: Device) -> None:
    said: list[str] = []
    answers = answer_files(SPHERES, "models/add", device=cpu, say=said.append)
    assert answers.temperatures == {}
    assert said == ["not calibrated: metrics/probabilities.csv: no such file; 'dvc repro' makes it"]


def test_temperatures_of_the_models_are_used_without_a_word(root: Path, cpu: Device) -> None:
    write_temperatures(root, {0: 0.5, 1: 3.0})
    said: list[str] = []
    answers = answer_files(SPHERES, "models/add", [1], device=cpu, say=said.append)
    raw = ask(SPHERES, "models/add", cpu, seeds=[1])
    assert (answers.temperatures, raw.temperatures, said) == ({1: 3.0}, {}, [])
    np.testing.assert_array_equal(answers.logits, raw.logits)
    assert answers.probabilities.max() < raw.probabilities.max()


def test_a_temperature_that_is_a_bound_is_used_and_told(root: Path, cpu: Device) -> None:
    write_temperatures(root, {0: 0.05, 1: 3.0})
    said: list[str] = []
    answers = answer_files(SPHERES, "models/add", device=cpu, say=said.append)
    assert answers.temperatures == {0: 0.05, 1: 3.0}
    (line,) = said
    assert line.startswith("temperatures at a bound: 0.05 (seed 0); ")


# --- Without a project ---


def test_a_folder_of_models_is_enough(
    answered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpu: Device
) -> None:
    """No params.yaml is there, and torch is afterwards as it was."""
    shutil.copytree(answered / "models/add", tmp_path / "theirs")
    monkeypatch.chdir(tmp_path)
    before, said = _settings(), list[str]()
    answers = answer_files(answered / SPHERES, "theirs", say=said.append)
    assert _settings() == before
    assert said == [
        "not calibrated: theirs is not models/add of a project, which keeps temperatures"
    ]
    expected = ask(answered / SPHERES, answered / "models/add", cpu)
    np.testing.assert_allclose(answers.logits, expected.logits, rtol=0, atol=1e-5)


def _settings() -> tuple[object, ...]:
    return (
        torch.get_num_threads(), torch.get_deterministic_debug_mode(),
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32,
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )  # fmt: skip


def test_torch_is_set_for_the_prediction_and_then_as_it_was(cpu: Device) -> None:
    assert cpu.threads == 1
    torch.set_deterministic_debug_mode("default")
    try:
        before = _settings()
        with prepared(None) as device:
            assert (device.reason, torch.get_deterministic_debug_mode()) == (_reason(), 2)
        assert _settings() == before
        with prepared(cpu) as device:
            assert device is cpu
            assert _settings() == before
    finally:
        torch.set_deterministic_debug_mode("error")


def _reason() -> str:
    there = "there is a GPU" if torch.cuda.is_available() else "torch finds no GPU"
    return f"runtime.device is auto and {there}"


def test_without_params_it_is_run_as_they_come(params_text: str) -> None:
    section = yaml.safe_load(params_text)["runtime"]
    assert RuntimeParams.model_validate(section) == DEFAULT

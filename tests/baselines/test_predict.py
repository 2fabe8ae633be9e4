"""What both rules without a trained model keep, and the stage's script."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import baseline as stage
from fusebench.baselines.predict import Rule, majority_rule, predict_baseline, threshold_rule
from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import fusion_metrics
from fusebench.prediction.predictions import BASELINES, SCHEMA, read_predictions
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples

SEEDS = (0, 1)
RULES: dict[str, Callable[[Samples], Rule]] = {
    "majority_class": majority_rule, "threshold": threshold_rule
}  # fmt: skip
every_rule = pytest.mark.parametrize("name", RULES)


@pytest.fixture(scope="module")
def kept(samples: Samples, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """predictions/ of both baselines of the small samples. Read-only."""
    folder = tmp_path_factory.mktemp("predictions")
    for name, rule in RULES.items():
        predict_baseline(rule(samples), samples, manifest, folder / name)
    return folder


def test_every_baseline_has_a_rule(samples: Samples) -> None:
    assert tuple(rule(samples).name for rule in RULES.values()) == tuple(RULES) == BASELINES


@every_rule
def test_logits_are_kept_as_those_of_a_fusion(name: str, kept: Path, manifest: Manifest) -> None:
    predictions = read_predictions(kept / name)
    assert tuple(predictions.seeds) == SEEDS
    for seed, parts in predictions.seeds.items():
        assert set(parts) == {"val", "test"}
        for part, answers in parts.items():
            rows = manifest.part(seed, part)
            assert answers.ids.tolist() == rows["id"].tolist()
            assert answers.digests.tolist() == rows["digest"].tolist()
            assert answers.labels.tolist() == rows["label"].tolist()
            assert answers.logits.shape == (len(rows), 2)
            assert answers.logits.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "inputs", "parameters"), [("majority_class", [], 0), ("threshold", ["lidar"], 1)]
)
def test_info_tells_what_a_reader_needs(
    name: str, inputs: list[str], parameters: int, kept: Path, manifest: Manifest
) -> None:
    info = json.loads((kept / name / "info.json").read_text("utf-8"))
    fits, files = info.pop("fits"), info.pop("files")
    assert (list(files), bool(info.pop("digest"))) == (["seed_0.npz", "seed_1.npz"], True)
    assert list(fits) == ["0", "1"]
    noted = {"cut", "positive_above"} if name == "threshold" else set()
    assert all(set(notes) == noted for notes in fits.values())
    assert info == {
        "schema": SCHEMA, "fusion": name, "strategy": "none", "inputs": inputs,
        "parameters": parameters, "classes": ["cubes", "spheres"], "positive": "spheres",
        "synthetic": True,
        "task": "shape", "seeds": list(SEEDS),
        "train_counts": {str(seed): manifest.class_counts(seed, "train") for seed in SEEDS},
    }  # fmt: skip


def test_majority_gives_each_class_its_share_of_the_training_part(
    kept: Path, manifest: Manifest
) -> None:
    predictions = read_predictions(kept / "majority_class")
    for seed, parts in predictions.seeds.items():
        shares = manifest.part(seed, "train")["class"].value_counts(normalize=True)
        for part in parts.values():
            expected = [shares["cubes"], shares["spheres"]]
            np.testing.assert_allclose(np.exp(part.logits), [expected] * len(part.labels), 1e-6)
    metrics = fusion_metrics(predictions)
    assert metrics["collapsed_seeds"] == 2
    assert metrics["test"]["balanced_accuracy"] == {"mean": 50, "deviation": 0}


def test_threshold_tells_the_synthetic_shapes_apart_without_training(kept: Path) -> None:
    metrics = fusion_metrics(read_predictions(kept / "threshold"))
    assert metrics["collapsed_seeds"] == 0
    assert metrics["test"]["balanced_accuracy"]["mean"] > 90
    assert 0 < metrics["test"]["nll"]["mean"] < 0.5


def test_threshold_is_fitted_on_the_training_part_of_a_seed_alone(
    kept: Path, samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    train = manifest.part(0, "train")["row"]
    spoilt = samples.lidar[:].copy()
    spoilt[~samples.table["row"].isin(train)] = 1.0
    spoilt_samples = replace(samples, lidar=spoilt, folder=None)
    predict_baseline(
        threshold_rule(spoilt_samples), spoilt_samples, manifest, tmp_path / "threshold"
    )
    cuts, other = (
        read_predictions(folder).info["fits"]
        for folder in (kept / "threshold", tmp_path / "threshold")
    )
    assert cuts["0"] == other["0"]
    assert cuts["1"] != other["1"]


@every_rule
def test_three_classes_are_answered_too(
    name: str, samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    labels = samples.table["row"] % 3
    columns = {"class": labels.map(lambda label: "abc"[label]), "label": labels}
    dataset = replace(samples.dataset, classes=("a", "b", "c"), positive="b")
    three = replace(samples, table=samples.table.assign(**columns), dataset=dataset)
    drawn = Manifest(manifest.table.assign(**columns))
    predict_baseline(RULES[name](three), three, drawn, tmp_path / name)
    logits = read_predictions(tmp_path / name).seeds[0]["test"].logits
    assert logits.shape[1] == 3
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-6)


@every_rule
def test_a_split_of_other_samples_is_refused_and_older_predictions_stay(
    name: str, samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "info.json").write_text("older")
    other = Manifest(manifest.table[1:])
    with pytest.raises(ArtifactError, match="split manifest"):
        predict_baseline(RULES[name](samples), samples, other, folder)
    assert [path.read_text() for path in folder.iterdir()] == ["older"]


def test_stage_keeps_both_and_says_the_cuts(
    samples_folder: Path,
    manifest_file: Path,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(samples_folder, tmp_path / "data/samples")
    shutil.copy(manifest_file, tmp_path / "data/split.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["baseline.py"])
    stage.main()
    for path in kept.rglob("*.*"):
        written = tmp_path / "predictions" / path.relative_to(kept)
        assert written.read_bytes() == path.read_bytes()
    cuts = read_predictions(kept / "threshold").info["fits"]
    told = ", ".join(f"below {cuts[seed]['cut']:,.0f}" for seed in "01")
    assert capsys.readouterr().out == (f"threshold: spheres where returns · range² is {told} m²\n")

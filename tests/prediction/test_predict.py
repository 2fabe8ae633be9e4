import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import evaluate as stage
from fusebench.device import Device
from fusebench.errors import ArtifactError
from fusebench.evaluation.confusion import write_confusion
from fusebench.evaluation.metrics import fusion_metrics, part_metrics
from fusebench.inputs.inputs import Inputs
from fusebench.inputs.lidar import LidarParams
from fusebench.models import registry, weights
from fusebench.models.base import ModelSpec
from fusebench.prediction.predict import predict_fusion
from fusebench.prediction.predictions import FusionPredictions, PartPredictions, read_predictions
from fusebench.report.curves import ranking_rows
from fusebench.report.results import Comparison
from fusebench.samples.manifest import Manifest, read_manifest
from fusebench.samples.samples import SampleRow, Samples

SEEDS = (0, 1)


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def evaluated(
    trained: Path, cpu: Device, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A project in which `add` was trained and evaluated by the stage, and what it printed."""
    assert cpu.threads == 1
    root = shutil.copytree(trained, tmp_path_factory.mktemp("evaluated") / "project")
    text = (root / "params.yaml").read_text("utf-8")
    text = text.replace("device: auto", "device: cpu").replace("threads: auto", "threads: 1")
    (root / "params.yaml").write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(sys, "argv", ["evaluate.py", "add"])
        printed: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(words)))
        stage.main()
    return root, "\n".join(printed)


# --- What is kept ---


def test_logits_are_those_of_the_models_for_val_and_test(
    evaluated: tuple[Path, str], samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    root, _ = evaluated
    predictions = read_predictions(root / "predictions/add")
    described = read(root / "models/add/model.json")
    model = registry.build(ModelSpec.parse(described["spec"])).eval()
    assert tuple(predictions.seeds) == SEEDS
    for seed, parts in predictions.seeds.items():
        weights.load(root / f"models/add/seed_{seed}.safetensors", model)
        assert set(parts) == {"val", "test"}
        for part, found in parts.items():
            rows = manifest.rows_of(seed, part)
            assert found.ids.tolist() == [row.id for row in rows]
            assert found.digests.tolist() == [row.digest for row in rows]
            assert found.classes.tolist() == [row.class_name for row in rows]
            lidar = LidarParams(**described["lidar"])
            inputs = Inputs.load(samples, rows, lidar, model.inputs, cpu.device)
            logits = model(dict(inputs.maps)).detach().numpy()
            np.testing.assert_allclose(found.logits, logits, atol=1e-5)


def test_info_tells_what_a_reader_needs(evaluated: tuple[Path, str]) -> None:
    info = read(evaluated[0] / "predictions/add/info.json")
    assert info["fusion"] == "add"
    assert info["strategy"] == "intermediate"
    assert info["inputs"] == ["rgb", "lidar"]
    assert info["parameters"] == 117_314
    assert info["classes"] == ["cubes", "spheres"]
    assert info["positive"] == "spheres"
    assert info["rendered"] is True
    assert info["seeds"] == [0, 1]


def test_info_tells_how_and_where_it_was_trained(evaluated: tuple[Path, str]) -> None:
    root, _ = evaluated
    info, described = (
        read(root / name) for name in ("predictions/add/info.json", "models/add/model.json")
    )
    for key in ("settings", "environment"):
        assert info[key] == described[key] != {}


def test_test_part_is_the_same_for_every_seed(evaluated: tuple[Path, str]) -> None:
    seeds = read_predictions(evaluated[0] / "predictions/add").seeds
    assert seeds[0]["test"].digests.tolist() == seeds[1]["test"].digests.tolist()
    assert seeds[0]["val"].digests.tolist() != seeds[1]["val"].digests.tolist()


def test_predictions_repeat_to_the_bit(
    evaluated: tuple[Path, str], samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    root, _ = evaluated
    predict_fusion(root / "models/add", samples, manifest, cpu, tmp_path / "add")
    for path in (root / "predictions/add").iterdir():
        assert (tmp_path / "add" / path.name).read_bytes() == path.read_bytes()


# --- What follows from predictions alone ---


def test_metrics_follow_from_predictions_alone(evaluated: tuple[Path, str], tmp_path: Path) -> None:
    root, _ = evaluated
    shutil.copytree(root / "predictions/add", tmp_path / "add")
    stored = read(root / "metrics/fusions/add.json")
    assert fusion_metrics(read_predictions(tmp_path / "add")) == stored


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_are_what_scikit_learn_makes_of_the_kept_arrays(
    seed: int, part: str, evaluated: tuple[Path, str]
) -> None:
    root, _ = evaluated
    with np.load(root / f"predictions/add/seed_{seed}.npz", allow_pickle=False) as stored:
        chosen = stored["part"] == part
        labels, logits = stored["label"][chosen], stored["logits"][chosen].astype(float)
    said, score = logits.argmax(1), logits[:, 1] - logits[:, 0]
    expected = {
        "accuracy": 100 * sk.accuracy_score(labels, said),
        "precision": 100 * sk.precision_score(labels, said, zero_division=0),
        "recall": 100 * sk.recall_score(labels, said),
        "f1": 100 * sk.f1_score(labels, said),
        "auroc": 100 * sk.roc_auc_score(labels, score),
        "average_precision": 100 * sk.average_precision_score(labels, score),
        "nll": sk.log_loss(labels, 1 / (1 + np.exp(-score))),
    }
    found = read(root / "metrics/fusions/add.json")[part]["seeds"][str(seed)]
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-6)
    assert found["confusion"] == sk.confusion_matrix(labels, said).tolist()


def test_val_loss_is_the_one_that_selected_the_model(evaluated: tuple[Path, str]) -> None:
    root, _ = evaluated
    found = read(root / "metrics/fusions/add.json")["val"]["seeds"]
    curve = lines_of(root / "plots/training/add.csv")
    for seed in map(str, SEEDS):
        best = min(float(line["val_loss"]) for line in curve if line["seed"] == seed)
        assert found[seed]["nll"] == pytest.approx(best, rel=1e-4)


def test_screen_tells_the_result(evaluated: tuple[Path, str]) -> None:
    root, printed = evaluated
    test = read(root / "metrics/fusions/add.json")["test"]
    assert printed.startswith("add: 2 seed(s)")
    assert f"{test['balanced_accuracy']['mean']:.2f} %" in printed


# --- Three classes, memory ---


@pytest.fixture
def three_classes(samples: Samples) -> Samples:
    """The same arrays, called by three classes."""
    rows = tuple(
        SampleRow(row.row, row.id, "abc"[row.row % 3], row.row % 3, row.digest)
        for row in samples.rows
    )
    dataset = replace(samples.dataset, classes=("a", "b", "c"), positive="b")
    return replace(samples, rows=rows, dataset=dataset)


def store_model(
    folder: Path, classes: list[str], seeds: tuple[int, ...] = (4,), **spec: Any
) -> None:
    content = {"fusion": "add", "classes": len(classes), "image_size": [64, 64], "pooling": "max"}
    content |= {"precision": "fp32", **spec}
    model = registry.build(ModelSpec.parse(content))
    folder.mkdir(parents=True)
    for seed in seeds:
        weights.initialize(model, seed)
        weights.save(folder / f"seed_{seed}.safetensors", model.state_dict())
    described = {
        "spec": content,
        "lidar": {"projection": "spherical", "align": "none", "normalize": True},
        "classes": classes,
        "seeds": {
            str(seed): {"best_epoch": 1, "train_counts": dict.fromkeys(classes, 3)}
            for seed in seeds
        },
        "settings": {"lr": 0.001},
        "environment": {"device": "cpu"},
    }
    (folder / "model.json").write_text(json.dumps(described))


def parts_for(samples: Samples, seed: int) -> Manifest:
    parts = tuple(("test", "val", "train")[row.row // 3 % 3] for row in samples.rows)
    return Manifest(samples.rows, {seed: parts})


def test_three_classes_are_evaluated(three_classes: Samples, cpu: Device, tmp_path: Path) -> None:
    store_model(tmp_path / "models", ["a", "b", "c"])
    manifest = parts_for(three_classes, 4)
    predict_fusion(tmp_path / "models", three_classes, manifest, cpu, tmp_path / "kept")
    predictions = read_predictions(tmp_path / "kept")
    assert predictions.seeds[4]["test"].logits.shape == (len(manifest.rows_of(4, "test")), 3)
    found = fusion_metrics(predictions)["test"]["seeds"]["4"]
    assert np.array(found["confusion"]).shape == (3, 3)
    write_confusion(tmp_path / "confusion.csv", predictions)
    assert len(lines_of(tmp_path / "confusion.csv")) == 9


# --- What goes wrong ---


def refusal(
    models: Path, samples: Samples, manifest: Manifest, device: Device, folder: Path
) -> str:
    with pytest.raises(ArtifactError) as caught:
        predict_fusion(models, samples, manifest, device, folder)
    assert not folder.exists()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("classes", [["spheres", "cubes"], ["cubes", "cones"], ["a", "b", "c"]])
def test_model_of_other_classes_is_refused(
    classes: list[str], samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    store_model(models, classes)
    message = refusal(models, samples, manifest, cpu, tmp_path / "kept")
    for part in (str(models / "model.json"), *classes, "['cubes', 'spheres']"):
        assert part in message


def test_model_of_another_image_size_is_refused(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    store_model(models, ["cubes", "spheres"], (0,), image_size=[32, 32])
    assert "model.json" in refusal(models, samples, manifest, cpu, tmp_path / "kept")


def test_seed_that_the_manifest_does_not_have_is_refused(
    samples: Samples, manifest: Manifest, cpu: Device, tmp_path: Path
) -> None:
    store_model(tmp_path / "models", ["cubes", "spheres"], (9,))
    assert "no seed 9" in refusal(tmp_path / "models", samples, manifest, cpu, tmp_path / "kept")


@pytest.mark.parametrize("file", ["model.json", "seed_1.safetensors"])
def test_missing_model_file_is_named(
    file: str, project: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    (project / "models/add" / file).unlink()
    message = refusal(project / "models/add", samples, manifest, cpu, project / "kept")
    assert str(project / "models/add" / file) in message


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda described: described.pop(key)


@pytest.mark.parametrize(
    "spoil",
    [
        *(without(key) for key in ("spec", "lidar", "classes", "seeds", "settings")),
        without("environment"),
        lambda described: described["spec"].pop("pooling"),
        lambda described: described["spec"].update(width=3),
        lambda described: described["lidar"].update(align="upside down"),
    ],
    ids=["spec", "lidar", "classes", "seeds", "settings", "environment", "spec.pooling",
         "unknown key", "wrong value"],
)  # fmt: skip
def test_spoilt_description_is_named(
    spoil: Callable[[dict[str, Any]], object],
    project: Path,
    samples: Samples,
    manifest: Manifest,
    cpu: Device,
) -> None:
    path = project / "models/add/model.json"
    described = read(path)
    spoil(described)
    path.write_text(json.dumps(described))
    assert str(path) in refusal(path.parent, samples, manifest, cpu, project / "kept")


def test_failure_leaves_older_predictions_untouched(
    project: Path, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    folder = project / "predictions/add"
    folder.mkdir(parents=True)
    (folder / "info.json").write_text("older")
    (project / "models/add/seed_1.safetensors").write_bytes(b"broken")
    with pytest.raises(ArtifactError):
        predict_fusion(project / "models/add", samples, manifest, cpu, folder)
    assert [path.name for path in folder.iterdir()] == ["info.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["add"]


# --- Curves ---


def many_predictions(count: int, seeds: int) -> FusionPredictions:
    """Predictions that are right somewhat more often than not."""
    found = {}
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, count)
        logits = generator.standard_normal((count, 2)).astype(np.float32)
        logits[:, 1] += labels.astype(np.float32)
        names = np.array(["cubes", "spheres"])[labels]
        text = labels.astype(str)
        found[seed] = {"test": PartPredictions(text, names, text, labels, logits)}
    info = {"classes": ["cubes", "spheres"], "positive": "spheres", "seeds": list(found)}
    return FusionPredictions(info, found)


def points(rows: list[dict[str, Any]], seed: int, *columns: str) -> Any:
    return np.array([[row[name] for name in columns] for row in rows if row["seed"] == seed])


ROC = ("false_positive_rate", "true_positive_rate")


@pytest.mark.parametrize("seed", [0, 1])
def test_roc_runs_from_corner_to_corner_with_few_points(seed: int) -> None:
    predictions = many_predictions(3000, 2)
    rows, _ = ranking_rows(Comparison((), {"add": predictions}))
    found = points(rows, seed, *ROC)
    assert 50 <= len(found) <= 200
    assert found[0].tolist() == [0, 0]
    assert found[-1].tolist() == [100, 100]
    assert (np.diff(found, axis=0) >= 0).all()
    part = predictions.seeds[seed]["test"]
    area = sk.roc_auc_score(part.labels, part.logits[:, 1] - part.logits[:, 0])
    assert np.trapezoid(found[:, 1], found[:, 0]) / 1e4 == pytest.approx(area, abs=0.005)


@pytest.mark.parametrize("seed", [0, 1])
def test_precision_recall_runs_from_all_to_none_with_few_points(seed: int) -> None:
    predictions = many_predictions(3000, 2)
    _, rows = ranking_rows(Comparison((), {"add": predictions}))
    found = points(rows, seed, "recall", "precision")
    assert 50 <= len(found) <= 200
    share = 100 * float(predictions.seeds[seed]["test"].labels.mean())
    assert found[0] == pytest.approx([100, share], abs=1e-3)
    assert found[-1].tolist() == [0, 100]
    assert (np.diff(found[:, 0]) <= 0).all()


def test_short_curves_are_kept_whole() -> None:
    predictions = many_predictions(6, 1)
    rows, _ = ranking_rows(Comparison((), {"add": predictions}))
    part = predictions.seeds[0]["test"]
    expected = sk.roc_curve(part.labels, part.logits[:, 1] - part.logits[:, 0])
    np.testing.assert_allclose(
        points(rows, 0, *ROC), 100 * np.column_stack(expected[:2]), atol=1e-3
    )


def test_curve_and_auroc_tell_the_same_of_three_classes() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(30) % 3
    logits = (50 * generator.standard_normal((30, 3))).astype(np.float32)
    text = labels.astype(str)
    part = PartPredictions(text, text, text, labels, logits)
    areas = []
    for positive in "012":
        info = {"classes": ["0", "1", "2"], "positive": positive}
        rows, _ = ranking_rows(
            Comparison((), {"add": FusionPredictions(info, {0: {"test": part}})})
        )
        found = points(rows, 0, *ROC)
        areas.append(np.trapezoid(found[:, 1], found[:, 0]) / 100)
    assert part_metrics(part, 0)["auroc"] == pytest.approx(np.mean(areas), abs=1e-3)


# --- Confusion ---


def test_confusion_is_the_mean_over_seeds_of_each_pair_of_classes(tmp_path: Path) -> None:
    predictions = many_predictions(300, 2)
    write_confusion(tmp_path / "confusion.csv", predictions)
    tables = [
        sk.confusion_matrix(parts["test"].labels, parts["test"].logits.argmax(1))
        for parts in predictions.seeds.values()
    ]
    mean = np.mean(tables, axis=0)
    found = lines_of(tmp_path / "confusion.csv")
    assert [(line["actual"], line["predicted"]) for line in found] == [
        ("cubes", "cubes"), ("cubes", "spheres"), ("spheres", "cubes"), ("spheres", "spheres"),
    ]  # fmt: skip
    assert [float(line["count"]) for line in found] == mean.flatten().tolist()
    shares = 100 * mean / mean.sum(axis=1, keepdims=True)
    assert [float(line["share"]) for line in found] == pytest.approx(shares.flatten(), abs=1e-4)


def test_stage_writes_the_confusion_of_the_test_part(evaluated: tuple[Path, str]) -> None:
    root, _ = evaluated
    rows = read_manifest(root / "data/split.csv").rows_of(0, "test")
    found = lines_of(root / "plots/confusion/add.csv")
    for name in ("cubes", "spheres"):
        held = sum(float(line["count"]) for line in found if line["actual"] == name)
        assert held == sum(row.class_name == name for row in rows)

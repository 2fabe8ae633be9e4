import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from sklearn.metrics import confusion_matrix
from tests.evaluation.made_up import fusion_of, part_of, parts, seeded_part

import evaluate as stage
from fusebench.evaluation.compared import row_figures
from fusebench.evaluation.measure import (
    collapse_text,
    collapsed_classes,
    confusion_table,
    constant_answer,
    fusion_metrics,
    part_metrics,
)
from fusebench.evaluation.metrics import METRICS
from fusebench.files import write_json
from fusebench.prediction.predictions import (
    BASELINES,
    PartPredictions,
    read_predictions,
    write_info,
    write_seed,
)


def both_parts(*logits: list[float]) -> dict[str, PartPredictions]:
    return dict.fromkeys(("val", "test"), part_of([0, 1], logits))


CUBES = both_parts([1, 0], [1, 0])
SPHERES = both_parts([0, 1], [0, 1])
RIGHT = both_parts([1, 0], [0, 1])


# --- One model ---


def test_every_metric_is_measured_to_six_digits_and_can_be_stored() -> None:
    part = seeded_part(3)
    measured = part_metrics(part, 1)
    assert list(measured) == [*METRICS, "confusion"]
    for name, metric in METRICS.items():
        assert measured[name] == round(metric.function(part, 1), 6)
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


def test_confusion_has_a_row_per_true_class_also_where_none_is_predicted() -> None:
    part = part_of([0, 0, 0, 1, 2], np.eye(3)[[0, 1, 1, 1, 0]])
    assert part_metrics(part, 1)["confusion"] == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_collapsed_is_to_answer_one_class_whichever_for_every_sample(classes: int) -> None:
    labels = [*range(classes), 0, 0]
    for label in range(classes):
        same = np.tile(np.eye(classes)[label], (len(labels), 1))
        same += np.random.default_rng(label).uniform(0, 0.4, same.shape)
        assert constant_answer(part_of(labels, same)) == label
        same[0] = np.eye(classes)[(label + 1) % classes]
        assert constant_answer(part_of(labels, same)) is None


@settings(deadline=None, max_examples=50)
@given(parts())
def test_collapsed_are_those_whose_confusion_has_one_column(part: PartPredictions) -> None:
    confusion = np.array(part_metrics(part, 1)["confusion"])
    (columns,) = np.nonzero(confusion.sum(axis=0))
    label = constant_answer(part)
    assert label == (columns[0] if len(columns) == 1 else None)


@pytest.mark.parametrize("answer", [[1, 0], [0, 1]])
def test_nothing_is_collapsed_where_there_is_one_class_only(answer: list[float]) -> None:
    assert constant_answer(part_of([0, 0, 0], [answer] * 3)) is None


# --- Over seeds ---


def test_the_class_is_kept_per_seed_and_part_and_seeds_are_counted_on_test() -> None:
    mixed = {"val": RIGHT["val"], "test": CUBES["test"]}
    measured = fusion_metrics(fusion_of({3: CUBES, 4: SPHERES, 5: RIGHT, 6: mixed}))
    marks = {
        part: [seed["collapsed"] for seed in measured[part]["seeds"].values()]
        for part in ("test", "val")
    }
    assert marks == {
        "test": ["cubes", "spheres", None, "cubes"],
        "val": ["cubes", "spheres", None, None],
    }
    assert measured["collapsed_seeds"] == 3
    assert collapsed_classes(measured) == {"cubes": 2, "spheres": 1}


def test_hadamards_third_class_of_three_balanced_ones_is_seen() -> None:
    labels = [0, 1, 2] * 10
    stuck, right = (part_of(labels, 5 * np.eye(3)[said]) for said in ([2] * 30, labels))
    seeds = {seed: {"val": part, "test": part} for seed, part in enumerate((stuck, right, stuck))}
    measured = fusion_metrics(fusion_of(seeds, counts=(5, 5, 5)))
    assert measured["collapsed_seeds"] == 2
    assert collapse_text(measured) == "2 of 3 seeds answer cones for every sample"


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([RIGHT], "0 of 1 seed collapsed"),
        ([CUBES], "1 of 1 seed answers cubes for every sample"),
        (
            [SPHERES, CUBES, SPHERES, RIGHT],
            "2 of 4 seeds answer spheres, 1 of 4 seeds answers cubes for every sample",
        ),
    ],
)
def test_words_for_collapsed_seeds(seeds: list[dict[str, PartPredictions]], said: str) -> None:
    assert collapse_text(fusion_metrics(fusion_of(dict(enumerate(seeds))))) == said


def test_mean_and_deviation_are_over_seeds() -> None:
    measured = fusion_metrics(fusion_of({0: CUBES, 1: RIGHT, 2: RIGHT}))
    assert measured["parameters"] == 117_314
    assert list(measured["test"]) == [*METRICS, "seeds"]
    assert measured["test"]["accuracy"] == pytest.approx(
        {"mean": np.mean([50, 100, 100]), "deviation": np.std([50, 100, 100], ddof=1)}, abs=1e-6
    )


def test_one_seed_has_no_deviation_and_equal_seeds_have_none() -> None:
    one, three = (dict.fromkeys(range(count), RIGHT) for count in (1, 3))
    assert fusion_metrics(fusion_of(one))["test"]["nll"]["deviation"] is None
    assert fusion_metrics(fusion_of(three))["test"]["nll"]["deviation"] == 0


def test_confusion_table_is_the_mean_over_seeds_with_shares_of_the_true_class() -> None:
    part = seeded_part(2)
    flipped = part_of(part.labels.tolist(), part.logits[:, ::-1])
    predictions = fusion_of({0: {"test": part}, 1: {"test": flipped}, 2: {"test": part}})
    table = confusion_table(predictions)
    assert list(table["actual"]) == ["cubes", "cubes", "spheres", "spheres"]
    assert list(table["predicted"]) == ["cubes", "spheres", "cubes", "spheres"]
    mean = np.mean(
        [confusion_matrix(p.labels, p.logits.argmax(1)) for p in (part, flipped, part)], axis=0
    )
    shares = 100 * mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table["count"], mean.ravel(), atol=1e-4)
    np.testing.assert_allclose(table["share"], shares.ravel(), atol=1e-4)


# --- The stage's script ---


def store(folder: Path, name: str, parts: dict[str, PartPredictions]) -> None:
    folder.mkdir(parents=True)
    info: dict[str, Any] = fusion_of({0: parts}).info
    write_seed(folder, 0, parts)
    write_info(folder, {**info, "fusion": name})


def test_stage_measures_fusions_and_baselines_from_predictions_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "params.yaml", {"fusion": "add", "fusions": ["add"]})
    stored = {"add": RIGHT, "late": RIGHT, **dict.fromkeys(BASELINES, CUBES)}
    for name, stored_parts in stored.items():
        store(tmp_path / "predictions" / name, name, stored_parts)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate.py"])
    stage.main()
    written = {path.name for path in (tmp_path / "metrics/fusions").iterdir()}
    assert written == {"add.json", *(f"{name}.json" for name in BASELINES)}
    assert {path.name for path in (tmp_path / "metrics/test").iterdir()} == written
    for name in ("add", *BASELINES):
        metrics = json.loads((tmp_path / f"metrics/fusions/{name}.json").read_text("utf-8"))
        assert metrics == fusion_metrics(read_predictions(tmp_path / "predictions" / name))
        compared = json.loads((tmp_path / f"metrics/test/{name}.json").read_text("utf-8"))
        assert compared == row_figures(metrics)
    assert [path.name for path in (tmp_path / "plots/confusion").iterdir()] == ["add.csv"]
    table = pd.read_csv(tmp_path / "plots/confusion/add.csv")
    assert table["count"].tolist() == [1, 0, 0, 1]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "add: 0 of 1 seed collapsed; test balanced accuracy 100.00 %, NLL 0.3133 nats",
        "majority_class: 1 seed(s); test balanced accuracy 50.00 %, NLL 0.8133 nats",
    ]

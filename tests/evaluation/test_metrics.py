import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from fusebench.evaluation.metrics import (
    fusion_metrics,
    is_stuck,
    nll_per_sample,
    part_metrics,
    softmax,
    summarize,
)
from fusebench.prediction.predictions import FusionPredictions, PartPredictions

Floats = npt.NDArray[np.float32]
NAMES = ("cubes", "spheres", "cones")


def part_of(labels: list[int], logits: Any) -> PartPredictions:
    text = [str(number) for number in range(len(labels))]
    return PartPredictions(
        ids=np.array(text),
        classes=np.array([NAMES[label] for label in labels]),
        digests=np.array(text),
        labels=np.array(labels, np.int64),
        logits=np.array(logits, np.float32),
    )


def fusion_of(
    seeds: dict[int, dict[str, PartPredictions]], train_counts: dict[str, int] | None = None
) -> FusionPredictions:
    counts = train_counts or {"cubes": 9, "spheres": 1}
    info = {
        "fusion": "add",
        "parameters": 117_314,
        "classes": list(counts),
        "positive": "spheres",
        "seeds": list(seeds),
        "train_counts": {str(seed): counts for seed in seeds},
    }
    return FusionPredictions(info, seeds)


@st.composite
def parts(draw: Callable[..., Any], scale: float = 5) -> PartPredictions:
    """Draw a part of 2 or 3 classes, each of which is there."""
    classes = draw(st.integers(2, 3))
    labels = [*range(classes), *draw(st.lists(st.integers(0, classes - 1), max_size=25))]
    seed = draw(st.integers(0, 2**32 - 1))
    logits = scale * np.random.default_rng(seed).standard_normal((len(labels), classes))
    if draw(st.booleans()):
        logits = logits.round()  # Ties.
    return part_of(labels, logits)


# --- One part ---


@settings(deadline=None, max_examples=100)
@given(parts(), st.integers(0, 1))
def test_metrics_are_scikit_learns(part: PartPredictions, positive: int) -> None:
    classes = part.logits.shape[1]
    probabilities = softmax(part.logits)
    found = part_metrics(part, positive)
    one_against_rest = [
        # Rounded: what is a tie by the formula must not be decided by the last bit.
        (
            part.labels == label,
            np.log(probabilities[:, label] / (1 - probabilities[:, label])).round(6),
        )
        for label in ([positive] if classes == 2 else range(classes))
    ]
    expected = {
        "auroc": 100 * np.mean([sk.roc_auc_score(*each) for each in one_against_rest]),
        "average_precision": 100
        * np.mean([sk.average_precision_score(*each) for each in one_against_rest]),
        "nll": sk.log_loss(part.labels, probabilities, labels=range(classes)),
        "accuracy": 100 * sk.accuracy_score(part.labels, part.logits.argmax(1)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    said = part.logits.argmax(1)
    assert found["confusion"] == sk.confusion_matrix(part.labels, said).tolist()


def test_metrics_have_the_documented_names_and_can_be_stored() -> None:
    found = part_metrics(part_of([0, 1, 1], [[1, 0], [0, 1], [1, 0]]), 1)
    assert set(found) == {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1",
        "auroc", "average_precision", "nll", "confusion",
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found


def test_rates_are_percent_and_nll_is_in_nats() -> None:
    found = part_metrics(part_of([0, 1, 1, 1], [[2, 0], [0, 2], [0, 2], [2, 0]]), 1)
    assert found["accuracy"] == 75
    assert found["recall"] == pytest.approx(66.666667, abs=1e-6)
    assert found["auroc"] == pytest.approx(100 * 2.5 / 3, abs=1e-6)
    expected = math.log1p(math.exp(-2)) + 2 / 4
    assert found["nll"] == pytest.approx(expected, abs=1e-6)


def test_positive_class_turns_the_ranking_around() -> None:
    part = part_of([0, 0, 1, 1], [[3, 0], [1, 0], [2, 0], [0, 3]])
    assert part_metrics(part, 0)["auroc"] == part_metrics(part, 1)["auroc"] == 75
    ranks = [part_metrics(part, positive)["average_precision"] for positive in (0, 1)]
    assert ranks == pytest.approx([100 * (1 + 2 / 3) / 2, 100 * (1 + 2 / 3) / 2], abs=1e-4)


def test_chance_and_perfect_ranking() -> None:
    same = part_metrics(part_of([0, 1, 0, 1], [[1, 1]] * 4), 1)
    assert (same["auroc"], same["average_precision"]) == (50, 50)
    right = part_metrics(part_of([0, 1, 2], 3 * np.eye(3)), 1)
    assert (right["auroc"], right["average_precision"], right["f1"]) == (100, 100, 100)


# Logits so far apart that float64 gives a probability of exactly 1 to all of the first class.
SURE_2 = ([0, 1, 0, 1], [[0, 60], [0, 80], [0, 50], [0, 70]])
SURE_3 = ([0, 1, 0, 1, 2], [[0, 60, 0], [0, 80, 0], [0, 50, 0], [0, 70, 0], [0, 40, 0]])


@pytest.mark.parametrize(("labels", "logits"), [SURE_2, SURE_3], ids=["2 classes", "3 classes"])
def test_samples_are_ranked_where_probabilities_round_to_one(
    labels: list[int], logits: list[list[float]]
) -> None:
    scores = np.array(logits)[:, 1]
    part = part_of(labels, logits)
    assert len(set(softmax(part.logits)[:, 1].tolist())) == 1, "the case would show nothing"
    found = part_metrics(part, 1)
    truth = np.array(labels) == 1
    if len(logits[0]) == 2:
        assert found["auroc"] == 100 * sk.roc_auc_score(truth, scores)
        return
    # Class 1 is ranked perfectly; 0 and 2 are given by the rest of the logits, the same for all.
    others = [sk.roc_auc_score(np.array(labels) == label, -scores) for label in (0, 2)]
    assert found["auroc"] == pytest.approx(100 * (1 + sum(others)) / 3, abs=1e-4)


# --- Probabilities ---


def test_softmax_is_normalised_and_keeps_order() -> None:
    found = softmax(np.array([[0, math.log(3)], [5, 5], [1000, -1000]], np.float32))
    assert found.dtype == np.float64
    assert found[0] == pytest.approx([0.25, 0.75])
    assert found[1].tolist() == [0.5, 0.5]
    assert found[2].tolist() == [1, 0]
    assert softmax(np.float32(1e4) + np.array([[0, 1, 2]], np.float32)).sum() == pytest.approx(1)


@pytest.mark.parametrize("margin", [0.0, 0.5, 20.0, 37.0, 100.0, 3e4, 3e38])
def test_nll_is_exact_for_extreme_logits(margin: float) -> None:
    logits = np.array([[margin, 0], [margin, 0], [0, -margin], [-margin / 2, margin / 2]])
    found = nll_per_sample(logits.astype(np.float32), np.array([0, 1, 1, 0]))
    right = float(np.float32(margin))
    small, large = math.log1p(math.exp(-right)), right + math.log1p(math.exp(-right))
    assert found == pytest.approx([small, large, large, large], rel=1e-7, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(parts(scale=300))
def test_nll_is_that_of_float64(part: PartPredictions) -> None:
    logits = part.logits.astype(np.float64)
    rows = np.arange(len(logits))
    expected = np.logaddexp.reduce(logits, axis=1) - logits[rows, part.labels]
    assert nll_per_sample(part.logits, part.labels) == pytest.approx(expected, abs=1e-9)


# --- Stuck ---


@pytest.mark.parametrize(
    ("logits", "majority", "stuck"),
    [
        ([[2, 1], [9, 0]], 0, True),
        ([[2, 1], [9, 0]], 1, False),
        ([[1, 2], [0, 9]], 1, True),
        ([[2, 1], [0, 9]], 0, False),
    ],
)
def test_stuck_is_to_say_the_majority_of_every_sample(
    logits: list[list[float]], majority: int, stuck: bool
) -> None:
    assert is_stuck(part_of([0, 1], logits), majority) is stuck


def both_parts(*logits: list[float]) -> dict[str, PartPredictions]:
    return dict.fromkeys(("val", "test"), part_of([0, 1], logits))


CUBES, SPHERES, RIGHT = (
    both_parts([1, 0], [1, 0]),
    both_parts([0, 1], [0, 1]),
    both_parts([1, 0], [0, 1]),
)


def test_stuck_seeds_are_counted_and_marked() -> None:
    found = fusion_metrics(fusion_of({3: CUBES, 4: SPHERES, 5: RIGHT}))
    assert found["stuck_seeds"] == 1
    for part in ("test", "val"):
        marks = {seed: each["stuck_at_majority"] for seed, each in found[part]["seeds"].items()}
        assert marks == {"3": True, "4": False, "5": False}


def test_each_part_says_for_itself_whether_a_seed_is_stuck() -> None:
    mixed = {"val": RIGHT["val"], "test": CUBES["test"]}
    found = fusion_metrics(fusion_of({3: mixed}))
    assert found["stuck_seeds"] == 1
    assert found["test"]["seeds"]["3"]["stuck_at_majority"]
    assert not found["val"]["seeds"]["3"]["stuck_at_majority"]


def test_majority_is_that_of_the_training_part() -> None:
    mostly_spheres = fusion_of({3: CUBES, 4: SPHERES}, {"cubes": 2, "spheres": 8})
    assert fusion_metrics(mostly_spheres)["test"]["seeds"]["4"]["stuck_at_majority"]


# --- Over seeds ---


def test_mean_and_deviation_are_over_seeds() -> None:
    found = fusion_metrics(fusion_of({0: CUBES, 1: RIGHT, 2: RIGHT}))
    accuracies = [50.0, 100.0, 100.0]
    assert found["parameters"] == 117_314
    assert found["test"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    expected = np.std(accuracies, ddof=1)
    assert found["test"]["accuracy"]["deviation"] == pytest.approx(expected, abs=1e-6)
    assert {name for name in found["test"] if name != "seeds"} == {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1",
        "auroc", "average_precision", "nll",
    }  # fmt: skip


def test_one_seed_has_no_deviation() -> None:
    found = fusion_metrics(fusion_of({7: RIGHT}))
    assert found["test"]["accuracy"] == {"mean": 100, "deviation": None}
    assert '"deviation": null' in json.dumps(found, allow_nan=False)


def test_equal_seeds_have_a_deviation_of_zero() -> None:
    values = [part_metrics(RIGHT["test"], 1)] * 3
    assert all(each["deviation"] == 0 for each in summarize(values).values())


def test_val_and_test_are_kept_apart() -> None:
    found = fusion_metrics(fusion_of({0: {"val": CUBES["val"], "test": RIGHT["test"]}}))
    assert found["val"]["accuracy"]["mean"] == 50
    assert found["test"]["accuracy"]["mean"] == 100
    assert found["stuck_seeds"] == 0


def test_three_classes_give_macro_means() -> None:
    three = part_of([0, 0, 1, 2], [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    counts = {"cubes": 3, "spheres": 2, "cones": 1}
    found = fusion_metrics(fusion_of({0: {"val": three, "test": three}}, counts))
    assert found["test"]["recall"]["mean"] == pytest.approx(100 * 2.5 / 3, abs=1e-6)
    assert found["test"]["seeds"]["0"]["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]

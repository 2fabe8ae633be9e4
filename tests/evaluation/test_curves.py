from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from tests.evaluation.made_up import fusion_of, part_of

from fusebench.evaluation.curves import precision_recall_points, roc_points
from fusebench.evaluation.metrics import METRICS, log_odds
from fusebench.prediction.predictions import FusionPredictions, PartPredictions


def noisy_part(count: int, classes: int = 2, seed: int = 0) -> PartPredictions:
    """Predictions that are right somewhat more often than not."""
    source = np.random.default_rng(seed)
    labels = source.integers(0, classes, count)
    logits = 3 * source.standard_normal((count, classes)) + np.eye(classes)[labels]
    return part_of(labels.tolist(), logits)


def fusion(parts: list[PartPredictions], **info: Any) -> FusionPredictions:
    predictions = fusion_of(
        {seed: {"test": part} for seed, part in enumerate(parts)}, [9] * parts[0].logits.shape[1]
    )
    return FusionPredictions(predictions.info | info, predictions.seeds)


def curve_of(table: pd.DataFrame, name: str, seed: int) -> Any:
    """Return the points of one curve, checking that they are numbered."""
    rows = table[(table["fusion"] == name) & (table["seed"] == seed)]
    assert rows["point"].tolist() == list(range(len(rows)))
    return rows.iloc[:, 3:].to_numpy()


def area(points: Any) -> float:
    return abs(float(np.trapezoid(points[:, 1], points[:, 0]))) / 100


def test_curves_of_every_fusion_and_seed_have_few_points_and_the_area_of_the_metric() -> None:
    predictions = {
        name: fusion([noisy_part(3000, seed=seed), noisy_part(3000, seed=seed + 1)])
        for name, seed in (("add", 0), ("late", 5))
    }
    roc, precision_recall = roc_points(predictions), precision_recall_points(predictions)
    start = ["fusion", "seed", "point"]
    assert list(roc) == [*start, "false_positive_rate", "true_positive_rate"]
    assert list(precision_recall) == [*start, "recall", "precision"]
    for name, of_fusion in predictions.items():
        for seed, parts in of_fusion.seeds.items():
            part = parts["test"]
            points = curve_of(roc, name, seed)
            assert 50 <= len(points) <= 200
            assert (points[0].tolist(), points[-1].tolist()) == ([0, 0], [100, 100])
            assert (np.diff(points, axis=0) >= 0).all()
            assert area(points) == pytest.approx(METRICS["auroc"].function(part, 1), abs=0.5)
            points = curve_of(precision_recall, name, seed)
            assert 50 <= len(points) <= 200
            assert points[0] == pytest.approx([100, 100 * part.labels.mean()], abs=1e-3)
            assert points[-1].tolist() == [0, 100]
            assert (np.diff(points[:, 0]) <= 0).all()
            precision = METRICS["average_precision"].function(part, 1)
            assert area(points) == pytest.approx(precision, abs=1)


def test_short_curve_is_scikit_learns() -> None:
    part = noisy_part(12)
    truth, scores = part.labels == 1, log_odds(part.logits, 1)
    points = curve_of(roc_points({"add": fusion([part])}), "add", 0)
    expected = np.column_stack(sk.roc_curve(truth, scores)[:2])
    np.testing.assert_allclose(points, 100 * expected, atol=1e-3)
    points = curve_of(precision_recall_points({"add": fusion([part])}), "add", 0)
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    expected = np.column_stack((recall, precision))
    repeated = np.append(False, (np.diff(expected, axis=0) == 0).all(axis=1))
    np.testing.assert_allclose(points, 100 * expected[~repeated], atol=1e-3)


def test_with_three_classes_a_curve_is_one_class_against_the_rest() -> None:
    part = noisy_part(30, classes=3)
    areas = [
        area(curve_of(roc_points({"add": fusion([part], positive=name)}), "add", 0))
        for name in ("cubes", "spheres", "cones")
    ]
    assert METRICS["auroc"].function(part, 0) == pytest.approx(np.mean(areas), abs=1e-2)

"""The threshold on returns · range²: what it measures, how it is fitted, what it leaves."""

import json
import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import baseline as stage
from fusebench.baselines.threshold import NAME, Threshold, best_cut, fit, predict_threshold, sizes
from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import fusion_metrics, part_metrics
from fusebench.models import registry
from fusebench.prediction.predictions import PartPredictions, read_predictions
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import SampleRow, Samples

SEEDS = (0, 1)
MAX_RANGE = 50.0


def maps(*found: list[float]) -> Any:
    """Return LiDAR maps (N, 2, 3) that hold the given ranges, all else without return."""
    held = np.full((len(found), 6), MAX_RANGE, np.float32)
    for row, ranges in zip(held, found, strict=True):
        row[: len(ranges)] = ranges
    return held.reshape(-1, 2, 3)


# --- The size ---


def test_size_is_the_number_of_returns_times_the_smallest_range_squared() -> None:
    found = sizes(maps([3.0], [4.0, 2.0, 5.0], [10.0] * 6), MAX_RANGE)
    assert found.tolist() == [1 * 9, 3 * 4, 6 * 100]


def test_map_without_a_return_has_size_zero() -> None:
    found = sizes(maps([], [MAX_RANGE, MAX_RANGE], [7.0]), MAX_RANGE)
    assert found.tolist() == [0, 0, 49]


def test_a_return_is_below_the_maximum_range() -> None:
    just_below = float(np.nextafter(np.float32(MAX_RANGE), np.float32(0)))
    assert sizes(maps([just_below]), MAX_RANGE)[0] == just_below**2


def test_sizes_do_not_depend_on_how_many_maps_are_read_at_once() -> None:
    many = np.random.default_rng(0).uniform(1, 60, (700, 4, 5)).astype(np.float32)
    alone = [sizes(each[None], MAX_RANGE)[0] for each in many]
    assert sizes(many, MAX_RANGE).tolist() == alone


def test_size_hardly_changes_with_the_distance_of_the_same_object(samples: Samples) -> None:
    # What the name promises: returns fall with the square of the range.
    found = sizes(samples.lidar, samples.dataset.max_range)
    nearest = samples.lidar[:].min(axis=(1, 2))
    cubes = np.array([row.class_name == "cubes" for row in samples.rows])
    assert np.ptp(nearest[cubes]) > 1
    assert found[cubes].std() / found[cubes].mean() < 0.5
    counts = found[cubes] / nearest[cubes] ** 2
    assert counts.std() / counts.mean() > found[cubes].std() / found[cubes].mean()


# --- The cut ---


def all_cuts(values: list[int], truth: list[bool]) -> Iterator[tuple[Fraction, float, float, bool]]:
    """Yield balanced accuracy, gap, cut and side of every cut, exactly."""
    held = sorted(set(values))
    positives, negatives = sum(truth), len(truth) - sum(truth)
    for lower, upper in pairwise(held):
        cut = (lower + upper) / 2
        for above in (True, False):
            said = [(value > cut) == above for value in values]
            hits = sum(each and yes for each, yes in zip(said, truth, strict=True))
            rejected = sum(not (each or yes) for each, yes in zip(said, truth, strict=True))
            quality = (Fraction(hits, positives) + Fraction(rejected, negatives)) / 2
            yield quality, upper - lower, cut, above


samples_of_two_classes = st.lists(
    st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=25
).filter(lambda drawn: len({yes for _, yes in drawn}) == 2 and len({v for v, _ in drawn}) > 1)


@given(samples_of_two_classes)
def test_cut_is_the_best_then_the_one_in_the_widest_gap_then_the_lowest(
    drawn: list[tuple[int, bool]],
) -> None:
    values, truth = [value for value, _ in drawn], [yes for _, yes in drawn]
    cut, above = best_cut(np.array(values, float), np.array(truth))
    every = list(all_cuts(values, truth))
    best = max(quality for quality, *_ in every)
    widest = max(gap for quality, gap, *_ in every if quality == best)
    lowest = min(place for quality, gap, place, _ in every if (quality, gap) == (best, widest))
    assert cut == lowest
    assert (best, widest, cut, above) in every


@pytest.mark.parametrize("above", [True, False])
def test_both_directions_are_tried(above: bool) -> None:
    truth = np.array([False, False, True, True]) == above
    assert best_cut(np.array([1.0, 2, 6, 7]), truth) == (4.0, above)


def test_balanced_accuracy_decides_not_accuracy() -> None:
    # Six right of seven by answering "no" always; one positive is worth six negatives.
    values = np.array([1.0, 2, 3, 4, 5, 8, 6])
    truth = np.array([False, False, False, False, False, False, True])
    assert best_cut(values, truth) == (5.5, True)


def test_the_lower_of_two_equal_cuts_is_taken() -> None:
    truth = np.array([False, True, False, True])
    assert best_cut(np.array([0.0, 2, 4, 6]), truth) == (1.0, True)


def test_neighbouring_floats_are_told_apart() -> None:
    lower = 1.0
    upper = math.nextafter(lower, 2)
    for values in ([lower, upper], [upper, math.nextafter(upper, 2)]):
        cut, above = best_cut(np.array(values), np.array([False, True]))
        assert above
        assert values[0] <= cut < values[1]


def test_equal_values_lie_below_the_cut() -> None:
    fitted = fit(np.full(6, 3.0), np.array([0, 0, 0, 0, 1, 1]), 1, 2)
    logits = fitted.predict(np.array([3.0]))
    assert np.exp(logits[0]) == pytest.approx([4.5 / 7, 2.5 / 7])


# --- What is said ---


@pytest.mark.parametrize("positive", [0, 1])
def test_logits_are_log_frequencies_with_a_half_added(positive: int) -> None:
    values, labels = np.array([1.0, 1, 1, 1, 9, 9, 9]), np.array([0, 0, 0, 1, 1, 1, 1])
    fitted = fit(values, labels, positive, 2)
    below, above = np.exp(fitted.predict(np.array([4.9, 5.1])))
    assert below == pytest.approx([3.5 / 5, 1.5 / 5])
    assert above == pytest.approx([0.5 / 4, 3.5 / 4])
    assert (fitted.cut, fitted.positive_above) == (5.0, positive == 1)


def test_no_answer_is_certain() -> None:
    fitted = fit(np.array([1.0, 2]), np.array([0, 1]), 1, 2)
    assert np.isfinite(fitted.logits).all()
    assert np.exp(fitted.logits).sum(axis=1) == pytest.approx([1, 1])


def test_a_value_on_the_cut_is_below_it() -> None:
    fitted = Threshold(5.0, True, np.array([[0.0, -1], [-1, 0]]))
    assert fitted.predict(np.array([5.0, np.nextafter(5.0, 6)])).argmax(axis=1).tolist() == [0, 1]


def test_a_rare_class_is_answered_on_its_side_of_the_cut() -> None:
    # Above the cut all 4 positives and 10 of 100 negatives: a log frequency would answer "no".
    values = np.concatenate((np.arange(90), np.full(10, 200.0), np.full(4, 200.0)))
    labels = np.repeat([0, 1], [100, 4])
    fitted = fit(values, labels, 1, 2)
    assert fitted.positive_above
    assert fitted.predict(np.array([0.0, 200])).argmax(axis=1).tolist() == [0, 1]
    # As if there were as many of each: 52 positives, 5.2 negatives, and a half of each.
    assert np.exp(fitted.logits[1]) == pytest.approx([5.7 / 58.2, 52.5 / 58.2])
    assert np.exp(fitted.logits[0]) == pytest.approx([90.5 / 91, 0.5 / 91])


@given(samples_of_two_classes)
def test_balanced_accuracy_on_train_is_that_of_the_cut(drawn: list[tuple[int, bool]]) -> None:
    values = np.array([value for value, _ in drawn], float)
    labels = np.array([int(yes) for _, yes in drawn])
    text = np.full(len(drawn), "")
    part = PartPredictions(text, text, text, labels, fit(values, labels, 1, 2).predict(values))
    best = max(quality for quality, *_ in all_cuts(list(map(int, values)), list(labels == 1)))
    found = part_metrics(part, 1)["balanced_accuracy"]
    assert found == pytest.approx(100 * float(best), abs=1e-5)


def test_of_three_classes_the_positive_one_is_told_from_the_rest() -> None:
    values = np.array([1.0, 1, 2, 2, 2, 9, 9])
    labels = np.array([0, 0, 2, 2, 2, 1, 1])
    fitted = fit(values, labels, 1, 3)
    logits = fitted.predict(np.array([0.0, 10]))
    assert fitted.cut == 5.5
    assert np.exp(logits[0]) == pytest.approx(np.array([2.5, 0.5, 3.5]) / 6.5)
    assert np.exp(logits[1]) == pytest.approx(np.array([0.5, 2.5, 0.5]) / 3.5)


# --- What is kept ---


@pytest.fixture(scope="module")
def kept(samples: Samples, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """predictions/threshold/ of the small samples. Read-only."""
    folder = tmp_path_factory.mktemp("threshold") / NAME
    predict_threshold(samples, manifest, folder)
    return folder


def test_name_is_that_of_a_baseline() -> None:
    assert NAME in registry.BASELINES


def test_predictions_are_kept_as_those_of_a_fusion(
    kept: Path, samples: Samples, manifest: Manifest
) -> None:
    predictions = read_predictions(kept)
    assert tuple(predictions.seeds) == SEEDS
    for seed, parts in predictions.seeds.items():
        assert set(parts) == {"val", "test"}
        for part, found in parts.items():
            rows = manifest.rows_of(seed, part)
            assert found.ids.tolist() == [row.id for row in rows]
            assert found.digests.tolist() == [row.digest for row in rows]
            assert found.labels.tolist() == [row.label for row in rows]
            assert found.logits.shape == (len(rows), 2)
            assert found.logits.dtype == np.float32
    metrics = fusion_metrics(predictions)
    assert metrics["parameters"] == 1
    assert metrics["stuck_seeds"] == 0
    assert samples.dataset.classes == tuple(predictions.classes)


def test_info_tells_what_a_reader_needs(kept: Path, manifest: Manifest) -> None:
    info = json.loads((kept / "info.json").read_text("utf-8"))
    assert {key: info[key] for key in ("fusion", "strategy", "inputs", "parameters")} == {
        "fusion": "threshold", "strategy": "none", "inputs": ["lidar"], "parameters": 1,
    }  # fmt: skip
    assert (info["positive"], info["rendered"], info["seeds"]) == ("spheres", True, [0, 1])
    for seed in SEEDS:
        held = [row.class_name for row in manifest.rows_of(seed, "train")]
        counts = {name: held.count(name) for name in ("cubes", "spheres")}
        assert info["train_counts"][str(seed)] == counts
    assert "settings" not in info
    assert "environment" not in info


def test_predictions_repeat_to_the_bit(
    kept: Path, samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    predict_threshold(samples, manifest, tmp_path / NAME)
    for path in kept.iterdir():
        assert (tmp_path / NAME / path.name).read_bytes() == path.read_bytes()


def test_only_the_training_part_of_a_seed_is_fitted(
    kept: Path, samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    train = {row.row for row in manifest.rows_of(0, "train")}
    spoilt = samples.lidar[:].copy()
    spoilt[[row.row for row in samples.rows if row.row not in train]] = 1.0
    predict_threshold(replace(samples, lidar=spoilt), manifest, tmp_path / NAME)
    cuts, other = (read_predictions(each).info["cuts"] for each in (kept, tmp_path / NAME))
    assert cuts["0"] == other["0"]
    assert cuts["1"] != other["1"]


def test_it_tells_the_rendered_shapes_apart_without_training(kept: Path) -> None:
    test = fusion_metrics(read_predictions(kept))["test"]
    assert test["balanced_accuracy"]["mean"] > 90
    assert 0 < test["nll"]["mean"] < 0.5


def test_three_classes_are_answered_too(
    samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    rows = tuple(
        SampleRow(row.row, row.id, "abc"[row.row % 3], row.row % 3, row.digest)
        for row in samples.rows
    )
    dataset = replace(samples.dataset, classes=("a", "b", "c"), positive="b")
    predict_threshold(
        replace(samples, rows=rows, dataset=dataset),
        Manifest(rows, manifest.parts),
        tmp_path / NAME,
    )
    predictions = read_predictions(tmp_path / NAME)
    assert predictions.seeds[0]["test"].logits.shape[1] == 3
    assert np.shape(fusion_metrics(predictions)["test"]["seeds"]["0"]["confusion"]) == (3, 3)


def test_a_split_of_other_samples_is_refused_and_older_predictions_stay(
    samples: Samples, manifest: Manifest, tmp_path: Path
) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "info.json").write_text("older")
    with pytest.raises(ArtifactError, match="split manifest"):
        predict_threshold(replace(samples, rows=samples.rows[1:]), manifest, folder)
    assert [path.read_text() for path in folder.iterdir()] == ["older"]


# --- The stage's script ---


def test_stage_writes_predictions_and_metrics_and_tells_the_result(
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
    for path in kept.iterdir():
        assert (tmp_path / "predictions/threshold" / path.name).read_bytes() == path.read_bytes()
    metrics = json.loads((tmp_path / "metrics/fusions/threshold.json").read_text("utf-8"))
    assert metrics == fusion_metrics(read_predictions(kept))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("threshold: spheres where returns · range² is below ")
    assert f"{metrics['test']['balanced_accuracy']['mean']:.2f} %" in line

"""Which metrics are at chance: guesses are, good models are not; and where it is said."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from tests.parts import answers, fusion, part_of
from tests.report.made_up import (
    BEST,
    MAJORITY,
    NAMES,
    PAIR,
    THRESHOLD,
    best_table,
    pairs_table,
    write_fusion,
    write_predictions,
    write_results,
    write_robustness,
)

from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report import chance
from fusebench.report.chance import above_chance, at_chance, chance_remarks, with_chance
from fusebench.report.export import verdict_head
from fusebench.report.findings import Findings
from fusebench.report.results import read_comparison
from fusebench.report.study import Study
from fusebench.report.table import (
    SCREEN_WIDTH,
    comparison_table,
    markdown_table,
    parse_comparison_table,
    screen_table,
)

Logits = Any
TWO = [name for name in METRICS if name not in ("recall", "calibration_error")]
MORE = [name for name in METRICS if name != "calibration_error"]


def _fusion(
    labels: Sequence[int], logits: Sequence[Logits], ids: Sequence[str] | None = None
) -> FusionPredictions:
    return fusion("late", {seed: part_of(labels, rows, ids) for seed, rows in enumerate(logits)})


# --- Simulated studies ---


def _noise(source: np.random.Generator, shape: tuple[int, int], _seed: int) -> Logits:
    return source.normal(size=shape)


def _lopsided(source: np.random.Generator, shape: tuple[int, int], _seed: int) -> Logits:
    """Answer the first class mostly."""
    return source.normal(size=shape) + 1.5 * (np.arange(shape[1]) == 0)


def _unlike(source: np.random.Generator, shape: tuple[int, int], _seed: int) -> Logits:
    """Answer each class at a rate that differs from seed to seed."""
    return source.normal(size=shape) + source.normal(size=shape[1])


@pytest.mark.parametrize("guess", [_noise, _lopsided, _unlike])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("counts", [(130, 20), (40, 40), (30, 25, 20)])
def test_guesses_are_at_chance_in_94_of_100_studies(
    counts: tuple[int, ...], seeds: int, guess: Callable[..., Logits]
) -> None:
    source, trials, found = np.random.default_rng(len(counts)), 120, Counter[str]()
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    shape = (len(labels), len(counts))
    for _ in range(trials):
        found.update(at_chance(_fusion(labels, [guess(source, shape, s) for s in range(seeds)])))
    assert set(found) == set(TWO if len(counts) == 2 else MORE)
    assert min(found.values()) >= 0.94 * trials, found


def test_guesses_that_all_seeds_share_on_ids_of_several_samples_are_at_chance() -> None:
    source, trials, found = np.random.default_rng(0), 150, Counter[str]()
    labels, ids = [0] * 60 + [1] * 60, [str(row // 3) for row in range(120)]
    for _ in range(trials):
        shared = np.repeat(source.normal(size=(40, 2)), 3, axis=0)
        seeds = [shared + 0.2 * source.normal(size=(120, 2)) for _ in range(3)]
        found.update(at_chance(_fusion(labels, seeds, ids)))
    assert min(found[name] for name in TWO) >= 0.94 * trials, found


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("counts", [(130, 20), (40, 40), (30, 25, 20)])
def test_clearly_good_models_are_not(counts: tuple[int, ...], seeds: int) -> None:
    source, trials, found = np.random.default_rng(1), 50, Counter[str]()
    labels = np.repeat(np.arange(len(counts)), counts)
    good = 4 * np.eye(len(counts))[labels]
    for _ in range(trials):
        parts = [good + source.normal(size=good.shape) for _ in range(seeds)]
        found.update(at_chance(_fusion(labels.tolist(), parts)))
    assert not found


# --- Single studies ---

LABELS = [0] * 80 + [1] * 20
RIGHT = answers(LABELS, [])


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_constant_class_is_at_chance_on_every_metric_that_has_a_level(
    label: int, seeds: int
) -> None:
    constant = np.tile(4.0 * np.eye(2)[label], (100, 1))
    assert at_chance(_fusion(LABELS, [constant] * seeds)) == TWO


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_identical_seeds_have_the_sampling_variance_of_one(seeds: int) -> None:
    part = answers(LABELS, range(0, 90, 7))
    one, many = (Study.of({"": _fusion(LABELS, [part] * count)}) for count in (1, seeds))
    for name in TWO:
        first, second = (above_chance(study, METRICS[name]) for study in (one, many))
        assert first is not None
        assert second is not None
        assert (second.difference, second.error, second.df) == pytest.approx(
            (first.difference, first.error, first.df)
        )


@pytest.mark.parametrize("classes", [2, 3])
def test_the_claim_is_about_the_mean_over_seeds_against_the_level(classes: int) -> None:
    source = np.random.default_rng(classes)
    labels = [*range(classes), *source.integers(0, classes, 50).tolist()]
    predictions = _fusion(labels, [source.normal(size=(len(labels), classes)) for _ in range(3)])
    parts = [parts["test"] for parts in predictions.seeds.values()]
    for metric in METRICS.values():
        level = metric.chance(np.bincount(labels), 1)
        claim = above_chance(Study.of({"": predictions}), metric)
        assert (claim is None) is bool(np.isnan(level))
        if claim is not None:
            value = np.mean([metric.function(part, 1) for part in parts])
            assert claim.difference == pytest.approx(value - level)


@pytest.mark.parametrize("wrong", [[6], [6, 0]])
def test_two_seeds_are_not_at_chance_because_they_differ(wrong: list[int]) -> None:
    seeds = [answers(LABELS, wrong), answers(LABELS, range(80, 90))]
    assert at_chance(_fusion(LABELS, seeds)) == []


def test_one_collapsed_seed_of_three_does_not_hide_two_good_ones() -> None:
    constant = np.tile([4.0, 0.0], (100, 1))
    found = at_chance(_fusion(LABELS, [RIGHT, RIGHT, constant]))
    assert "balanced_accuracy" not in found
    assert "auroc" not in found


def test_better_than_half_but_worse_than_the_largest_class_is_at_chance_in_accuracy_alone() -> None:
    found = at_chance(_fusion(LABELS, [answers(LABELS, range(25))]))
    assert "accuracy" in found
    assert "balanced_accuracy" not in found
    assert "auroc" not in found


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=3),
    seeds=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    quality=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_what_is_at_chance_has_a_level_and_what_is_below_it_is_at_it(
    counts: list[int], seeds: int, seed: int, quality: float
) -> None:
    source, labels = np.random.default_rng(seed), np.repeat(np.arange(len(counts)), counts)
    shape = (len(labels), len(counts))
    logits = [
        source.normal(size=shape) + quality * np.eye(len(counts))[labels] for _ in range(seeds)
    ]
    predictions = _fusion(labels.tolist(), logits)
    found = at_chance(predictions)
    for name, metric in METRICS.items():
        level = metric.chance(np.array(counts), 1)
        value = np.mean([metric.function(part["test"], 1) for part in predictions.seeds.values()])
        better = value > level if metric.higher_is_better else value < level
        if np.isnan(level):
            assert name not in found
        elif not better:
            assert name in found


def test_a_metric_of_which_only_the_function_is_known_is_resampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = np.random.default_rng(0)
    logits = [source.normal(size=(100, 2)) + RIGHT / 4 for _ in range(2)]
    study = Study.of({"": _fusion(LABELS, logits)})
    known = above_chance(study, METRICS["f1"])
    step = np.mean([chance.LINEAR["f1"](part, 1).step for part in study.parts[""]])
    monkeypatch.delitem(chance.LINEAR, "f1")
    monkeypatch.setattr(chance, "RESAMPLES_OF_OTHERS", 200)
    resampled = above_chance(study, replace(METRICS["f1"]))
    assert known is not None
    assert resampled is not None
    assert resampled.difference == pytest.approx(known.difference)
    # The bootstrap knows nothing of the two samples that are added where none might be seen.
    plain = float(np.sqrt(known.error**2 - 2 * step**2))
    assert resampled.error == pytest.approx(plain, rel=0.2)


# --- Where it is said ---


@pytest.fixture(scope="module")
def guessing(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The comparison of a good fusion and one that answers cubes for every sample."""
    root = write_results(tmp_path_factory.mktemp("guessing"), NAMES[:1])
    write_fusion(root, NAMES[1], 0.0, (0, 1))
    write_robustness(root, NAMES)
    comparison = read_comparison(root, NAMES)
    return with_chance(comparison_table(comparison), comparison)


def test_csv_names_the_metrics_at_chance_and_their_levels(guessing: pd.DataFrame) -> None:
    rows = guessing.set_index("Model")["At Chance"]
    assert rows[NAMES[1]].split() == TWO
    assert (rows[NAMES[0]], rows[MAJORITY], rows[THRESHOLD]) == ("", "", rows[THRESHOLD])
    columns = list(guessing)
    for name in TWO:
        column = f"Test {METRICS[name].heading}"
        assert columns.index(f"{column} Chance") == columns.index(f"{column} Deviation") + 1
        level = METRICS[name].chance(np.array([48, 12]), 1)
        assert guessing[f"{column} Chance"].tolist() == pytest.approx([level] * 4, abs=1e-6)
    assert "Test Recall Chance" not in guessing
    assert_frame_equal(parse_comparison_table(guessing.to_csv(index=False)), guessing)


def test_csv_names_the_classes_that_seeds_collapsed_to(guessing: pd.DataFrame) -> None:
    rows = guessing.set_index("Model")["Collapsed To"]
    assert rows.to_dict() == {NAMES[0]: "", NAMES[1]: "2 × cubes", MAJORITY: "2 × cubes",
                              THRESHOLD: ""}  # fmt: skip


@pytest.mark.parametrize("show", [screen_table, markdown_table])
def test_tables_mark_what_is_at_chance_and_say_what_the_mark_means(
    show: Callable[..., str], guessing: pd.DataFrame
) -> None:
    shown = show(guessing, pairs_table(PAIR))
    lines = {line.strip("| ").split(" ")[0]: line for line in shown.splitlines()}
    assert " *50.0 ± 0.0 " in lines["hadamard"]
    assert "*" not in lines["late"] + lines["majority"]
    text = " ".join(shown.split())
    assert (
        "*: at chance, not shown to be better than an answer that does not look at the sample "
        "(balanced accuracy 50.00 %, NLL 0.5004 nats); the majority class, which does "
        "not look, is not marked."
    ) in text
    assert "Collapsed seeds answer one class for every test sample: hadamard 2 × cubes." in text


def test_figures_stand_below_each_other_with_and_without_a_mark(guessing: pd.DataFrame) -> None:
    shown = screen_table(guessing, pairs_table(PAIR))
    assert max(map(len, shown.splitlines())) <= SCREEN_WIDTH
    rows = [line for line in shown.splitlines() if line.startswith(("late", "hadamard"))]
    places = [[i for i, letter in enumerate(row) if letter == "±"] for row in rows]
    assert len(places[0]) >= 1
    assert places[0] == places[1]


def test_without_a_fusion_at_chance_no_mark_is_explained(tmp_path: Path) -> None:
    root = write_results(tmp_path, NAMES[:1])
    write_predictions(root.joinpath("other"), THRESHOLD, 4.0, (0, 1), inputs=["lidar"])
    (root / f"metrics/fusions/{THRESHOLD}.json").write_bytes(
        (root / f"other/metrics/fusions/{THRESHOLD}.json").read_bytes()
    )
    folder = f"predictions/{THRESHOLD}"
    shutil.copytree(root / "other" / folder, root / folder, dirs_exist_ok=True)
    comparison = read_comparison(root, NAMES[:1])
    table = with_chance(comparison_table(comparison), comparison)
    assert set(table["At Chance"]) == {""}
    for show in (screen_table, markdown_table):
        shown = show(table, pairs_table(PAIR))
        assert "*" not in shown
        assert "Collapsed seeds" not in shown


SENTENCE = (
    "hadamard: test balanced accuracy 50.00 % is at chance (50.00 %): it is not shown to be better "
    "than an answer that does not look at the sample."
)


def test_a_fusion_whose_primary_metric_is_at_chance_has_a_sentence(guessing: pd.DataFrame) -> None:
    pairs = pairs_table(PAIR, PAIR._replace(metric="nll", role="descriptive"))
    assert chance_remarks(guessing, pairs) == [SENTENCE]
    assert SENTENCE in verdict_head(Findings(guessing, pairs, best_table(BEST)))
    nll = chance_remarks(guessing, pairs_table(PAIR._replace(metric="nll")))
    assert nll[0].startswith("hadamard: test NLL 0.5004 nats is at chance (0.5004 nats)")
    assert chance_remarks(guessing, pairs_table(PAIR._replace(metric="recall"))) == []


def test_of_a_commit_that_does_not_tell_of_chance_nothing_is_said(guessing: pd.DataFrame) -> None:
    earlier = guessing.drop(columns=["At Chance", "Collapsed To"])
    assert chance_remarks(earlier, pairs_table(PAIR)) == []
    for show in (screen_table, markdown_table):
        assert "*" not in show(earlier, pairs_table(PAIR))
    assert chance_remarks(guessing, pairs_table()) == []

"""Robustness in numbers and words, on answers that are made up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.parts import answers, part_of

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import METRICS
from fusebench.inputs.corruption import Condition
from fusebench.prediction.predictions import PartPredictions
from fusebench.report.robustness import (
    ALL,
    Stressed,
    interval,
    robustness_table,
    stress_table,
    summary_table,
)
from fusebench.report.robustness_pairs import PAIR_KINDS, StressPair, pairs_table
from fusebench.report.robustness_text import Robustness, label
from fusebench.report.roles import PLANNED, UNPLANNED
from fusebench.report.severity import severity_figures
from fusebench.stress.selection import CLEAN, conditions
from fusebench.stress.stored import StressPredictions

NAMES = ("range_noise", "lidar_off", "rgb_off")
LABELS = [0] * 30 + [1] * 30


def made_up(
    name: str, wrong: dict[str, Sequence[int]], seeds: int = 5, clean: int = 0, jitter: int = 1
) -> StressPredictions:
    """Make a fusion that errs in so many samples of each class at each severity of a corruption.

    Parameters
    ----------
    wrong : dict of str to sequence of 4 int
        By corruption; none where it is not named.
    clean : int
        Of the clean samples.
    jitter : int
        By so many the numbers differ between seeds, at most.
    """
    chosen = conditions(NAMES)

    def part(seed: int, condition: Condition) -> PartPredictions:
        count = clean
        if condition.severity:
            count = wrong.get(condition.corruption, [clean] * 4)[condition.severity - 1]
        if count:
            count = min(30, count + seed % (jitter + 1))
        # Other samples in each seed.
        rows = [(row + 7 * seed) % 30 + 30 * half for half in (0, 1) for row in range(count)]
        return part_of(LABELS, answers(LABELS, rows))

    info = {
        "fusion": name, "strategy": "intermediate", "inputs": ["rgb", "lidar"],
        "classes": ["cubes", "spheres"], "positive": "spheres", "synthetic": True,
    }  # fmt: skip
    parts = {seed: [part(seed, each) for each in chosen] for seed in range(seeds)}
    return StressPredictions(info, chosen, parts)


def compared(stressed: Stressed, *planned: tuple[str, str], margin: float | None = 2.0) -> Any:
    return pairs_table(stressed, {PLANNED: planned, UNPLANNED: []}, margin)


# --- The figure ---


def test_robustness_is_the_share_of_the_advantage_over_chance_that_is_left() -> None:
    weak = made_up("late", {"range_noise": [3, 6, 9, 15]}, jitter=0)
    table = robustness_table(Stressed({"late": weak}))
    rows = table[table["corruption"] == "range_noise"]
    # 3 of 30 wrong in each class: 90 %, and (90 − 50) / (100 − 50).
    assert rows["balanced_accuracy"].tolist() == [90, 80, 70, 50]
    assert rows["robustness"].tolist() == pytest.approx([0.8, 0.6, 0.4, 0])
    assert table[table["corruption"] == "lidar_off"]["robustness"].tolist() == [1] * 4
    first = table.iloc[0]
    assert (first["corruption"], first["severity"], first["robustness"]) == ("clean", 0, 1)


def test_it_is_relative_to_the_fusions_own_clean_answers() -> None:
    table = robustness_table(
        Stressed({"late": made_up("late", {"rgb_off": [9] * 4}, clean=3, jitter=0)})
    )
    # (70 − 50) / (90 − 50)
    assert table[table["corruption"] == "rgb_off"]["robustness"].tolist() == pytest.approx(
        [0.5] * 4
    )


def test_there_is_none_where_clean_answers_are_at_chance() -> None:
    guessing = made_up("late", {}, clean=14)
    table = robustness_table(Stressed({"late": guessing, "add": made_up("add", {})}))
    assert table.loc[table["fusion"] == "late", "robustness"].isna().all()
    assert table.loc[table["fusion"] == "add", "robustness"].notna().all()
    summary = summary_table(table, 5)
    assert np.isnan(summary["robustness"][0])
    assert summary["worst"].tolist()[0] == ""
    sentences = Robustness(summary, pd.DataFrame(columns=list(PAIR_KINDS))).remarks
    assert sentences[-1] == (
        "No such figure for late: not shown to be above chance on clean samples."
    )


def of_seeds(accuracies: Sequence[float]) -> StressPredictions:
    """Make a fusion with so much balanced accuracy in each seed, clean and under a corruption.

    Which of 300 samples are wrong is drawn for each seed.
    """
    labels, chosen = [0] * 150 + [1] * 150, conditions(["rgb_off"])
    source, seeds = np.random.default_rng(0), {}
    for seed, accuracy in enumerate(accuracies):
        wrong = source.choice(300, round(3 * (100 - accuracy)), replace=False).tolist()
        seeds[seed] = [part_of(labels, answers(labels, wrong))] * len(chosen)
    return StressPredictions(made_up("late", {}).info, chosen, seeds)


@pytest.mark.parametrize(
    ("accuracies", "there_is"),
    [
        # Guesses that differ by little from each other: their samples tell.
        ((50.67, 51, 51), False),
        ((50.67, 51, 51, 51, 50.67), False),
        # Good ones among bad ones: their seeds tell.
        ((56, 61, 75), False),
        ((88, 90, 91), True),
        # One seed: its samples alone.
        ((51,), False),
        ((75,), True),
    ],
)
def test_a_figure_needs_answers_above_chance_by_samples_and_by_seeds(
    accuracies: Sequence[float], there_is: bool
) -> None:
    table = robustness_table(Stressed({"late": of_seeds(accuracies)}))
    assert table["balanced_accuracy"].iloc[0] == pytest.approx(np.mean(accuracies), abs=0.1)
    assert table["robustness"].notna().tolist() == [there_is] * 5
    kept = summary_table(table, len(accuracies))["robustness"].tolist()
    assert kept == (pytest.approx([1.0]) if there_is else pytest.approx([np.nan], nan_ok=True))


def test_the_one_figure_counts_each_sensor_the_same_and_names_the_worst() -> None:
    fusion = made_up(
        "late", {"range_noise": [3] * 4, "lidar_off": [9] * 4, "rgb_off": [15] * 4}, jitter=0
    )
    summary = summary_table(robustness_table(Stressed({"late": fusion})), 5)
    # LiDAR: the mean of 0.8 and 0.4; RGB: 0.
    assert summary["robustness"].tolist() == pytest.approx([(0.6 + 0.0) / 2])
    assert summary["worst"].tolist() == ["rgb_off"]
    assert summary["worst_robustness"].tolist() == [0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000).map(lambda tenths: tenths / 10), min_size=2, max_size=10))
def test_the_interval_over_seeds_is_students_within_what_can_be(values: list[float]) -> None:
    array = np.array(values)
    low, high = interval(array)
    if np.ptp(array):
        ends = stats.t.interval(0.95, len(values) - 1, array.mean(), stats.sem(array))
        assert (low, high) == pytest.approx(tuple(np.clip(ends, 0, 100)), abs=1e-6)
    assert 0 <= low <= array.mean() + 1e-9
    assert array.mean() - 1e-9 <= high <= 100


def test_one_seed_has_no_interval() -> None:
    table = robustness_table(Stressed({"late": made_up("late", {}, seeds=1)}))
    assert table[["low", "high"]].isna().all(axis=None)


def test_the_table_of_a_fusion_says_what_its_answers_are_worth_seed_by_seed() -> None:
    fusion = made_up("late", {"rgb_off": [3, 6, 9, 12]}, seeds=3)
    table = stress_table(fusion)
    assert len(table) == 13 * 3
    for row in table.to_dict("records"):
        place = fusion.conditions.index(Condition(row["corruption"], row["severity"]))
        part = fusion.seeds[row["seed"]][place]
        for name in ("balanced_accuracy", "nll"):
            value = METRICS[name].function(part, fusion.positive)
            assert row[name] == pytest.approx(value, abs=1e-6)
    last = table[(table["corruption"] == "rgb_off") & (table["severity"] == 4)]
    assert set(last["amount"]) == {100.0}
    assert set(last["unit"]) == {"%"}


# --- Two fusions ---


def test_differences_are_means_over_severities_and_all_counts_each_sensor_the_same() -> None:
    stressed = Stressed(
        {
            "add": made_up("add", {}, jitter=0),
            "late": made_up("late", {"lidar_off": [3, 6, 9, 12], "rgb_off": [3] * 4}, jitter=0),
        }
    )
    pairs = compared(stressed, ("add", "late"))
    assert pairs["corruption"].tolist() == [*NAMES, ALL]
    assert set(pairs["compares"]) == {"means"}
    assert pairs["difference"].tolist() == pytest.approx([0, 25, 10, (12.5 + 10) / 2])
    assert (pairs["low"] <= pairs["difference"]).all()
    assert (pairs["difference"] <= pairs["high"]).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_a_pair_turned_around_is_the_same_with_the_other_sign(wrong: list[int]) -> None:
    stressed = Stressed(
        {
            "add": made_up("add", {"rgb_off": wrong[:4]}),
            "late": made_up("late", {"rgb_off": wrong[4:]}),
        }
    )
    one, other = (compared(stressed, pair) for pair in (("add", "late"), ("late", "add")))
    assert one["difference"].tolist() == pytest.approx((-other["difference"]).tolist())
    assert one["low"].tolist() == pytest.approx((-other["high"]).tolist())
    assert one["holm"].tolist() == pytest.approx(other["holm"].tolist())


def test_holm_is_over_all_planned_pairs_and_corruptions() -> None:
    fusions = {
        "add": made_up("add", {}), "late": made_up("late", {"rgb_off": [2, 3, 4, 5]}),
        "concat": made_up("concat", {"lidar_off": [1, 2, 3, 4]}),
    }  # fmt: skip
    stressed = Stressed(fusions)
    roles = {PLANNED: [("add", "late")], UNPLANNED: [("add", "concat")]}
    pairs = pairs_table(stressed, roles, 2.0)
    planned = pairs[pairs["role"] == PLANNED]
    assert len(planned) == 4
    assert (planned["holm"] >= planned["p"]).all()
    assert planned["holm"].min() == pytest.approx(min(1, 4 * planned["p"].min()), abs=1e-5)
    assert pairs.loc[pairs["role"] == UNPLANNED, ["p", "holm"]].isna().all(axis=None)


def _fewer(first: StressPredictions) -> StressPredictions:
    return StressPredictions(first.info, [CLEAN], {s: p[:1] for s, p in first.seeds.items()})


def _with_last(first: StressPredictions, **arrays: Any) -> StressPredictions:
    """Return the same answers, of other samples in the last condition of the last seed alone."""
    seeds = {seed: list(parts) for seed, parts in first.seeds.items()}
    seeds[4][-1] = replace(seeds[4][-1], **arrays)
    return StressPredictions(first.info, first.conditions, seeds)


@pytest.mark.parametrize(
    ("differ", "what"),
    [
        (lambda _: made_up("late", {}, seeds=4), "seeds"),
        (_fewer, "corruptions or severities"),
        (lambda first: _with_last(first, digests=np.array(["other"] * 60)), "samples"),
        (lambda first: _with_last(first, labels=np.array(LABELS[::-1])), "samples"),
    ],
)
def test_other_samples_seeds_or_corruptions_are_refused(
    differ: Callable[[StressPredictions], StressPredictions], what: str
) -> None:
    first = made_up("add", {})
    with pytest.raises(ArtifactError) as caught:
        Stressed({"add": first, "late": differ(first)})
    assert str(caught.value) == (
        f"stress/late: other {what} than stress/add; 'dvc repro' makes both anew"
    )


def test_one_corruption_is_not_tested_twice() -> None:
    first = made_up("add", {})
    alone = StressPredictions(
        first.info, first.conditions[:5], {s: p[:5] for s, p in first.seeds.items()}
    )
    pairs = compared(Stressed({"add": alone, "late": alone}), ("add", "late"))
    assert pairs["corruption"].tolist() == ["range_noise"]


def test_where_seeds_fall_apart_those_that_succeed_are_counted_and_decide() -> None:
    """As many seeds succeed as in the other fusion or more, though its mean is lower."""
    steady = made_up("add", {"rgb_off": [8] * 4}, seeds=12, jitter=0)
    some = made_up("late", {"rgb_off": [9] * 4}, seeds=12, jitter=0)
    right = part_of(LABELS, answers(LABELS, []))
    seeds = {
        seed: [
            right if seed in (0, 4, 8) and known.corruption == "rgb_off" else part
            for known, part in zip(some.conditions, parts, strict=True)
        ]
        for seed, parts in some.seeds.items()
    }
    apart = StressPredictions(some.info, some.conditions, seeds)
    pairs = compared(Stressed({"late": apart, "add": steady}), ("late", "add"))
    row = pairs[pairs["corruption"] == "rgb_off"].iloc[0]
    assert row["compares"] == "successes"
    assert (row["first_succeeded"], row["second_succeeded"]) == (3, 0)
    shown = pairs.assign(holm=0.01)
    text = Robustness(summary_table(robustness_table(Stressed({"late": apart})), 12), shown)
    assert (
        "late is better than add under camera off (3 and 0 of 12 seeds succeed)"
        in (text.sentences[-1])
    )


def test_without_a_corruption_there_are_no_pairs_and_no_pictures() -> None:
    first = made_up("add", {})
    alone = StressPredictions(first.info, [CLEAN], {s: p[:1] for s, p in first.seeds.items()})
    stressed = Stressed({"add": alone, "late": alone})
    table = robustness_table(stressed)
    assert compared(stressed, ("add", "late")).empty
    assert np.isnan(summary_table(table, 5)["robustness"]).all()
    assert not severity_figures(table, summary_table(table, 5), 50, "")


# --- Words ---

PAIR = StressPair(
    corruption="rgb_off", role=PLANNED, first="late", second="add", difference=9.0, low=4.0,
    high=14.0, fixed_low=7.0, fixed_high=11.0, compares="means", first_succeeded=10,
    second_succeeded=10, p=0.0001, holm=0.001, seeds=10,
)  # fmt: skip
OTHER = PAIR._replace(corruption="all", difference=0.1, low=-1, high=1.2, p=0.9, holm=0.9)


def said(*pairs: StressPair, robustness: float = 0.7) -> list[str]:
    summary = pd.DataFrame(
        {"fusion": ["late", "add"], "robustness": [robustness, 0.5],
         "worst": ["rgb_off", "range_noise"], "worst_robustness": [0.25, 0.125],
         "corruptions": 1, "seeds": 10}
    )  # fmt: skip
    text = Robustness(summary, pd.DataFrame(pairs, columns=list(PAIR_KINDS)))
    return [*text.remarks, *text.sentences]


def test_each_fusion_is_said_with_what_these_models_keep_in_the_order_of_fusions() -> None:
    assert said(PAIR, OTHER)[0] == (
        "Of their advantage over chance these models (10 seeds) keep, when one sensor is corrupted "
        "(1 way, each at 4 severities; each sensor counts the same, and one that a fusion does not "
        "see costs it nothing): late 70 % (least under camera off: 25 %) and add 50 % (least under "
        "noise on ranges: 12 %)."
    )
    assert "late 0 % (least" in said(PAIR, OTHER, robustness=-0.003)[0]


def test_one_fusion_is_said_too() -> None:
    sentences = said()
    assert len(sentences) == 1
    assert "late 70 %" in sentences[0]


def test_a_difference_that_is_shown_is_said_from_the_better_ones_side() -> None:
    words = "late is better than add under camera off (+9.0 points, 95 % interval +4.0 to +14.0)."
    assert said(PAIR, OTHER)[-2] == (
        "Shown, after Holm over 2 tests, of 1 corruption: late is better than add under 1; under "
        "which and by how much stands with the pairs in words."
    )
    assert said(PAIR, OTHER)[-1] == words
    together = PAIR._replace(corruption="all")
    assert (
        "late is better than add under 1 and all corruptions together;" in said(PAIR, together)[1]
    )
    assert "late is better than add under all corruptions together;" in said(together)[1]
    turned = PAIR._replace(first="add", second="late", difference=-9, low=-14, high=-4)
    assert said(turned, OTHER)[-1] == words
    assert said(PAIR._replace(difference=-9, low=-14, high=-4), OTHER)[-1] == words.replace(
        "late is better than add", "add is better than late"
    )


def test_what_is_not_shown_is_not_said() -> None:
    none = "No planned contrast is shown to differ under any corruption, after Holm over 2 tests."
    assert said(PAIR._replace(holm=0.06), OTHER)[-1] == none
    unplanned = PAIR._replace(role=UNPLANNED, corruption="all")
    assert "Shown" not in "".join(said(unplanned))


def test_few_seeds_allow_no_words_on_fusions_trained_again() -> None:
    assert said(PAIR._replace(seeds=4), OTHER._replace(seeds=4))[-1] == (
        "4 seed(s) are too few to say which fusions, trained again, are better under corruptions "
        "(from 5 on)."
    )


def test_where_seeds_that_succeed_are_compared_they_say_which_is_better() -> None:
    """And not the means, which may lie the other way."""
    by_seeds = PAIR._replace(
        compares="successes", difference=-3.5, first_succeeded=10, second_succeeded=2
    )
    words = "late is better than add under camera off (10 and 2 of 10 seeds succeed)."
    assert said(by_seeds, OTHER)[-1].endswith(words)
    turned = by_seeds._replace(
        first="add", second="late", difference=3.5, first_succeeded=2, second_succeeded=10
    )
    assert said(turned, OTHER)[-1].endswith(words)


def test_a_fusion_at_chance_has_no_figure() -> None:
    sentences = said(PAIR, OTHER, robustness=float("nan"))
    words = "No such figure for late: not shown to be above chance on clean samples."
    assert words in sentences
    assert "late" not in sentences[0].partition("nothing):")[2]


def test_a_corruption_that_this_version_lacks_is_called_by_its_name() -> None:
    assert label("sand_storm") == "sand storm"


def test_a_commit_without_such_files_has_none_and_a_broken_file_is_refused() -> None:
    def absent(path: Path) -> bytes:
        raise ArtifactError(f"{path}: not in 'HEAD~9'")

    assert Robustness.read(absent) is None
    with pytest.raises(ArtifactError, match=r"robustness_summary.csv: column 'fusion' is missing"):
        Robustness.read(lambda _: b"a,b\n1,2\n")


# --- Pictures ---


def test_there_is_a_picture_of_each_corruption_and_an_overview() -> None:
    stressed = Stressed(
        {"add": made_up("add", {}), "late": made_up("late", {"rgb_off": [3, 6, 9, 12]}, clean=14)}
    )
    table = robustness_table(stressed)
    figures = severity_figures(table, summary_table(table, 5), stressed.chance, "made up")
    assert list(figures) == ["robustness", *NAMES]
    axes = figures["rgb_off"].axes[0]
    drawn: dict[str, Any] = {str(line.get_label()): line for line in axes.containers}
    assert list(drawn) == ["add", "late"]
    means = drawn["late"].lines[0].get_ydata()
    rows = table[(table["fusion"] == "late") & table["corruption"].isin(["clean", "rgb_off"])]
    assert list(means) == rows["balanced_accuracy"].tolist()
    assert [text.get_text() for text in axes.get_xticklabels()] == [
        "clean",
        "25",
        "50",
        "75",
        "100",
    ]
    shown = [text.get_text() for text in figures["robustness"].axes[0].texts]
    assert shown[-2:] == ["100", "–"], "at chance, there is no figure"


def test_every_cell_of_the_overview_is_that_of_its_fusion_and_corruption() -> None:
    """Neither fusions nor corruptions stand in the order of the alphabet."""
    fusions = {
        "late": made_up("late", {"range_noise": [2, 4, 6, 8], "rgb_off": [9] * 4}, jitter=0),
        "concat": made_up("concat", {"lidar_off": [3] * 4, "range_noise": [1] * 4}, jitter=0),
        "add": made_up("add", {"rgb_off": [12] * 4, "lidar_off": [6] * 4}, jitter=0),
    }
    table = robustness_table(Stressed(fusions))
    summary = summary_table(table, 5)
    axes = severity_figures(table, summary, 50, "made up")["robustness"].axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(fusions)
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [*map(label, NAMES), "all, each sensor the same"]
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(shown) == 4 * 3
    for column, fusion in enumerate(fusions):
        own = table[table["fusion"] == fusion]
        for row, corruption in enumerate(NAMES):
            mean = own.loc[own["corruption"] == corruption, "robustness"].mean()
            assert shown[column, row] == f"{100 * mean:.0f}"
        overall = summary.loc[summary["fusion"] == fusion, "robustness"].iloc[0]
        assert shown[column, 3] == f"{100 * overall:.0f}"
    assert len(set(shown.values())) > 6

"""Each claim of the notebook follows its figures: it flips when they flip, or is not decided."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.made_up_evidence import (
    CORRUPTIONS,
    ENVIRONMENT,
    FOUR,
    MEANS,
    SIZES,
    TIMES,
    cost_of,
    evidence_of,
    pair_of,
    pairs_of,
    robust_of,
    suite_row,
    training_of,
)

from fusebench.report.claims import CLAIMS, HEADINGS, Claim, judgements
from fusebench.report.evidence import Evidence
from fusebench.report.judgement import Judgement, State

HOLDS, NOT, OPEN = State.HOLDS, State.DOES_NOT_HOLD, State.NOT_DECIDED


def claim(words: str) -> Claim:
    """Return the one claim that has these words."""
    (found,) = [claim for claim in CLAIMS if words in claim.text]
    return found


def judged(words: str, evidence: Evidence) -> Judgement:
    return claim(words).judge(evidence)


def test_every_claim_stands_under_a_heading_of_the_notebook() -> None:
    assert [heading for heading in HEADINGS if any(c.heading == heading for c in CLAIMS)] == [
        "Performance", "Efficiency and trade-offs", "Resource usage",
    ]  # fmt: skip
    assert {claim.heading for claim in CLAIMS} == set(HEADINGS)
    assert len({claim.text for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("absent", FOUR)
def test_nothing_is_decided_of_a_fusion_that_is_not_compared(absent: str) -> None:
    evidence = evidence_of([name for name in FOUR if name != absent])
    for one, found in judgements(evidence):
        if absent in one.reading:
            assert found == (OPEN, f"{absent} is not among the fusions compared.")


# --- Accuracy ---


@pytest.mark.parametrize(
    ("concat", "half", "state"),
    [(97.0, 1.0, HOLDS), (95.5, 1.0, OPEN), (93.0, 0.8, NOT), (97.0, 9.0, OPEN)],
)
def test_concat_is_the_most_accurate(concat: float, half: float, state: State) -> None:
    pairs = pairs_of(MEANS | {"concat": concat}, half)
    found = judged("is the most accurate", evidence_of(pairs=pairs))
    assert found.state is state
    assert f"against add: {concat - 95:+.1f} points of balanced accuracy (95 % " in found.sentence


@pytest.mark.parametrize(
    ("late", "half", "state"), [(90.0, 1.0, HOLDS), (93.5, 1.0, OPEN), (98.5, 0.8, NOT)]
)
def test_late_is_the_least_accurate(late: float, half: float, state: State) -> None:
    pairs = pairs_of(MEANS | {"late": late}, half)
    assert judged("is the least accurate", evidence_of(pairs=pairs)).state is state


def test_by_a_metric_of_which_less_is_better_it_is_the_other_way() -> None:
    losses = {"late": 0.4, "concat": 0.1, "add": 0.2, "hadamard": 0.3}
    pairs = pairs_of(losses, 0.01, metric="nll")
    evidence = evidence_of(pairs=pairs)
    assert judged("is the most accurate", evidence).state is HOLDS
    assert judged("is the least accurate", evidence).state is HOLDS


@pytest.mark.parametrize(
    ("gap", "half", "margin", "state"),
    [(0.5, 1.0, 2.0, HOLDS), (0.5, 2.0, 2.0, OPEN), (-5.0, 1.0, 2.0, NOT), (1.0, 0.5, 2.0, HOLDS),
     (1.0, 0.5, 1.2, OPEN), (-1.0, 0.5, 1.2, OPEN), (2.0, 0.5, 1.2, NOT), (-2.0, 0.5, 1.2, NOT),
     (1.6, 0.5, 1.2, OPEN), (-1.0, 0.1, 1.2, HOLDS), (0.0, 0.1, math.nan, OPEN)],
)  # fmt: skip
def test_hadamard_is_as_accurate_as_concat(
    gap: float, half: float, margin: float, state: State
) -> None:
    pairs = [pair_of("hadamard", "concat", gap, half)]
    found = judged("as accurate as concat", evidence_of(pairs=pairs, margin=margin))
    assert found.state is state


ACCURACY = ("is the most accurate", "is the least accurate", "as accurate as concat")


@pytest.mark.parametrize("words", ACCURACY)
@pytest.mark.parametrize(
    ("more", "said"),
    [({"seeds": 4}, "4 seed(s) are too few"), ({"compares": "successes"}, "seeds fall apart")],
)
def test_few_seeds_and_seeds_that_fall_apart_decide_nothing(
    words: str, more: Mapping[str, Any], said: str
) -> None:
    for means in (MEANS, {"late": 99.0, "concat": 90.0, "add": 95.0, "hadamard": 80.0}):
        found = judged(words, evidence_of(pairs=pairs_of(means, 0.1, **more)))
        assert found.state is OPEN
        assert said in found.sentence


def test_one_of_three_is_shown_to_be_better_only_by_intervals_that_hold_together() -> None:
    # Below 0 by itself, not as one of three.
    pairs = pairs_of(MEANS | {"concat": 93.9}, 1.05)
    evidence = evidence_of(pairs=pairs)
    row = evidence.pair("balanced_accuracy", "concat", "add")
    assert row is not None
    assert row.retrained_high < 0
    assert judged("is the most accurate", evidence).state is OPEN


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(50, 100), min_size=4, max_size=4), st.floats(0.1, 5))
def test_no_claim_contradicts_the_means(means: list[float], half: float) -> None:
    evidence = evidence_of(pairs=pairs_of(dict(zip(FOUR, means, strict=True)), half))
    states = {words: judged(words, evidence).state for words in ACCURACY}
    if states["is the most accurate"] is HOLDS:
        others = max(means[0], *means[2:])
        assert means[1] > others
    if states["is the most accurate"] is NOT:
        assert means[1] < max(means)
    if states["is the least accurate"] is HOLDS:
        assert means[0] == min(means)


# --- Reasons ---


def test_no_figure_decides_a_reason_but_the_tasks_of_both_sensors_are_told() -> None:
    rows = [suite_row(task, name, solved) for task, name, solved in (
        ("xor", "concat", 6), ("xor", "late_matched", 1), ("shape", "concat", 8),
        ("match", "concat", 8))]  # fmt: skip
    found = judged("because merging early", evidence_of(suite=rows))
    assert found.state is OPEN
    assert found.sentence.endswith("that solved them: xor 6 and 1 of 8.")
    alone = judged("because merging early", evidence_of())
    assert alone == (OPEN, "That one fusion does better than another does not tell why.")


# --- Counts ---


@pytest.mark.parametrize(
    ("words", "changed", "state"),
    [
        ("most parameter-efficient", {}, NOT),
        ("most parameter-efficient", {"hadamard": 100_000}, HOLDS),
        ("most parameter-efficient", {"hadamard": 200_000}, NOT),
        ("two full encoders", {}, HOLDS),
        ("two full encoders", {"late": 191_042}, NOT),
        ("two full encoders", {"late": 1000}, NOT),
    ],
)
def test_parameters_are_compared_as_they_are(
    words: str, changed: Mapping[str, int], state: State
) -> None:
    found = judged(words, evidence_of(sizes={**SIZES, **changed}))
    assert found.state is state


def test_a_tie_is_named() -> None:
    found = judged("most parameter-efficient", evidence_of())
    assert found.sentence == (
        "hadamard 117,314 parameters; late 3,336,662, concat 191,042, add 117,314. add has as many."
    )


@pytest.mark.parametrize(("flops", "state"), [(14.3, HOLDS), (12.0, NOT), (11.0, NOT)])
def test_concat_costs_more_operations(flops: float, state: State) -> None:
    costs = {name: cost_of(name) for name in FOUR}
    costs["concat"] = cost_of("concat", mflops_per_sample=flops)
    assert judged("costs more FLOPs", evidence_of(costs=costs)).state is state


# --- Measurements ---


@pytest.mark.parametrize(
    ("late", "state"), [(110.0, HOLDS), (54.2, OPEN), (53.0, NOT), (54.9, HOLDS)]
)
def test_late_needs_more_memory(late: float, state: State) -> None:
    costs = {name: cost_of(name) for name in FOUR} | {"late": cost_of("late", step_mb=late)}
    found = judged("needs more memory", evidence_of(costs=costs))
    assert found.state is state
    assert f"late {late:.1f} MB" in found.sentence
    assert "measured on AMD EPYC, 2 threads, bf16" in found.sentence


@pytest.mark.parametrize(
    ("late", "state"),
    [((1.3, 1.4), HOLDS), ((1.3, 1.55), OPEN), ((1.7, 1.8), NOT), ((1.55, 1.57), OPEN)],
)
def test_late_trains_faster_only_where_no_epochs_overlap(
    late: tuple[float, float], state: State
) -> None:
    trainings = {name: training_of(*TIMES[name]) for name in FOUR} | {"late": training_of(*late)}
    found = judged("slightly faster", evidence_of(trainings=trainings))
    assert found.state is state
    assert "on AMD EPYC, 2 threads, bf16" in found.sentence


@pytest.mark.parametrize(
    ("hadamard", "state"), [((1.8, 1.9), HOLDS), ((1.4, 1.9), OPEN), ((1.0, 1.1), NOT)]
)
def test_hadamard_trains_slowest(hadamard: tuple[float, float], state: State) -> None:
    trainings = {name: training_of(*TIMES[name]) for name in FOUR}
    trainings["hadamard"] = training_of(*hadamard)
    assert judged("trains slowest", evidence_of(trainings=trainings)).state is state


@pytest.mark.parametrize("key", ["device", "processor", "threads", "precision"])
def test_what_was_measured_on_other_machines_is_not_compared(key: str) -> None:
    other = {**ENVIRONMENT, key: 7 if key == "threads" else "other"}
    costs = {name: cost_of(name) for name in FOUR} | {"add": cost_of("add", environment=other)}
    trainings = {name: training_of(*TIMES[name]) for name in FOUR}
    trainings["add"] = training_of(*TIMES["add"], other)
    evidence = evidence_of(costs=costs, trainings=trainings)
    assert judged("needs more memory", evidence).state is OPEN
    for words in ("slightly faster", "trains slowest"):
        assert judged(words, evidence) == (OPEN, "They were not trained on machines alike.")


# --- Alignment ---

ALIGNED = "aligned in space"


@pytest.mark.parametrize(
    ("hadamard", "half", "state"),
    [(50.0, 1.0, HOLDS), (86.0, 1.0, OPEN), (110.0, 0.5, NOT), (50.0, 90.0, OPEN)],
)
def test_hadamard_loses_more_by_maps_that_lie_elsewhere(
    hadamard: float, half: float, state: State
) -> None:
    # On corrupted maps; clean, late and concat are 4 points below and 3 above hadamard.
    means = {"late": 82.0, "concat": 89.0, "add": 80.0, "hadamard": hadamard}
    found = judged(ALIGNED, evidence_of(robust=robust_of(means, half)))
    assert found.state is state
    change = (hadamard - 82) - (94 - 90)
    assert f"lidar_shifted, over late {change:+.1f} points" in found.sentence


def test_a_fusion_that_is_worse_on_clean_maps_alone_loses_nothing_more() -> None:
    pairs = pairs_of(MEANS | {"hadamard": 60.0})
    means = {name: value - 5 for name, value in MEANS.items()} | {"hadamard": 55.0}
    found = judged(ALIGNED, evidence_of(pairs=pairs, robust=robust_of(means)))
    assert found.state is OPEN
    assert "over concat +0.0 points" in found.sentence


def test_alignment_is_not_decided_without_seeds_or_corruptions_or_where_seeds_fall_apart() -> None:
    worse = {"late": 82.0, "concat": 89.0, "add": 80.0, "hadamard": 50.0}
    few = judged(ALIGNED, evidence_of(robust=robust_of(worse, seeds=4)))
    assert (few.state, "4 seed(s) are too few" in few.sentence) == (OPEN, True)
    one = [row for row in robust_of(worse) if row.corruption == CORRUPTIONS[0]]
    assert "were not measured" in judged(ALIGNED, evidence_of(robust=one)).sentence
    pairs = pairs_of(MEANS, compares="successes")
    apart = judged(ALIGNED, evidence_of(pairs=pairs, robust=robust_of(worse)))
    assert (apart.state, "seeds fall apart" in apart.sentence) == (OPEN, True)
    unknown = [row._replace(low=math.nan, high=math.nan) for row in robust_of(worse)]
    assert judged(ALIGNED, evidence_of(robust=unknown)).state is OPEN


def test_what_alignment_did_on_its_task_is_told() -> None:
    rows = [suite_row("nearest", "hadamard", 6), suite_row("nearest", "hadamard", 8, "camera"),
            suite_row("nearest", "late", 0)]  # fmt: skip
    means = {"late": 82.0, "concat": 89.0, "add": 80.0, "hadamard": 50.0}
    found = judged(ALIGNED, evidence_of(robust=robust_of(means), suite=rows))
    assert found.sentence.endswith("in the camera's frame: hadamard 6 and 8 of 8.")
    rows[1] = rows[1]._replace(solved=5, seeds=5)
    found = judged(ALIGNED, evidence_of(robust=robust_of(means), suite=rows))
    assert found.sentence.endswith("in the camera's frame: hadamard 6 of 8 and 5 of 5.")

"""What is said of interactions: words flip with numbers, and say no more than is shown."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.studies.made_up_interactions import PLAN, Solving, kept, outcome, results

from fusebench.statistics.failures import paired_p
from studies.interactions.outcomes import Kept, Seeds
from studies.interactions.plan import CELLS, FUSIONS, SINGLE, Cell, Planned
from studies.interactions.sentences import cell_sentences, contrast_sentence
from studies.interactions.tables import Contrast, Results, contrasts, summaries
from studies.interactions.verdict import paragraph, verdict_page
from studies.interactions.words import able, named

XOR, SHAPE, COLOUR = Cell(task="xor"), Cell(task="shape", seeds=5), Cell(task="colour", seeds=5)
NEAREST, CAMERA = Cell(task="nearest"), Cell(task="nearest", align="camera")
BOTH = dict.fromkeys(able(XOR), 8)
LONG = replace(XOR, fusions=("early",), epochs=120, seeds=5, probe="xor", tag="early-long")


def _said(cell: Kept, *more: Kept) -> str:
    """Return what is said of a cell, with probes of it."""
    plan = [cell.cell, *(one.cell for one in more)]
    return "\n".join(cell_sentences(cell, Results.of(plan, [cell, *more])))


def _contrast(first: int, second: int, seeds: int = 8, **more: object) -> Contrast:
    """Return the only contrast of a cell in which the first seeds of two fusions solve it."""
    cell = replace(XOR, seeds=seeds, fusions=("concat", "late_matched"))
    solving = {"concat": first, "late_matched": second}
    planned = Planned("xor", "xor", "concat", "xor", "late_matched")
    (row,) = contrasts([kept(cell, solving, **more)], [planned])  # type: ignore[arg-type]
    return row


# --- Summary and contrasts ---


def test_a_summary_holds_the_share_its_interval_the_median_and_the_mean_of_what_solves() -> None:
    rows = {row.fusion: row for row in summaries([kept(XOR, {"concat": 6, "add": 3})])}
    concat = rows["concat"]
    assert (concat.seeds, concat.solved, concat.accuracy) == (8, 6, 97.0)
    assert (concat.solved_low, concat.solved_high) == pytest.approx((0.349, 0.968), abs=1e-3)
    # Seeds solve it in epochs 5, 6, 7, 8, 9, 10.
    assert concat.median_epoch == 8
    assert (concat.budget_epochs, concat.train_samples) == (XOR.epochs, 2000)
    assert math.isnan(rows["add"].median_epoch)
    assert math.isnan(rows["film"].accuracy)
    assert list(rows) == list(FUSIONS)


def test_a_seed_solves_a_task_by_test_and_is_timed_by_val() -> None:
    seeds = Seeds(
        (
            outcome(XOR, "add", 0, 95.0, 4.0),
            # On val alone, on test alone, and not at all.
            outcome(XOR, "add", 1, 89.0, 6.0),
            outcome(XOR, "add", 2, 90.0, math.nan),
            outcome(XOR, "add", 3, 50.0, math.nan),
        )
    )
    assert seeds.solved.tolist() == [True, False, True, False]
    assert seeds.times.ends.tolist() == [4.0, 30.0, 30.0, 30.0]
    assert seeds.times.solved.tolist() == [True, False, False, False]


def test_contrasts_are_corrected_within_a_cell_and_test() -> None:
    found = results(lambda cell: {"concat": 8} if cell.task in ("xor", "match") else None)
    assert [row.family for row in found.contrasts] == ["xor"] * 5 + ["match"] * 5
    first = found.contrasts[0]
    assert (first.first, first.second, first.tests) == ("concat", "late_matched", 5)
    assert first.paired_p == pytest.approx(2 / 2**8)
    assert first.paired_holm == pytest.approx(5 * 2 / 2**8)
    assert first.log_rank_p == pytest.approx(2 / math.comb(16, 8))
    assert first.sooner == "first"
    assert (first.first_alone, first.second_alone) == (8, 0)
    hadamard = found.contrasts[1]
    assert hadamard.sooner == "second"


def test_alignment_is_a_family_of_its_own_paired_by_seed() -> None:
    solving = {"nearest": {"early": 0}, "nearest-camera": {"early": 8}}
    found = results(lambda cell: solving.get(cell.name))
    rows = [row for row in found.contrasts if row.family == "nearest-camera/nearest"]
    assert [row.first for row in rows] == [row.second for row in rows]
    assert len(rows) == rows[0].tests == 4
    early = rows[0]
    assert (early.first_cell, early.second_cell) == ("nearest-camera", "nearest")
    assert (early.first_solved, early.second_solved) == (8, 0)
    assert early.solves_more


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 8), st.integers(0, 8))
def test_more_often_is_said_exactly_where_the_test_shows_it(first: int, second: int) -> None:
    row = _contrast(first, second)
    by_test = paired_p(np.arange(8) < first, np.arange(8) < second) <= 0.05
    said = contrast_sentence(row)
    assert ("more often" in said or "less often" in said) is by_test
    assert ("no difference shown in how often" in said or "none of" in said) is not by_test
    if by_test:
        assert ("more often" in said) is (first > second)


# --- A cell ---


def test_who_solves_it_is_said_with_the_interval_the_most_first() -> None:
    said = _said(kept(XOR, {"concat": 8, "add": 8, "film": 3}))
    assert "Solved in 8 of 8 seeds (95 % interval 63 to 100 %): concat and add." in said
    assert "Solved in 3 of 8 seeds (95 % interval 9 to 76 %): film." in said
    assert "Solved in none of 8 seeds (95 % interval 0 to 37 %): early, hadamard" in said
    assert said.index("8 of 8") < said.index("3 of 8") < said.index("none of 8")
    assert "Unsolved" not in said


def test_a_task_that_nobody_solves_is_unsolved_with_its_budget() -> None:
    said = _said(kept(XOR, {}))
    assert "**Unsolved**: no fusion solves it in any of 8 seeds within 30 epochs" in said
    assert "(95 % interval 0 to 37 % of seeds, each)" in said
    assert "no contrast shows a difference" in said
    assert "is reached" not in said
    assert " against " not in said
    one = _said(kept(XOR, {"film": 1}))
    assert "Unsolved" not in one


@pytest.mark.parametrize(("accuracy", "reached"), [(95.0, True), (94.9, False)])
def test_whether_95_percent_is_reached(accuracy: float, reached: bool) -> None:
    said = _said(kept(XOR, {"concat": 2}, accuracy=accuracy))
    of = "mean of the 2 of 8 seeds that solve it"
    if reached:
        assert f"95 % on test is reached: concat has 95.0 %, {of}." in said
    else:
        assert (
            "No fusion reaches a balanced accuracy of 95 % on test: the highest is that of" in said
        )
        assert f"concat, 94.9 %, {of}." in said


def test_single_sensors_are_held_against_their_ceilings() -> None:
    good = _said(kept(SHAPE, dict.fromkeys(FUSIONS, 5), accuracy=98.0))
    assert (
        "Within 2 points of the ceiling of a single sensor: rgb_only, 98.0 % of 100 % and" in good
    )
    assert "Not within" not in good
    short = _said(kept(SHAPE, dict.fromkeys(FUSIONS, 4), accuracy=98.0))
    assert "Not within 2 points of its ceiling: rgb_only, 88.4 % of 100 %." in short
    assert "Training falls short of what the sensor allows: 4 of 5 seeds solve it." in short


def test_a_sensor_above_its_ceiling_puts_the_task_in_doubt() -> None:
    leak = _said(kept(XOR, {**BOTH, "rgb_only": 2}))
    assert "Not within 2 points of its ceiling: rgb_only, 62.1 % of 50 %." in leak
    assert "fusions may solve the task by it alone" in leak
    assert "Within 2 points of the ceiling of a single sensor: lidar_only" in leak
    assert "rgb_only in xor" in paragraph(Results.of([XOR], [kept(XOR, {"rgb_only": 2})]))


def test_what_solves_nothing_cannot_or_is_not_known_or_lacks_training() -> None:
    said = _said(kept(XOR, {"concat": 8}))
    assert "does not tell the class: rgb_only and lidar_only." in said
    assert "late_matched cannot express it: its logits are a sum of one term per sensor" in said
    assert "Not known, since no probe was run: whether early, add, hadamard" in said
    assert "or late cannot express it or needs other training." in said
    shown = _said(kept(XOR, {"concat": 8}), kept(LONG, {"early": 4}))
    assert (
        "Probe xor-early-long: early with epochs 120 in place of 30 solves it in 4 of 5 seeds "
        "(95 % interval 28 to 99 %): so it can express it, and what it lacks in the cell is "
        "training."
    ) in shown
    assert "whether add, hadamard" in shown
    failed = _said(kept(XOR, {"concat": 8}), kept(LONG, {}))
    assert "does not solve it either, 0 of 5 seeds" in failed
    assert "what it lacks is not known" in failed
    assert "can express it, and" not in failed


def test_a_fusion_that_was_said_to_be_unable_is_not_where_it_solves_the_task() -> None:
    assert "cannot express it" not in _said(kept(XOR, {"late_matched": 1, **BOTH}))


def test_a_probe_of_what_solves_some_is_told_and_not_tested() -> None:
    slower = replace(LONG, epochs=30, lr=0.0003, tag="slow")
    said = _said(kept(XOR, {"early": 3}), kept(slower, {"early": 5}))
    assert "early with learning rate 0.0003 in place of 0.001 solves it in 5 of 5 seeds" in said
    assert "in the cell in 3 of 8; not tested." in said
    worse = _said(kept(XOR, {"early": 3}), kept(slower, {}))
    assert "does not solve it, 0 of 5 seeds" in worse


# --- A contrast ---


def test_a_contrast_that_is_shown_says_both_tests() -> None:
    said = contrast_sentence(_contrast(8, 0))
    assert said == (
        "concat solves it more often than late_matched, in 8 and 0 of 8 seeds (p = 0.0078 by an "
        "exact paired test); concat solves it sooner than late_matched, half of the seeds by "
        "epoch 8 and not in the budget (p = 0.00016 by a log-rank test)."
    )
    assert contrast_sentence(_contrast(0, 8)).startswith("concat solves it less often than late_m")
    assert "concat solves it later than late_matched" in contrast_sentence(_contrast(0, 8))


def test_a_contrast_that_is_not_shown_says_what_is_ruled_out() -> None:
    said = contrast_sentence(_contrast(8, 6))
    assert said.startswith(
        "concat against late_matched: no difference shown in how often they solve it, in 8 and "
        "6 of 8 seeds (p = 0.5 by an exact paired test); differences above 65 % of seeds are "
        "ruled out (95 %); no difference shown in how soon, half of the seeds by epoch 8 and "
        "by epoch 8 (p = "
    )
    assert "better" not in said


def test_sooner_is_said_where_both_solve_it_in_every_seed() -> None:
    said = contrast_sentence(_contrast(8, 8, begin={"concat": 2, "late_matched": 20}))
    assert "no difference shown in how often they solve it" in said
    assert "concat solves it sooner than late_matched, half of the seeds by epoch 5 and by" in said


def test_five_seeds_cannot_show_one_and_that_is_said() -> None:
    assert "; 5 seeds cannot show one" in contrast_sentence(_contrast(5, 0, seeds=5))
    assert "cannot show" not in contrast_sentence(_contrast(6, 1, seeds=6))


def test_two_that_solve_nothing_are_not_told_apart() -> None:
    said = contrast_sentence(_contrast(0, 0))
    assert "none of 8 seeds of either solves it, so nothing tells them apart" in said
    assert "differences above 37 % of seeds are ruled out" in said


def test_correction_is_named_where_there_are_several() -> None:
    row = _contrast(8, 0)._replace(tests=5, paired_holm=0.039)
    said = contrast_sentence(row)
    assert "p = 0.039 by an exact paired test after Holm over 5 contrasts" in said
    assert "by a log-rank test after Holm)" in said
    gone = contrast_sentence(row._replace(paired_holm=0.051))
    assert "no difference shown in how often" in gone
    assert "; no difference is ruled out;" in gone
    assert "(95 % for all 5 contrasts together)" in contrast_sentence(
        _contrast(8, 8)._replace(tests=5, ruled_out=0.48)
    )


# --- In short ---


def test_the_paragraph_is_one_line_and_names_every_cell() -> None:
    def solving(cell: Cell) -> Solving:
        return dict.fromkeys(able(cell), cell.seeds)

    text = paragraph(results(solving))
    assert "\n" not in text
    for cell in PLAN:
        assert f"*{cell.name}*" in text
    assert (
        "*shape* (each sensor alone tells the class): solved in all 5 seeds by every fusion."
        in text
    )
    assert "by every fusion that sees the image." in text
    assert "by every fusion that sees the LiDAR map." in text
    assert "solved in all 8 seeds by every fusion of both sensors." in text
    assert "5 of 5 seeds rule out shares of seeds below 48 %." in text
    assert "8 of 8 seeds rule out shares of seeds below 63 %." in text
    assert "None of 20 planned contrasts between fusions shows a difference." in text
    assert "not shown to change anything for early, concat, hadamard and cross_attention." in text
    assert "Not run yet" not in text


def test_the_paragraph_flips_with_what_is_shown() -> None:
    def solving(cell: Cell) -> Solving:
        if cell.name == "nearest":
            return {**BOTH, "late_matched": 0, "early": 1}
        return {} if cell.task == "match" else {**BOTH, "late_matched": 0}

    text = paragraph(results(solving))
    assert (
        "*match* (only both sensors tell the class): unsolved by 13 fusions in 30 epochs." in text
    )
    assert (
        "Of 20 planned contrasts between fusions these are shown to solve a task more often: "
        "concat than late_matched in xor (8 and 0 of 8 seeds), nearest (8 and 0 of 8 seeds) and "
    ) in text
    # 7 seeds of 8 in which one alone solves it: p = 0.0156, after Holm over 4 0.0625.
    assert "Alignment (nearest-camera against nearest) is shown to change: early (sooner)." in text
    assert "For concat, hadamard and cross_attention no change is shown." in text


def test_the_paragraph_says_the_most_where_none_solves_it_always() -> None:
    text = paragraph(results(lambda cell: {"add": 6, "film": 6} if cell.task == "xor" else None))
    assert "solved in all seeds by no fusion, in 6 of 8 by add and film." in text
    assert "Not run yet: shape, colour, range, nearest, nearest-camera and match." in text


def test_a_probe_that_solves_what_nobody_solved_is_in_the_paragraph() -> None:
    found = Results.of([XOR, LONG], [kept(XOR, {}), kept(LONG, {"early": 4})])
    assert (
        "unsolved by 13 fusions in 30 epochs; with more or other training solved by early in 4 of 5"
    ) in paragraph(found)


def test_nothing_run_is_said() -> None:
    assert paragraph(Results.of(CELLS, [])) == "Nothing was run yet: `make interactions` does."


def test_the_page_has_a_section_for_each_cell_and_none_for_a_probe() -> None:
    page = verdict_page(Results.of([XOR, LONG], [kept(XOR, {}), kept(LONG, {})]))
    assert "## xor\n" in page
    assert "## xor-early-long" not in page
    assert "## What alignment changes" not in page
    whole = verdict_page(results(lambda _: {"concat": 3}))
    assert [line for line in whole.splitlines() if line.startswith("## ")] == [
        *(f"## {cell.name}" for cell in PLAN), "## What alignment changes", "## How to read this",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("some", "words"),
    [
        (able(XOR), "every fusion of both sensors"),
        (able(XOR)[1:], "every fusion of both sensors but early"),
        (["concat", "add"], "concat and add"),
        ([*able(XOR), "rgb_only"], f"{', '.join(able(XOR))} and rgb_only"),
    ],
)
def test_fusions_are_named_in_few_words(some: list[str], words: str) -> None:
    assert named(some, XOR) == words
    assert set(able(COLOUR)) == set(FUSIONS) - {"lidar_only"}
    assert set(able(XOR)) == set(FUSIONS) - set(SINGLE)

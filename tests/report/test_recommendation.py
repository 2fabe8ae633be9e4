"""Which fusion to use, and what limits that: the exact words, and that they never say too much."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import study
from tests.report.made_up import BEST, PAIR, best_table, pairs_table

from fusebench.evaluation.metrics import means
from fusebench.report.best import Best
from fusebench.report.findings import compare_fusions
from fusebench.report.pairs import Pair, turned
from fusebench.report.recommendation import listed, recommendation, remarks
from fusebench.report.settings import CompareParams

NAN = math.nan
CONCAT = BEST._replace(fusion="concat", mean=98.4, below=1.84, mean_at_collapse_rate=85.9)
ADD = BEST._replace(fusion="add", mean=97.5, below=3.51)
RGB = BEST._replace(fusion="rgb_only", inputs="rgb", mean=97.8, below=3.36)
LIDAR = BEST._replace(fusion="lidar_only", inputs="lidar", mean=88.2, below=13.98, candidate="no")
ROWS = (CONCAT, RGB, ADD, LIDAR)


def _pair(first: Best, second: Best, shown: bool, **figures: Any) -> Pair:
    difference = first.mean - second.mean
    return PAIR._replace(
        first=first.fusion, second=second.fusion, difference=difference,
        retrained_low=difference - 1.5, retrained_high=difference + 1.5,
        holm=0.01 if shown else 0.6, first_mean=first.mean, second_mean=second.mean, **figures,
    )  # fmt: skip


def _pairs(*shown: tuple[str, str], **figures: Any) -> list[Pair]:
    """Make the contrasts of each fusion against each sensor, of which some are shown."""
    return [
        _pair(fused, single, (fused.fusion, single.fusion) in shown, **figures)
        for fused in (CONCAT, ADD)
        for single in (RGB, LIDAR)
    ]


def _said(pairs: list[Pair], *rows: Best) -> str:
    """Return the recommendation, and the bounds where they stand by themselves."""
    tables = pairs_table(*pairs), best_table(*(rows or ROWS))
    said = [recommendation(*tables), *remarks(*tables)]
    return " ".join(line for line in said[:2] if line is said[0] or "These bounds" in line)


SURE = (
    " These bounds hold with 95 % confidence together, and so do the tested contrasts, but not "
    "both at once; all as long as no fusion collapses more often than its seeds show."
)
TO_BEST = (
    " As good as the best, to within 2 points of balanced accuracy: concat (at most 1.84 below "
    "it). Each of these may be the best, or below it by at most: rgb_only 3.36 and add 3.51 "
    "points. Shown not to be the best, and below it by at most: lidar_only 13.98 points." + SURE
)


def test_what_stands_behind_the_answer_is_the_first_remark() -> None:
    tables = pairs_table(), best_table(*ROWS)
    answer = recommendation(*tables)
    assert answer.endswith("concat (at most 1.84 below it).")
    assert f" {answer} {remarks(*tables)[0]}" == TO_BEST
    # Where nothing else answers, they do.
    bare = best_table(*(row._replace(margin=NAN) for row in ROWS))
    assert recommendation(pairs_table(), bare).endswith(SURE)
    assert not any("These bounds" in line for line in remarks(pairs_table(), bare))


def test_first_it_says_that_no_fusion_beats_a_sensor_alone() -> None:
    shown = [("concat", "lidar_only"), ("add", "lidar_only")]
    assert _said(_pairs(*shown)) == (
        "No fusion of several sensors is shown to be better than rgb_only alone; the best of them, "
        "concat, has +0.6 points of balanced accuracy (95 % interval -0.9 to +2.1) over rgb_only."
        + TO_BEST
    )
    assert _said(_pairs()).startswith(
        "No fusion of several sensors is shown to be better than rgb_only or lidar_only alone;"
    )


def test_fusions_that_beat_each_sensor_stand_first_with_what_they_gain() -> None:
    shown = [(fused, single) for fused in ("concat",) for single in ("rgb_only", "lidar_only")]
    assert _said(_pairs(*shown)).startswith(
        "Shown to be better than each sensor alone: concat (+0.6 points of balanced accuracy (95 % "
        "interval -0.9 to +2.1) over rgb_only). As good"
    )
    apart = _pairs(*shown, compares="successes", first_succeeded=10, second_succeeded=2)
    assert _said(apart).startswith(
        "Shown to be better than each sensor alone: concat (10 of 10 seeds succeed, 2 of rgb_only)."
    )
    one = [pair for pair in _pairs(*shown) if pair.second == "rgb_only"]
    assert _said(one, CONCAT, RGB, ADD).startswith("Shown to be better than rgb_only alone: concat")


def test_each_sensor_beaten_by_another_fusion_is_no_case_for_one() -> None:
    crossed = _pairs(("concat", "rgb_only"), ("add", "lidar_only"))
    assert _said(crossed).startswith(
        "No fusion of several sensors is shown to be better than each of rgb_only and lidar_only."
    )


def test_without_such_contrasts_only_the_distance_to_the_best_is_said() -> None:
    for pairs in ([], _pairs(role="unplanned")):
        assert _said(pairs) == TO_BEST.strip()


@pytest.mark.parametrize("names", [["rgb_only"], ["rgb_only", "lidar_only"]])
def test_contrasts_may_be_declared_either_way_and_of_one_sensor_alone(names: list[str]) -> None:
    pairs = [pair for pair in _pairs(("concat", "lidar_only")) if pair.second in names]
    expected = _said(pairs)
    assert expected.startswith(
        "No fusion of several sensors is shown to be better than rgb_only alone; the best of them, "
        "concat, has +0.6 points of balanced accuracy (95 % interval -0.9 to +2.1) over rgb_only."
    )
    assert _said([turned(pair) for pair in pairs]) == expected


def test_what_is_quoted_is_against_a_sensor_that_is_not_beaten() -> None:
    said = _said(_pairs(("concat", "rgb_only"), ("add", "rgb_only")))
    assert said.startswith(
        "No fusion of several sensors is shown to be better than lidar_only alone; the best of "
        "them, concat, has +10.2 points of balanced accuracy (95 % interval +8.7 to +11.7) over "
        "lidar_only."
    )


def test_without_a_margin_nothing_is_as_good() -> None:
    said = _said([], *(row._replace(margin=NAN) for row in ROWS))
    assert said.startswith("Each of these may be the best, or below it by at most: concat 1.84, ")
    none = _said([], *(row._replace(margin=1.0) for row in ROWS))
    assert none.startswith(
        "No fusion is shown to be within 1 point of balanced accuracy of the best. Each of these"
    )


def test_the_only_one_that_may_be_the_best_is_shown_to_be_the_best() -> None:
    rows = [CONCAT._replace(below=0.0), *(row._replace(candidate="no") for row in (RGB, ADD))]
    expected = (
        "Shown to be the best: concat. Shown not to be the best, and below it by at most: rgb_only "
        "3.36 and add 3.51 points." + SURE
    )
    assert _said([], *rows) == expected
    assert _said([], *(row._replace(margin=NAN) for row in rows)) == expected
    near = _said([], rows[0], rows[1]._replace(below=1.5), rows[2])
    assert near.startswith(
        "Shown to be the best: concat. As good as the best, to within 2 points of balanced "
        "accuracy: rgb_only (at most 1.50 below it). Shown not"
    )
    # Not where means do not tell.
    apart = _said([], rows[0]._replace(irregular="yes"), *rows[1:])
    assert "Shown to be the best" not in apart


def test_no_bound_looks_smaller_than_it_is() -> None:
    near = [row._replace(below=below) for row, below in ((CONCAT, 1.9901), (ADD, 2.001))]
    said = _said([], *near)
    assert "concat (at most 2.00 below it)" in said
    assert "at most: add 2.01 points" in said
    assert "at most 1.84 below it" in _said([], CONCAT._replace(below=1.84), ADD)


def test_of_losses_what_is_above_the_best_is_said() -> None:
    rows = [
        BEST._replace(metric="nll", fusion="add", mean=0.012, below=0.0131, margin=0.02),
        BEST._replace(metric="nll", fusion="concat", mean=0.013, below=0.0242, margin=0.02),
        BEST._replace(metric="nll", fusion="late", mean=0.125, below=0.142, margin=0.02,
                      candidate="no"),
    ]  # fmt: skip
    assert _said([], *rows) == (
        "As good as the best, to within 0.02 nats of NLL: add (at most 0.0131 above it). Each of "
        "these may be the best, or above it by at most: concat 0.0242 nats. Shown not to be the "
        "best, and above it by at most: late 0.1420 nats." + SURE
    )


def test_too_few_seeds_and_one_fusion_have_no_recommendation() -> None:
    few = [row._replace(seeds=3, below=NAN) for row in ROWS]
    assert _said(_pairs(), *few) == (
        "No recommendation: 3 seed(s) are too few to tell fusions from their seeds; from 5 on "
        "there is a verdict (make verdict trains 10)."
    )
    assert _said([], CONCAT) == "There is one fusion, so nothing is compared."
    assert remarks(pairs_table(), best_table(*few)) == []


# --- What limits it ---

SCOPE = (
    "Claims are about these fusions trained again, on other draws of this archive; they say "
    "nothing of other archives. How often they err: docs/calibration.md."
)


def _remarks(*rows: Best, pairs: tuple[Pair, ...] = ()) -> list[str]:
    """Return what limits the recommendation, without the bounds that stand behind it."""
    said = remarks(pairs_table(*pairs), best_table(*(rows or ROWS)))
    return [line for line in said if "These bounds" not in line]


def test_what_seeds_cannot_rule_out_is_said_of_each_fusion() -> None:
    some = LIDAR._replace(collapsed=2, collapse_rate=0.507)
    assert _remarks(CONCAT, RGB, ADD, some) == [
        "Of 10 seeds collapsed to one class: 0 of concat, rgb_only and add (up to 26 % are not "
        "ruled out) and 2 of lidar_only (up to 51 % are not ruled out). At that rate the mean of "
        "concat would be 85.9 % instead of 98.4, and what is said of it may not hold.",
        SCOPE,
    ]
    gone = [row._replace(collapsed=10, collapse_rate=1.0) for row in ROWS]
    assert _remarks(*gone)[0].endswith("(up to 100 % are not ruled out).")


def test_seeds_that_fall_apart_are_named_with_how_often_they_succeed() -> None:
    apart = LIDAR._replace(irregular="yes", succeeded=6)
    rows = (CONCAT, RGB, ADD, apart)
    assert _remarks(*rows)[0] == (
        "Seeds fall apart, so that means do not describe the differences between some fusions: "
        "the bounds of lidar_only 13.98 points are not calibrated, and such contrasts compare how "
        "often seeds succeed. That is, of 10 seeds above 74.50 %, midway from chance to the best "
        "seed: concat 10, rgb_only 10, add 10 and lidar_only 6."
    )
    # Nothing is shown of it by its bound, nor is it as good.
    assert "lidar_only" not in _said([], *rows)
    assert "add" not in _said([], CONCAT, ADD._replace(irregular="yes", below=0.5))
    every = [row._replace(irregular="yes") for row in ROWS]
    assert _said([], *every) == (
        "Seeds fall apart, so no fusion is shown to be near the best by its mean."
    )


def test_fixed_draws_redraw_nothing_and_say_so() -> None:
    said = _remarks(*(row._replace(draws="fixed") for row in ROWS))
    assert said[-1] == (
        "All seeds have the same train and val samples (split.draws: fixed): claims are about "
        "these fusions trained again on them; nothing was redrawn. How often claims err: "
        "docs/calibration.md."
    )
    assert SCOPE not in said


EASY = PAIR._replace(
    role="baseline", first="concat", second="threshold", difference=-1.4, retrained_low=-2.6,
    retrained_high=-0.2, second_mean=99.8, holm=NAN, fixed_low=-3.0, fixed_high=0.1,
)  # fmt: skip


def test_a_threshold_that_no_fusion_beats_is_remarked_with_an_interval() -> None:
    assert _remarks(pairs=(EASY,))[0] == (
        "A threshold on LiDAR hits × smallest range², fitted on train, has balanced accuracy 99.8 "
        "%; the best fusion, concat, differs by -1.4 points (95 % interval -2.6 to -0.2). Samples "
        "as easy as these need no fusion: read the pairs as a comparison of fusions, not as a case "
        "for one."
    )
    loss = EASY._replace(metric="nll", retrained_low=0.001, retrained_high=0.01, second_mean=0.004)
    assert "has NLL 0.004 nats; the best" in _remarks(pairs=(loss,))[0]


def test_hard_samples_are_not_called_easy_for_want_of_evidence() -> None:
    open_ = EASY._replace(difference=7.8, retrained_low=-2.1, retrained_high=17.7, second_mean=57.7)
    (said, *_) = _remarks(pairs=(open_,))
    assert said.endswith("to +17.7). No fusion is shown to be better than this rule.")
    # Within the margin, or clipped to what is possible, it is enough.
    near = EASY._replace(difference=0.4, retrained_low=-1.0, retrained_high=1.9, second_mean=97.0)
    assert "need no fusion" in _remarks(pairs=(near,))[0]
    top = EASY._replace(retrained_low=-4.0, retrained_high=3.0, second_mean=99.5)
    assert "interval -4.0 to +0.5). Samples as easy" in _remarks(pairs=(top,))[0]


@pytest.mark.parametrize("seeds", [1, 4])
def test_with_few_seeds_the_threshold_is_compared_with_these_models(seeds: int) -> None:
    few = EASY._replace(seeds=seeds, fixed_high=-0.1)
    assert "(95 % interval -3.0 to -0.1 for these trained models)" in _remarks(pairs=(few,))[0]


@pytest.mark.parametrize(
    ("metric", "low", "high"), [("accuracy", 0.1, 2.0), ("nll", -0.02, -0.001)]
)
def test_a_threshold_that_the_best_fusion_beats_is_not(
    metric: str, low: float, high: float
) -> None:
    above = EASY._replace(metric=metric, retrained_low=low, retrained_high=high)
    assert not any("threshold" in said for said in _remarks(pairs=(above,)))
    # Of another fusion's pair nothing is said.
    other = EASY._replace(first="add")
    assert not any("threshold" in said for said in _remarks(pairs=(other,)))


# --- Whatever the study ---


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize("primary", means())
def test_every_study_comes_to_words(seeds: int, primary: str) -> None:
    params = CompareParams(
        temperature=True, primary=primary, margin={primary: 0.5}, contrasts=("any/any",)
    )
    tables = compare_fusions(study(seeds), params, study(seeds)["late"])
    said = [recommendation(*tables), *remarks(*tables)]
    assert said[0].startswith("No recommendation") is (seeds < 5)
    assert not [line for line in said if "nan" in line or "\n" in line]


BELOW = st.floats(0, 30)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(BELOW, st.booleans(), st.booleans()), min_size=2, max_size=6),
       st.floats(0.1, 5) | st.just(NAN))  # fmt: skip
def test_each_fusion_is_named_once_and_as_good_within_the_margin_alone(
    drawn: list[tuple[float, bool, bool]], margin: float
) -> None:
    rows = [
        BEST._replace(
            fusion=f"fusion_{number}_", below=below, candidate="yes" if may else "no",
            irregular="yes" if apart else "no", margin=margin,
        )
        for number, (below, may, apart) in enumerate(drawn)
    ]  # fmt: skip
    said = _said([], *rows)
    good = said.partition("As good as the best, to within ")[2].partition(" Each of")[0]
    good = good.partition(" Shown not")[0]
    candidates = [row for row in rows if row.may_be_best]
    regular = [row for row in rows if not row.is_irregular]
    best = candidates[0].fusion if len(candidates) == 1 and candidates == regular[:1] else ""
    assert ("Shown to be the best" in said) is bool(best)
    for row in rows:
        assert said.count(row.fusion) == (not row.is_irregular)
        assert (row.fusion in good) is (row.as_good and row.fusion != best)


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c"
    ]  # fmt: skip

"""Sentences on pairs: their exact words, and that they never say more than was shown."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import study

from fusebench.evaluation.metrics import METRICS, means
from fusebench.report.findings import compare_fusions
from fusebench.report.pairs import Pair
from fusebench.report.settings import CompareParams
from fusebench.report.verdict import State, on_screen, ruled_out, sentence, sentences, state


def _table(*pairs: Pair) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=Pair._fields)


# Ten seeds; late is shown to be worse.
WORSE = Pair(
    metric="balanced_accuracy", role="planned", first="late", second="concat", difference=-18.04,
    fixed_low=-19.2, fixed_high=-16.9, fixed_p=0.0, fixed_holm=0.0,
    retrained_low=-20.96, retrained_high=-15.12, retrained_error=1.29, retrained_df=9.0,
    retrained_p=2e-7, compares="means", first_succeeded=10, second_succeeded=10, success_p=1.0,
    holm=1.2e-6, simultaneous_low=-22.5, simultaneous_high=-13.6, bootstrap_low=-20.5,
    bootstrap_high=-15.6, seed_deviation=3.2, id_deviation=1.1, seed_id_deviation=2.2,
    pseudo_deviation=0.47, step=0.33, discordant=95, first_mean=79.52, second_mean=97.56,
    first_collapsed=0, second_collapsed=0, collapse_rate=0.2589, difference_at_collapse_rate=-5.72,
    seeds=10, ids=2000,
)  # fmt: skip
BETTER = WORSE._replace(
    first="concat", second="hadamard", difference=8.04, retrained_low=4.51, retrained_high=11.57,
    retrained_p=0.0051, holm=0.0153, first_mean=97.56, second_mean=89.52,
    difference_at_collapse_rate=-4.27,
)  # fmt: skip
UNDECIDED = WORSE._replace(
    first="concat", second="add", difference=0.11, retrained_low=-1.52, retrained_high=1.74,
    retrained_error=0.72, retrained_p=0.88, holm=1.0, fixed_low=-0.4, fixed_high=0.62, fixed_p=0.6,
    fixed_holm=1.0, simultaneous_low=-2.41, simultaneous_high=2.63, pseudo_deviation=0.2,
    first_mean=94.6, second_mean=94.49,
)  # fmt: skip
SATURATED = UNDECIDED._replace(difference=-0.21, first_mean=99.7, second_mean=99.91)
UNPLANNED = UNDECIDED._replace(role="unplanned", holm=math.nan, fixed_p=math.nan,
                               fixed_holm=math.nan)  # fmt: skip
APART = WORSE._replace(
    second="hadamard", difference=-4.7, retrained_low=-14.1, retrained_high=4.7,
    compares="successes", first_succeeded=3, second_succeeded=9, success_p=0.031, holm=0.031,
)  # fmt: skip
FEW: dict[str, Any] = {"seeds": 3}
ONE: dict[str, Any] = {"seeds": 1} | dict.fromkeys(
    ["holm", *(name for name in Pair._fields if name.startswith(("retrained_", "simult")))],
    math.nan,
)
# Lower is better: late loses by this too.
NLL = WORSE._replace(
    metric="nll", difference=0.1214, retrained_low=0.1081, retrained_high=0.1347,
    simultaneous_low=0.1019, simultaneous_high=0.1409, first_mean=0.1344, second_mean=0.013,
    difference_at_collapse_rate=0.0593, retrained_error=0.006, pseudo_deviation=0.0, step=0.0,
)  # fmt: skip


# --- The exact words ---


def test_words_for_worse() -> None:
    assert state(WORSE) is State.WORSE
    assert sentence(WORSE, 6) == (
        "late is worse than concat: -18.0 points of balanced accuracy (95 % interval -21.0 to "
        "-15.1; p < 0.0001 after Holm over 6 contrasts); if concat collapsed in 26 % of seeds, "
        "which 0 of 10 does not rule out, it would be -5.7 points."
    )


def test_words_for_better() -> None:
    assert state(BETTER) is State.BETTER
    assert sentence(BETTER, 6) == (
        "concat is better than hadamard: +8.0 points of balanced accuracy (95 % interval +4.5 to "
        "+11.6; p = 0.015 after Holm over 6 contrasts); if concat collapsed in 26 % of seeds, "
        "which 0 of 10 does not rule out, it would be -4.3 points."
    )


def test_words_for_undecided_say_what_is_ruled_out() -> None:
    assert state(UNDECIDED) is State.UNDECIDED
    assert sentence(UNDECIDED, 6) == (
        "concat against add: no difference shown, +0.1 points of balanced accuracy (95 % interval "
        "-1.5 to +1.7); differences above 2.6 points are ruled out (95 % for all 6 contrasts "
        "together)."
    )
    assert ruled_out(UNDECIDED) == 2.63
    assert ruled_out(UNDECIDED._replace(simultaneous_low=-3.1)) == 3.1
    assert "are ruled out." in sentence(UNDECIDED, 1)


def test_words_for_pairs_that_were_not_planned() -> None:
    assert state(UNPLANNED) is State.UNPLANNED
    assert sentence(UNPLANNED, 6) == (
        "concat against add: +0.1 points of balanced accuracy (95 % interval -1.5 to +1.7); not a "
        "planned contrast, so not tested."
    )
    few = sentence(UNPLANNED._replace(**FEW), 6)
    assert few == (
        "concat against add: +0.1 points of balanced accuracy (95 % interval -0.4 to +0.6 for "
        "these trained models); not a planned contrast, not tested."
    )


def test_words_for_saturated() -> None:
    assert state(SATURATED) is State.SATURATED
    assert sentence(SATURATED, 6) == (
        "concat against add: no difference shown, -0.2 points of balanced accuracy (95 % interval "
        "-1.5 to +1.7); differences above 2.6 points are ruled out (95 % for all 6 contrasts "
        "together); beside 99.7 % not even a perfect fusion could be shown to be better."
    )
    assert "perfect" not in sentence(UNDECIDED, 6)


def test_words_for_seeds_that_fall_apart() -> None:
    assert state(APART) is State.WORSE
    means = (
        "differences over seeds are visibly not normal, so the difference of means, -4.7 points of "
        "balanced accuracy (95 % interval -14.1 to +4.7), is not calibrated and decides nothing"
    )
    assert sentence(APART, 6) == (
        "late is worse than hadamard by how often it succeeds: 3 and 9 of 10 seeds (p = 0.031 by "
        f"an exact paired test after Holm over 6 contrasts); {means}; the better one may still "
        "collapse in 26 % of seeds."
    )
    assert state(APART._replace(first_succeeded=9, second_succeeded=3)) is State.BETTER
    open_ = APART._replace(holm=0.2)
    assert state(open_) is State.UNDECIDED
    assert sentence(open_, 1) == (
        "late against hadamard: no difference shown in how often they succeed: 3 and 9 of 10 seeds "
        f"(p = 0.2 by an exact paired test); {means}."
    )
    # Ten seeds of one fusion alone have p = 0.002: too much for 26 contrasts, not for 25.
    assert "; 10 seeds cannot show one so." in sentence(open_, 26)
    assert "cannot show" not in sentence(open_, 25)


def test_the_share_of_pseudo_samples_is_said_where_it_is_more_than_a_fifth() -> None:
    for deviation, said in ((0.31, False), (0.33, True)):
        pair = UNDECIDED._replace(pseudo_deviation=deviation)
        assert ("; 21 % of the variance are pseudo-samples." in sentence(pair, 6)) is said
        assert ("pseudo" in sentence(pair._replace(role="unplanned"), 6)) is said


def test_words_for_collapsed_seeds() -> None:
    assert sentence(WORSE._replace(first_collapsed=2), 1).endswith(
        "it would be -5.7 points. Collapsed to one class, which the means include: late in 2 of 10 "
        "seeds."
    )
    both = sentence(UNDECIDED._replace(first_collapsed=1, second_collapsed=3), 6)
    assert both.endswith("the means include: concat in 1 of 10 seeds and add in 3 of 10 seeds.")
    ahead = WORSE._replace(second_collapsed=1, collapse_rate=0.394)
    assert "if concat collapsed in 39 % of seeds, which 1 of 10 does not" in sentence(ahead, 6)


def test_words_for_too_few_seeds_with_a_difference_of_the_trained_models() -> None:
    pair = WORSE._replace(**FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "late against concat: -18.0 points of balanced accuracy, these trained models of late are "
        "worse (95 % interval -19.2 to -16.9; p < 0.0001 after Holm over 6 contrasts); 3 seed(s) "
        "are too few to say it of the fusions, trained again (from 5 on)."
    )


def test_words_for_too_few_seeds_without_a_difference() -> None:
    pair = UNDECIDED._replace(**FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "concat against add: +0.1 points of balanced accuracy, not even shown of these trained "
        "models (95 % interval -0.4 to +0.6; p = 1 after Holm over 6 contrasts); 3 seed(s) are too "
        "few to say it of the fusions, trained again (from 5 on)."
    )


def test_words_for_one_seed() -> None:
    assert sentence(BETTER._replace(**ONE), 1) == (
        "concat against hadamard: +8.0 points of balanced accuracy, these trained models of concat "
        "are better (95 % interval -19.2 to -16.9; p < 0.0001); 1 seed(s) are too few to say it of "
        "the fusions, trained again (from 5 on)."
    )


def test_words_for_a_loss() -> None:
    assert state(NLL) is State.WORSE
    assert sentence(NLL, 6) == (
        "late is worse than concat: +0.121 nats of NLL (95 % interval +0.108 to +0.135; p < 0.0001 "
        "after Holm over 6 contrasts); if concat collapsed in 26 % of seeds, which 0 of 10 does "
        "not rule out, it would be +0.059 nats."
    )
    assert state(NLL._replace(difference=-0.1214)) is State.BETTER
    undecided = NLL._replace(holm=0.2)
    # A loss has no ceiling, but a floor.
    assert state(undecided) is State.UNDECIDED
    assert "differences above 0.141 nats are ruled out" in sentence(undecided, 6)
    near = undecided._replace(first_mean=0.013, simultaneous_low=-0.02, simultaneous_high=0.02)
    assert "; beside 0.013 nats not even a perfect fusion could be shown" in sentence(near, 6)


def test_holm_is_named_where_it_did_something() -> None:
    assert "p = 0.015 after Holm over 2 contrasts)" in sentence(BETTER, 2)
    assert "p = 0.015)" in sentence(BETTER, 1)


# --- Where one state ends and the next begins ---


@pytest.mark.parametrize(("p", "shown"), [(0.0499, True), (0.05, True), (0.0501, False)])
def test_a_difference_is_shown_up_to_5_percent_after_holm(p: float, shown: bool) -> None:
    assert (state(WORSE._replace(retrained_p=0.001, holm=p)) is State.WORSE) is shown
    few = sentence(WORSE._replace(**FEW, fixed_holm=p), 6)
    assert ("these trained models of late are worse" in few) is shown


@pytest.mark.parametrize(("seeds", "enough"), [(4, False), (5, True)])
def test_five_seeds_are_enough(seeds: int, enough: bool) -> None:
    assert (state(WORSE._replace(seeds=seeds)) is State.WORSE) is enough


@pytest.mark.parametrize(
    ("first", "second", "half", "saturated"),
    [
        (99.0, 98.1, 2.0, True),
        (99.0, 97.9, 2.0, False),
        (97.9, 100.0, 2.0, False),
        (100.0, 100.0, 0.1, True),
    ],
)
def test_the_ceiling_is_where_a_perfect_fusion_could_not_be_shown(
    first: float, second: float, half: float, saturated: bool
) -> None:
    pair = UNDECIDED._replace(first_mean=first, second_mean=second,
                              simultaneous_low=first - second - half,
                              simultaneous_high=first - second + half)  # fmt: skip
    assert (state(pair) is State.SATURATED) is saturated


def test_at_the_ceiling_a_shown_difference_is_still_shown() -> None:
    assert state(SATURATED._replace(holm=0.01, difference=-0.2)) is State.WORSE


# --- Never more than was shown ---

FIGURES = st.floats(-100, 100)
CHANCES = st.floats(0, 1) | st.sampled_from([0.0, 0.05, 0.0500001, 1.0])
_OF_FIGURES = [
    "difference", "fixed_low", "fixed_high", "retrained_low", "retrained_high", "simultaneous_low",
    "simultaneous_high", "difference_at_collapse_rate", "first_mean", "second_mean",
]  # fmt: skip


@st.composite
def pairs(draw: Any) -> Pair:
    """Draw a row of any figures, whether they fit each other or not."""
    pair = WORSE._replace(
        metric=draw(st.sampled_from(means())),
        role=draw(st.sampled_from(["planned", "unplanned"])),
        compares=draw(st.sampled_from(["means", "successes"])),
        seeds=draw(st.integers(1, 12)),
        **{
            name: draw(st.integers(0, 2))
            for name in ("first_collapsed", "second_collapsed", "first_succeeded",
                         "second_succeeded")
        },
        **{name: draw(FIGURES) for name in _OF_FIGURES},
        **{name: draw(CHANCES) for name in ("fixed_holm", "holm", "collapse_rate")},
    )  # fmt: skip
    return pair._replace(**ONE) if pair.seeds == 1 else pair


@settings(max_examples=300, deadline=None)
@given(pairs(), st.integers(1, 21))
def test_no_sentence_says_more_than_was_shown(pair: Pair, tests: int) -> None:
    said = sentence(pair, tests)
    words = [
        word for word in ("better", "worse") if f"{word} than" in said or f"are {word}" in said
    ]
    decisive = pair.holm if pair.seeds >= 5 else pair.fixed_holm
    by_successes = pair.seeds >= 5 and pair.compares == "successes"
    difference = pair.first_succeeded - pair.second_succeeded if by_successes else pair.difference
    higher = by_successes or METRICS[pair.metric].higher_is_better
    if decisive > 0.05 or pair.role == "unplanned":
        assert words == []
    elif difference != 0:
        assert words == ["better" if (difference > 0) is higher else "worse"]
    if pair.seeds < 5:
        # Nothing is said of the fusions, only of these models of theirs.
        assert "is better" not in said
        assert "is worse" not in said
        assert "too few" in said or "not tested" in said
    assert ("Collapsed" in said) is (pair.first_collapsed + pair.second_collapsed > 0)
    assert METRICS[pair.metric].label in said
    assert "nan" not in said
    assert len(said.splitlines()) == 1


# --- All of it ---


def test_planned_contrasts_stand_first_the_surest_before_the_others() -> None:
    descriptive = UNDECIDED._replace(metric="nll", role="descriptive")
    wide = UNPLANNED._replace(first="late", difference=-30.0)
    said = sentences(_table(UNPLANNED, wide, UNDECIDED, BETTER, WORSE, descriptive))
    order = (WORSE, BETTER, UNDECIDED, wide, UNPLANNED)
    assert said == [sentence(pair, 3) for pair in order]


def test_pairs_equally_sure_stand_by_their_difference() -> None:
    wide = UNDECIDED._replace(first="late", difference=-0.5)
    assert sentences(_table(UNDECIDED, wide)) == [sentence(pair, 2) for pair in (wide, UNDECIDED)]


def test_with_few_seeds_the_surest_is_that_of_the_trained_models() -> None:
    few = [pair._replace(**FEW, holm=0.9) for pair in (UNDECIDED, WORSE)]
    assert sentences(_table(*few))[0].startswith("late against concat")


@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("primary", means())
def test_every_study_comes_to_sentences(seeds: int, primary: str) -> None:
    params = CompareParams(temperature=True, primary=primary, margin={}, contrasts=("late/any",))
    said = sentences(compare_fusions(study(seeds), params)[0])
    assert len(said) == 3
    assert not [line for line in said if "nan" in line]


def test_sentences_fit_the_screen() -> None:
    text = on_screen([sentence(WORSE, 6), "", "Short."], 60)
    assert max(len(line) for line in text.splitlines()) <= 60
    assert " ".join(text.split()) == f"{sentence(WORSE, 6)} Short."
    assert text.splitlines()[-1] == "Short."

"""Sentences on pairs: their exact words, and that they never say more than was shown."""

import math
from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import study

from fusebench.evaluation.metrics import METRICS
from fusebench.report.pairs import Pair, pairs_of
from fusebench.report.verdict import (
    State,
    baseline_remark,
    on_screen,
    recommendation,
    sentence,
    state,
    verdict,
)


def _table(*pairs: Pair) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=Pair._fields)


# Ten seeds; late is shown to be worse.
WORSE = Pair(
    metric="balanced_accuracy", role="primary", first="late", second="concat", difference=-18.04,
    fixed_low=-19.2, fixed_high=-16.9, fixed_p=0.0, fixed_holm=0.0,
    retrained_low=-20.96, retrained_high=-15.12, retrained_error=1.29, retrained_df=9.0,
    retrained_p=2e-7, retrained_holm=1.2e-6,
    minimum_detectable=5.1, exact_bound=1.99, bootstrap_low=-20.5, bootstrap_high=-15.6,
    seed_deviation=3.2, id_deviation=1.1, seed_id_deviation=2.2, discordant=95,
    first_mean=79.52, second_mean=97.56, first_collapsed=0, second_collapsed=0, seeds=10, ids=2000,
)  # fmt: skip
BETTER = WORSE._replace(
    first="concat", second="hadamard", difference=8.04, retrained_low=4.51, retrained_high=11.57,
    retrained_p=0.0051, retrained_holm=0.0153, first_mean=97.56, second_mean=89.52,
)  # fmt: skip
UNDECIDED = WORSE._replace(
    first="concat", second="add", difference=0.11, retrained_low=-1.52, retrained_high=1.74,
    retrained_p=0.88, retrained_holm=1.0, fixed_low=-0.4, fixed_high=0.62, fixed_p=0.6,
    fixed_holm=1.0, minimum_detectable=3.04, first_mean=96.6, second_mean=96.49,
)  # fmt: skip
SATURATED = UNDECIDED._replace(difference=-0.21, first_mean=99.7, second_mean=99.91)
FEW: dict[str, Any] = {"seeds": 3, "minimum_detectable": math.nan}
ONE: dict[str, Any] = {"seeds": 1} | dict.fromkeys(
    [name for name in Pair._fields if name.startswith(("retrained_", "minimum_"))], math.nan
)
# Lower is better: late loses by this too.
NLL = WORSE._replace(
    metric="nll", difference=0.1214, retrained_low=0.1081, retrained_high=0.1347,
    minimum_detectable=0.0252, exact_bound=0.0, first_mean=0.1344, second_mean=0.013,
)  # fmt: skip


# --- The exact words ---


def test_words_for_worse() -> None:
    assert state(WORSE) is State.WORSE
    assert sentence(WORSE, 6) == (
        "late is worse than concat: -18.0 points of balanced accuracy (95 % interval -21.0 to "
        "-15.1; p < 0.0001 after Holm over 6 pairs)."
    )


def test_words_for_better() -> None:
    assert state(BETTER) is State.BETTER
    assert sentence(BETTER, 6) == (
        "concat is better than hadamard: +8.0 points of balanced accuracy (95 % interval +4.5 to "
        "+11.6; p = 0.015 after Holm over 6 pairs)."
    )


def test_words_for_undecided() -> None:
    assert state(UNDECIDED) is State.UNDECIDED
    assert sentence(UNDECIDED, 6) == (
        "concat against add: no difference shown after Holm over 6 pairs, +0.1 points of balanced "
        "accuracy (95 % interval -1.5 to +1.7); a difference above 3.0 points would have been seen "
        "in four of five such studies, if seeds differ as much as here."
    )


def test_words_for_saturated() -> None:
    assert state(SATURATED) is State.SATURATED
    assert sentence(SATURATED, 6) == (
        "concat against add: both are at the ceiling (99.7 and 99.9 %), where only a difference "
        "above 3.0 points would have been seen; these samples cannot tell them apart."
    )


def test_words_for_collapsed_seeds() -> None:
    assert sentence(WORSE._replace(first_collapsed=2), 1) == (
        "late is worse than concat: -18.0 points of balanced accuracy (95 % interval -21.0 to "
        "-15.1; p < 0.0001). Collapsed to one class, which the means include: late in 2 of 10 "
        "seeds."
    )
    both = sentence(UNDECIDED._replace(first_collapsed=1, second_collapsed=3), 6)
    assert both.endswith("the means include: concat in 1 of 10 seeds and add in 3 of 10 seeds.")


def test_words_for_too_few_seeds_with_a_difference_of_the_trained_models() -> None:
    pair = WORSE._replace(**FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "late against concat: -18.0 points of balanced accuracy, these trained models of late are "
        "worse (95 % interval -19.2 to -16.9; p < 0.0001 after Holm over 6 pairs); 3 seed(s) are "
        "too few to say it of the fusions, retrained (from 5 on)."
    )


def test_words_for_too_few_seeds_without_a_difference() -> None:
    pair = UNDECIDED._replace(**FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "concat against add: +0.1 points of balanced accuracy, not even shown of these trained "
        "models (95 % interval -0.4 to +0.6; p = 1 after Holm over 6 pairs); 3 seed(s) are too few "
        "to say it of the fusions, retrained (from 5 on)."
    )


def test_words_for_one_seed() -> None:
    assert sentence(BETTER._replace(**ONE), 1) == (
        "concat against hadamard: +8.0 points of balanced accuracy, these trained models of concat "
        "are better (95 % interval -19.2 to -16.9; p < 0.0001); 1 seed(s) are too few to say it of "
        "the fusions, retrained (from 5 on)."
    )


def test_words_for_too_few_seeds_in_a_metric_that_is_no_mean() -> None:
    none: dict[str, Any] = dict.fromkeys(
        ("fixed_low", "fixed_high", "fixed_p", "fixed_holm"), math.nan
    )
    assert sentence(BETTER._replace(metric="f1", **FEW, **none), 6) == (
        "concat against hadamard: +8.0 points of F1; 3 seed(s) are too few to say it of the "
        "fusions, retrained (from 5 on)."
    )


def test_words_for_a_loss() -> None:
    assert state(NLL) is State.WORSE
    assert sentence(NLL, 6) == (
        "late is worse than concat: +0.121 nats of NLL (95 % interval +0.108 to +0.135; "
        "p < 0.0001 after Holm over 6 pairs)."
    )
    assert state(NLL._replace(difference=-0.1214)) is State.BETTER
    undecided = NLL._replace(retrained_holm=0.2)
    # A loss has no ceiling.
    assert state(undecided) is State.UNDECIDED
    assert "a difference above 0.025 nats would have" in sentence(undecided, 6)


def test_holm_is_named_where_it_did_something() -> None:
    assert "p = 0.015 after Holm over 2 pairs)" in sentence(BETTER, 2)
    assert "p = 0.015)" in sentence(BETTER, 1)


# --- Where one state ends and the next begins ---


@pytest.mark.parametrize(("p", "shown"), [(0.0499, True), (0.05, True), (0.0501, False)])
def test_a_difference_is_shown_up_to_5_percent_after_holm(p: float, shown: bool) -> None:
    assert (state(WORSE._replace(retrained_p=0.001, retrained_holm=p)) is State.WORSE) is shown
    few = sentence(WORSE._replace(**FEW, fixed_holm=p), 6)
    assert ("these trained models of late are worse" in few) is shown


@pytest.mark.parametrize(("seeds", "enough"), [(4, False), (5, True)])
def test_five_seeds_are_enough(seeds: int, enough: bool) -> None:
    assert (state(WORSE._replace(seeds=seeds)) is State.WORSE) is enough


@pytest.mark.parametrize(
    ("first", "second", "bound", "saturated"),
    [
        (99.0, 98.1, 2.0, True),
        (99.0, 97.9, 2.0, False),
        (97.9, 100.0, 2.0, False),
        (100.0, 100.0, 0.0, False),
        (100.0, 100.0, 0.1, True),
    ],
)
def test_the_ceiling_is_where_all_that_is_left_may_hide(
    first: float, second: float, bound: float, saturated: bool
) -> None:
    pair = UNDECIDED._replace(first_mean=first, second_mean=second, exact_bound=bound)
    assert (state(pair) is State.SATURATED) is saturated


def test_at_the_ceiling_a_shown_difference_is_still_shown() -> None:
    assert state(SATURATED._replace(retrained_holm=0.01, difference=-0.2)) is State.WORSE


# --- Never more than was shown ---

FIGURES = st.floats(-100, 100)
CHANCES = st.floats(0, 1) | st.sampled_from([0.0, 0.05, 0.0500001, 1.0])
_OF_FIGURES = [
    "difference", "fixed_low", "fixed_high", "retrained_low", "retrained_high",
    "minimum_detectable", "exact_bound", "first_mean", "second_mean",
]  # fmt: skip


@st.composite
def pairs(draw: Any) -> Pair:
    """Draw a row of any figures, whether they fit each other or not."""
    chances = [f"{claim}_{name}" for claim in ("fixed", "retrained") for name in ("p", "holm")]
    pair = WORSE._replace(
        metric=draw(st.sampled_from(list(METRICS))),
        seeds=draw(st.integers(1, 12)),
        first_collapsed=draw(st.integers(0, 2)),
        second_collapsed=draw(st.integers(0, 2)),
        **{name: draw(FIGURES) for name in _OF_FIGURES},
        **{name: draw(CHANCES) for name in chances},
    )
    return pair._replace(**ONE) if pair.seeds == 1 else pair


@settings(max_examples=300, deadline=None)
@given(pairs(), st.integers(1, 21))
def test_no_sentence_says_more_than_was_shown(pair: Pair, tests: int) -> None:
    said = sentence(pair, tests)
    words = [word for word in ("better", "worse") if word in said]
    decisive = pair.retrained_holm if pair.seeds >= 5 else pair.fixed_holm
    higher = METRICS[pair.metric].higher_is_better
    if decisive > 0.05:
        assert words == []
    elif pair.difference != 0:
        assert words == ["better" if (pair.difference > 0) is higher else "worse"]
    if pair.seeds < 5:
        # Nothing is said of the fusions, only of these models of theirs.
        assert "is better" not in said
        assert "is worse" not in said
        assert "too few" in said
    assert ("Collapsed" in said) is (pair.first_collapsed + pair.second_collapsed > 0)
    assert METRICS[pair.metric].label in said or state(pair) is State.SATURATED
    assert "nan" not in said
    assert len(said.splitlines()) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(pairs(), min_size=3, max_size=3))
def test_no_fusion_is_recommended_over_one_that_none_is_shown_to_beat(drawn: list[Pair]) -> None:
    names = (("late", "add"), ("late", "concat"), ("add", "concat"))
    rows = [
        pair._replace(
            first=first, second=second, seeds=10, metric="accuracy",
            retrained_holm=0.0 if math.isnan(pair.retrained_p) else pair.retrained_p,
            difference=pair.difference or 1.0,
        )
        for pair, (first, second) in zip(drawn, names, strict=True)
    ]  # fmt: skip
    shown = [pair for pair in rows if pair.retrained_holm <= 0.05]
    beaten = {pair.second if pair.difference > 0 else pair.first for pair in shown}
    said = recommendation(_table(*rows))
    used = said.partition(":")[0].removeprefix("Use any of ").removeprefix("Use ")
    if said.startswith("Use"):
        assert set(used.replace(" and ", ", ").split(", ")) == {"late", "add", "concat"} - beaten
    else:
        assert len(beaten) in (0, 3)


# --- Which one to use ---


def _study(*beats: str, names: str = "abcd", **figures: Any) -> pd.DataFrame:
    """Make all pairs of a study in which some fusions are shown to beat others.

    The means fall in the order of `names`.
    """
    means = {name: 90.0 - place for place, name in enumerate(names)}
    rows = []
    for first, second in combinations(names, 2):
        side = (first + second in beats) - (second + first in beats)
        row = WORSE._replace(
            first=first, second=second, difference=float(side) or 0.1,
            retrained_holm=0.01 if side else 0.6, first_mean=means[first],
            second_mean=means[second],
        )  # fmt: skip
        rows.append(row._replace(**figures))
    return _table(*rows)


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        (
            ["ab", "ac", "ad"],
            "Use a: it is shown to be better than b, c and d.",
        ),
        (
            ["ab", "bc", "cd"],
            "Use a: it is shown to be better than b. Shown to be worse than another: c and d.",
        ),
        (
            ["ac", "ad", "bd"],
            "Use any of a and b: none of these is shown to be worse than another. "
            "Shown to be worse than another: c and d.",
        ),
        (
            ["da", "db"],
            "Use any of c and d: none of these is shown to be worse than another. "
            "Shown to be worse than another: a and b.",
        ),
        ([], "No fusion is shown to be better than another: a, b, c and d."),
        (
            ["ab", "bc", "cd", "da"],
            "No recommendation: each of a, b, c and d is shown to be worse than another.",
        ),
        (
            ["bc", "cd", "db"],
            "Use a: it alone is not shown to be worse than another. "
            "Shown to be worse than another: b, c and d.",
        ),
        (
            ["ab", "cb"],
            "Use any of a, c and d: none of these is shown to be worse than another. "
            "Shown to be worse than another: b.",
        ),
    ],
)
def test_what_to_use(beats: list[str], expected: str) -> None:
    assert recommendation(_study(*beats)) == expected


def test_of_losses_the_lowest_is_named_first() -> None:
    said = recommendation(_study(names="ab", metric="nll"))
    assert said == "No fusion is shown to be better than another: b and a."


def test_with_too_few_seeds_nothing_is_recommended() -> None:
    assert recommendation(_study("ab", names="ab", **FEW)) == (
        "No recommendation: 3 seed(s) are too few to tell fusions from their seeds; from 5 on "
        "there is a verdict (make verdict trains 10)."
    )


COMPARISON = pd.DataFrame(
    {
        "Model": ["late", "concat", "majority_class", "threshold"],
        "Test Balanced Accuracy": [95.04, 97.06, 50.0, 97.06],
    }
)


def test_a_rule_that_no_fusion_is_above_is_remarked() -> None:
    assert baseline_remark(COMPARISON).startswith(
        "A threshold on LiDAR hits × smallest range², with nothing trained, has 97.1 % balanced "
        "accuracy; the best fusion has 97.1 %."
    )


def test_a_rule_that_a_fusion_is_above_is_not() -> None:
    above = COMPARISON.assign(**{"Test Balanced Accuracy": [95.04, 97.1, 50.0, 97.06]})
    assert baseline_remark(above) == ""
    assert baseline_remark(COMPARISON[:3]) == ""


# --- All of it ---


def test_the_recommendation_stands_first_then_the_surest_pair() -> None:
    descriptive = UNDECIDED._replace(metric="nll", role="descriptive")
    sentences = verdict(_table(UNDECIDED, BETTER, WORSE, descriptive))
    assert sentences[0].startswith("Use any of concat and add")
    assert sentences[1:] == [sentence(pair, 3) for pair in (WORSE, BETTER, UNDECIDED)]


def test_pairs_equally_sure_stand_by_their_difference() -> None:
    wide = UNDECIDED._replace(first="late", difference=-0.5)
    sentences = verdict(_table(UNDECIDED, wide))
    assert sentences[1:] == [sentence(pair, 2) for pair in (wide, UNDECIDED)]


def test_with_few_seeds_the_surest_is_that_of_the_trained_models() -> None:
    few = [pair._replace(**FEW, retrained_holm=0.9) for pair in (UNDECIDED, WORSE)]
    assert verdict(_table(*few))[1].startswith("late against concat")


def test_one_fusion_is_compared_with_nothing() -> None:
    assert verdict(_table()) == ["There is one fusion, so nothing is compared."]


@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("primary", ["balanced_accuracy", "nll", "f1"])
def test_every_study_comes_to_sentences(seeds: int, primary: str) -> None:
    sentences = verdict(pairs_of(study(seeds), primary))
    assert len(sentences) == 4
    assert not [said for said in sentences if "nan" in said]
    assert sentences[0].startswith("No recommendation") is (seeds < 5)


def test_sentences_fit_the_screen() -> None:
    text = on_screen([sentence(WORSE, 6), "", "Short."], 60)
    assert max(len(line) for line in text.splitlines()) <= 60
    assert " ".join(text.split()) == f"{sentence(WORSE, 6)} Short."
    assert text.splitlines()[-1] == "Short."

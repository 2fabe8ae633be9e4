"""Sentences on pairs: their exact words, and that they never say more than was shown."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import answers, fusion, metrics_of, part_of

from fusebench.report.pairs import Pair, all_pairs
from fusebench.report.verdict import State, recommendation, sentence, state, verdict

# Ten seeds; late is shown to be worse.
WORSE = Pair(
    metric="balanced_accuracy", role="primary", first="late", second="concat", difference=-18.04,
    models_low=-19.2, models_high=-16.9, models_p=0.0, models_holm=0.0,
    again_low=-20.96, again_high=-15.12, again_p=2e-7, again_holm=1.2e-6,
    detectable=5.1, hidden=1.99, bootstrap_low=-20.5, bootstrap_high=-15.6,
    seed_deviation=3.2, id_deviation=1.1, seed_id_deviation=2.2, discordant=95,
    first_mean=79.52, second_mean=97.56, first_stuck=0, second_stuck=0, seeds=10, ids=2000,
)  # fmt: skip
BETTER = replace(
    WORSE, first="concat", second="hadamard", difference=8.04, again_low=4.51, again_high=11.57,
    again_p=0.0051, again_holm=0.0153, first_mean=97.56, second_mean=89.52,
)  # fmt: skip
UNDECIDED = replace(
    WORSE, first="concat", second="add", difference=0.11, again_low=-1.52, again_high=1.74,
    again_p=0.88, again_holm=1.0, models_low=-0.4, models_high=0.62, models_p=0.6, models_holm=1.0,
    detectable=3.04, first_mean=96.6, second_mean=96.49,
)  # fmt: skip
SATURATED = replace(UNDECIDED, difference=-0.21, first_mean=99.7, second_mean=99.91)
FEW: dict[str, Any] = {"seeds": 3, "detectable": None}
ONE: dict[str, Any] = FEW | {
    "seeds": 1, "again_low": None, "again_high": None, "again_p": None, "again_holm": None,
    "bootstrap_low": None, "bootstrap_high": None, "seed_deviation": None, "id_deviation": None,
    "seed_id_deviation": None,
}  # fmt: skip
# Lower is better: late loses by this too.
NLL = replace(
    WORSE, metric="nll", difference=0.1214, again_low=0.1081, again_high=0.1347, detectable=0.0252,
    hidden=0.0, first_mean=0.1344, second_mean=0.013,
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


def test_words_for_stuck_seeds() -> None:
    assert sentence(replace(WORSE, first_stuck=2), 1) == (
        "late is worse than concat: -18.0 points of balanced accuracy (95 % interval -21.0 to "
        "-15.1; p < 0.0001). Stuck at the majority class, which the means include: late in 2 of 10 "
        "seeds."
    )
    both = sentence(replace(UNDECIDED, first_stuck=1, second_stuck=3), 6)
    assert both.endswith("the means include: concat in 1 of 10 seeds and add in 3 of 10 seeds.")


def test_words_for_too_few_seeds_with_a_difference_of_the_trained_models() -> None:
    pair = replace(WORSE, **FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "late against concat: -18.0 points of balanced accuracy, these trained models of late are "
        "worse (95 % interval -19.2 to -16.9; p < 0.0001 after Holm over 6 pairs); 3 seed(s) are "
        "too few to say it of the fusions trained again (from 5 on)."
    )


def test_words_for_too_few_seeds_without_a_difference() -> None:
    pair = replace(UNDECIDED, **FEW)
    assert state(pair) is State.TOO_FEW_SEEDS
    assert sentence(pair, 6) == (
        "concat against add: +0.1 points of balanced accuracy, not even shown of these trained "
        "models (95 % interval -0.4 to +0.6; p = 1 after Holm over 6 pairs); 3 seed(s) are too few "
        "to say it of the fusions trained again (from 5 on)."
    )


def test_words_for_one_seed() -> None:
    assert sentence(replace(BETTER, **ONE), 1) == (
        "concat against hadamard: +8.0 points of balanced accuracy, these trained models of concat "
        "are better (95 % interval -19.2 to -16.9; p < 0.0001); 1 seed(s) are too few to say it of "
        "the fusions trained again (from 5 on)."
    )


def test_words_for_too_few_seeds_in_a_metric_that_is_no_mean() -> None:
    none: dict[str, Any] = dict.fromkeys(("models_low", "models_high", "models_p", "models_holm"))
    assert sentence(replace(BETTER, metric="f1", **FEW, **none), 6) == (
        "concat against hadamard: +8.0 points of F1; 3 seed(s) are too few to say it of the "
        "fusions trained again (from 5 on)."
    )


def test_words_for_a_loss() -> None:
    assert state(NLL) is State.WORSE
    assert sentence(NLL, 6) == (
        "late is worse than concat: +0.121 nats of NLL (95 % interval +0.108 to +0.135; "
        "p < 0.0001 after Holm over 6 pairs)."
    )
    assert state(replace(NLL, difference=-0.1214)) is State.BETTER
    undecided = replace(NLL, again_holm=0.2)
    # A loss has no ceiling.
    assert state(undecided) is State.UNDECIDED
    assert "a difference above 0.025 nats would have" in sentence(undecided, 6)


def test_holm_is_named_where_it_did_something() -> None:
    assert "p = 0.015 after Holm over 2 pairs)" in sentence(BETTER, 2)
    assert "p = 0.015)" in sentence(BETTER, 1)


# --- Where one state ends and the next begins ---


@pytest.mark.parametrize(("p", "shown"), [(0.0499, True), (0.05, True), (0.0501, False)])
def test_a_difference_is_shown_up_to_5_percent_after_holm(p: float, shown: bool) -> None:
    assert (state(replace(WORSE, again_p=0.001, again_holm=p)) is State.WORSE) is shown
    few = sentence(replace(WORSE, **FEW, models_holm=p), 6)
    assert ("these trained models of late are worse" in few) is shown


@pytest.mark.parametrize(("seeds", "enough"), [(4, False), (5, True)])
def test_five_seeds_are_enough(seeds: int, enough: bool) -> None:
    assert (state(replace(WORSE, seeds=seeds)) is State.WORSE) is enough


@pytest.mark.parametrize(
    ("first", "second", "hidden", "saturated"),
    [
        (99.0, 98.1, 2.0, True),
        (99.0, 97.9, 2.0, False),
        (97.9, 100.0, 2.0, False),
        (100.0, 100.0, 0.0, False),
        (100.0, 100.0, 0.1, True),
    ],
)
def test_the_ceiling_is_where_all_that_is_left_may_hide(
    first: float, second: float, hidden: float, saturated: bool
) -> None:
    pair = replace(UNDECIDED, first_mean=first, second_mean=second, hidden=hidden)
    assert (state(pair) is State.SATURATED) is saturated


def test_at_the_ceiling_a_shown_difference_is_still_shown() -> None:
    assert state(replace(SATURATED, again_holm=0.01, difference=-0.2)) is State.WORSE


# --- Never more than was shown ---

FIGURES = st.floats(-100, 100)
CHANCES = st.floats(0, 1) | st.sampled_from([0.0, 0.05, 0.0500001, 1.0])


@st.composite
def pairs(draw: Any) -> Pair:
    """Draw a line of any figures, whether they fit each other or not."""
    figures: dict[str, Any] = {
        name: draw(FIGURES)
        for name in (
            "difference", "models_low", "models_high", "again_low", "again_high", "detectable",
            "hidden", "first_mean", "second_mean",
        )
    }  # fmt: skip
    chances: dict[str, Any] = {f"{claim}_{name}": draw(CHANCES) for claim in ("models", "again")
               for name in ("p", "holm")}  # fmt: skip
    metric = draw(st.sampled_from(["balanced_accuracy", "accuracy", "nll", "f1"]))
    counts: dict[str, Any] = {
        name: draw(st.integers(0, 2)) for name in ("first_stuck", "second_stuck")
    }
    pair = replace(WORSE, metric=metric, seeds=draw(st.integers(1, 12)), **figures, **chances,
                   **counts)  # fmt: skip
    return replace(pair, **ONE) if pair.seeds == 1 else pair


def _speaks_for(pair: Pair) -> str:
    return "better" if (pair.difference < 0) is (pair.metric == "nll") else "worse"


@settings(max_examples=500, deadline=None)
@given(pairs(), st.integers(1, 21))
def test_no_sentence_says_more_than_was_shown(pair: Pair, tests: int) -> None:
    said = sentence(pair, tests)
    words = [word for word in ("better", "worse") if word in said]
    decisive = pair.again_holm if pair.seeds >= 5 else pair.models_holm
    assert decisive is not None
    if decisive > 0.05:
        assert words == []
    elif pair.difference != 0:
        assert words == [_speaks_for(pair)]
    if pair.seeds < 5:
        # Nothing is said of the fusions, only of these models of theirs.
        assert "is better" not in said
        assert "is worse" not in said
        assert "too few" in said
    assert ("Stuck" in said) is (pair.first_stuck + pair.second_stuck > 0)
    assert "None" not in said
    assert len(said.splitlines()) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(pairs(), min_size=3, max_size=3))
def test_no_fusion_is_recommended_over_one_that_none_is_shown_to_beat(drawn: list[Pair]) -> None:
    couples = (("late", "add"), ("late", "concat"), ("add", "concat"))
    held = [
        replace(each, first=first, second=second, seeds=10, again_holm=each.again_p or 0.0,
                metric="accuracy", difference=each.difference or 1.0)
        for each, (first, second) in zip(drawn, couples, strict=True)
    ]  # fmt: skip
    shown = [each for each in held if (each.again_holm or 0) <= 0.05]
    beaten = {each.second if each.difference > 0 else each.first for each in shown}
    said = recommendation(held)
    used = said.partition(":")[0].removeprefix("Use any of ").removeprefix("Use ")
    if said.startswith("Use"):
        assert set(used.replace(" and ", ", ").split(", ")) == {"late", "add", "concat"} - beaten
    else:
        assert len(beaten) in (0, 3)


# --- Which one to use ---


def _study(*beats: tuple[str, str], names: tuple[str, ...] = ("a", "b", "c", "d")) -> list[Pair]:
    """Make all pairs of a study in which some fusions are shown to beat others.

    The means fall in the order of `names`.
    """
    means = {name: 90.0 - place for place, name in enumerate(names)}
    found = []
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            shown = {(first, second): 1.0, (second, first): -1.0}
            side = next((value for key, value in shown.items() if key in beats), 0.0)
            found.append(
                replace(
                    WORSE, first=first, second=second, difference=side or 0.1,
                    again_holm=0.01 if side else 0.6, first_mean=means[first],
                    second_mean=means[second],
                )
            )  # fmt: skip
    return found


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
    pairs = _study(*((each[0], each[1]) for each in beats))
    assert recommendation(pairs) == expected


def test_of_losses_the_lowest_is_named_first() -> None:
    pairs = [replace(each, metric="nll") for each in _study(names=("a", "b"))]
    assert recommendation(pairs) == "No fusion is shown to be better than another: b and a."


def test_with_too_few_seeds_nothing_is_recommended() -> None:
    pairs = [replace(each, **FEW) for each in _study(("a", "b"), names=("a", "b"))]
    assert recommendation(pairs) == (
        "No recommendation: 3 seed(s) are too few to tell fusions from their seeds; from 5 on "
        "there is a verdict (make verdict trains 10)."
    )


# --- All of it ---


def test_the_recommendation_stands_first_then_the_surest_pair() -> None:
    pairs = [UNDECIDED, BETTER, WORSE, replace(UNDECIDED, metric="nll", role="descriptive")]
    lines = verdict(pairs)
    assert lines[0].startswith("Use any of concat and add")
    assert lines[1:] == [sentence(each, 3) for each in (WORSE, BETTER, UNDECIDED)]


def test_pairs_equally_sure_stand_by_their_difference() -> None:
    wide = replace(UNDECIDED, first="late", difference=-0.5)
    assert verdict([UNDECIDED, wide])[1:] == [sentence(each, 2) for each in (wide, UNDECIDED)]


def test_with_few_seeds_the_surest_is_that_of_the_trained_models() -> None:
    few = [replace(each, **FEW, again_holm=0.9) for each in (UNDECIDED, WORSE)]
    assert verdict(few)[1].startswith("late against concat")


def test_one_fusion_is_compared_with_nothing() -> None:
    assert verdict([]) == ["There is one fusion, so nothing is compared."]


@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("primary", ["balanced_accuracy", "nll", "f1"])
def test_every_study_comes_to_sentences(seeds: int, primary: str) -> None:
    labels = [0] * 20 + [1] * 10
    fusions = {
        name: fusion(name, {s: part_of(labels, answers(labels, wrong)) for s in range(seeds)})
        for name, wrong in (("late", [*range(12)]), ("concat", [3, 22]), ("add", []))
    }
    lines = verdict(all_pairs(fusions, metrics_of(fusions), primary))
    assert len(lines) == 4
    assert not [line for line in lines if "None" in line or "nan" in line]
    assert lines[0].startswith("No recommendation") is (seeds < 5)

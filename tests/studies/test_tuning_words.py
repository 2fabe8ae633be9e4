"""What is said of fusions before and after tuning, and never more than is shown."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.studies.made_up_tuning import findings, kept_of, with_baseline

from fusebench.report.findings import Findings
from studies.common.errors import StudyError
from studies.tuning.page import values_table
from studies.tuning.tables import Results, Side, order_of, ranks_of
from studies.tuning.trials import Kept
from studies.tuning.words import NOTHING, paragraph

MEANS = {"add": 97.0, "concat": 95.0, "late": 80.0}
KEPT = kept_of(tuple(MEANS))


def results(
    before: Findings | None = None, after: Findings | None = None, kept: Kept = KEPT
) -> Results:
    """Return results of two comparisons; where one is missing, of the fusions' means above."""
    first, second = (Side(found or findings(MEANS)) for found in (before, after))
    return Results(kept, first, second)


def said(
    means: Mapping[str, float] = MEANS,
    was: Collection[tuple[str, str]] = (),
    now: Collection[tuple[str, str]] = (),
    **after: Any,
) -> str:
    """Return what is said of comparisons in which some contrasts are shown."""
    return paragraph(results(findings(MEANS, was), findings(means, now, **after)))


# --- Ranks and order ---


@given(st.dictionaries(st.text(min_size=1), st.floats(0, 100), min_size=1))
def test_the_place_counts_who_is_ahead(means: dict[str, float]) -> None:
    ranks = ranks_of(means)
    assert min(ranks.values()) == 1
    assert max(ranks.values()) <= len(means)
    for name, rank in ranks.items():
        assert rank == 1 + sum(mean > means[name] for mean in means.values())
    ordered = [means[name] for name in order_of(ranks)]
    assert ordered == sorted(ordered, reverse=True)


def test_the_order_is_said_to_change_only_where_it_does() -> None:
    same = said({"add": 98.0, "concat": 97.9, "late": 97.8})
    assert "the order is the same before and after: add, concat, late." in same
    assert "changes" not in same.partition("An order of means")[0]
    flipped = said({"add": 97.0, "concat": 97.1, "late": 80.0})
    assert "the order changes: before add, concat, late; after concat, add, late." in flipped
    assert "An order of means shows no difference; contrasts do." in flipped


def test_equal_means_share_a_place() -> None:
    text = said({"add": 97.0, "concat": 97.0, "late": 80.0})
    assert "the order changes: before add, concat, late; after add = concat, late." in text


# --- Contrasts and the best ---


def test_contrasts_are_told_apart_by_when_they_are_shown() -> None:
    pairs = [("add", "concat"), ("add", "late"), ("concat", "late")]
    text = said(was=pairs[:2], now=pairs[1:])
    assert (
        "Of 3 contrasts planned both times (balanced accuracy), shown before and after: add better "
        "than late; shown before only: add better than concat; shown after only: concat better "
        "than late. That a contrast is shown once only does not show that tuning changes it."
    ) in text
    assert "none is shown, before or after" in said()
    assert "shown once only" not in said(was=pairs, now=pairs)


def test_words_flip_where_a_contrast_is_turned_round() -> None:
    turned = {"add": 80.0, "concat": 95.0, "late": 97.0}
    text = said(turned, was=[("add", "late")], now=[("add", "late")])
    assert "shown the other way round after: late better than add." in text
    assert "shown before and after" not in text


@pytest.mark.parametrize("good", [(), ("add",), ("add", "concat")])
def test_who_is_as_good_as_the_best_is_said_of_both(good: tuple[str, ...]) -> None:
    named = " and ".join(good) or "none"
    assert (
        "Shown to be as good as the best, to within 2 points of balanced accuracy: before none; "
        f"after {named}."
    ) in said(good=good)


def test_without_a_margin_no_fusion_is_called_as_good() -> None:
    assert "as good as" not in said(margin=math.nan)
    # Nor with two margins: the words would mean two things.
    assert "as good as" not in said(margin=3.0)


@pytest.mark.parametrize("seeds", [1, 4])
def test_of_few_seeds_nothing_is_said_of_fusions_trained_again(seeds: int) -> None:
    text = said(now=[("add", "late")], good=("add",), seeds=seeds)
    assert f"Seeds differ: 10 of each fusion with the default values, {seeds} with" in text
    assert f"{seeds} seed(s) are too few to say anything of fusions trained again (from 5" in text
    assert "contrasts planned" not in text
    assert "as good as" not in text


def test_unlike_seeds_are_said_and_like_ones_are_not() -> None:
    assert "Seeds differ: 10 of each" in said(seeds=6)
    assert "Seeds differ" not in said()
    assert "With the default values and with the chosen ones, 10 seeds each." in said()
    row = results(after=findings(MEANS, seeds=6)).rows[0]
    assert (row.default_seeds, row.tuned_seeds) == (10, 6)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((), ""),
        (None, "With which params metrics/verdict was made is not known; make verdict makes it"),
        (("train.lr", "split.train"),
         "metrics/verdict was made with other params (train.lr and split.train), so what follows "
         "is not due to tuning alone; make verdict makes it anew."),
    ],
)  # fmt: skip
def test_a_verdict_of_other_or_unknown_params_is_said_to_be_one(
    others: Sequence[str] | None, words: str
) -> None:
    text = paragraph(replace(results(), others=others))
    assert words in text
    assert ("make verdict" in text) is bool(words)


# --- What is left out ---


def test_a_fusion_that_the_verdict_lacks_is_left_out_of_the_order() -> None:
    some = {"add": 97.0, "late": 80.0}
    made = results(findings(some))
    assert "Not in metrics/verdict, and left out of the order: concat." in paragraph(made)
    assert "Not in metrics/tuning" not in paragraph(made)
    rows = {row.fusion: row for row in made.rows}
    assert math.isnan(rows["concat"].default_balanced_accuracy)
    assert math.isnan(rows["concat"].tuned_rank)
    assert rows["concat"].tuned_balanced_accuracy == 95.0
    assert [rows[name].tuned_rank for name in some] == [1, 2]


def test_a_fusion_that_the_experiment_lacks_is_left_out_of_the_order() -> None:
    some = {"add": 97.0, "late": 80.0}
    made = results(after=findings(some))
    text = paragraph(made)
    assert "Not in metrics/tuning, and left out of the order: concat." in text
    assert "Not in metrics/verdict" not in text
    rows = {row.fusion: row for row in made.rows}
    assert rows["concat"].default_balanced_accuracy == 95.0
    assert math.isnan(rows["concat"].tuned_balanced_accuracy)
    assert math.isnan(rows["concat"].default_rank)
    both = paragraph(results(findings({"add": 97.0, "concat": 95.0}), findings(some)))
    assert "Not in metrics/verdict, and left out of the order: late." in both
    assert "Not in metrics/tuning, and left out of the order: concat." in both


def test_baselines_that_differ_tell_of_other_samples() -> None:
    one, other = (with_baseline(findings(MEANS), mean) for mean in (99.9, 98.0))
    assert "they are of other samples" in paragraph(results(one, other))
    assert "they are of other samples" not in paragraph(results(one, one))
    # One that a side lacks tells nothing.
    assert "they are of other samples" not in paragraph(results(one))


# --- Budget and choice ---


def test_what_was_run_is_said_from_what_was_declared() -> None:
    text = said()
    assert text.startswith(
        "Each of 3 fusions had 4 trials of one seed: learning rate 0.0001 to 0.01, schedule "
        "constant or cosine, 2 or 4 epochs; the first trial is the default, and the lowest NLL on "
        "val chose."
    )
    other = [name for name in MEANS if KEPT.chosen(name).trial]
    same = [name for name in MEANS if not KEPT.chosen(name).trial]
    for names, words in ((other, "Other values than the default"), (same, "The default was")):
        assert (words in text) is bool(names)
    assert text.endswith(
        "4 trials of one seed find no best values: of a fusion that stays behind, others may do "
        "better."
    )


def test_before_all_trials_are_done_nothing_is_said() -> None:
    assert paragraph(Results(Kept())) == NOTHING
    assert paragraph(Results(replace(KEPT, trials=KEPT.trials[:-1]))) == NOTHING
    assert values_table(Results(Kept())) == "Nothing was run yet."
    trials_only = paragraph(Results(KEPT))
    assert trials_only.endswith("With these values nothing was trained yet: `make tune` goes on.")
    assert "order" not in trials_only
    assert Results(KEPT).rows == []


def test_of_equal_trials_the_earlier_is_chosen_and_of_failed_ones_none() -> None:
    equal = tuple(trial._replace(val_nll=0.5, best_epoch=1) for trial in KEPT.trials)
    assert replace(KEPT, trials=equal).chosen("add").trial == 0
    assert replace(KEPT, trials=equal).overrides == []
    first, *others = equal
    failed = first._replace(val_nll=math.nan, best_epoch=0)
    assert replace(KEPT, trials=(failed, *others)).chosen("add").trial == 1
    with pytest.raises(StudyError, match="late: training failed in every trial"):
        replace(
            KEPT, trials=tuple(one._replace(val_nll=math.nan, best_epoch=0) for one in equal)
        ).chosen("late")


def test_the_table_shows_a_row_per_fusion() -> None:
    lines = values_table(results()).splitlines()
    assert len(lines) == 2 + len(MEANS)
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    chosen = KEPT.chosen("add")
    assert cells[:5] == [
        "add", f"{chosen.lr:g}", chosen.schedule, str(chosen.epochs), str(chosen.trial),
    ]  # fmt: skip
    assert cells[-2:] == ["97.0 (1)", "97.0 (1)"]
    assert values_table(Results(KEPT)).splitlines()[2].rstrip("| ").endswith("–")

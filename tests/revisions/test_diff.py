"""A fusion before and after: what is paired, what is refused, what is said."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts import BySeed, answers, fusion, part_of

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import fusion_metrics
from fusebench.evaluation.metrics import METRICS, means
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.findings import compare_fusions
from fusebench.report.pairs import pair_rows
from fusebench.report.settings import CompareParams
from fusebench.report.table import SCREEN_WIDTH
from fusebench.revisions.diff import Diff, diff, within_bounds
from fusebench.revisions.diff_text import diff_text
from fusebench.revisions.matching import Side, match
from fusebench.statistics.estimates import holm

# 40 ids of cubes alone, 12 of spheres alone and 8 of both.
LABELS = [0] * 40 + [1] * 12 + [0] * 8 + [1] * 8
IDS = [f"{row:02}" for row in [*range(60), *range(52, 60)]]


def _parts(wrong: float, seeds: Iterable[int] = range(6), draw: int = 0) -> BySeed:
    """Make a share of answers wrong, others in each seed."""
    parts = {}
    for seed in seeds:
        source = np.random.default_rng([seed, draw])
        rows = np.flatnonzero(source.random(len(LABELS)) < wrong).tolist()
        logits = answers(LABELS, rows) + source.normal(0, 0.1, (len(LABELS), 2))
        parts[seed] = part_of(LABELS, logits, IDS)
    return parts


def _side(name: str, **fusions: BySeed) -> Side:
    return Side(name, {each: fusion(each, parts) for each, parts in fusions.items()})


def _diff(
    before: dict[str, BySeed], after: dict[str, BySeed], primary: str = "balanced_accuracy"
) -> Diff:
    return diff(_side("HEAD~1", **before), _side("workspace", **after), _params(primary))


def _params(primary: str) -> CompareParams:
    margin = {"balanced_accuracy": 2.0}
    return CompareParams(temperature=True, primary=primary, margin=margin, contrasts=("any/any",))


def _only(parts: BySeed, rows: list[int]) -> BySeed:
    return {seed: part.take(rows) for seed, part in parts.items()}


BEFORE = _parts(0.3)
AFTER = _parts(0.1, draw=1)
PAIR = _diff({"add": BEFORE}, {"add": AFTER}).changes[0].pair


# --- What is compared ---


@pytest.mark.parametrize("primary", ["balanced_accuracy", "nll"])
def test_after_is_compared_with_before(primary: str) -> None:
    difference = _diff({"add": BEFORE}, {"add": AFTER}, primary)
    (change,) = difference.changes
    fusions = {"add (workspace)": fusion("add", AFTER), "add (HEAD~1)": fusion("add", BEFORE)}
    expected = within_bounds(pair_rows(compare_fusions(fusions, _params(primary))[0])[0])
    assert change.pair == pytest.approx(expected, nan_ok=True)
    assert list(change.metrics) == list(METRICS)
    metrics = [fusion_metrics(predictions)["test"] for predictions in reversed(fusions.values())]
    for name, values in change.metrics.items():
        assert values == pytest.approx([side[name]["mean"] for side in metrics], abs=1e-6)
    assert change.samples == len(LABELS)
    assert (difference.same, difference.alone) == ((), {})
    assert set(difference.missing.values()) == {()}


def test_the_changed_fusions_are_one_family() -> None:
    before = {name: _parts(0.3, draw=place) for place, name in enumerate(("late", "add", "concat"))}
    after = {name: _parts(0.2, draw=10 + place) for place, name in enumerate(before)}
    together = _diff(before | {"hadamard": BEFORE}, after | {"hadamard": BEFORE})
    assert together.same == ("hadamard",)
    assert [change.fusion for change in together.changes] == list(before)
    for p, after_holm in (("fixed_p", "fixed_holm"), ("retrained_p", "holm")):
        values = [getattr(change.pair, p) for change in together.changes]
        adjusted = [getattr(change.pair, after_holm) for change in together.changes]
        assert adjusted == pytest.approx(holm(values), abs=3e-6)
    for change in together.changes:
        name = change.fusion
        alone = _diff({name: before[name]}, {name: after[name]}).changes[0].pair
        assert change.pair.retrained_low == alone.retrained_low
        assert change.pair.simultaneous_low < alone.simultaneous_low


def test_the_other_way_round_every_difference_is_turned() -> None:
    there = _diff({"add": BEFORE}, {"add": AFTER}).changes[0]
    back = _diff({"add": AFTER}, {"add": BEFORE}).changes[0]
    assert there.pair.difference == -back.pair.difference
    assert there.pair.retrained_p == back.pair.retrained_p
    assert {name: values[::-1] for name, values in there.metrics.items()} == back.metrics


def test_a_fusion_with_one_common_seed_has_the_first_claim_alone() -> None:
    few = _parts(0.1, seeds=(0,), draw=1)
    difference = _diff({"late": BEFORE, "add": BEFORE}, {"late": AFTER, "add": few})
    late, add = (change.pair for change in difference.changes)
    assert math.isnan(add.holm)
    # Not shared with one that has none.
    assert late.holm == late.retrained_p
    assert 0 <= late.fixed_holm <= 1
    assert 0 <= add.fixed_holm <= 1


@pytest.mark.parametrize("primary", means())
@pytest.mark.parametrize("wrong", [(0.02, 0.0), (0.0, 0.03), (0.99, 1.0), (0.3, 0.1)])
def test_no_interval_leads_beyond_the_metrics_bounds(
    wrong: tuple[float, float], primary: str
) -> None:
    # Two seeds: Student's t has one degree of freedom.
    before, after = (_parts(share, (0, 1), draw) for draw, share in enumerate(wrong))
    pair = _diff({"add": before}, {"add": after}, primary).changes[0].pair
    low, high = METRICS[primary].bounds
    for claim in ("fixed", "retrained"):
        first, last = (getattr(pair, f"{claim}_{end}") for end in ("low", "high"))
        if not math.isnan(first):
            slack = 1e-5
            assert low - slack <= pair.second_mean + first <= high + slack
            assert low - slack <= pair.second_mean + last <= high + slack
            assert first - slack <= pair.difference <= last + slack


ends = st.floats(-1e3, 1e3) | st.just(math.nan)


@given(
    st.sampled_from(sorted(METRICS)), st.floats(0, 1), st.floats(0, 1),
    st.tuples(*[ends] * 8),
)  # fmt: skip
def test_an_interval_is_cut_off_at_the_bounds_and_nothing_else_changes(
    metric: str, share: float, other: float, figures: tuple[float, ...]
) -> None:
    highest = METRICS[metric].bounds[1]
    scale = highest if math.isfinite(highest) else 5.0
    names = [f"{claim}_{end}" for claim in ("fixed", "retrained", "simultaneous", "bootstrap")
             for end in ("low", "high")]  # fmt: skip
    ends_of: dict[str, Any] = dict(zip(names, figures, strict=True))
    made = PAIR._replace(
        metric=metric, second_mean=scale * share, difference=scale * (other - share), **ends_of
    )
    cut = within_bounds(made)
    low, high = (bound - made.second_mean for bound in METRICS[metric].bounds)
    for name, end in ends_of.items():
        value = getattr(cut, name)
        assert math.isnan(value) == math.isnan(end)
        if not math.isnan(end):
            assert low <= value <= high
            assert value == end or not low <= end <= high
            # On the same side of the estimate, so that an interval holds it still.
            assert (value - made.difference) * (end - made.difference) >= -1e-9
    assert cut._replace(**ends_of) == pytest.approx(made, nan_ok=True)


def test_printed_intervals_lead_to_no_value_that_is_not_possible() -> None:
    before, after = _parts(0.02, (0, 1)), _parts(0.0, (0, 1), draw=1)
    change = _diff({"add": before}, {"add": after}).changes[0]
    text = " ".join(diff_text(_diff({"add": before}, {"add": after})).split())
    printed = re.findall(r"([+-][\d.]+) to ([+-][\d.]+)", text)
    assert len(printed) >= 2, "the claims and the sentence"
    for end in (float(end) for pair in printed for end in pair):
        # As printed, the last digit of a sentence being the first after the point.
        assert -0.05 <= change.metrics["balanced_accuracy"][0] + end <= 100.05


# --- What is common ---


def test_samples_are_paired_by_what_they_are_not_by_where_they_stand() -> None:
    order = np.random.default_rng(0).permutation(len(LABELS)).tolist()
    plain = _diff({"add": BEFORE}, {"add": AFTER}).changes
    assert _diff({"add": BEFORE}, {"add": _only(AFTER, order)}).changes == plain
    assert _diff({"add": _only(BEFORE, order)}, {"add": AFTER}).changes == plain


def test_only_common_seeds_count_and_the_others_are_named() -> None:
    difference = _diff({"add": BEFORE}, {"add": {**_parts(0.1, (4, 5, 9, 11), draw=1)}})
    (change,) = difference.changes
    assert change.pair.seeds == 2
    kept = {seed: BEFORE[seed] for seed in (4, 5)}
    expected = fusion_metrics(fusion("add", kept))["test"]["accuracy"]["mean"]
    assert change.metrics["accuracy"][0] == pytest.approx(expected, abs=1e-6)
    assert difference.alone == {
        ("HEAD~1", "seeds 0, 1, 2, 3"): ("add",),
        ("workspace", "seeds 9, 11"): ("add",),
    }


def test_only_common_samples_count_and_the_first_others_are_named() -> None:
    first, second = list(range(5, 68)), [*range(66)]
    difference = _diff({"add": _only(BEFORE, first)}, {"add": _only(AFTER, second)})
    (change,) = difference.changes
    assert change.samples == 61
    common = _diff({"add": _only(BEFORE, first[:-2])}, {"add": _only(AFTER, second[5:])})
    assert change == common.changes[0]
    assert difference.alone == {
        ("HEAD~1", "2 test samples (58 of spheres, 59 of spheres)"): ("add",),
        ("workspace", "5 test samples (00 of cubes, 01 of cubes, 02 of cubes, …)"): ("add",),
    }


def test_what_is_so_of_several_fusions_is_said_once() -> None:
    before = {name: _parts(0.3, (0, 1, 2), place) for place, name in enumerate(("late", "add"))}
    after = {name: _parts(0.3, (1, 2, 3), place + 9) for place, name in enumerate(before)}
    difference = _diff(before | {"old": BEFORE}, after | {"film": AFTER, "new": AFTER})
    assert difference.missing == {"HEAD~1": ("old",), "workspace": ("film", "new")}
    assert difference.alone == {
        ("HEAD~1", "seeds 0"): ("late", "add"),
        ("workspace", "seeds 3"): ("late", "add"),
    }


def test_a_fusion_without_a_common_seed_does_not_stop_the_others() -> None:
    difference = _diff({"late": BEFORE, "add": BEFORE}, {"late": AFTER, "add": _parts(0.1, (7,))})
    assert [change.fusion for change in difference.changes] == ["late"]
    assert ("workspace", "seeds 7") in difference.alone


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"late": BEFORE}, {"add": BEFORE}),
        ({"add": _parts(0.1, (0, 1))}, {"add": _parts(0.1, (2, 3))}),
        ({"add": _only(BEFORE, [*range(30)])}, {"add": _only(BEFORE, [*range(30, 60)])}),
    ],
)
def test_nothing_in_common_is_one_line(before: dict[str, BySeed], after: dict[str, BySeed]) -> None:
    with pytest.raises(ArtifactError) as caught:
        _diff(before, after)
    assert str(caught.value) == (
        "HEAD~1 and workspace have no fusion, seed and test sample in common; there is nothing to "
        "compare"
    )


rows = st.lists(st.integers(0, len(LABELS) - 1), min_size=1, unique=True)
seeds = st.lists(st.integers(0, 5), min_size=1, unique=True)


@settings(deadline=None, max_examples=60)
@given(rows, rows, seeds, seeds)
def test_both_sides_come_out_with_the_same_samples_and_seeds(
    first: list[int], second: list[int], before: list[int], after: list[int]
) -> None:
    sides = (
        _side(name, add=_only({seed: parts[seed] for seed in kept}, chosen_rows))
        for name, parts, kept, chosen_rows in (
            ("before", BEFORE, before, first), ("after", AFTER, after, second),
        )
    )  # fmt: skip
    matched = match("add", *sides)
    common = set(first) & set(second)
    expected = set(before) & set(after) if common else set()
    assert set(matched.before.seeds) == set(matched.after.seeds) == expected
    for seed in expected:
        one, other = matched.before.seeds[seed]["test"], matched.after.seeds[seed]["test"]
        assert len(one.labels) == len(common)
        for name in ("ids", "classes", "digests", "labels"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        # Each answer stays with its sample.
        place = {
            (name, kind): row
            for row, (name, kind) in enumerate(zip(IDS, BEFORE[seed].classes, strict=True))
        }
        for row, key in enumerate(zip(one.ids, one.classes, strict=True)):
            assert np.array_equal(one.logits[row], BEFORE[seed].logits[place[key]])
            assert np.array_equal(other.logits[row], AFTER[seed].logits[place[key]])


# --- What is refused ---


def _refusal(after: FusionPredictions) -> str:
    with pytest.raises(ArtifactError) as caught:
        match("add", _side("HEAD~1", add=BEFORE), Side("workspace", {"add": after}))
    return str(caught.value)


def _changed(part: PartPredictions, name: str, value: str, count: int = 1) -> PartPredictions:
    column = getattr(part, name).astype("U20")
    column[:count] = value
    return replace(part, **{name: column})


def _after(name: str, value: str, count: int = 1) -> FusionPredictions:
    return fusion("add", {seed: _changed(part, name, value, count) for seed, part in AFTER.items()})


def test_a_sample_with_another_content_is_refused() -> None:
    assert _refusal(_after("digests", "other")) == (
        "HEAD~1 was made from other samples than workspace: test sample 00 of cubes has another "
        "content; add cannot be compared"
    )
    assert "00 of cubes (and 2 more) has another content" in _refusal(_after("digests", "other", 3))


def test_two_samples_of_one_id_are_told_apart_by_class() -> None:
    # The second of the two is another: its id and class say which.
    columns = {seed: part.digests.astype("U20") for seed, part in AFTER.items()}
    for digests in columns.values():
        digests[-1] = "other"
    after = {seed: replace(part, digests=columns[seed]) for seed, part in AFTER.items()}
    assert "test sample 59 of spheres has another content" in _refusal(fusion("add", after))


def test_a_content_with_another_class_is_refused() -> None:
    assert _refusal(_after("classes", "spheres")) == (
        "HEAD~1 was made with other labels than workspace: what is test sample 00 of cubes has "
        "another class in workspace; add cannot be compared"
    )


def test_a_content_under_another_name_with_another_class_is_refused() -> None:
    parts = {seed: _changed(part, "ids", "new") for seed, part in AFTER.items()}
    parts = {seed: _changed(part, "classes", "spheres") for seed, part in parts.items()}
    assert "was made with other labels than workspace" in _refusal(fusion("add", parts))


def test_a_content_that_has_two_classes_on_one_side_is_no_contradiction() -> None:
    # The same content under two names and classes; the other side's test part has one of them.
    before = {seed: _changed(part, "digests", "same") for seed, part in BEFORE.items()}
    for part in before.values():
        part.digests[45] = "same"
    after = {seed: part.take([*range(1, 68)]) for seed, part in before.items()}
    matched = match("add", _side("HEAD~1", add=before), _side("workspace", add=after))
    assert matched.alone == (("HEAD~1", "1 test samples (00 of cubes)"),)


@pytest.mark.parametrize("classes", [["spheres", "cubes"], ["cubes", "spheres", "cones"]])
def test_other_classes_are_refused(classes: list[str]) -> None:
    same = fusion("add", AFTER)
    after = replace(same, info=same.info | {"classes": classes})
    assert _refusal(after) == (
        f"HEAD~1 has the classes cubes, spheres, workspace has {', '.join(classes)}: add cannot "
        "be compared"
    )


def test_the_positive_class_is_that_of_the_later_side() -> None:
    before, after = fusion("add", BEFORE), fusion("add", AFTER)
    after = replace(after, info=after.info | {"positive": "cubes"})
    sides = Side("HEAD~1", {"add": before}), Side("workspace", {"add": after})
    change = diff(*sides, _params("accuracy"))
    turned = replace(before, info=before.info | {"positive": "cubes"})
    metrics = [fusion_metrics(side)["test"]["f1"]["mean"] for side in (turned, after)]
    assert change.changes[0].metrics["f1"] == pytest.approx(metrics, abs=1e-6)


# --- What is said ---


def test_the_text_of_a_change() -> None:
    text = diff_text(_diff({"add": BEFORE, "late": BEFORE}, {"add": AFTER, "late": BEFORE}))
    lines = text.splitlines()
    assert lines[0] == "Test part, before: HEAD~1, after: workspace."
    assert lines[1] == "The same predictions before and after: late."
    assert lines[3] == "add: 6 seed(s), 68 test samples"
    words = [line.split() for line in lines]
    change = _diff({"add": BEFORE}, {"add": AFTER}).changes[0]
    for name, metric in METRICS.items():
        before, after = change.metrics[name]
        figures = [f"{value:.{metric.digits}f}" for value in (before, after)]
        label = [*metric.label.split(), *([f"({metric.unit})"] if metric.unit else [])]
        assert [*label, *figures, f"{after - before:+.{metric.digits}f}"] in words
    pair = change.pair
    for claim, start in (("fixed", "these trained models"), ("retrained", "trained again ")):
        low, high = getattr(pair, f"{claim}_low"), getattr(pair, f"{claim}_high")
        (line,) = (line for line in lines if line.strip().startswith(start))
        assert f"{pair.difference:+.2f}" in line
        assert f"{low:+.2f} to {high:+.2f}" in line
    said = " ".join(text.split())
    assert "add (workspace) is better than add (HEAD~1): +" in said
    # One fusion has changed, so nothing is shared.
    assert "Holm" not in said


def test_the_text_says_among_how_many_the_level_is_shared() -> None:
    before = {"add": BEFORE, "late": _parts(0.3, draw=2)}
    said = " ".join(diff_text(_diff(before, {"add": AFTER, "late": AFTER})).split())
    assert said.count("p (Holm over 2)") == 2
    assert said.count("after Holm over 2 contrasts") == 2


def test_the_text_names_what_has_no_partner() -> None:
    before = {"add": _parts(0.3, (0, 1, 2)), "old": BEFORE}
    said = diff_text(_diff(before, {"add": _parts(0.1, (1, 2), draw=1)}))
    assert "Only in HEAD~1, without a partner: fusions old." in said
    assert "Only in HEAD~1, without a partner: seeds 0; of add." in said
    assert "Only in workspace" not in said


def test_with_too_few_seeds_nothing_is_said_of_the_fusion() -> None:
    said = " ".join(diff_text(_diff({"add": _parts(0.4, (0, 1))}, {"add": AFTER})).split())
    assert "these trained models of add (workspace) are better" in said
    assert "is better" not in said
    one = diff_text(_diff({"add": _parts(0.4, (0,))}, {"add": AFTER}))
    assert "\n  these trained models " in one
    assert "\n  retrained" not in one


def test_without_a_change_there_is_no_table() -> None:
    assert diff_text(_diff({"add": BEFORE, "late": AFTER}, {"add": BEFORE, "late": AFTER})) == (
        "Test part, before: HEAD~1, after: workspace.\n"
        "The same predictions before and after: add, late."
    )


@pytest.mark.parametrize("primary", means())
def test_the_text_fits_a_screen(primary: str) -> None:
    name = "a_fusion_with_a_rather_long_name"
    before, after = (
        _side(revision, **{name: parts, "add": parts, "late": parts})
        for revision, parts in (("f" * 40, _only(BEFORE, [*range(4, 68)])), ("workspace", AFTER))
    )
    text = diff_text(diff(before, after, _params(primary)))
    assert max(map(len, text.splitlines())) <= SCREEN_WIDTH
    assert "None" not in text
    assert "nan" not in text

"""metrics/pairs.csv: what each row holds, what it leaves out, and that it reads back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats
from tests.parts import LABELS, answers, fusion, paired_of, part_of, study

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import fusion_metrics
from fusebench.evaluation.metrics import METRICS
from fusebench.evaluation.metrics import means as means_over_samples
from fusebench.files import read_table, write_table
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.findings import compare_fusions
from fusebench.report.pairs import (
    PAIR_KINDS,
    Pair,
    correct,
    estimate_pairs,
    pair_rows,
    parse_pairs,
    primary_pairs,
    read_pairs,
    turned,
)
from fusebench.report.roles import PLANNED, primary_metric
from fusebench.report.settings import CompareParams
from fusebench.report.study import Study, by_seeds
from fusebench.statistics.estimates import deviations, fixed_models, holm, retrained
from fusebench.statistics.failures import SeedValues, paired_p, rate_at_most
from fusebench.statistics.paired import Paired
from fusebench.statistics.resampling import RESAMPLES, Resamples, of_means, percentiles

NAMES = [("late", "concat"), ("late", "add"), ("concat", "add")]
CLAIMS = ("fixed", "retrained")
OF_RETRAINED = [name for name in PAIR_KINDS if name.startswith(("retrained", "bootstrap"))]
COMPONENTS = ["seed_deviation", "id_deviation", "seed_id_deviation"]
PRIMARY = "balanced_accuracy"
_BEFORE = Path(__file__).with_name("pairs_of_729d475.csv")


def pairs_of(
    fusions: Mapping[str, FusionPredictions],
    primary: str = PRIMARY,
    contrasts: Sequence[str] = ("any/any",),
    threshold: FusionPredictions | None = None,
) -> pd.DataFrame:
    """Compare fusions; every pair is planned unless contrasts say otherwise."""
    params = CompareParams(
        temperature=True, primary=primary, margin={PRIMARY: 2.0}, contrasts=tuple(contrasts)
    )
    return compare_fusions(fusions, params, threshold)[0]


@pytest.fixture(scope="module")
def five() -> pd.DataFrame:
    """All pairs of three fusions with five seeds."""
    return pairs_of(study(5))


def _paired(first: str, second: str, metric: str = "balanced_accuracy") -> Paired:
    ours, theirs = (
        {seed: parts["test"] for seed, parts in study(5)[name].seeds.items()}
        for name in (first, second)
    )
    return paired_of(ours, theirs, metric)


def test_numbers_are_those_of_the_code_before_it_was_rewritten(five: pd.DataFrame) -> None:
    # Computed by commit 729d475 for the same study. It rounded the metrics of each seed first.
    known = {*read_table(_BEFORE, {})} - {"role", "first_collapsed", "second_collapsed"}
    kinds = {name: kind for name, kind in PAIR_KINDS.items() if name in known}
    before = read_table(_BEFORE, kinds)
    before = before[before["metric"].isin(means_over_samples())][list(kinds)]
    now = five[five["metric"].isin(set(before["metric"]))].astype(PAIR_KINDS)[list(kinds)]
    before = before.astype(kinds).reset_index(drop=True)
    assert_frame_equal(now.reset_index(drop=True), before, check_exact=False, rtol=0, atol=1.5e-6)
    assert len(kinds) > 15
    assert before.iloc[:, 3:].sum().sum() != 0


# --- Rows and roles ---


@pytest.mark.parametrize("primary", means_over_samples())
def test_every_two_fusions_have_a_row_per_metric_the_primary_first(primary: str) -> None:
    frame = pairs_of(study(2), primary)
    metrics = [primary, *(name for name in means_over_samples() if name != primary)]
    assert frame["metric"].tolist() == [name for name in metrics for _ in NAMES]
    assert list(zip(frame["first"], frame["second"], strict=True)) == NAMES * len(metrics)
    assert frame["role"].tolist() == ["planned"] * 3 + ["descriptive"] * (len(frame) - 3)
    assert [row[:4] for row in primary_pairs(frame)] == [row[:4] for row in pair_rows(frame)[:3]]
    assert primary_metric(frame) == primary


def test_planned_contrasts_stand_first_and_alone_are_tested() -> None:
    frame = pairs_of(study(5), contrasts=["add/late"], threshold=study(5)["late"])
    rows = [(row.role, row.first, row.second) for row in pair_rows(frame)[:6]]
    assert rows == [
        ("planned", "add", "late"), ("unplanned", "late", "concat"), ("unplanned", "concat", "add"),
        ("baseline", "late", "threshold"), ("baseline", "concat", "threshold"),
        ("baseline", "add", "threshold"),
    ]  # fmt: skip
    tested = ["fixed_p", "fixed_holm", "retrained_p", "success_p", "holm", "simultaneous_low"]
    assert frame.loc[0, tested].notna().all()
    assert frame.loc[1:, tested].isna().all(axis=None)
    # All have an interval, which is a description.
    assert frame.loc[:5, ["retrained_low", "retrained_error", "step"]].notna().all(axis=None)
    # Turned as it was declared; one contrast needs no correction.
    planned, every = pair_rows(frame)[0], primary_pairs(pairs_of(study(5)))[1]
    assert (planned.difference, planned.retrained_low) == (-every.difference, -every.retrained_high)
    assert planned.holm == planned.retrained_p == every.retrained_p < every.holm


def test_a_row_says_what_was_measured(five: pd.DataFrame) -> None:
    metrics = {name: fusion_metrics(predictions) for name, predictions in study(5).items()}
    for row in pair_rows(five):
        means = [metrics[name]["test"][row.metric]["mean"] for name in (row.first, row.second)]
        assert (row.first_mean, row.second_mean) == pytest.approx(means, abs=2e-6)
        assert row.difference == pytest.approx(means[0] - means[1], abs=2e-6)
        collapsed = [metrics[name]["collapsed_seeds"] for name in (row.first, row.second)]
        if row.role == PLANNED:
            assert [row.first_collapsed, row.second_collapsed] == collapsed
        assert (row.seeds, row.ids) == (5, 66)
        # Each claim is about this difference.
        for claim in CLAIMS:
            low, high = (getattr(row, f"{claim}_{end}") for end in ("low", "high"))
            assert (low + high) / 2 == pytest.approx(row.difference, abs=2e-6)
    assert set(five["first_collapsed"][:3]) == {0, 1}


@pytest.mark.parametrize("metric", means_over_samples())
def test_a_row_holds_the_estimates(five: pd.DataFrame, metric: str) -> None:
    for row in pair_rows(five[five["metric"] == metric]):
        paired = _paired(row.first, row.second, metric)
        fixed, claim = fixed_models(paired).interval(), retrained(paired)
        assert (row.fixed_low, row.fixed_high) == pytest.approx(fixed, abs=1e-6)
        assert (row.retrained_low, row.retrained_high) == pytest.approx(claim.interval(), abs=1e-6)
        assert row.retrained_error == pytest.approx(claim.error, abs=1e-6)
        assert row.retrained_df == pytest.approx(claim.df, abs=1e-6)
        assert row.step == pytest.approx(paired.weights.max(), abs=1e-6)
        for name, value in deviations(paired).items():
            assert getattr(row, f"{name}_deviation") == pytest.approx(value, abs=1e-6)
        assert row.discordant == paired.discordant
        resampled = of_means(paired, Resamples.make(5, paired.strata, RESAMPLES))
        ends = percentiles(resampled, 0.95)
        assert (row.bootstrap_low, row.bootstrap_high) == pytest.approx(ends, abs=1e-6)


def test_only_the_primary_metric_has_p_and_what_seeds_tell(five: pd.DataFrame) -> None:
    columns = [
        "fixed_p", "fixed_holm", "retrained_p", "holm", "simultaneous_low", "simultaneous_high",
        "success_p", "first_succeeded", "first_collapsed", "collapse_rate",
        "difference_at_collapse_rate",
    ]  # fmt: skip
    primary = five["role"] == PLANNED
    assert five.loc[primary, columns].notna().all(axis=None)
    assert five.loc[~primary, columns].isna().all(axis=None)
    assert set(five.loc[~primary, "compares"]) == {""}


def test_seeds_tell_how_often_they_succeed_and_collapse(five: pd.DataFrame) -> None:
    values = {
        name: [seed[PRIMARY] for seed in fusion_metrics(of)["test"]["seeds"].values()]
        for name, of in study(5).items()
    }
    middle = (50 + max(max(seeds) for seeds in values.values())) / 2
    for row in primary_pairs(five):
        first, second = (np.array(values[name]) > middle for name in (row.first, row.second))
        assert [row.first_succeeded, row.second_succeeded] == [first.sum(), second.sum()]
        assert row.success_p == pytest.approx(paired_p(first, second), abs=1e-6)
        # The second has the better mean in each: its mean falls, the first's stays.
        seeds = np.array(values[row.second])
        assert row.collapse_rate == pytest.approx(1 - 0.05 ** (1 / 5), abs=1e-6)
        fallen = (1 - row.collapse_rate) * seeds.mean() + row.collapse_rate * 50
        expected = row.first_mean - fallen
        assert row.difference_at_collapse_rate == pytest.approx(expected, abs=1e-4)


def test_the_better_one_is_so_by_what_is_compared() -> None:
    # The first succeeds in more seeds, and two of its seeds collapsed; the second has the mean.
    first = np.array([80.0] * 8 + [50.0, 50.0])
    second = np.array([99.0] * 6 + [74.0] * 4)
    none, collapsed = np.zeros(10, bool), first == 50
    one = SeedValues(first, collapsed, first > 74.5, 74.5, 50.0)
    other = SeedValues(second, none, second > 74.5, 74.5, 50.0)
    assert one.mean < other.mean
    for margin, apart in ((2.0, True), (100.0, False)):
        figures = by_seeds(one, other, margin, higher_is_better=True)
        assert (figures["compares"] == "successes") is apart
        ahead = one if apart else other
        assert figures["collapse_rate"] == ahead.collapse_rate
        back = by_seeds(other, one, margin, higher_is_better=True)
        assert back["collapse_rate"] == ahead.collapse_rate
        assert back["difference_at_collapse_rate"] == -figures["difference_at_collapse_rate"]


def test_a_pair_turned_is_the_pair_the_other_way(five: pd.DataFrame) -> None:
    fusions = study(5)
    back = pairs_of({name: fusions[name] for name in reversed(fusions)})
    there = {(row.first, row.second): row for row in primary_pairs(five)}
    for row in primary_pairs(back):
        assert turned(row) == pytest.approx(there[row.second, row.first], abs=2e-6)
        assert turned(turned(row)) == row


def _with_seeds(values: Sequence[float]) -> FusionPredictions:
    """Return a fusion with one class wrong in such a share of samples, per seed."""
    parts = {}
    for seed, share in enumerate(values):
        wrong = np.arange(round(share * len(LABELS))).tolist()
        parts[seed] = part_of(LABELS, answers(LABELS, wrong))
    return fusion("late", parts)


def test_seeds_that_fall_apart_are_compared_by_how_often_they_succeed() -> None:
    shares = [0.0, 0.6, 0.02, 0.62, 0.0, 0.6, 0.61, 0.02, 0.6, 0.6]
    fusions = {"late": _with_seeds(shares), "add": _with_seeds([0.02, 0.0] * 5)}
    (row,) = primary_pairs(pairs_of(fusions))
    assert row.compares == "successes"
    assert [row.first_succeeded, row.second_succeeded] == [4, 10]
    assert row.holm == row.success_p == pytest.approx(2 / 2**6)
    assert row.retrained_p != row.holm
    # The better one by what is compared is asked for its collapse rate, not that of the means.
    assert row.collapse_rate == pytest.approx(rate_at_most(0, 10), abs=1e-6)
    # Without a margin the same; apart by less than the margin, nothing is visible.
    (other,) = primary_pairs(pairs_of(fusions, "accuracy"))
    assert other.compares == "successes"
    close = {"late": _with_seeds([0.0] * 9 + [0.014]), "add": _with_seeds([0.0] * 10)}
    assert primary_pairs(pairs_of(close))[0].compares == "means"


# --- The correction ---


def test_holm_is_over_the_planned_contrasts(five: pd.DataFrame) -> None:
    decisive = five["success_p"].where(five["compares"] == "successes", five["retrained_p"])
    for values, adjusted in ((five["fixed_p"], "fixed_holm"), (decisive, "holm")):
        expected = holm(values[:3].tolist())
        assert five.loc[:2, adjusted].tolist() == pytest.approx(expected, abs=4e-6)
        assert five.loc[:2, adjusted].tolist() != values[:3].tolist()


def test_simultaneous_intervals_share_the_level(five: pd.DataFrame) -> None:
    for row in primary_pairs(five):
        reach = stats_t(1 - 0.025 / 3, row.retrained_df) * row.retrained_error
        ends = (row.simultaneous_low, row.simultaneous_high)
        assert ends == pytest.approx((row.difference - reach, row.difference + reach), abs=1e-4)
        assert row.simultaneous_low < row.retrained_low


def stats_t(share: float, df: float) -> float:
    return float(stats.t.ppf(share, df))


def test_the_family_is_all_that_is_corrected_together(five: pd.DataFrame) -> None:
    fusions = study(5)
    estimates = []
    for names in NAMES:
        compared = Study.of({name: fusions[name] for name in names})
        seeds = Study.of(fusions).by_seed(PRIMARY, list(fusions))
        estimates.append(estimate_pairs(compared, seeds, PRIMARY, {PLANNED: [names]}, 2.0))
    together = correct(pd.concat(estimates, ignore_index=True))
    assert_frame_equal(together, five[:3])
    alone = primary_pairs(correct(estimates[1]))[0]
    assert alone.holm < primary_pairs(together)[1].holm
    assert alone.simultaneous_low > primary_pairs(together)[1].simultaneous_low


def test_where_all_agree_the_interval_is_made_of_pseudo_samples() -> None:
    parts = {seed: part_of(LABELS, answers(LABELS, [])) for seed in range(5)}
    fusions = {name: fusion(name, parts) for name in ("late", "concat", "add")}
    for row in primary_pairs(pairs_of(fusions)):
        assert row.discordant == 0
        assert row.holm == 1
        assert row.pseudo_share == pytest.approx(1, abs=1e-5)
        assert row.simultaneous_high > 0 > row.simultaneous_low


# --- Few seeds, few fusions ---


def test_one_seed_makes_no_claim_about_others() -> None:
    frame = pairs_of(study(1))
    assert frame[[*OF_RETRAINED, *COMPONENTS, "simultaneous_low"]].isna().all(axis=None)
    assert frame["fixed_low"].notna().all()
    assert frame.loc[frame["role"] == PLANNED, "fixed_holm"].notna().all()


@pytest.mark.parametrize("seeds", [2, 4, 5])
def test_two_seeds_have_intervals(seeds: int) -> None:
    frame = pairs_of(study(seeds))[:3]
    assert frame[["bootstrap_low", *COMPONENTS, "simultaneous_low"]].notna().all(axis=None)


def test_one_fusion_makes_no_pair() -> None:
    frame = pairs_of({"late": study(3)["late"]})
    assert list(frame) == list(PAIR_KINDS)
    assert pair_rows(frame) == []
    assert primary_metric(frame) is None


def test_a_metric_that_is_no_mean_is_not_estimated() -> None:
    compared = Study.of(study(2))
    with pytest.raises(ValueError, match="f1 is no mean over samples"):
        list(compared.differences("f1", NAMES))


# --- What cannot be paired ---


def _other_digest(part: PartPredictions) -> PartPredictions:
    return replace(part, digests=np.array(["other", *part.digests[1:]]))


def _other_label(part: PartPredictions) -> PartPredictions:
    return replace(part, labels=1 - part.labels)


def _other_order(part: PartPredictions) -> PartPredictions:
    return part.take(np.arange(len(part.labels))[::-1])


def _fewer(part: PartPredictions) -> PartPredictions:
    return part.take(np.arange(len(part.labels) - 1))


@pytest.mark.parametrize("change", [_other_digest, _other_label, _other_order, _fewer])
@pytest.mark.parametrize(("name", "seed"), [("late", 1), ("add", 0)])
def test_other_samples_in_any_seed_of_any_fusion_are_refused(
    change: Any, name: str, seed: int
) -> None:
    fusions = study(2)
    part = fusions[name].seeds[seed]["test"]
    fusions[name].seeds[seed]["test"] = change(part)
    with pytest.raises(ArtifactError, match=r"test samples .* differ.*dvc repro"):
        pairs_of(fusions, "accuracy")


def test_other_seeds_are_refused() -> None:
    fusions = study(3) | {"add": study(2)["add"]}
    with pytest.raises(ArtifactError, match=r"seeds differ.*dvc repro"):
        pairs_of(fusions, "accuracy")


# --- The file ---


@pytest.mark.parametrize(("seeds", "primary"), [(1, PRIMARY), (3, "nll"), (5, "brier")])
def test_a_table_reads_back_as_it_was(seeds: int, primary: str, tmp_path: Path) -> None:
    frame, path = pairs_of(study(seeds), primary, ["late/add"]), tmp_path / "pairs.csv"
    write_table(path, frame)
    assert_frame_equal(read_pairs(path), frame)
    assert_frame_equal(parse_pairs(path.read_text("utf-8")), frame)
    for row in pair_rows(frame):
        assert [type(value) for value in row] == list(PAIR_KINDS.values())


def test_counts_are_written_as_whole_numbers_and_what_is_not_known_is_empty(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pairs.csv"
    write_table(path, pairs_of(study(1)))
    header, primary, *_, other = path.read_text("utf-8").splitlines()
    assert header == ",".join(Pair._fields)
    cells = [dict(zip(Pair._fields, line.split(","), strict=True)) for line in (primary, other)]
    assert [line["discordant"].isdigit() for line in cells] == [True, True]
    assert [line["first_collapsed"] for line in cells] == ["0", ""]
    assert [line["ids"] for line in cells] == ["66", "66"]
    assert cells[0]["retrained_p"] == cells[1]["compares"] == ""


def test_a_table_without_a_column_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"metrics/pairs\.csv: column 'role' is missing"):
        parse_pairs("metric,first\nnll,late\n")


@pytest.mark.parametrize("metric", means_over_samples())
def test_every_mean_can_be_primary(metric: str) -> None:
    rows = primary_pairs(pairs_of(study(2), metric))
    assert [row.metric for row in rows] == [metric] * 3
    assert all(0 <= row.holm <= 1 for row in rows)
    # The fusions get better one after another, whichever way the metric is turned.
    sign = 1 if METRICS[metric].higher_is_better else -1
    assert [sign * row.difference < 0 for row in rows] == [True] * 3
    assert not any(math.isnan(row.success_p) for row in rows)

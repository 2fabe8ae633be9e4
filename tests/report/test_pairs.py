"""metrics/pairs.csv: what each row holds, what it leaves out, and that it reads back."""

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
from fusebench.prediction.predictions import PartPredictions
from fusebench.report import study as studies
from fusebench.report.pairs import (
    PAIR_KINDS,
    Pair,
    correct,
    estimate_pairs,
    pair_rows,
    pairs_of,
    parse_pairs,
    primary_pairs,
    read_pairs,
)
from fusebench.statistics.estimates import exact_bound, fixed_models, holm, retrained
from fusebench.statistics.paired import Paired
from fusebench.statistics.resampling import RESAMPLES, Resamples, of_means, percentiles

NAMES = [("late", "concat"), ("late", "add"), ("concat", "add")]
CLAIMS = ("fixed", "retrained")
OF_RETRAINED = [name for name in PAIR_KINDS if name.startswith(("retrained", "bootstrap"))]
COMPONENTS = ["seed_deviation", "id_deviation", "seed_id_deviation"]


@pytest.fixture(scope="module")
def five() -> pd.DataFrame:
    """All pairs of three fusions with five seeds."""
    return pairs_of(study(5), "balanced_accuracy")


def _paired(first: str, second: str, metric: str = "balanced_accuracy") -> Paired:
    ours, theirs = (
        {seed: parts["test"] for seed, parts in study(5)[name].seeds.items()}
        for name in (first, second)
    )
    return paired_of(ours, theirs, metric)


def test_numbers_are_those_of_the_code_before_it_was_rewritten(five: pd.DataFrame) -> None:
    # Computed by commit 729d475 for the same study. It rounded the metrics of each seed first.
    kinds = {name: kind for name, kind in PAIR_KINDS.items() if name not in
             ("retrained_error", "retrained_df")}  # fmt: skip
    before = read_table(Path(__file__).with_name("pairs_of_729d475.csv"), kinds)
    f1 = pairs_of(study(5), "f1")
    now = pd.concat([five[five["metric"].isin(set(before["metric"]))], f1[f1["metric"] == "f1"]])
    now = now.astype(PAIR_KINDS)[list(kinds)].reset_index(drop=True)
    assert_frame_equal(now, before, check_exact=False, rtol=0, atol=1.5e-6)
    assert before.iloc[:, 4:].sum().sum() != 0


# --- Rows and roles ---


@pytest.mark.parametrize("primary", ["balanced_accuracy", "nll", "auroc"])
def test_every_two_fusions_have_a_row_per_metric_the_primary_first(primary: str) -> None:
    frame = pairs_of(study(2), primary)
    metrics = [primary, *(name for name in means_over_samples() if name != primary)]
    assert frame["metric"].tolist() == [name for name in metrics for _ in NAMES]
    assert list(zip(frame["first"], frame["second"], strict=True)) == NAMES * len(metrics)
    assert frame["role"].tolist() == ["primary"] * 3 + ["descriptive"] * (len(frame) - 3)
    assert [row[:4] for row in primary_pairs(frame)] == [row[:4] for row in pair_rows(frame)[:3]]


def test_a_row_says_what_was_measured(five: pd.DataFrame) -> None:
    metrics = {name: fusion_metrics(predictions) for name, predictions in study(5).items()}
    for row in pair_rows(five):
        means = [metrics[name]["test"][row.metric]["mean"] for name in (row.first, row.second)]
        assert (row.first_mean, row.second_mean) == pytest.approx(means, abs=2e-6)
        assert row.difference == pytest.approx(means[0] - means[1], abs=2e-6)
        collapsed = [metrics[name]["collapsed_seeds"] for name in (row.first, row.second)]
        assert [row.first_collapsed, row.second_collapsed] == collapsed
        assert (row.seeds, row.ids) == (5, 66)
        # Each claim is about this difference.
        for claim in CLAIMS:
            low, high = (getattr(row, f"{claim}_{end}") for end in ("low", "high"))
            assert (low + high) / 2 == pytest.approx(row.difference, abs=2e-6)
    assert set(five["first_collapsed"]) == {0, 1}


@pytest.mark.parametrize("metric", means_over_samples())
def test_a_row_holds_the_estimates(five: pd.DataFrame, metric: str) -> None:
    for row in pair_rows(five[five["metric"] == metric]):
        paired = _paired(row.first, row.second, metric)
        fixed, claim = fixed_models(paired).interval(), retrained(paired)
        assert (row.fixed_low, row.fixed_high) == pytest.approx(fixed, abs=1e-6)
        assert (row.retrained_low, row.retrained_high) == pytest.approx(claim.interval(), abs=1e-6)
        assert row.retrained_error == pytest.approx(claim.error, abs=1e-6)
        assert row.retrained_df == pytest.approx(claim.df, abs=1e-6)
        assert row.exact_bound == pytest.approx(exact_bound(paired, 3), abs=1e-6)
        assert row.discordant == paired.discordant
        resampled = of_means(paired, Resamples.make(5, paired.strata, RESAMPLES))
        ends = percentiles(resampled, 0.95)
        assert (row.bootstrap_low, row.bootstrap_high) == pytest.approx(ends, abs=1e-6)


def test_only_the_primary_metric_has_p_and_a_minimum_detectable(five: pd.DataFrame) -> None:
    columns = [f"{claim}_{name}" for claim in CLAIMS for name in ("p", "holm")]
    columns.append("minimum_detectable")
    primary = five["role"] == "primary"
    assert five.loc[primary, columns].notna().all(axis=None)
    assert five.loc[~primary, columns].isna().all(axis=None)


# --- The correction ---


def test_holm_is_over_the_pairs_of_the_primary_metric(five: pd.DataFrame) -> None:
    for claim in CLAIMS:
        values = five.loc[:2, f"{claim}_p"].tolist()
        adjusted = five.loc[:2, f"{claim}_holm"].tolist()
        assert adjusted == pytest.approx(holm(values), abs=4e-6)
        assert adjusted != values


def test_the_family_is_all_that_is_corrected_together(five: pd.DataFrame) -> None:
    fusions = study(5)
    estimates = [
        estimate_pairs({name: fusions[name] for name in names}, "balanced_accuracy")
        for names in NAMES
    ]
    together = correct(pd.concat(estimates, ignore_index=True))
    assert_frame_equal(together, five[:3])
    alone = primary_pairs(correct(estimates[1]))[0]
    assert alone.retrained_holm == alone.retrained_p < primary_pairs(together)[1].retrained_holm
    assert alone.minimum_detectable < primary_pairs(together)[1].minimum_detectable
    assert alone.exact_bound < primary_pairs(together)[1].exact_bound


def test_the_minimum_detectable_is_never_below_the_exact_bound() -> None:
    # All fusions agree everywhere: the bound is all there is to say.
    parts = {seed: part_of(LABELS, answers(LABELS, [])) for seed in range(5)}
    fusions = {name: fusion(name, parts) for name in ("late", "concat", "add")}
    for row in primary_pairs(pairs_of(fusions, "balanced_accuracy")):
        assert row.discordant == 0
        assert row.retrained_holm == 1
        assert row.exact_bound == pytest.approx(50 * (1 - (0.05 / 3) ** (1 / 26)), abs=1e-6)
        assert row.minimum_detectable >= row.exact_bound


# --- Few seeds, few fusions ---


def test_one_seed_makes_no_claim_about_others() -> None:
    frame = pairs_of(study(1), "balanced_accuracy")
    assert frame[[*OF_RETRAINED, *COMPONENTS, "minimum_detectable"]].isna().all(axis=None)
    assert frame["fixed_low"].notna().all()
    assert frame.loc[frame["role"] == "primary", "fixed_holm"].notna().all()


@pytest.mark.parametrize(("seeds", "promised"), [(2, False), (4, False), (5, True)])
def test_power_is_promised_from_five_seeds_on(seeds: int, promised: bool) -> None:
    frame = pairs_of(study(seeds), "balanced_accuracy")[:3]
    assert frame["minimum_detectable"].notna().eq(promised).all()
    assert frame[[*OF_RETRAINED, *COMPONENTS]].notna().all(axis=None)


@pytest.mark.parametrize("primary", ["balanced_accuracy", "f1"])
def test_one_fusion_makes_no_pair(primary: str) -> None:
    frame = pairs_of({"late": study(3)["late"]}, primary)
    assert list(frame) == list(PAIR_KINDS)
    assert pair_rows(frame) == []


# --- A primary metric that is no mean ---


def test_a_metric_that_is_no_mean_is_bootstrapped() -> None:
    frame = pairs_of(study(5), "f1")[:3]
    assert set(frame["metric"]) == {"f1"}
    assert (
        frame[["fixed_low", "fixed_p", "fixed_holm", "discordant", *COMPONENTS]]
        .isna()
        .all(axis=None)
    )
    for row in pair_rows(frame):
        # The deviation of the resamples is the error, with the seeds' degrees of freedom.
        expected = stats.t(4, row.difference, row.retrained_error).interval(0.95)
        assert (row.retrained_low, row.retrained_high) == pytest.approx(expected, abs=1e-5)
        assert row.bootstrap_low < row.difference < row.bootstrap_high
        assert row.retrained_holm >= row.retrained_p


def test_a_metric_that_is_no_mean_needs_two_seeds() -> None:
    frame = pairs_of(study(1), "f1")[:3]
    assert frame[[*OF_RETRAINED, "fixed_p"]].isna().all(axis=None)
    means = frame["first_mean"] - frame["second_mean"]
    assert frame["difference"].tolist() == pytest.approx(means.tolist(), abs=2e-6)


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("metric", studies.WEIGHTED)
def test_fast_ways_give_what_the_registry_gives(
    metric: str, classes: int, rounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [row % classes for row in range(40)]
    source, fusions = np.random.default_rng(classes), {}
    for name in ("late", "add"):
        logits = source.normal(0, 1, (3, 40, classes)) + np.eye(classes)[labels]
        chosen = logits.round() if rounded else logits
        fusions[name] = fusion(name, {seed: part_of(labels, chosen[seed]) for seed in range(3)})
    monkeypatch.setattr(studies, "RESAMPLES_OF_OTHERS", 25)
    fast = estimate_pairs(fusions, metric)
    monkeypatch.setattr(studies, "WEIGHTED", {})
    slow = estimate_pairs(fusions, metric)
    assert fast["retrained_error"].item() > 0
    assert_frame_equal(fast, slow, check_exact=False, rtol=0, atol=1e-9)


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


@pytest.mark.parametrize(
    ("seeds", "primary"), [(1, "balanced_accuracy"), (3, "nll"), (5, "f1"), (1, "f1")]
)
def test_a_table_reads_back_as_it_was(seeds: int, primary: str, tmp_path: Path) -> None:
    frame, path = pairs_of(study(seeds), primary), tmp_path / "pairs.csv"
    write_table(path, frame)
    assert_frame_equal(read_pairs(path), frame)
    assert_frame_equal(parse_pairs(path.read_text("utf-8")), frame)
    for row in pair_rows(frame):
        assert [type(value) for value in row] == list(PAIR_KINDS.values())


def test_counts_are_written_as_whole_numbers_and_what_is_not_known_is_empty(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pairs.csv"
    write_table(path, pairs_of(study(1), "f1"))
    header, f1, *_, accuracy = path.read_text("utf-8").splitlines()
    assert header == ",".join(Pair._fields)
    cells = [dict(zip(Pair._fields, line.split(","), strict=True)) for line in (f1, accuracy)]
    assert [line["discordant"].isdigit() for line in cells] == [False, True]
    assert [line["ids"] for line in cells] == ["66", "66"]
    assert cells[0]["discordant"] == cells[0]["retrained_p"] == ""


def test_a_table_without_a_column_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"metrics/pairs\.csv: column 'role' is missing"):
        parse_pairs("metric,first\nnll,late\n")


def test_every_metric_can_be_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "RESAMPLES_OF_OTHERS", 20)
    for metric in METRICS:
        rows = primary_pairs(estimate_pairs(study(2), metric).pipe(correct))
        assert [row.metric for row in rows] == [metric] * 3
        assert all(0 <= row.retrained_holm <= 1 for row in rows)

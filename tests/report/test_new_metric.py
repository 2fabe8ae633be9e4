"""A metric that is added to the registry is found by all that shows metrics."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.report.made_up import NAMES, PAIR, pairs_table, write_results

from fusebench.evaluation.metrics import METRICS
from fusebench.files import read_json
from fusebench.report.curves import metrics_table
from fusebench.report.figures import metrics_figure
from fusebench.report.findings import compare_fusions
from fusebench.report.headline import headline_text
from fusebench.report.results import Comparison, read_comparison
from fusebench.report.settings import CompareParams
from fusebench.report.table import (
    comparison_table,
    markdown_table,
    parse_comparison_table,
    screen_table,
)
from fusebench.report.verdict import sentences
from fusebench.revisions.diff import Side, diff
from fusebench.revisions.diff_text import diff_text

NEW = replace(
    METRICS["nll"], name="half_loss", label="half loss", unit="halves", digits=3,
    bounds=(0.0, math.inf), function=lambda part, _: METRICS["nll"].function(part, 0) / 2,
    per_sample=None,
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(METRICS, NEW.name, NEW)
    return write_results(tmp_path)


@pytest.fixture
def comparison(root: Path) -> Comparison:
    return read_comparison(root, NAMES)


def _params(primary: str) -> CompareParams:
    return CompareParams(temperature=True, primary=primary, margin={}, contrasts=("any/any",))


def test_params_accept_it_as_primary_if_it_is_a_mean(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert root.exists()
    with pytest.raises(ValueError, match="half loss is no mean over samples"):
        _params(NEW.name)
    monkeypatch.setitem(METRICS, ERROR.name, ERROR)
    assert _params(ERROR.name).primary == ERROR.name


def test_tables_have_it(comparison: Comparison) -> None:
    table = parse_comparison_table(comparison_table(comparison).to_csv(index=False))
    halves = table["Test NLL"] / 2
    assert table["Test Half Loss"].tolist() == pytest.approx(halves.tolist(), abs=1e-5)


def test_screen_and_markdown_name_it_or_show_it(comparison: Comparison) -> None:
    table, described = comparison_table(comparison), pairs_table(PAIR)
    decides = pairs_table(PAIR._replace(metric=NEW.name))
    for show in (screen_table, markdown_table):
        assert f", {NEW.label}." in " ".join(show(table, described).split())
        shown = show(table, decides)
        mean, deviation = table.iloc[0][["Test Half Loss", "Test Half Loss Deviation"]]
        assert f"{mean:.2f} ± {deviation:.2f}" in shown
        assert "in halves: half loss" in " ".join(shown.split())


def test_headline_has_it(root: Path) -> None:
    metrics = read_json(root / "metrics/fusions/late.json")
    shown = headline_text("late", metrics, 100)
    for part in ("val", "test"):
        assert f"half loss {metrics[part][NEW.name]['mean']:.3f}" in shown


def test_plots_have_it(comparison: Comparison) -> None:
    table = metrics_table(comparison)
    rows = table[table["metric"] == NEW.name]
    assert rows[["fusion", "unit"]].iloc[0].tolist() == ["late", "halves"]
    titles = [axes.get_title() for axes in metrics_figure(comparison, table).axes]
    assert "half loss (halves)\nlower is better" in titles


ERROR = replace(
    METRICS["accuracy"], name="error", label="error rate", higher_is_better=False,
    function=lambda part, _: 100 - METRICS["accuracy"].function(part, 0),
    per_sample=lambda part: 100.0 * (part.logits.argmax(axis=1) != part.labels),
)  # fmt: skip


@pytest.mark.parametrize("primary", ["error", "balanced_accuracy"])
def test_pairs_verdict_and_diff_have_a_mean_over_samples(
    primary: str, comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, ERROR.name, ERROR)
    pairs, best = compare_fusions(comparison.fusions, _params(primary))
    errors, accuracies = (
        pairs[pairs["metric"] == name]["difference"].to_numpy() for name in ("error", "accuracy")
    )
    assert np.allclose(errors, -accuracies, atol=2e-6)
    assert all(("error rate" in line) is (primary == "error") for line in sentences(pairs))
    first, second = (comparison.fusions[name] for name in NAMES[:2])
    before, after = Side("before", {"late": first}), Side("after", {"late": second})
    assert "error rate (%)" in diff_text(diff(before, after, _params(primary)))
    # Lower errors are better.
    by_error, by_accuracy = (
        compare_fusions(comparison.fusions, _params(name))[1] for name in ("error", "accuracy")
    )
    assert by_error["fusion"].tolist() == by_accuracy["fusion"].tolist()
    assert set(best["metric"]) == {primary}

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
from fusebench.report.headline import headline_text
from fusebench.report.pairs import pairs_of
from fusebench.report.results import CompareParams, Comparison, read_comparison
from fusebench.report.table import (
    comparison_table,
    markdown_table,
    parse_comparison_table,
    screen_table,
)
from fusebench.report.verdict import verdict
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


def test_params_accept_it(root: Path) -> None:
    assert root.exists()
    assert CompareParams.model_validate({"primary": NEW.name}).primary == NEW.name


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
    pairs = pairs_of(comparison.fusions, primary)
    errors, accuracies = (
        pairs[pairs["metric"] == name]["difference"].to_numpy() for name in ("error", "accuracy")
    )
    assert np.allclose(errors, -accuracies, atol=2e-6)
    assert all(("error rate" in line) is (primary == "error") for line in verdict(pairs)[1:])
    first, second = (comparison.fusions[name] for name in NAMES[:2])
    before, after = Side("before", {"late": first}), Side("after", {"late": second})
    assert "error rate (%)" in diff_text(diff(before, after, primary))

"""The few figures that DVC compares, against the metrics they are taken from."""

from typing import Any

import pytest
from tests.evaluation.made_up import fusion_of, seeded_part

from fusebench.evaluation.compared import headline_figures, row_figures
from fusebench.evaluation.measure import fusion_metrics


@pytest.fixture(params=[1, 2])
def metrics(request: pytest.FixtureRequest) -> dict[str, Any]:
    part = seeded_part(2)
    parts = {"test": part, "val": part.take(range(40))}
    return fusion_metrics(fusion_of(dict.fromkeys(range(request.param), parts)))


def test_a_row_has_three_figures_of_test(metrics: dict[str, Any]) -> None:
    assert row_figures(metrics) == {
        "bal_acc": metrics["test"]["balanced_accuracy"]["mean"],
        "deviation": metrics["test"]["balanced_accuracy"]["deviation"],
        "nll": metrics["test"]["nll"]["mean"],
    }


def test_the_headline_has_val_first_and_keys_that_no_row_has(metrics: dict[str, Any]) -> None:
    figures = headline_figures(metrics)
    assert list(figures) == ["val_bal_acc", "val_nll", "test_bal_acc", "test_nll"]
    assert not set(figures) & set(row_figures(metrics))
    for part in ("val", "test"):
        assert figures[f"{part}_bal_acc"] == metrics[part]["balanced_accuracy"]["mean"]
        assert figures[f"{part}_nll"] == metrics[part]["nll"]["mean"]

"""The few figures that DVC compares: short keys, the same for every fusion.

`dvc metrics show` has a row per file and a column per key, `dvc exp show` a column for each, and
`dvc metrics diff` a line for each: more figures, or longer keys, make them unreadable. All others
are in metrics/fusions/, in git beside them. Means over seeds, of order 1.
"""

from typing import Any

Figures = dict[str, float | None]


def row_figures(metrics: dict[str, Any]) -> Figures:
    """Return the row of a fusion or baseline in `dvc metrics show`, from its `fusion_metrics`.

    Returns
    -------
    dict
        Of test: bal_acc, balanced accuracy in percent; deviation, its sample standard deviation
        over seeds (None for one seed); nll in nats per sample.
    """
    test = metrics["test"]
    return {
        "bal_acc": test["balanced_accuracy"]["mean"],
        "deviation": test["balanced_accuracy"]["deviation"],
        "nll": test["nll"]["mean"],
    }


def headline_figures(metrics: dict[str, Any]) -> Figures:
    """Return the row of the fusion under study: val first, to choose by; then test, to quote.

    Returns
    -------
    dict
        val_bal_acc, val_nll, test_bal_acc, test_nll. No other file has these keys, so DVC shows
        them without a path.
    """
    return {
        f"{part}_{key}": metrics[part][name]["mean"]
        for part in ("val", "test")
        for key, name in (("bal_acc", "balanced_accuracy"), ("nll", "nll"))
    }

"""Section `compare`: which metric decides."""

from typing import Literal

from pydantic import Field

from fusebench.config import Section

Metric = Literal[
    "balanced_accuracy", "accuracy", "nll", "precision", "recall", "f1", "auroc",
    "average_precision",
]  # fmt: skip


class CompareParams(Section):
    """Section `compare`. One metric is declared before looking; the others only describe."""

    primary: Metric = Field(
        description="'balanced_accuracy', 'accuracy', 'nll', 'precision', 'recall', 'f1', "
        "'auroc' or 'average_precision'"
    )

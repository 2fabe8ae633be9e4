"""Where stage robustness leaves what it found, and what one figure per fusion it comes to."""

from collections.abc import Mapping
from pathlib import Path

from fusebench.files import read_table

TABLE = Path("metrics/robustness.csv")
SUMMARY = Path("metrics/robustness_summary.csv")
PAIRS = Path("metrics/robustness_pairs.csv")
SUMMARY_KINDS: Mapping[str, type] = {
    "fusion": str, "robustness": float, "worst": str, "worst_robustness": float,
}  # fmt: skip
"""Columns of metrics/robustness_summary.csv."""


def read_robustness(path: Path) -> dict[str, float]:
    """Return the robustness of each fusion, 1 where all of its advantage is left; NaN: none.

    Raises
    ------
    ArtifactError
        The file is missing or broken.
    """
    table = read_table(path, SUMMARY_KINDS)
    return dict(zip(table["fusion"].tolist(), table["robustness"].tolist(), strict=True))

"""Where stage robustness leaves what it found, and what one figure per fusion it comes to."""

from pathlib import Path
from typing import NamedTuple, get_type_hints

import pandas as pd

from fusebench.files import read_table

TABLE = Path("metrics/robustness.csv")
SUMMARY = Path("metrics/robustness_summary.csv")
PAIRS = Path("metrics/robustness_pairs.csv")


class Kept(NamedTuple):
    """What a fusion keeps under corruptions; a row of metrics/robustness_summary.csv.

    Attributes
    ----------
    fusion : str
    robustness : float
        Share of its advantage over chance that is left, mean over severities and corruptions, each
        sensor counting the same; NaN: there is no such figure.
    worst : str
        The corruption that leaves the least; empty: there is none.
    worst_robustness : float
        What that leaves, mean over its severities.
    corruptions, seeds : int
        How many there are.
    """

    fusion: str
    robustness: float
    worst: str
    worst_robustness: float
    corruptions: int
    seeds: int


SUMMARY_KINDS: dict[str, type] = get_type_hints(Kept)
"""Columns of metrics/robustness_summary.csv."""


def read_kept(path: Path) -> dict[str, Kept]:
    """Return what each fusion keeps, by its name; raise ArtifactError where that is broken."""
    return kept_of(read_table(path, SUMMARY_KINDS))


def kept_of(summary: pd.DataFrame) -> dict[str, Kept]:
    """Return the rows of a table as metrics/robustness_summary.csv, by their fusions."""
    rows = summary[list(SUMMARY_KINDS)].astype(object)
    return {row[0]: Kept(*row) for row in rows.itertuples(index=False, name=None)}

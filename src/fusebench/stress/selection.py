"""On which samples models are put under stress, and under what."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fusebench.inputs.corruption import SEVERITIES, Condition
from fusebench.seeds import derive_seeds

CLEAN = Condition("clean", 0)
"""The samples as they were recorded."""


def conditions(names: Sequence[str]) -> list[Condition]:
    """Return what models are put under: nothing first, then each corruption at each severity."""
    severities = range(1, SEVERITIES + 1)
    return [CLEAN, *(Condition(name, number) for name in names for number in severities)]


def selected(rows: pd.DataFrame) -> pd.DataFrame:
    """Return as many samples of each class as the smallest has, in the order of the part.

    Which ones of a class is drawn by their ids alone, whatever order they stand in.

    Parameters
    ----------
    rows : DataFrame
        The samples of a part, with the columns of samples.csv.
    """
    fewest = int(rows.groupby("label").size().min())
    drawn = pd.Series(derive_seeds(rows["id"], "stress"), index=rows.index)
    place = drawn.groupby(rows["label"]).rank(method="first")
    return rows[np.asarray(place <= fewest)]

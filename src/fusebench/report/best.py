"""How far each fusion can be below the best: metrics/best.csv, which the recommendation reads."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.files import parse_table
from fusebench.report.pairs import Pair, primary_pairs
from fusebench.statistics.best import ToBest, to_best
from fusebench.statistics.estimates import FEWEST_SEEDS

BEST = Path("metrics/best.csv")
_DIGITS = 6
_WORDS = ("yes", "no")


class Best(NamedTuple):
    """A fusion and the best of all, on the metric that decides; a row of metrics/best.csv.

    Figures have the metric's unit. NaN: not known, or not declared.

    Attributes
    ----------
    metric, fusion : str
    inputs : str
        The sensors that it sees, joined by a space.
    mean : float
        The metric, mean over seeds.
    below : float
        At most so far below the best, for all fusions together with 95 % confidence.
    candidate : str
        "yes": it may be the best; "no": it is shown not to be.
    margin : float
        What was declared to be as good as the best: `compare.margin` of the metric.
    seeds : int
    """

    metric: str
    fusion: str
    inputs: str
    mean: float
    below: float
    candidate: str
    margin: float
    seeds: int

    @property
    def as_good(self) -> bool:
        """Whether it is shown to be as good as the best, to within the margin."""
        return self.below <= self.margin

    @property
    def may_be_best(self) -> bool:
        """Whether it is not shown that another is better than it."""
        return self.candidate == _WORDS[0]

    @property
    def fused(self) -> bool:
        """Whether it sees more than one sensor."""
        return " " in self.inputs


BEST_KINDS: dict[str, type] = get_type_hints(Best)
"""Columns of metrics/best.csv and their types, in their order."""


def best_of(
    pairs: pd.DataFrame, inputs: Mapping[str, Sequence[str]], margin: float | None
) -> pd.DataFrame:
    """Compare each fusion with the best, the best mean first.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv, with all pairs of the metric that decides.
    inputs : mapping of str to sequence of str
        The sensors that each fusion sees.
    margin : float or None
        In the metric's unit.

    Returns
    -------
    DataFrame
        The columns of `Best`; no row where there is no pair.
    """
    rows = primary_pairs(pairs)
    if not rows:
        return _typed(pd.DataFrame(columns=list(BEST_KINDS)))
    metric, names, means = METRICS[rows[0].metric], list(inputs), _means(rows)
    found = _to_best(names, rows, sign=1 if metric.higher_is_better else -1)
    frame = pd.DataFrame(
        {
            "metric": metric.name, "fusion": names, "inputs": map(" ".join, inputs.values()),
            "mean": [means[name] for name in names], "below": found.below,
            "candidate": np.where(found.candidate, *_WORDS), "margin": math.nan if margin is None else margin,
            "seeds": rows[0].seeds,
        }
    )  # fmt: skip
    best_first = frame.sort_values("mean", ascending=not metric.higher_is_better, kind="stable")
    return _typed(best_first.reset_index(drop=True))


def _means(pairs: Sequence[Pair]) -> dict[str, float]:
    means: dict[str, float] = {}
    for pair in pairs:
        means |= {pair.first: pair.first_mean, pair.second: pair.second_mean}
    return means


def _to_best(names: Sequence[str], pairs: Sequence[Pair], sign: int) -> ToBest:
    count = len(names)
    if any(pair.seeds < FEWEST_SEEDS or math.isnan(pair.retrained_error) for pair in pairs):
        # The deviation over so few seeds is a guess, and so would be a bound made of it.
        return ToBest(np.full(count, math.nan), np.ones(count, bool))
    differences, errors, dfs = np.zeros((3, count, count))
    for pair in pairs:
        first, second = names.index(pair.first), names.index(pair.second)
        for i, j, turned in ((first, second, sign), (second, first, -sign)):
            differences[i, j] = turned * pair.difference
            errors[i, j], dfs[i, j] = pair.retrained_error, pair.retrained_df
    np.fill_diagonal(dfs, 1)
    return to_best(differences, errors, dfs)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(BEST_KINDS)].astype(BEST_KINDS).round(_DIGITS)


def parse_best(text: str) -> pd.DataFrame:
    """Return what the text of metrics/best.csv holds; raise ArtifactError if it is broken."""
    return _typed(parse_table(BEST, text, BEST_KINDS))


def best_rows(frame: pd.DataFrame) -> list[Best]:
    """Return the rows of a table of distances to the best."""
    typed = frame[list(BEST_KINDS)].astype(BEST_KINDS)
    return [Best(*row) for row in typed.itertuples(index=False, name=None)]

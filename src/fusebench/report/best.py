"""How far each fusion can be below the best: metrics/best.csv, which the recommendation reads."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.files import parse_table, read_table
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.pairs import Pair, primary_pairs
from fusebench.report.study import SUCCESSES
from fusebench.statistics.best import ToBest, to_best
from fusebench.statistics.estimates import FEWEST_SEEDS
from fusebench.statistics.failures import SeedValues

BEST = Path("metrics/best.csv")
_DIGITS = 6
_YES, _NO = "yes", "no"
ANEW, FIXED = "anew", "fixed"


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
    irregular : str
        "yes": to a fusion that may be the best it is compared by successes, so that its bound,
        which is one of means, is not calibrated.
    succeeded : int
        Seeds beyond `success_beyond`, the middle between chance and the best seed of all fusions.
    success_beyond : float
    collapsed : int
        Seeds that answer one class for every sample.
    collapse_rate, mean_at_collapse_rate : float
        The largest share of collapsing seeds that is not ruled out, and the mean if so many did.
    draws : str
        "anew": each seed drew its own train and val samples; "fixed": all have the same.
    seeds : int
    """

    metric: str
    fusion: str
    inputs: str
    mean: float
    below: float
    candidate: str
    margin: float
    irregular: str
    succeeded: int
    success_beyond: float
    collapsed: int
    collapse_rate: float
    mean_at_collapse_rate: float
    draws: str
    seeds: int

    @property
    def as_good(self) -> bool:
        """Whether it is shown to be as good as the best, to within the margin."""
        return self.below <= self.margin and not self.is_irregular

    @property
    def may_be_best(self) -> bool:
        """Whether it is not shown that another is better."""
        return self.candidate == _YES

    @property
    def is_irregular(self) -> bool:
        """Whether its bound is not calibrated."""
        return self.irregular == _YES

    @property
    def fused(self) -> bool:
        """Whether it sees more than one sensor."""
        return " " in self.inputs


BEST_KINDS: dict[str, type] = get_type_hints(Best)
"""Columns of metrics/best.csv and their types, in their order."""


def best_of(
    pairs: pd.DataFrame,
    seeds: Mapping[str, SeedValues],
    infos: Mapping[str, Mapping[str, Any]],
    primary: str,
    margin: float | None,
    draws: str = ANEW,
) -> pd.DataFrame:
    """Compare each fusion with the best, the best mean first.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv, with all pairs of fusions on the metric that decides.
    seeds : mapping of str to SeedValues
        That metric of each fusion, seed by seed.
    infos : mapping of str to mapping
        Of each fusion: `inputs`.
    margin : float or None
        In the metric's unit.

    Returns
    -------
    DataFrame
        The columns of `Best`.
    """
    metric, names = METRICS[primary], list(seeds)
    compared = primary_pairs(pairs)
    found = _to_best(names, compared, sign=1 if metric.higher_is_better else -1)
    maybe = [name for name, may in zip(names, found.candidate, strict=True) if may]
    apart = _irregular(compared, maybe)
    rows = [
        Best(
            primary, name, " ".join(infos[name]["inputs"]), of.mean, below,
            _YES if candidate else _NO, math.nan if margin is None else margin,
            _YES if name in apart else _NO, int(of.succeeded.sum()), of.success_beyond,
            int(of.collapsed.sum()), of.collapse_rate, of.mean_at_collapse_rate, draws,
            len(of.values),
        )
        for (name, of), below, candidate in zip(
            seeds.items(), found.below.tolist(), found.candidate.tolist(), strict=True
        )
    ]  # fmt: skip
    rows.sort(key=lambda row: row.mean, reverse=metric.higher_is_better)
    return _typed(pd.DataFrame(rows, columns=list(BEST_KINDS)))


def draws_of(fusions: Mapping[str, FusionPredictions]) -> str:
    """Return whether each seed drew its own samples, told by those of val."""
    seeds = list(next(iter(fusions.values())).seeds.values())
    first = seeds[0]["val"].digests
    same = all(np.array_equal(parts["val"].digests, first) for parts in seeds)
    return FIXED if same and len(seeds) > 1 else ANEW


def _irregular(pairs: Sequence[Pair], maybe: Sequence[str]) -> set[str]:
    """Return the fusions whose means cannot be compared with one that may be the best."""
    found = set()
    for pair in pairs:
        if pair.compares == SUCCESSES:
            found |= {pair.first} if pair.second in maybe else set()
            found |= {pair.second} if pair.first in maybe else set()
    return found


def _to_best(names: Sequence[str], pairs: Sequence[Pair], sign: int) -> ToBest:
    count = len(names)
    if not pairs or any(
        pair.seeds < FEWEST_SEEDS or math.isnan(pair.retrained_error) for pair in pairs
    ):
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


def read_best(path: Path) -> pd.DataFrame:
    """Return what metrics/best.csv holds; raise ArtifactError if it is missing or broken."""
    return _typed(read_table(path, BEST_KINDS))


def parse_best(text: str) -> pd.DataFrame:
    """Return what the text of metrics/best.csv holds; raise ArtifactError if it is broken."""
    return _typed(parse_table(BEST, text, BEST_KINDS))


def best_rows(frame: pd.DataFrame) -> list[Best]:
    """Return the rows of a table of distances to the best, the best mean first."""
    typed = frame[list(BEST_KINDS)].astype(BEST_KINDS)
    return [Best(*row) for row in typed.itertuples(index=False, name=None)]

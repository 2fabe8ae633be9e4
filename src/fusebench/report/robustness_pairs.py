"""How two fusions differ under corruptions: metrics/robustness_pairs.csv."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.report.robustness import ALL, Stressed
from fusebench.report.roles import PLANNED, UNPLANNED
from fusebench.report.study import MEANS, SUCCESSES
from fusebench.statistics.estimates import Claim, fixed_models, holm, retrained
from fusebench.statistics.failures import irregular, paired_p, seed_values

_METRIC = METRICS["balanced_accuracy"]
_DIGITS = 6


class StressPair(NamedTuple):
    """Two fusions under a corruption; a row of metrics/robustness_pairs.csv. NaN: not known.

    Attributes
    ----------
    corruption : str
        Its name, or "all": all together, each sensor counting the same.
    role : str
        "planned" (tested) or "unplanned" (shown, not tested).
    difference : float
        First − second: balanced accuracy, mean over severities and seeds, in points.
    low, high : float
        Its 95 % interval for the fusions, trained again; NaN with one seed.
    fixed_low, fixed_high : float
        Its 95 % interval for these trained models.
    compares : str
        What p is of: "means", or "successes" where differences over seeds are visibly not normal.
    first_succeeded, second_succeeded : int
        Seeds that are beyond the middle between chance and the best seed of all fusions.
    p, holm : float
        Of the fusions, trained again; NaN where it is not tested. With Holm's correction over all
        planned pairs and corruptions.
    seeds : int
    """

    corruption: str
    role: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    fixed_low: float
    fixed_high: float
    compares: str
    first_succeeded: int
    second_succeeded: int
    p: float
    holm: float
    seeds: int


PAIR_KINDS: dict[str, type] = get_type_hints(StressPair)
"""Columns of metrics/robustness_pairs.csv."""


def stress_pairs(frame: pd.DataFrame, *roles: str) -> list[StressPair]:
    """Return the rows of a table as metrics/robustness_pairs.csv; of some roles, or all."""
    chosen = frame[frame["role"].isin(roles)] if roles else frame
    chosen = chosen[list(PAIR_KINDS)].astype(PAIR_KINDS)
    return [StressPair(*row) for row in chosen.itertuples(index=False, name=None)]


def turned(pair: StressPair) -> StressPair:
    """Return a pair from the second fusion's side."""
    return pair._replace(
        first=pair.second, second=pair.first, difference=-pair.difference,
        low=-pair.high, high=-pair.low, fixed_low=-pair.fixed_high, fixed_high=-pair.fixed_low,
        first_succeeded=pair.second_succeeded, second_succeeded=pair.first_succeeded,
    )  # fmt: skip


def pairs_table(
    stressed: Stressed, pairs: Mapping[str, Sequence[tuple[str, str]]], margin: float | None
) -> pd.DataFrame:
    """Return how fusions differ under each corruption, and under all together.

    Parameters
    ----------
    pairs : mapping of str to sequence of pairs
        By their role: planned ones are tested, over all corruptions with Holm's correction.
    margin : float or None
        In points: see `failures.irregular`.

    Returns
    -------
    DataFrame
        `StressPair`s, by corruption; where there are several, the last are of all together.
    """
    names = stressed.corruptions
    rows = [
        {"corruption": name, "role": role, "first": first, "second": second, **figures}
        for name in (*names, *([ALL] if len(names) > 1 else []))
        for under in [_Under(stressed, name)]
        for role in (PLANNED, UNPLANNED)
        for first, second in pairs.get(role, ())
        for figures in [under.compared(first, second, margin)]
    ]
    frame = pd.DataFrame(rows, columns=list(PAIR_KINDS))
    frame["holm"] = frame["holm"].astype(float)
    frame.loc[frame["role"] != PLANNED, "p"] = np.nan
    tested = frame["p"].notna()
    frame.loc[tested, "holm"] = holm(frame.loc[tested, "p"].astype(float).tolist())
    return frame.astype(PAIR_KINDS).round(_DIGITS)


class _Under:
    """All fusions under a corruption."""

    def __init__(self, stressed: Stressed, corruption: str) -> None:
        self._stressed = stressed
        self._correct = {name: stressed.correct(name, corruption) for name in stressed.fusions}
        weights = _METRIC.weights(stressed.labels)
        values = {name: correct @ weights for name, correct in self._correct.items()}
        nowhere = {name: np.zeros(len(seeds), bool) for name, seeds in values.items()}
        self._seeds = seed_values(values, nowhere, stressed.chance, higher_is_better=True)

    def compared(self, first: str, second: str, margin: float | None) -> dict[str, Any]:
        """Return what is known of two fusions, under the names of `StressPair`."""
        paired = self._stressed.paired(self._correct[first], self._correct[second])
        again = Claim(paired.difference, math.nan, math.inf)
        if paired.seeds > 1:
            again = retrained(paired)
        ours, theirs = self._seeds[first], self._seeds[second]
        apart = irregular(ours, theirs, margin)
        ends = dict(zip(("low", "high"), again.interval(), strict=True))
        fixed = dict(zip(("fixed_low", "fixed_high"), fixed_models(paired).interval(), strict=True))
        return {
            "difference": paired.difference, **ends, **fixed,
            "compares": SUCCESSES if apart else MEANS,
            "first_succeeded": int(ours.succeeded.sum()),
            "second_succeeded": int(theirs.succeeded.sum()),
            "p": paired_p(ours.succeeded, theirs.succeeded) if apart else again.p,
            "seeds": paired.seeds,
        }  # fmt: skip

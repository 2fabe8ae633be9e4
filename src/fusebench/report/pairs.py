"""Every two fusions compared on test: metrics/pairs.csv, from which the verdict is drawn.

Each pair is estimated first (`estimate_pairs`), then corrected for how many pairs decide
(`correct`).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import means
from fusebench.files import parse_table, read_table
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.study import Study
from fusebench.statistics.estimates import FEWEST_SEEDS, Claim, exact_bound, holm
from fusebench.statistics.paired import Paired

PAIRS = Path("metrics/pairs.csv")
_DIGITS = 6
_PRIMARY, _DESCRIPTIVE = "primary", "descriptive"


class Pair(NamedTuple):
    """Two fusions on one metric of test; a row of metrics/pairs.csv. NaN: not known.

    Figures have the metric's unit, but for p-values, degrees of freedom and counts.

    Attributes
    ----------
    role : str
        "primary" for the metric that decides; "descriptive" for the others, which have no p.
    difference : float
        First − second, mean over seeds.
    fixed_low, fixed_high, fixed_p, fixed_holm : float
        The claim about these trained models: 95 % interval, p, and p after Holm's correction.
    retrained_low, retrained_high, retrained_p, retrained_holm : float
        The claim about the fusions, retrained.
    retrained_error, retrained_df : float
        Its standard error, and the degrees of freedom of Student's t.
    minimum_detectable : float
        What is shown of the second claim with 80 % power after Holm's correction; never below
        `exact_bound`.
    exact_bound : float
        The largest difference that is not ruled out where no id is discordant.
    bootstrap_low, bootstrap_high : float
        95 % interval of the second claim by the two-way bootstrap.
    seed_deviation, id_deviation, seed_id_deviation : float
        Components of variance, as standard deviations.
    discordant : float
        Number of ids that add anything to the difference in any seed.
    first_mean, second_mean : float
        The metric of each, mean over seeds.
    first_collapsed, second_collapsed : int
        Seeds of each that answer one class for every sample.
    seeds, ids : int
        Number of seeds and of test ids.
    """

    metric: str
    role: str
    first: str
    second: str
    difference: float
    fixed_low: float
    fixed_high: float
    fixed_p: float
    fixed_holm: float
    retrained_low: float
    retrained_high: float
    retrained_error: float
    retrained_df: float
    retrained_p: float
    retrained_holm: float
    minimum_detectable: float
    exact_bound: float
    bootstrap_low: float
    bootstrap_high: float
    seed_deviation: float
    id_deviation: float
    seed_id_deviation: float
    discordant: float
    first_mean: float
    second_mean: float
    first_collapsed: int
    second_collapsed: int
    seeds: int
    ids: int


PAIR_KINDS: dict[str, type] = get_type_hints(Pair)
"""Columns of metrics/pairs.csv and their types, in their order."""


def pairs_of(fusions: Mapping[str, FusionPredictions], primary: str) -> pd.DataFrame:
    """Compare every two fusions on the primary metric, then on each other mean over samples.

    Returns
    -------
    DataFrame
        As metrics/pairs.csv: the columns of `Pair`, figures to six digits.
    """
    descriptive = [name for name in means() if name != primary]
    return correct(estimate_pairs(fusions, primary, descriptive))


def estimate_pairs(
    fusions: Mapping[str, FusionPredictions], primary: str, descriptive: Sequence[str] = ()
) -> pd.DataFrame:
    """Estimate the difference of every two fusions, without a correction for their number.

    Parameters
    ----------
    fusions : mapping of str to FusionPredictions
        The same seeds and test samples in all.
    primary : str
        The metric that decides; if it is no mean over samples, the bootstrap estimates it.
    descriptive : sequence of str
        Other metrics.

    Returns
    -------
    DataFrame
        The columns of `Pair`, and `paired` for `correct`: the Paired of a metric that is a mean.

    Raises
    ------
    ArtifactError
        The seeds differ, or the samples of a seed do.
    """
    study = Study.of(fusions)
    rows = [
        {"metric": metric, "role": role, **figures}
        for role, metrics in ((_PRIMARY, [primary]), (_DESCRIPTIVE, descriptive))
        for metric in metrics
        for figures in study.differences(metric)
    ]
    frame = pd.DataFrame(rows, columns=[*PAIR_KINDS, "paired"])
    frame.loc[frame["role"] != _PRIMARY, ["fixed_p", "retrained_p"]] = np.nan
    return frame


def correct(estimates: pd.DataFrame) -> pd.DataFrame:
    """Correct estimated pairs for the number of those that decide.

    Parameters
    ----------
    estimates : DataFrame
        Of `estimate_pairs`, or several joined; its primary rows are the family.

    Returns
    -------
    DataFrame
        The columns of `Pair`, figures to six digits.
    """
    frame = estimates.copy()
    primary = frame["role"] == _PRIMARY
    tests = int(primary.sum())
    for claim in ("fixed", "retrained"):
        tested = primary & frame[f"{claim}_p"].notna()
        frame.loc[tested, f"{claim}_holm"] = holm(frame.loc[tested, f"{claim}_p"].tolist())
    frame["exact_bound"] = [
        exact_bound(paired, tests) if isinstance(paired, Paired) else 0.0
        for paired in frame["paired"]
    ]
    # A deviation of few seeds is no ground for a promise of power.
    promised = primary & (frame["seeds"] >= FEWEST_SEEDS)
    frame.loc[promised, "minimum_detectable"] = [
        _minimum_detectable(row, tests) for _, row in frame[promised].iterrows()
    ]
    return _typed(frame)


def _minimum_detectable(row: "pd.Series[Any]", tests: int) -> float:
    paired = row["paired"]
    step = float(paired.weights.max()) if isinstance(paired, Paired) else 0.0
    claim = Claim(row["difference"], row["retrained_error"], row["retrained_df"], step)
    if claim.error == 0 and step == 0:
        # Predictions that are all alike say nothing of what would be shown.
        return math.nan
    return max(claim.minimum_detectable(tests), float(row["exact_bound"]))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `Pair` with their types; a count that may lack is written whole."""
    typed = frame[list(PAIR_KINDS)].astype(PAIR_KINDS).round(_DIGITS)
    return typed.astype({"discordant": "Int64"})


def read_pairs(path: Path) -> pd.DataFrame:
    """Return what metrics/pairs.csv holds; raise ArtifactError if it is missing or broken."""
    return _typed(read_table(path, PAIR_KINDS))


def parse_pairs(text: str) -> pd.DataFrame:
    """Return what the text of metrics/pairs.csv holds; raise ArtifactError if it is broken."""
    return _typed(parse_table(PAIRS, text, PAIR_KINDS))


def pair_rows(frame: pd.DataFrame) -> list[Pair]:
    """Return the rows of a table of pairs."""
    typed = frame[list(PAIR_KINDS)].astype(PAIR_KINDS)
    return [Pair(*row) for row in typed.itertuples(index=False, name=None)]


def primary_pairs(frame: pd.DataFrame) -> list[Pair]:
    """Return the pairs on the metric that decides."""
    return pair_rows(frame[frame["role"] == _PRIMARY])

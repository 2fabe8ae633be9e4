"""Every two fusions compared on test: metrics/pairs.csv, from which the verdict is drawn.

Each pair is estimated first (`estimate_pairs`), then corrected for how many contrasts were planned
(`correct`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_type_hints

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.files import parse_table, read_table
from fusebench.report.roles import DECIDING, DESCRIPTIVE, PLANNED, UNPLANNED
from fusebench.report.study import SUCCESSES, Study, by_seeds
from fusebench.statistics.estimates import Claim, holm
from fusebench.statistics.failures import SeedValues

PAIRS = Path("metrics/pairs.csv")
_DIGITS = 6


class Pair(NamedTuple):
    """Two fusions on one metric of test; a row of metrics/pairs.csv. NaN: not known.

    Figures have the metric's unit, but for p-values, rates, degrees of freedom and counts.

    Attributes
    ----------
    role : str
        On the metric that decides: "planned" (one of the contrasts that are tested), "unplanned"
        (shown, not tested) or "baseline" (against the threshold, not tested); on others
        "descriptive".
    difference : float
        First − second, mean over seeds.
    fixed_low, fixed_high, fixed_p, fixed_holm : float
        The claim about these trained models: 95 % interval, p, and p after Holm's correction.
    retrained_low, retrained_high : float
        The claim about the fusions, trained again: 95 % interval, by itself.
    retrained_error, retrained_df : float
        Its standard error, and the degrees of freedom of Student's t.
    retrained_p : float
        Its p: of the means.
    compares : str
        "means", or "successes" where some seeds succeed and some do not, and the differences over
        seeds are visibly not normal; empty: not asked.
    first_succeeded, second_succeeded : float
        Seeds that are beyond the middle between chance and the best seed of all fusions.
    success_p : float
        Exact p of "both succeed equally often", paired by seed.
    holm : float
        p of what is compared, means or successes, after Holm's correction.
    simultaneous_low, simultaneous_high : float
        Interval of the second claim; those of all planned contrasts hold together with 95 %.
    bootstrap_low, bootstrap_high : float
        95 % interval of the second claim by the two-way bootstrap.
    seed_deviation, id_deviation, seed_id_deviation, pseudo_deviation : float
        Components of variance, as standard deviations; the last of the pseudo-samples.
    step : float
        What one id can add to the difference, at most.
    discordant : float
        Number of ids that add anything to the difference in any seed.
    first_mean, second_mean : float
        The metric of each, mean over seeds.
    first_collapsed, second_collapsed : float
        Seeds of each that answer one class for every sample.
    collapse_rate, difference_at_collapse_rate : float
        The largest share of collapsing seeds that is not ruled out for the one that is better by
        what is compared, and what the difference of means would be if so many collapsed.
    seeds, ids : int
        Number of seeds and of test ids; where the data name groups, of these.
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
    compares: str
    first_succeeded: float
    second_succeeded: float
    success_p: float
    holm: float
    simultaneous_low: float
    simultaneous_high: float
    bootstrap_low: float
    bootstrap_high: float
    seed_deviation: float
    id_deviation: float
    seed_id_deviation: float
    pseudo_deviation: float
    step: float
    discordant: float
    first_mean: float
    second_mean: float
    first_collapsed: float
    second_collapsed: float
    collapse_rate: float
    difference_at_collapse_rate: float
    seeds: int
    ids: int

    @property
    def pseudo_share(self) -> float:
        """The share that the pseudo-samples have in the variance behind the interval."""
        return self.pseudo_deviation**2 / self.retrained_error**2 if self.retrained_error else 0.0


PAIR_KINDS: dict[str, type] = get_type_hints(Pair)
"""Columns of metrics/pairs.csv and their types, in their order."""
# Counts that may be missing; written whole.
_COUNTS = (
    "discordant", "first_succeeded", "second_succeeded", "first_collapsed", "second_collapsed",
)  # fmt: skip


def estimate_pairs(
    study: Study,
    seeds: Mapping[str, SeedValues],
    primary: str,
    pairs: Mapping[str, Sequence[tuple[str, str]]],
    margin: float | None = None,
    descriptive: Sequence[str] = (),
) -> pd.DataFrame:
    """Estimate the difference of some pairs, without a correction for their number.

    Parameters
    ----------
    seeds : mapping of str to SeedValues
        The primary metric of each fusion, seed by seed; a baseline's is not needed.
    primary : str
        The metric that decides, a mean over samples.
    pairs : mapping of str to sequence of pairs
        By their role.
    margin : float or None
        Of the primary metric, as in `study.by_seeds`.
    descriptive : sequence of str
        Other metrics, on which the planned and unplanned pairs are described.

    Returns
    -------
    DataFrame
        The columns of `Pair`; what `correct` adds is missing.
    """
    chosen = [(role, pair) for role in DECIDING for pair in pairs.get(role, ())]
    found = study.differences(primary, [pair for _, pair in chosen])
    rows = [
        {"metric": primary, "role": role} | figures | _seed_figures(seeds, figures, primary, margin)
        for (role, _), figures in zip(chosen, found, strict=True)
    ]
    compared = [*pairs.get(PLANNED, ()), *pairs.get(UNPLANNED, ())]
    rows += [
        {"metric": metric, "role": DESCRIPTIVE, **figures}
        for metric in descriptive
        for figures in study.differences(metric, compared)
    ]
    return frame_of(rows)


def _seed_figures(
    seeds: Mapping[str, SeedValues],
    figures: Mapping[str, object],
    metric: str,
    margin: float | None,
) -> dict[str, object]:
    first, second = (seeds.get(str(figures[side])) for side in ("first", "second"))
    if first is None or second is None:
        return {}
    higher = METRICS[metric].higher_is_better
    return by_seeds(first, second, margin, higher_is_better=higher)


def turned(pair: Pair) -> Pair:
    """Return a pair from the second fusion's side."""
    other = {"first": "second", "second": "first"}
    swapped = {
        name: getattr(pair, f"{other[side]}{name.removeprefix(side)}")
        for name in Pair._fields
        for side in other
        if name.startswith(side)
    }
    negated = {
        f"{claim}_{end}": -getattr(pair, f"{claim}_{opposite}")
        for claim in ("fixed", "retrained", "simultaneous", "bootstrap")
        for end, opposite in (("low", "high"), ("high", "low"))
    }
    alone = {name: -getattr(pair, name) for name in ("difference", "difference_at_collapse_rate")}
    return pair._replace(**swapped, **negated, **alone)


def frame_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows as a table for `correct`; p-values of what is not tested are left out."""
    frame = pd.DataFrame(rows, columns=list(PAIR_KINDS))
    frame["compares"] = frame["compares"].fillna("")
    frame.loc[frame["role"] != PLANNED, ["fixed_p", "retrained_p", "success_p"]] = np.nan
    return frame


def correct(estimates: pd.DataFrame) -> pd.DataFrame:
    """Correct estimated pairs for the number of planned contrasts.

    Parameters
    ----------
    estimates : DataFrame
        Of `estimate_pairs`, or several joined; its planned rows are the family.

    Returns
    -------
    DataFrame
        The columns of `Pair`, figures to six digits.
    """
    frame = estimates.copy()
    planned = frame["role"] == PLANNED
    decisive = frame["success_p"].where(frame["compares"] == SUCCESSES, frame["retrained_p"])
    for adjusted, values in (("fixed_holm", frame["fixed_p"]), ("holm", decisive)):
        tested = planned & values.notna()
        frame.loc[tested, adjusted] = holm(values[tested].astype(float).tolist())
    claims = frame[planned & frame["retrained_error"].notna()]
    columns = ["difference", "retrained_error", "retrained_df"]
    for row, figures in zip(claims.index, claims[columns].astype(float).to_numpy(), strict=True):
        ends = Claim(*figures.tolist()).interval(int(planned.sum()))
        frame.loc[row, ["simultaneous_low", "simultaneous_high"]] = ends
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `Pair` with their types; a count that may lack is written whole."""
    typed = frame[list(PAIR_KINDS)].astype(PAIR_KINDS).round(_DIGITS)
    return typed.astype(dict.fromkeys(_COUNTS, "Int64"))


def read_pairs(path: Path) -> pd.DataFrame:
    """Return what metrics/pairs.csv holds; raise ArtifactError if it is missing or broken."""
    return _typed(read_table(path, PAIR_KINDS))


def parse_pairs(text: str) -> pd.DataFrame:
    """Return what the text of metrics/pairs.csv holds; raise ArtifactError if it is broken."""
    return _typed(parse_table(PAIRS, text, PAIR_KINDS))


def pair_rows(frame: pd.DataFrame, *roles: str) -> list[Pair]:
    """Return the rows of a table of pairs; of some roles, or all."""
    chosen = frame[frame["role"].isin(roles)] if roles else frame
    typed = chosen[list(PAIR_KINDS)].astype(PAIR_KINDS)
    return [Pair(*row) for row in typed.itertuples(index=False, name=None)]


def primary_pairs(frame: pd.DataFrame) -> list[Pair]:
    """Return the pairs of fusions on the metric that decides, the planned ones first."""
    return [*pair_rows(frame, PLANNED), *pair_rows(frame, UNPLANNED)]

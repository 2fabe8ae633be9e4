"""The same fusion before and after a change: what became of it, across commits and experiments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import seed_metrics
from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import FusionPredictions
from fusebench.report.pairs import Pair, correct, estimate_pairs, pair_rows
from fusebench.report.roles import PLANNED
from fusebench.report.settings import CompareParams
from fusebench.report.study import Study
from fusebench.revisions.matching import Matched, Side, match

__all__ = ["Change", "Diff", "Side", "diff", "within_bounds"]

_INTERVALS = [
    f"{claim}_{end}"
    for claim in ("fixed", "retrained", "simultaneous", "bootstrap")
    for end in ("low", "high")
]


@dataclass(frozen=True)
class Change:
    """What became of a fusion.

    Attributes
    ----------
    fusion : str
    pair : Pair
        After against before on the primary metric; Holm's correction is over the changed fusions.
        Its intervals are within the metric's bounds.
    metrics : dict of str to (float, float)
        Each metric before and after, mean over the common seeds, on the common samples.
    samples : int
        Common test samples.
    """

    fusion: str
    pair: Pair
    metrics: dict[str, tuple[float, float]]
    samples: int


@dataclass(frozen=True)
class Diff:
    """All that is to be said of two sides.

    Attributes
    ----------
    before, after : str
        Names of the sides.
    changes : tuple of Change
    same : tuple of str
        Fusions with equal predictions on both sides: nothing is to be tested there.
    missing : dict of str to tuple of str
        Fusions without a partner, by the side that has them.
    alone : dict of (str, str) to tuple of str
        What else has no partner (the side that has it, and what it is), and of which fusions.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    same: tuple[str, ...]
    missing: dict[str, tuple[str, ...]]
    alone: dict[tuple[str, str], tuple[str, ...]]


def diff(before: Side, after: Side, params: CompareParams) -> Diff:
    """Compare each fusion that is on both sides with itself.

    Parameters
    ----------
    params : CompareParams
        The metric that decides, and its margin; contrasts are of no account here.

    Raises
    ------
    ArtifactError
        The samples contradict each other, or nothing is common.
    """
    matched = {name: match(name, before, after) for name in before.fusions if name in after.fusions}
    common = {name: fusion for name, fusion in matched.items() if fusion.before.seeds}
    if not common:
        raise ArtifactError(
            f"{before.name} and {after.name} have no fusion, seed and test sample in common; there "
            "is nothing to compare"
        )
    changed = {name: fusion for name, fusion in common.items() if not fusion.same}
    alone: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, fusion in matched.items():
        for what in fusion.alone:
            alone[what] = (*alone.get(what, ()), name)
    return Diff(
        before.name,
        after.name,
        tuple(_changes(changed, (before.name, after.name), params)),
        tuple(name for name in common if name not in changed),
        {
            side.name: tuple(name for name in side.fusions if name not in matched)
            for side in (before, after)
        },
        alone,
    )


def _changes(
    fusions: Mapping[str, Matched], sides: tuple[str, str], params: CompareParams
) -> list[Change]:
    """Return what became of the changed fusions, which are one family of tests."""
    if not fusions:
        return []
    before, after = sides
    estimates = [
        _estimate({f"{name} ({after})": fusion.after, f"{name} ({before})": fusion.before}, params)
        for name, fusion in fusions.items()
    ]
    pairs = pair_rows(correct(pd.concat(estimates, ignore_index=True)))
    return [
        Change(name, within_bounds(pair), _metrics(fusion), _samples(fusion.after))
        for (name, fusion), pair in zip(fusions.items(), pairs, strict=True)
    ]


def _estimate(sides: Mapping[str, FusionPredictions], params: CompareParams) -> pd.DataFrame:
    """Return the estimated difference of a fusion after and before."""
    after, before = sides
    study = Study.of(sides)
    seeds = study.by_seed(params.primary, [after, before])
    pairs = {PLANNED: [(after, before)]}
    return estimate_pairs(study, seeds, params.primary, pairs, params.primary_margin)


def within_bounds(pair: Pair) -> Pair:
    """Return a pair whose intervals hold only changes that the metric allows.

    From the second's mean, which is before, a change leads at most to the metric's bounds.
    Student's t knows no bounds, so with few seeds an interval may go beyond. The estimate is
    within, so it stays in its interval; p is left as it is.
    """
    low, high = (bound - pair.second_mean for bound in METRICS[pair.metric].bounds)
    # An interval that is not known stays NaN.
    ends: dict[str, Any] = {
        name: float(np.clip(getattr(pair, name), low, high)) for name in _INTERVALS
    }
    return pair._replace(**ends)


def _metrics(fusion: Matched) -> dict[str, tuple[float, float]]:
    """Return every metric before and after, on the common seeds and samples."""
    before, after = (
        pd.DataFrame(seed_metrics(side, "test").values())[list(METRICS)].mean()
        for side in (fusion.before, fusion.after)
    )
    return {name: (float(before[name]), float(after[name])) for name in METRICS}


def _samples(fusion: FusionPredictions) -> int:
    return len(next(iter(fusion.seeds.values()))["test"].labels)

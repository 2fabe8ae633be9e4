"""How far a difference between two fusions carries: variance components, intervals, power.

Two claims are kept apart. *These trained models*: the seeds are given, the test ids could have been
others. *Trained again*: seeds, with their draws of training data, and test ids could have been
others. The model of the second is crossed and random,

    contribution of id j in seed s = mean_j-kind + seed_s + id_j + (seed × id)_sj,

with variances estimated by mean squares (Searle, Casella & McCulloch, "Variance components", 1992)
and degrees of freedom after Satterthwaite (Biometrics Bulletin 2, 1946).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from fusebench.statistics.paired import Floats, Ints, Paired

LEVEL = 0.95
POWER = 0.8
# Below this, a standard deviation over seeds says next to nothing: see docs/calibration.md.
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class Part:
    """One term of the variance of an estimate, in squared units of the metric.

    Attributes
    ----------
    variance : float
    df : float
        Degrees of freedom with which it was estimated; infinite for a constant.
    """

    variance: float
    df: float


@dataclass(frozen=True)
class Claim:
    """An estimate with what it carries, in the metric's unit.

    Attributes
    ----------
    difference : float
        First − second.
    error : float
        Standard error.
    df : float
        Of Student's t; infinite where the normal distribution takes its place.
    step : float
        What one sample can add to the difference, at most.
    """

    difference: float
    error: float
    df: float
    step: float = 0.0

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided confidence interval."""
        half = _quantile((1 + level) / 2, self.df) * self.error
        return self.difference - half, self.difference + half

    @property
    def p(self) -> float:
        """Two-sided p-value of "there is no difference"."""
        if self.error == 0:
            return 1.0 if self.difference == 0 else 0.0
        return min(1.0, 2 * float(stdtr(_finite(self.df), -abs(self.difference) / self.error)))

    def detectable(self, tests: int) -> float:
        """Return the difference that would be shown with 80 % power when `tests` share the level.

        That is in the first of Holm's steps, where each has 5 % / tests. A difference δ itself
        makes δ / step more ids discordant, which adds step · δ to the variance; so this is the δ
        that is as many errors as the two quantiles make together: δ² = k² (error² + step · δ).
        """
        times = _quantile(1 - (1 - LEVEL) / (2 * tests), self.df) + _quantile(POWER, self.df)
        more = times**2 * self.step
        return (more + math.sqrt(more**2 + 4 * times**2 * self.error**2)) / 2


def _finite(df: float) -> float:
    # Student's t with so many degrees of freedom is the normal distribution.
    return min(df, 1e9)


def _quantile(share: float, df: float) -> float:
    return float(stdtrit(_finite(df), share))


def satterthwaite(parts: Sequence[Part], total: float) -> float:
    """Return the degrees of freedom of a sum of variances: total² / Σ variance² / df."""
    spread = sum(part.variance**2 / part.df for part in parts if part.variance)
    return total**2 / spread if spread else math.inf


def these_models(paired: Paired) -> Claim:
    """Return the claim about the models as they are trained: ids vary."""
    parts = [_ids(paired), _unseen(paired)]
    return _claim(paired, parts, sum(part.variance for part in parts))


def trained_again(paired: Paired) -> Claim:
    """Return the claim about the fusions, trained again: seeds, draws and ids vary.

    Raises
    ------
    ValueError
        There is one seed only, so nothing is known of how seeds vary.
    """
    if paired.seeds < 2:
        raise ValueError("one seed tells nothing of other seeds")
    seeds, ids, both = _seeds(paired), _ids(paired), _residual(paired)
    # The mean squares of seeds and of ids both hold the interaction; it counts once.
    estimate = seeds.variance + ids.variance - both.variance
    varied = max(estimate, seeds.variance, ids.variance)
    unseen = _unseen(paired)
    total = varied + unseen.variance
    # No more degrees of freedom than the seeds have: where their variance comes out small by
    # chance, Satterthwaite would lend them those of the ids (docs/calibration.md: up to 13 % false
    # claims where seeds differ in one of the two fusions only).
    df = min(satterthwaite([seeds, ids, both, unseen], total), seeds.df)
    return Claim(paired.difference, math.sqrt(total), df, float(paired.weights.max()))


def _claim(paired: Paired, parts: Sequence[Part], total: float) -> Claim:
    df = satterthwaite(parts, total)
    return Claim(paired.difference, math.sqrt(total), df, float(paired.weights.max()))


def _seeds(paired: Paired) -> Part:
    """Return the variance of the mean over seeds, from how the seeds' differences vary."""
    differences = paired.contributions.sum(axis=1)
    return Part(float(differences.var(ddof=1)) / paired.seeds, paired.seeds - 1)


def _ids(paired: Paired) -> Part:
    """Return the variance of a sum over ids drawn anew within their strata."""
    means = paired.contributions.mean(axis=0)
    parts = [_of_sum(means[paired.strata == kind]) for kind in np.unique(paired.strata)]
    total = sum(part.variance for part in parts)
    return Part(total, satterthwaite(parts, total))


def _of_sum(values: Floats) -> Part:
    """Return the variance of a sum of as many such values, with degrees of freedom by kurtosis.

    Most ids add nothing: what is known of the variance comes from the few that do, and the usual
    n − 1 would count the others too. Var(s²)/σ⁴ = (kurtosis − (n − 3)/(n − 1))/n = 2/df.
    """
    count = len(values)
    if count < 2 or not np.ptp(values):
        return Part(0.0, math.inf)
    centred = values - values.mean()
    squares = centred**2
    second, fourth = float(squares.mean()), float((squares**2).mean())
    relative = (fourth / second**2 - (count - 3) / (count - 1)) / count
    return Part(count * float(values.var(ddof=1)), min(2 / relative, count - 1))


def _residual(paired: Paired) -> Part:
    """Return the share of seed × id in the variance of the mean over seeds."""
    parts = []
    for kind in np.unique(paired.strata):
        held = paired.contributions[:, paired.strata == kind]
        left = held - held.mean(0) - held.mean(1, keepdims=True) + held.mean()
        df = (held.shape[0] - 1) * (held.shape[1] - 1)
        if df:
            mean_square = float((left**2).sum()) / df
            parts.append(Part(held.shape[1] * mean_square / paired.seeds, df))
    total = sum(part.variance for part in parts)
    return Part(total, satterthwaite(parts, total))


def _unseen(paired: Paired) -> Part:
    """Return the variance of two samples per class, one right for each fusion alone.

    Where hardly any id is discordant, the ids' variance is estimated as nearly 0 though it is not;
    pseudo-observations mend intervals for paired proportions (Agresti & Min, Statistics in Medicine
    24, 2005; they add half as much, with which docs/calibration.md finds too many false claims).
    """
    return Part(float(2 * (paired.weights**2).sum()), math.inf)


def exact_bound(paired: Paired, tests: int) -> float:
    """Return the difference that may hide where no id is discordant, in the metric's unit.

    Of n samples of a class none differs; then with confidence 1 − α the share that would is below
    1 − α^(1/n) (Clopper & Pearson 1934), α being 5 % / tests. The class in which most can hide
    counts. 0 for a metric without bounds.
    """
    alpha = (1 - LEVEL) / tests
    hidden = 1 - alpha ** (1 / paired.counts)
    return float((paired.weights * paired.counts * hidden).max())


def deviations(paired: Paired) -> dict[str, float | None]:
    """Return the components as standard deviations, in the metric's unit.

    seed: of the true difference from seed to seed; id: of what a draw of test ids adds; seed × id:
    of what the two add together in one seed. None with one seed.
    """
    if paired.seeds < 2:
        return {"seed": None, "id": None, "seed_id": None}
    count = paired.seeds
    seeds, ids, both = (each(paired).variance for each in (_seeds, _ids, _residual))
    return {
        "seed": math.sqrt(max(0.0, count * (seeds - both))),
        "id": math.sqrt(max(0.0, ids - both)),
        "seed_id": math.sqrt(count * both),
    }


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm, Scandinavian J. of Statistics 6, 1979)."""
    order = np.argsort(values, kind="stable")
    steps = np.array(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(each) for each in adjusted]


__all__ = [
    "FEWEST_SEEDS", "LEVEL", "POWER", "Claim", "Floats", "Ints", "Part", "deviations",
    "exact_bound", "holm", "satterthwaite", "these_models", "trained_again",
]  # fmt: skip

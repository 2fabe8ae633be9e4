"""How far a difference between two fusions carries: variance components, intervals.

Two claims are kept apart. *Fixed models*: the seeds are given, the test ids could have been others.
*Trained again*: seeds, with their draws of training data, and test ids could have been others. The
model of the second is crossed and random,

    contribution of id j in seed s = mean of j's stratum + seed_s + id_j + (seed × id)_sj,

with variances estimated by mean squares (Searle, Casella & McCulloch, "Variance components", 1992)
and degrees of freedom after Satterthwaite (Biometrics Bulletin 2, 1946).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from fusebench.statistics.paired import Floats, Paired

LEVEL = 0.95
# Below this, a standard deviation over seeds says next to nothing: see docs/calibration.md.
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class Component:
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
    """

    difference: float
    error: float
    df: float

    def interval(self, tests: int = 1) -> tuple[float, float]:
        """Return the two-sided 95 % confidence interval.

        Parameters
        ----------
        tests : int
            Of how many intervals that hold together (Bonferroni).
        """
        half = float(student.ppf(1 - (1 - LEVEL) / (2 * tests), self.df)) * self.error
        return self.difference - half, self.difference + half

    @property
    def p(self) -> float:
        """Two-sided p-value of "there is no difference"; NaN where the error is not known."""
        if math.isnan(self.error):
            return math.nan
        if self.error == 0:
            return 1.0 if self.difference == 0 else 0.0
        return min(1.0, 2 * float(student.sf(abs(self.difference) / self.error, self.df)))


def mean_over_seeds(values: Floats) -> Claim:
    """Return the mean of a value per seed, shape (s,), with what it carries by their scatter alone.

    Error and degrees of freedom are NaN with one seed.
    """
    seeds, mean = len(values), float(values.mean())
    if seeds < 2:
        return Claim(mean, math.nan, math.nan)
    return Claim(mean, float(values.std(ddof=1)) / math.sqrt(seeds), seeds - 1)


def satterthwaite(components: Sequence[Component], total: float) -> float:
    """Return the degrees of freedom of a sum of variances: total² / Σ variance² / df."""
    spread = sum(term.variance**2 / term.df for term in components if term.variance)
    return total**2 / spread if spread else math.inf


def _sum(components: Sequence[Component]) -> Component:
    """Return the variance of a sum of independent terms."""
    total = sum(term.variance for term in components)
    return Component(total, satterthwaite(components, total))


def fixed_models(paired: Paired) -> Claim:
    """Return the claim about the models as they are trained: ids vary."""
    return _claim(paired, _sum([_ids(paired), _unseen(paired)]))


def retrained(paired: Paired) -> Claim:
    """Return the claim about the fusions, trained again: seeds, draws and ids vary.

    Raises
    ------
    ValueError
        There is one seed only, so nothing is known of how seeds vary.
    """
    if paired.seeds < 2:
        raise ValueError("one seed tells nothing of other seeds")
    seeds, ids, both, unseen = (term(paired) for term in (_seeds, _ids, _interaction, _unseen))
    # The mean squares of seeds and of ids both hold the interaction; it counts once.
    estimate = seeds.variance + ids.variance - both.variance
    total = max(estimate, seeds.variance, ids.variance) + unseen.variance
    # No more degrees of freedom than the seeds have: where their variance comes out small by
    # chance, Satterthwaite would lend them those of the ids, and the type I error rose to 13 %
    # where seeds differ in one of the two fusions only.
    df = min(satterthwaite([seeds, ids, both, unseen], total), seeds.df)
    return _claim(paired, Component(total, df))


def _claim(paired: Paired, total: Component) -> Claim:
    return Claim(paired.difference, math.sqrt(total.variance), total.df)


def _seeds(paired: Paired) -> Component:
    """Return the variance of the mean over seeds, from how the seeds' differences vary."""
    differences = paired.contributions.sum(axis=1)
    return Component(float(differences.var(ddof=1)) / paired.seeds, paired.seeds - 1)


def _ids(paired: Paired) -> Component:
    """Return the variance of a sum over ids drawn anew within their strata."""
    means = paired.varying.mean(axis=0)
    strata = np.unique(paired.strata)
    return _sum([_of_sum(means[paired.strata == stratum]) for stratum in strata])


def _of_sum(values: Floats) -> Component:
    """Return the variance of a sum of as many such values, with degrees of freedom by kurtosis.

    Most ids add nothing: what is known of the variance comes from the few that do, and the usual
    n − 1 would count the others too. Var(s²)/σ⁴ = (kurtosis − (n − 3)/(n − 1))/n = 2/df.
    """
    count = len(values)
    if count < 2 or not np.ptp(values):
        return Component(0.0, math.inf)
    squares = (values - values.mean()) ** 2
    second, fourth = float(squares.mean()), float((squares**2).mean())
    relative = (fourth / second**2 - (count - 3) / (count - 1)) / count
    return Component(count * float(values.var(ddof=1)), min(2 / relative, count - 1))


def _interaction(paired: Paired) -> Component:
    """Return the share of seed × id in the variance of the mean over seeds."""
    terms = []
    varying = paired.varying
    for stratum in np.unique(paired.strata):
        table = varying[:, paired.strata == stratum]
        seeds, ids = table.shape
        residuals = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
        df = (seeds - 1) * (ids - 1)
        if df:
            terms.append(Component(ids * float((residuals**2).sum()) / df / seeds, df))
    return _sum(terms)


def _unseen(paired: Paired) -> Component:
    """Return the variance of two ids per class, one right for each fusion alone.

    Where hardly any id is discordant, the ids' variance is estimated as nearly 0 though it is not;
    pseudo-observations mend intervals for paired proportions (Agresti & Min, Statistics in Medicine
    24, 2005; they add half as much, with which the type I error was too high).
    """
    return Component(float(2 * (paired.weights**2).sum()), math.inf)


def deviations(paired: Paired) -> dict[str, float]:
    """Return the components as standard deviations, in the metric's unit.

    seed: of the true difference from seed to seed; id: of what a draw of test ids adds; seed × id:
    of what the two add together in one seed. NaN with one seed. pseudo: of the pseudo-samples.
    """
    pseudo = math.sqrt(_unseen(paired).variance)
    if paired.seeds < 2:
        return dict.fromkeys(("seed", "id", "seed_id"), math.nan) | {"pseudo": pseudo}
    count = paired.seeds
    seeds, ids, both = (term(paired).variance for term in (_seeds, _ids, _interaction))
    return {
        "seed": math.sqrt(max(0.0, count * (seeds - both))),
        "id": math.sqrt(max(0.0, ids - both)),
        "seed_id": math.sqrt(count * both),
        "pseudo": pseudo,
    }


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm, Scandinavian J. of Statistics 6, 1979)."""
    order = np.argsort(values, kind="stable")
    steps = np.array(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(value) for value in adjusted]

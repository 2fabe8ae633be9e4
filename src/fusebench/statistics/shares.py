"""How much two sensors tell of a class in both, in one alone and only together, with intervals.

The shares are those of the answers of three models: one sees the first sensor, one the second, one
both (Liang et al., "Quantifying & modeling multimodal interactions: an information decomposition
framework", NeurIPS 2023). What only both sensors together tell shows in no answer by one of them.
The answers by both give a lower bound of it, as far as the other two models missed nothing:

    only together ≥ I(Y; answer by both) − redundant − unique to the first − unique to the second
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from fusebench.statistics.decomposition import Programme, joint_table, mutual_information
from fusebench.statistics.estimates import LEVEL
from fusebench.statistics.paired import Floats, Ints, by_class, strata
from fusebench.statistics.resampling import Resamples

RESAMPLES = 200
"""Each solves the programme once: half a second in all for two classes, 10 seconds for ten."""
SHARES = ("redundant", "unique_first", "unique_second", "together")
INFORMATION = ("first", "second", "both")
"""I(Y; answer) of each model."""


@dataclass(frozen=True)
class Estimate:
    """An amount of information in bits, with its 95 % interval; all three from 0 to log2 k."""

    bits: float
    low: float
    high: float


def estimate_shares(
    labels: Ints, ids: Ints, answers: Sequence[Ints], counts: Sequence[int], classes: int
) -> dict[str, Estimate]:
    """Estimate what three models' answers tell of the class, every class counting equally.

    An estimate from n samples of a class is too large by about (b − 1)/2n nats for each of its
    rows of b answers. That bias is taken off as the bootstrap finds it (Efron & Tibshirani, "An
    introduction to the bootstrap", 1993, chapter 10): unlike a formula it is at hand for the
    programme's minimum, too, and it keeps redundant + unique = I(Y; answer). The interval is
    normal, with the variance over resampled ids. Where hardly any answer is wrong that is nearly 0
    though it is not: the effect of one more id with samples of each class, answered as those of the
    other classes are by one model, is added to it, for each of the three.

    Parameters
    ----------
    labels, ids : array of int, shape (n,)
        Class and position of the id of each sample.
    answers : sequence of three arrays of int, shape (n,)
        By the first sensor, by the second, by both.
    counts : sequence of three int
        How many different answers each model can give.
    classes : int
        Number of classes k; each has samples.

    Returns
    -------
    dict of str to Estimate
        Of each of `SHARES` and of `INFORMATION`.

    Raises
    ------
    UnsolvedError
        The programme was not solved.
    """
    measure = _measure(Programme(classes, *counts[:2]))
    shapes = [(classes, count) for count in counts]

    def tables(weights: Floats | None = None) -> list[Floats]:
        return [joint_table(labels, *of, weights) for of in zip(answers, shapes, strict=True)]

    plain = measure(tables())
    times = Resamples.make(1, strata(ids, labels), RESAMPLES).ids
    drawn = [found for row in times if _whole(found := tables(row[ids]))]
    resampled = np.array([measure(found) for found in drawn])
    samples = by_class(ids, labels)[1]
    effects = [measure(other) - plain for other in _with_one_more(tables(), labels, samples)]
    variance = resampled.var(axis=0, ddof=1) + np.square(effects).sum(axis=0)
    values = plain - (resampled.mean(axis=0) - plain)
    half = float(norm.ppf((1 + LEVEL) / 2)) * np.sqrt(variance)
    ends = np.clip([values, values - half, values + half], 0.0, math.log2(classes))
    return {
        name: Estimate(*figures)
        for name, figures in zip((*SHARES, *INFORMATION), ends.T.tolist(), strict=True)
    }


def _measure(programme: Programme) -> Callable[[Sequence[Floats]], Floats]:
    """Return what gives shares and information, not corrected, of three joint distributions."""

    def measure(tables: Sequence[Floats]) -> Floats:
        parts = programme.decompose(*tables[:2])
        told = [mutual_information(table) for table in tables]
        shares = parts.redundant, parts.unique_first, parts.unique_second, told[2] - parts.union
        return np.array([*shares, *told])

    return measure


def _whole(tables: Sequence[Floats]) -> bool:
    """Tell whether every class has a sample; where ids are in small strata, it may have none."""
    return not np.isnan(tables[0]).any()


def _with_one_more(tables: Sequence[Floats], labels: Ints, samples: Floats) -> list[list[Floats]]:
    """Return the tables with one id more of each class, which one model answers wrong.

    Parameters
    ----------
    samples : array, shape (k,)
        How many samples of a class an id has.
    """
    sizes, added = np.bincount(labels)[:, None], samples[:, None]
    changed = []
    for place, table in enumerate(tables):
        classes = len(table)
        others = (table.sum(axis=0) - table) / (classes - 1)
        more = list(tables)
        more[place] = (table * sizes + added * others) / (sizes + added)
        changed.append(more)
    return changed

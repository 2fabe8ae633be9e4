"""How far each of several fusions can be below the best: multiple comparisons with the best.

Hsu, "Multiple Comparisons: Theory and Methods" (1996), for unequal errors after Edwards & Hsu
(Journal of the American Statistical Association 78, 1983). Only comparisons with the best count,
k − 1 of them, so bounds are tighter than from all k (k − 1)/2 pairs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from fusebench.statistics.estimates import LEVEL
from fusebench.statistics.paired import Floats


@dataclass(frozen=True)
class ToBest:
    """What is known of k fusions' distance to the best of them.

    Attributes
    ----------
    below : array, shape (k,)
        At most so far below the best, in the metric's unit, 0 or more; for all fusions together
        with 95 % confidence. 0: it is the best.
    candidate : array of bool, shape (k,)
        Whether it may be the best; one at least is.
    """

    below: Floats
    candidate: npt.NDArray[np.bool_]


def to_best(differences: Floats, errors: Floats, dfs: Floats) -> ToBest:
    """Return how far each fusion can be below the best.

    With b the best in truth, all differences D_bj are within c_bj of their truth on the harmful
    side with 95 % confidence (Bonferroni, k − 1 one-sided bounds). Then b is a candidate, and no
    fusion i is farther below b than −(D_ib − c_ib).

    Parameters
    ----------
    differences : array, shape (k, k)
        Entry (i, j) is i − j, so turned that larger is better; the diagonal is not read.
    errors, dfs : array, shape (k, k)
        Its standard error and degrees of freedom.
    """
    count = len(differences)
    reach = student.ppf(1 - (1 - LEVEL) / max(1, count - 1), dfs) * errors
    others = ~np.eye(count, dtype=bool)
    upper = np.where(others, differences + reach, np.inf).min(axis=1)
    # Not > 0: of two that are equal without any error, each may be the best.
    candidate = upper >= 0
    against = others & candidate[None, :]
    lower = np.where(against, differences - reach, np.inf).min(axis=1)
    # No candidate but itself: it is the best.
    # Plus 0, which makes 0 of a negative one.
    below = np.maximum(0.0, -np.where(np.isinf(lower), 0.0, lower)) + 0.0
    return ToBest(below, candidate)

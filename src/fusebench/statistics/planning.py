"""How many seeds and test ids a study would need, from the components of variance of one at hand.

A planned study of s seeds and r times the test ids has the variance

    seed² / s + id² / r + (seed × id)² / (r s) + pseudo² / r² + step · more / r,

where *more* is what the difference to be shown exceeds the one at hand by: it makes more ids
discordant. The seeds' variance was estimated from few seeds, so power is the mean over what it may
be in truth (assurance: O'Hagan, Stevens & Campbell, Pharmaceutical Statistics 4, 2005), and not
that of the estimate, which promises too much.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, nct
from scipy.stats import t as student

from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

POWER = 0.8
MOST_SEEDS = 1000
"""More are not looked at."""
FEWEST_AT_HAND = 10
"""Fewer seeds say too little of their variance: plans made of 5 fell short of 80 %."""
# Equally likely values of the seeds' variance that stand for all of them.
_VALUES = (np.arange(100) + 0.5) / 100


@dataclass(frozen=True)
class Pilot:
    """What is known of a difference from the study at hand; deviations in the metric's unit.

    Attributes
    ----------
    difference : float
    seeds : int
    seed, id, seed_id, pseudo : float
        As `estimates.deviations` gives them.
    step : float
        What one id can add to the difference, at most.
    """

    difference: float
    seeds: int
    seed: float
    id: float
    seed_id: float
    pseudo: float
    step: float


def power(pilot: Pilot, difference: float, tests: int, seeds: int, ids: float = 1) -> float:
    """Return how likely a new study shows a difference, in the first of Holm's steps.

    Parameters
    ----------
    difference : float
        In truth, in the metric's unit, above 0.
    tests : int
        Planned contrasts that share the level.
    seeds : int
        Of the new study, 2 or more.
    ids : float
        How many times as many test ids it has.
    """
    known = pilot.seeds - 1
    by_seed = (pilot.seed**2 + pilot.seed_id**2) * known / chi2.ppf(_VALUES, known)
    # Of the seeds' variance the share of seed × id is known well; it alone shrinks with more ids.
    by_both = np.minimum(pilot.seed_id**2, by_seed)
    more = max(0.0, difference - abs(pilot.difference))
    variance = (
        (by_seed - by_both + by_both / ids) / seeds
        + pilot.id**2 / ids
        + pilot.pseudo**2 / ids**2
        + pilot.step * more / ids
    )
    if not variance.any():
        return 1.0
    edge = student.ppf(1 - (1 - LEVEL) / (2 * tests), seeds - 1)
    return float(nct.sf(edge, seeds - 1, difference / np.sqrt(variance)).mean())


def seeds_needed(pilot: Pilot, difference: float, tests: int, ids: float = 1) -> int | None:
    """Return the fewest seeds with which a difference is shown with 80 %; None: more than 1,000.

    Parameters
    ----------
    difference, tests, ids
        As in `power`.
    """
    low, high = FEWEST_SEEDS - 1, FEWEST_SEEDS
    while power(pilot, difference, tests, high, ids) < POWER:
        if high >= MOST_SEEDS:
            return None
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        if power(pilot, difference, tests, middle, ids) < POWER:
            low = middle
        else:
            high = middle
    return high

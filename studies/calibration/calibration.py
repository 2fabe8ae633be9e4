"""How often the statistics are wrong, counted in simulated studies whose truth is known."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fusebench.statistics.estimates import (
    LEVEL,
    exact_bound,
    holm,
    these_models,
    trained_again,
)
from fusebench.statistics.resampling import DRAWS, Drawings, of_means, percentiles
from studies.calibration.rates import Calibration, Cell, Effect, Rate
from studies.calibration.scenarios import REGIMES, Regime, of_seven
from studies.calibration.simulation import STRATA, Draw, Trial, draws

SEEDS = (3, 5, 8, 10, 20)
# What takes longer is counted in a part of the trials, with this many seeds.
USUAL = 10
_FAMILY_TRIALS, _BOOTSTRAP_TRIALS = 0.5, 0.125
FAMILIES = ("both", "stuck 0.1")
BOOTSTRAPPED = ("ids", "seeds", "interaction")
_DIGITS = 4


@dataclass(frozen=True)
class _Found:
    """What the statistics say in one trial, against the truth."""

    claimed: bool
    shown: bool
    again: bool
    models: bool
    detectable: float


def _examine(trial: Trial, truth: float) -> _Found:
    again, models = trained_again(trial.paired), these_models(trial.paired)
    claimed = again.p <= 1 - LEVEL
    return _Found(
        claimed,
        claimed and again.difference > 0,
        _within(again.interval(), truth),
        _within(models.interval(), trial.truth),
        max(again.detectable(1), exact_bound(trial.paired, 1)),
    )


def _within(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def calibrate(trials: int, report: Callable[[str], None] = print) -> Calibration:
    """Count everything.

    Parameters
    ----------
    trials : int
        Per cell.
    report : callable
        Gets a line when a regime is done.
    """
    cells = []
    for regime in REGIMES:
        cells += cells_of(regime, trials)
        report(f"{regime.name}: {len(SEEDS)} × {trials:,} studies")
    families = {name: family_rate(of_seven(name), _share(trials, _FAMILY_TRIALS))
                for name in FAMILIES}  # fmt: skip
    report(f"Holm over 21 pairs: {', '.join(FAMILIES)}")
    drawings = Drawings.make(USUAL, STRATA, DRAWS)
    bootstrap = {regime.name: bootstrap_rate(regime, _share(trials, _BOOTSTRAP_TRIALS), drawings)
                 for regime in REGIMES if regime.name in BOOTSTRAPPED}  # fmt: skip
    report(f"bootstrap: {', '.join(BOOTSTRAPPED)}")
    return Calibration(cells, families, bootstrap)


def _share(trials: int, share: float) -> int:
    return max(1, math.floor(trials * share))


def cells_of(regime: Regime, trials: int) -> list[Cell]:
    """Count one regime: first without a difference, then with what that says is detectable."""
    null = _null(regime, trials)
    least = {
        seeds: round(float(np.median([each.detectable for each in found])), _DIGITS)
        for seeds, found in null.items()
    }
    effects = _effects(regime, least, trials)
    return [
        Cell(
            regime.name,
            seeds,
            Rate.of(each.claimed for each in found),
            Rate.of(not each.models for each in found),
            least[seeds],
            effects.get((seeds, 1)),
            effects.get((seeds, 2)),
        )
        for seeds, found in null.items()
    ]


def _null(regime: Regime, trials: int) -> dict[int, list[_Found]]:
    found: dict[int, list[_Found]] = {seeds: [] for seeds in SEEDS}
    for draw in draws(regime, max(SEEDS), trials, "null"):
        for seeds, held in found.items():
            held.append(_examine(draw.trial(regime, seeds), regime.truth))
    return found


def _effects(regime: Regime, least: dict[int, float], trials: int) -> dict[tuple[int, int], Effect]:
    """Return what is counted by number of seeds and how many times the least detectable."""
    shifted = {
        (seeds, times): regime.worse(times * points)
        for seeds, points in least.items()
        for times in (1, 2)
        if regime.fusions[1].can_lose(times * points)
    }
    found: dict[tuple[int, int], list[_Found]] = {key: [] for key in shifted}
    for draw in draws(regime, max(SEEDS), trials, "effect"):
        for key, changed in shifted.items():
            found[key].append(_examine(draw.trial(changed, key[0]), changed.truth))
    return {
        key: Effect(
            round(shifted[key].truth, _DIGITS),
            Rate.of(each.shown for each in held),
            Rate.of(each.again for each in held),
            Rate.of(each.models for each in held),
        )
        for key, held in found.items()
    }


def family_rate(regime: Regime, trials: int) -> Rate:
    """Count the studies of several like fusions in which any pair is claimed to differ."""
    pairs = list(combinations(range(len(regime.fusions)), 2))
    return Rate.of(_any_claim(draw, regime, pairs) for draw in draws(regime, USUAL, trials, "null"))


def _any_claim(draw: Draw, regime: Regime, pairs: Sequence[tuple[int, int]]) -> bool:
    values = [trained_again(draw.trial(regime, USUAL, *pair).paired).p for pair in pairs]
    return min(holm(values)) <= 1 - LEVEL


def bootstrap_rate(regime: Regime, trials: int, drawings: Drawings) -> Rate:
    """Count the studies in which the two-way bootstrap's interval contains the truth."""
    return Rate.of(
        _within(
            percentiles(of_means(draw.trial(regime, USUAL).paired, drawings), LEVEL), regime.truth
        )
        for draw in draws(regime, USUAL, trials, "null")
    )

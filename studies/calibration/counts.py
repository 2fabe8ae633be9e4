"""What comes of many studies of seven fusions at once, as rates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from studies.calibration.families import Outcome, Said
from studies.calibration.rates import DIGITS, Rate
from studies.calibration.simulation import MARGIN
from studies.calibration.worlds import PLANNED_PAIRS, World

Rates = dict[str, Rate]
"""Studies in which something holds that was promised, or happens that was not."""


@dataclass(frozen=True)
class Family:
    """What was counted in one world with one number of seeds.

    Attributes
    ----------
    world : str
    seeds : int
    said, by_means : dict of str to Rate
        As printed, and as it would be if means were always compared: "false" (any false claim among
        the planned contrasts), "coverage" (all simultaneous intervals of means hold), "bounds" (all
        bounds to the best hold), "candidate" (the best in truth is not shown to be worse), "good"
        (any fusion is called as good as the best), "false_good" (one that is not).
    unseen, seen : dict of str to Rate
        As printed, where a fusion that collapses shows no such seed, and in all other studies.
    unseen_by_means, seen_by_means : dict of str to Rate
        The same if means were always compared.
    irregular : Rate
        Studies in which a planned contrast is called irregular.
    power, power_by_means : float
        Share of the planned contrasts that differ by more than the margin that is shown, in
        percent; NaN where there is none.
    hidden : Rate
        Fusions that collapse in some seeds and show none.
    bounded : Rate
        Fusions that collapse, whose true rate is not above the bound.
    """

    world: str
    seeds: int
    said: Rates
    by_means: Rates
    unseen: Rates
    seen: Rates
    unseen_by_means: Rates
    seen_by_means: Rates
    irregular: Rate
    power: float
    power_by_means: float
    hidden: Rate
    bounded: Rate

    def as_json(self) -> dict[str, Any]:
        """Return what docs/calibration.json says of it."""
        names = ("said", "by_means", "unseen", "seen", "unseen_by_means", "seen_by_means")
        return {
            "world": self.world,
            "seeds": self.seeds,
            **{
                name: {what: rate.as_json() for what, rate in getattr(self, name).items()}
                for name in names
            },
            **{name: getattr(self, name).as_json() for name in ("irregular", "hidden", "bounded")},
            "power": _known(self.power),
            "power_by_means": _known(self.power_by_means),
        }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DIGITS)


def family_of(world: World, seeds: int, found: Sequence[Outcome]) -> Family:
    """Count the outcomes of one world with so many seeds."""
    unseen = [outcome for outcome in found if outcome.unseen]
    seen = [outcome for outcome in found if not outcome.unseen]
    collapsing = sum(outcome.collapsing for outcome in found)
    return Family(
        world.name,
        seeds,
        _rates([outcome.said for outcome in found]),
        _rates([outcome.by_means for outcome in found]),
        _rates([outcome.said for outcome in unseen]),
        _rates([outcome.said for outcome in seen]),
        _rates([outcome.by_means for outcome in unseen]),
        _rates([outcome.by_means for outcome in seen]),
        Rate.of(outcome.irregular for outcome in found),
        _power(world, [outcome.shown for outcome in found]),
        _power(world, [outcome.shown_by_means for outcome in found]),
        Rate(sum(outcome.unseen for outcome in found), collapsing),
        Rate(sum(outcome.bounded for outcome in found), collapsing),
    )


def _power(world: World, shown: Sequence[int]) -> float:
    different = sum(abs(world.difference(*pair)) > MARGIN for pair in PLANNED_PAIRS)
    return 100 * fmean(shown) / different if different else math.nan


_COUNTED: dict[str, Callable[[Said], bool]] = {
    "false": lambda said: said.false,
    "coverage": lambda said: not said.missed,
    "bounds": lambda said: not said.beyond,
    "candidate": lambda said: not said.dismissed,
    "good": lambda said: said.good,
    "false_good": lambda said: said.false_good,
}


def _rates(said: Sequence[Said]) -> Rates:
    return {name: Rate.of(counts(one) for one in said) for name, counts in _COUNTED.items()}

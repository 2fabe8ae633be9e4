"""The worlds in which seven fusions are compared at once, as a verdict does it.

The seven are named as those of the project are, so the same contrasts are planned.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from fusebench.report.settings import planned, unplanned
from studies.calibration.scenarios import BOTH, COLLAPSING, OTHER, Scenario, ScenarioFusion
from studies.calibration.shapes import Skewed, TwoHeaps

_TWO = ("rgb", "lidar")
INFOS = {
    "late": {"strategy": "late", "inputs": _TWO},
    "concat": {"strategy": "intermediate", "inputs": _TWO},
    "add": {"strategy": "intermediate", "inputs": _TWO},
    "hadamard": {"strategy": "intermediate", "inputs": _TWO},
    "rgb_only": {"strategy": "unimodal", "inputs": ("rgb",)},
    "lidar_only": {"strategy": "unimodal", "inputs": ("lidar",)},
    "late_matched": {"strategy": "late", "inputs": _TWO},
}
CONTRASTS = ("fused/single", "late_matched/intermediate", "late/late_matched")
"""As `compare.contrasts` declares them."""
NAMES = tuple(INFOS)
PLANNED_PAIRS = planned(CONTRASTS, INFOS)
OTHER_PAIRS = unplanned(NAMES, PLANNED_PAIRS)


@dataclass(frozen=True)
class World:
    """Seven fusions in the order of `NAMES`.

    Attributes
    ----------
    scenario : Scenario
    """

    scenario: Scenario

    @property
    def name(self) -> str:
        """In docs/calibration.json."""
        return self.scenario.name

    @property
    def expected(self) -> dict[str, float]:
        """True balanced accuracy of each fusion in percent, over all seeds and samples."""
        fusions = zip(NAMES, self.scenario.fusions, strict=True)
        return {name: fusion.expected for name, fusion in fusions}

    def difference(self, first: str, second: str) -> float:
        """Return the true difference of means; 0 where they are alike but for rounding."""
        difference = self.expected[first] - self.expected[second]
        return difference if abs(difference) > _ROUNDING else 0.0

    def success(self, first: str, second: str, beyond: float) -> float:
        """Return the true difference of the shares of seeds that succeed."""
        shares = [self.scenario.success(NAMES.index(name), beyond) for name in (first, second)]
        return shares[0] - shares[1]

    @property
    def best(self) -> str:
        """The best fusion in truth; of several, the first."""
        top = max(self.expected.values())
        return next(name for name, value in self.expected.items() if value > top - _ROUNDING)


_ROUNDING = 1e-9


def _seven(name: str, title: str, fusions: dict[str, ScenarioFusion], other: ScenarioFusion,
           shared: float = BOTH.shared) -> World:  # fmt: skip
    chosen = tuple(fusions.get(fusion, other) for fusion in NAMES)
    return World(replace(BOTH, name=name, title=title, fusions=chosen, shared=shared, stream=""))


# What one of ten seeds collapsed leaves: all fusions of these worlds have it.
_LEVEL = COLLAPSING.expected
_EVEN = OTHER.at(_LEVEL)
_SKEWED = ScenarioFusion(seed=0.8, shape=Skewed()).at(_LEVEL)
# Four of ten seeds are far lower.
_HEAPS = ScenarioFusion(seed=0.3, shape=TwoHeaps(0.4, 6.0)).at(_LEVEL)

# Means and deviations over seeds like those of ten seeds each, committed in metrics/verdict.
_MEASURED = {
    "late": (80.0, 8.0),
    "concat": (98.4, 1.3),
    "add": (97.5, 1.9),
    "hadamard": (86.0, 10.0),
    "rgb_only": (97.8, 0.9),
    "lidar_only": (88.2, 2.7),
    "late_matched": (97.7, 2.6),
}
# Less than rgb_only's own.
_SHARED = 0.05


def _like(mean: float, deviation: float) -> ScenarioFusion:
    """Return a fusion with such a mean, and such a deviation of normal seeds, in points."""

    def with_seed(seed: float) -> ScenarioFusion:
        return ScenarioFusion(seed=seed).at(mean)

    def excess(seed: float) -> float:
        scenario = replace(BOTH, fusions=(with_seed(seed),), shared=_SHARED)
        return scenario.deviations()[0] - deviation

    return with_seed(float(np.round(brentq(excess, 0.0, 5.0), 3)))


WORLDS = (
    _seven("alike", "seven alike", {}, OTHER),
    _seven("alike, collapsing", "seven alike, 1 seed in 10 of each collapsed", {}, COLLAPSING),
    _seven(
        "uneven, fused",
        "equal means; hadamard skewed, add in two heaps, concat collapsed in 1 seed of 10",
        {"hadamard": _SKEWED, "add": _HEAPS, "concat": COLLAPSING},
        _EVEN,
    ),
    _seven(
        "uneven, single",
        "equal means; rgb_only skewed, lidar_only in two heaps, late_matched collapsed in 1 of 10",
        {"rgb_only": _SKEWED, "lidar_only": _HEAPS, "late_matched": COLLAPSING},
        _EVEN,
    ),
    _seven(
        "measured",
        "means and deviations like those of the committed results",
        {name: _like(*figures) for name, figures in _MEASURED.items()},
        OTHER,
        shared=_SHARED,
    ),
    _seven(
        "measured, collapsing",
        "like the committed results, but concat collapses in 1 seed of 10",
        {name: _like(*figures) for name, figures in _MEASURED.items()}
        | {"concat": replace(_like(*_MEASURED["concat"]), collapsed=0.1)},
        OTHER,
        shared=_SHARED,
    ),
)
TITLES = {world.name: world.scenario.title for world in WORLDS}

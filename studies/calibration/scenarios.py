"""The model that studies are simulated from, and the circumstances that are tried.

A model in the manner of probit: in seed s, fusion f is right on sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0,

all terms but the mean normal with mean 0, but that own_fs may have another shape. Every expectation
has a closed form: the truth is known, not estimated. A seed of a fusion may also collapse: then it
answers the majority class for every sample.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from fusebench.statistics.paired import Floats
from studies.calibration.shapes import Normal, Shape

# What an answer reaches that does not look at the sample, in percent.
CHANCE = 50.0
# No latent value is farther from 0.
_FAR = 60.0
_NORMAL = Normal()


@dataclass(frozen=True)
class ScenarioFusion:
    """What all the models that a fusion could come to are like.

    Attributes
    ----------
    majority, minority : float
        Share of each class's samples that is right, over all samples and seeds that have not
        collapsed.
    seed : float
        Deviation of own_fs, on the latent scale.
    collapsed : float
        Share of seeds that collapse to the majority class.
    shape : Shape
        Of own_fs.
    """

    majority: float = 0.998
    minority: float = 0.95
    seed: float = 0.0
    collapsed: float = 0.0
    shape: Shape = _NORMAL

    @property
    def expected(self) -> float:
        """Balanced accuracy over all seeds and samples, in percent."""
        return 50 * ((1 - self.collapsed) * (self.majority + self.minority) + self.collapsed)

    def can_lose(self, points: float) -> bool:
        """Tell whether missing more of the minority class can make it so much worse."""
        return points < 50 * (1 - self.collapsed) * self.minority

    def worse(self, points: float) -> "ScenarioFusion":
        """Return the fusion that misses so much more of the minority class.

        Parameters
        ----------
        points : float
            By how many percentage points its expected balanced accuracy is lower.

        Raises
        ------
        ValueError
            Missing the whole class would not make it so much worse.
        """
        if not self.can_lose(points):
            raise ValueError(f"{self} cannot lose {points:.1f} points")
        return replace(self, minority=self.minority - points / (50 * (1 - self.collapsed)))

    def at(self, expected: float) -> "ScenarioFusion":
        """Return the fusion that misses so much of the minority class that this is expected."""
        return self.worse(self.expected - expected)

    def level(self, share: float, spread: float) -> float:
        """Return the latent mean at which such a share of samples is right.

        Parameters
        ----------
        spread : float
            Deviation of all terms but own_fs.
        """
        if isinstance(self.shape, Normal):
            return float(ndtri(share)) * math.hypot(self.seed, spread)
        return float(
            brentq(
                lambda mean: self.shape.right(mean, self.seed, spread) - share,
                -_FAR,
                _FAR,
                xtol=1e-13,
            )
        )


@dataclass(frozen=True)
class Scenario:
    """Fusions, and what varies in all of them; deviations on the latent scale.

    Attributes
    ----------
    name : str
        In docs/calibration.json.
    title : str
        For people.
    fusions : tuple of ScenarioFusion
    shared : float
        Deviation of shared_s: a seed's draw of training data, the same for every fusion.
    difficulty : float
        Deviation of difficulty_j: what is hard for every fusion.
    own : float
        Deviation of own_fj: what is hard for one fusion, in all of its seeds.
    noise : float
        Deviation of noise_fsj, the interaction of seed and id.
    stream : str
        Names the stream of random numbers, so that no scenario's depend on another's; `name` where
        empty. Some keep an earlier name, so that results repeat.
    """

    name: str
    title: str
    fusions: tuple[ScenarioFusion, ...]
    shared: float
    difficulty: float
    own: float
    noise: float
    stream: str = ""

    @cached_property
    def means(self) -> Floats:
        """Latent mean of each fusion and class, shape (f, 2)."""
        spread = math.hypot(self.shared, self._samples)
        return np.array(
            [
                [fusion.level(share, spread) for share in (fusion.majority, fusion.minority)]
                for fusion in self.fusions
            ]
        )

    @property
    def _samples(self) -> float:
        """Deviation of all that varies from sample to sample."""
        return math.hypot(self.difficulty, self.own, self.noise)

    @property
    def truth(self) -> float:
        """First − second of the first two fusions, over all seeds and samples, in percent."""
        return self.fusions[0].expected - self.fusions[1].expected

    def given(self, seeds: Floats) -> Floats:
        """Return the balanced accuracy of trained models over all samples, in percent.

        Parameters
        ----------
        seeds : array, shape (f, s)
            shared_s + own_fs.
        """
        latent = seeds[..., None] + self.means[:, None, :]
        percent: Floats = 50 * ndtr(latent / self._samples).sum(axis=-1)
        return percent

    def deviations(self) -> list[float]:
        """Return how much seeds that did not collapse differ, of each fusion, in percentage points.

        The standard deviation of `given` over seeds, by Gaussian quadrature.
        """
        return [self._deviation(place) for place in range(len(self.fusions))]

    def _deviation(self, place: int) -> float:
        fusion = self.fusions[place]
        own, own_weights = fusion.shape.nodes()
        shared, shared_weights = _NORMAL.nodes()
        effects = np.add.outer(fusion.seed * own, self.shared * shared).ravel()
        weights = np.outer(own_weights, shared_weights).ravel()
        given = self._percent(effects, place)
        mean = np.average(given, weights=weights)
        return math.sqrt(float(np.average((given - mean) ** 2, weights=weights)))

    def _percent(self, effects: Floats, place: int) -> Floats:
        latent = effects[..., None] + self.means[place]
        percent: Floats = 50 * ndtr(latent / self._samples).sum(axis=-1)
        return percent

    def success(self, place: int, beyond: float) -> float:
        """Return how likely a seed of a fusion is above a balanced accuracy, over all samples."""
        fusion = self.fusions[place]
        collapsed = fusion.collapsed * (beyond < CHANCE)
        if not self._percent(np.array(_FAR), place) > beyond:
            return collapsed
        edge = brentq(
            lambda effect: float(self._percent(np.array(effect), place)) - beyond, -_FAR, _FAR
        )
        return collapsed + (1 - fusion.collapsed) * fusion.shape.right(
            -edge, fusion.seed, self.shared
        )

    def worse(self, points: float) -> "Scenario":
        """Return the scenario in which the second fusion is worse by so many points."""
        first, second = self.fusions
        return replace(self, fusions=(first, second.worse(points)))


# Deviations over seeds are like those first measured on synthetic samples: standard deviations of
# 2 to 4 points of balanced accuracy.


def _twice(fusion: ScenarioFusion) -> tuple[ScenarioFusion, ScenarioFusion]:
    return fusion, fusion


COLLAPSING = ScenarioFusion(seed=0.6, collapsed=0.1)
OTHER = replace(COLLAPSING, collapsed=0.0)
BOTH = Scenario(
    "both", "seeds and ids differ", _twice(OTHER),
    shared=0.3, difficulty=1.0, own=1.0, noise=0.5,
)  # fmt: skip

# In each the two fusions have the same expected balanced accuracy.
SCENARIOS = (
    Scenario(
        "ids", "ids differ most", _twice(ScenarioFusion(seed=0.05)),
        shared=0.05, difficulty=1.0, own=1.5, noise=0.3,
    ),
    Scenario(
        "seeds", "seeds differ most", _twice(ScenarioFusion(seed=0.7)),
        shared=0.4, difficulty=1.0, own=0.2, noise=0.3,
    ),
    Scenario(
        "interaction", "seed × id differs most", _twice(ScenarioFusion(seed=0.05)),
        shared=0.05, difficulty=0.5, own=0.1, noise=1.5,
    ),
    BOTH,
    Scenario(
        "saturated", "both near 100 %", _twice(ScenarioFusion(0.9998, 0.995, seed=0.3)),
        shared=0.2, difficulty=1.0, own=0.5, noise=0.5,
    ),
    replace(
        BOTH, name="collapsed 0.1", title="1 seed in 10 collapsed", fusions=_twice(COLLAPSING),
        stream="stuck 0.1",
    ),
    replace(
        BOTH, name="collapsed 0.3", title="3 seeds in 10 collapsed",
        fusions=_twice(replace(COLLAPSING, collapsed=0.3)), stream="stuck 0.3",
    ),
    Scenario(
        "uneven", "seeds differ, in one fusion only", (ScenarioFusion(seed=1.2), ScenarioFusion()),
        shared=0.0, difficulty=1.0, own=1.0, noise=0.5,
    ),
    # The second is worse whenever the first has not collapsed, so that the means are the same.
    replace(
        BOTH, name="one collapsed", title="1 seed in 10 collapsed, in one fusion only",
        fusions=(COLLAPSING, OTHER.worse(OTHER.expected - COLLAPSING.expected)),
        stream="one stuck",
    ),
)  # fmt: skip
TITLES = {scenario.name: scenario.title for scenario in SCENARIOS}

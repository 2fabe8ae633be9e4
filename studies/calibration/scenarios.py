"""The model that studies are simulated from, and the circumstances that are tried.

A model in the manner of probit: in seed s, fusion f is right on sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0,

all terms but the mean normal with mean 0. Sums of normals are normal, so every expectation has a
closed form: the truth is known, not estimated. A seed of a fusion may also collapse: then it
answers the majority class for every sample.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from fusebench.statistics.paired import Floats

# Enough for functions as smooth as these to all digits shown.
_NODES = 64


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
    """

    majority: float = 0.998
    minority: float = 0.95
    seed: float = 0.0
    collapsed: float = 0.0

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
        return np.array(
            [
                ndtri([fusion.majority, fusion.minority])
                * math.hypot(self.shared, fusion.seed, self._samples)
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

        The standard deviation of `given` over seeds, by Gauss–Hermite quadrature.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        scales = np.array([math.hypot(self.shared, fusion.seed) for fusion in self.fusions])
        given = self.given(scales[:, None] * nodes)
        variances = np.average(given**2, 1, weights) - np.average(given, 1, weights) ** 2
        return [math.sqrt(max(0.0, variance)) for variance in variances]

    def worse(self, points: float) -> "Scenario":
        """Return the scenario in which the second fusion is worse by so many points."""
        first, second = self.fusions
        return replace(self, fusions=(first, second.worse(points)))


# Deviations over seeds are like those first measured on synthetic samples: standard deviations of
# 2 to 4 points of balanced accuracy.


def _twice(fusion: ScenarioFusion) -> tuple[ScenarioFusion, ScenarioFusion]:
    return fusion, fusion


_COLLAPSING = ScenarioFusion(seed=0.6, collapsed=0.1)
_OTHER = replace(_COLLAPSING, collapsed=0.0)
_BOTH = Scenario(
    "both", "seeds and ids differ", _twice(_OTHER),
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
    _BOTH,
    Scenario(
        "saturated", "both near 100 %", _twice(ScenarioFusion(0.9998, 0.995, seed=0.3)),
        shared=0.2, difficulty=1.0, own=0.5, noise=0.5,
    ),
    replace(
        _BOTH, name="collapsed 0.1", title="1 seed in 10 collapsed", fusions=_twice(_COLLAPSING),
        stream="stuck 0.1",
    ),
    replace(
        _BOTH, name="collapsed 0.3", title="3 seeds in 10 collapsed",
        fusions=_twice(replace(_COLLAPSING, collapsed=0.3)), stream="stuck 0.3",
    ),
    Scenario(
        "uneven", "seeds differ, in one fusion only", (ScenarioFusion(seed=1.2), ScenarioFusion()),
        shared=0.0, difficulty=1.0, own=1.0, noise=0.5,
    ),
    # The second is worse whenever the first has not collapsed, so that the means are the same.
    replace(
        _BOTH, name="one collapsed", title="1 seed in 10 collapsed, in one fusion only",
        fusions=(_COLLAPSING, _OTHER.worse(_OTHER.expected - _COLLAPSING.expected)),
        stream="one stuck",
    ),
)  # fmt: skip
TITLES = {scenario.name: scenario.title for scenario in SCENARIOS}


def of_seven(name: str) -> Scenario:
    """Return a scenario with seven fusions that are all like its first: 21 pairs, no difference."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    stream = f"{scenario.stream or name}, seven"
    return replace(scenario, fusions=scenario.fusions[:1] * 7, stream=stream)

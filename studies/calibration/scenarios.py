"""The model that studies are simulated from, and the circumstances that are tried.

A model in the manner of probit: in seed s, fusion f is right on sample j if

    mean of f and the class + shared_s + own_fs + difficulty_j + own_fj + noise_fsj > 0,

all terms but the mean normal with mean 0. Sums of normals are normal, so every expectation has a
closed form: the truth is known, not estimated. A seed of a fusion may also be stuck; then it
answers the majority class.
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
class Fusion:
    """What all the models that a fusion could come to are like.

    Attributes
    ----------
    majority, minority : float
        Share of each class's samples that is right, over all samples and seeds not stuck.
    seed : float
        Deviation of own_fs, on the latent scale.
    stuck : float
        Share of seeds that are stuck at the majority class.
    """

    majority: float = 0.998
    minority: float = 0.95
    seed: float = 0.0
    stuck: float = 0.0

    @property
    def expected(self) -> float:
        """Balanced accuracy over all seeds and samples, in percent."""
        return 50 * ((1 - self.stuck) * (self.majority + self.minority) + self.stuck)

    def can_lose(self, points: float) -> bool:
        """Tell whether missing more of the minority class can make it so much worse."""
        return points < 50 * (1 - self.stuck) * self.minority

    def worse(self, points: float) -> "Fusion":
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
        return replace(self, minority=self.minority - points / (50 * (1 - self.stuck)))


@dataclass(frozen=True)
class Regime:
    """Fusions, and what varies in all of them; deviations on the latent scale.

    Attributes
    ----------
    name : str
        Names the stream of random numbers too, so that no regime's depend on another's.
    title : str
        For people.
    fusions : tuple of Fusion
    shared : float
        Deviation of shared_s: a seed's draw of training data, the same for every fusion.
    difficulty : float
        Deviation of difficulty_j: what is hard for every fusion.
    own : float
        Deviation of own_fj: what is hard for one fusion, in all of its seeds.
    noise : float
        Deviation of noise_fsj, the interaction of seed and id.
    """

    name: str
    title: str
    fusions: tuple[Fusion, ...]
    shared: float
    difficulty: float
    own: float
    noise: float

    @cached_property
    def means(self) -> Floats:
        """Latent mean of each fusion and class, shape (f, 2)."""
        return np.array(
            [
                ndtri([each.majority, each.minority])
                * math.hypot(self.shared, each.seed, self._samples)
                for each in self.fusions
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
        found: Floats = 50 * ndtr(latent / self._samples).sum(axis=-1)
        return found

    def deviations(self) -> list[float]:
        """Return how much seeds that are not stuck differ, of each fusion, in percentage points.

        The standard deviation of `given` over seeds, by Gauss–Hermite quadrature.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        scales = np.array([math.hypot(self.shared, each.seed) for each in self.fusions])
        held = self.given(scales[:, None] * nodes)
        variances = np.average(held**2, 1, weights) - np.average(held, 1, weights) ** 2
        return [math.sqrt(max(0.0, each)) for each in variances]

    def worse(self, points: float) -> "Regime":
        """Return the regime in which the second fusion is worse by so many points."""
        first, second = self.fusions
        return replace(self, fusions=(first, second.worse(points)))


# Deviations over seeds are like those first measured on rendered samples: standard deviations of
# 2 to 4 points of balanced accuracy.


def _twice(fusion: Fusion) -> tuple[Fusion, Fusion]:
    return fusion, fusion


_ONE = Fusion(seed=0.6, stuck=0.1)
_OTHER = replace(_ONE, stuck=0.0)
_BOTH = Regime(
    "both", "seeds and ids differ", _twice(_OTHER),
    shared=0.3, difficulty=1.0, own=1.0, noise=0.5,
)  # fmt: skip

# In each the two fusions have the same expected balanced accuracy.
REGIMES = (
    Regime(
        "ids", "ids differ most", _twice(Fusion(seed=0.05)),
        shared=0.05, difficulty=1.0, own=1.5, noise=0.3,
    ),
    Regime(
        "seeds", "seeds differ most", _twice(Fusion(seed=0.7)),
        shared=0.4, difficulty=1.0, own=0.2, noise=0.3,
    ),
    Regime(
        "interaction", "seed × id differs most", _twice(Fusion(seed=0.05)),
        shared=0.05, difficulty=0.5, own=0.1, noise=1.5,
    ),
    _BOTH,
    Regime(
        "saturated", "both near 100 %", _twice(Fusion(0.9998, 0.995, seed=0.3)),
        shared=0.2, difficulty=1.0, own=0.5, noise=0.5,
    ),
    replace(
        _BOTH, name="stuck 0.1", title="1 seed in 10 stuck", fusions=_twice(_ONE)
    ),
    replace(
        _BOTH, name="stuck 0.3", title="3 seeds in 10 stuck",
        fusions=_twice(replace(_ONE, stuck=0.3)),
    ),
    Regime(
        "uneven", "seeds differ, in one fusion only", (Fusion(seed=1.2), Fusion()),
        shared=0.0, difficulty=1.0, own=1.0, noise=0.5,
    ),
    # The second is worse whenever the first is not stuck, so that the means are the same.
    replace(
        _BOTH, name="one stuck", title="1 seed in 10 stuck, in one fusion only",
        fusions=(_ONE, _OTHER.worse(_OTHER.expected - _ONE.expected)),
    ),
)  # fmt: skip


def of_seven(name: str) -> Regime:
    """Return a regime with seven fusions that are all like its first: 21 pairs, no difference."""
    regime = next(each for each in REGIMES if each.name == name)
    return replace(regime, name=f"{name}, seven", fusions=regime.fusions[:1] * 7)

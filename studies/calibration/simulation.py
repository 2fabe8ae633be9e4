"""Predictions of fusions drawn from the model of `scenarios`, to try the statistics on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fusebench.seeds import derive_seed
from fusebench.statistics.paired import Floats, Ints, Paired, strata
from studies.calibration.scenarios import Scenario

# The default test part: 20 % of 9,999 cubes and of 752 spheres, in round numbers.
MAJORITY, MINORITY = 2000, 150
LABELS: Ints = np.repeat([0, 1], [MAJORITY, MINORITY]).astype(np.int64)
# Each sample of the minority is in a group, of the same id, with one of the majority.
IDS: Ints = np.concatenate([np.arange(MAJORITY), np.arange(MINORITY)]).astype(np.int64)
STRATA = strata(IDS, LABELS)
# Correlation between the difficulties of a group: same place and colour, other shape.
GROUPED = 0.5
# What a sample's being right adds to balanced accuracy, in percent; by class.
_WEIGHTS = 100 / (2 * np.array([MAJORITY, MINORITY]))
# Trials drawn at once: few enough to stay in the processor's cache.
_CHUNK = 10

Bools = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """Two fusions in one simulated study.

    Attributes
    ----------
    paired : Paired
        What `paired.pair` makes of their predictions, for balanced accuracy.
    truth : float
        First − second of these trained models over all samples, mean over seeds, in percent.
    """

    paired: Paired
    truth: float


@dataclass(frozen=True)
class Simulated:
    """The random part of one simulated study.

    Attributes
    ----------
    latent : array of float32, shape (f, s, n)
        All terms of the model but the mean.
    seeds : array, shape (f, s)
        shared_s + own_fs, which `latent` contains.
    collapsed : array of bool, shape (f, s)
    """

    latent: Singles
    seeds: Floats
    collapsed: Bools

    def right(self, scenario: Scenario, fusion: int, count: int) -> Bools:
        """Return whether each sample is right in each of the first seeds, shape (count, n)."""
        least = -np.repeat(scenario.means[fusion], [MAJORITY, MINORITY]).astype(np.float32)
        right: Bools = self.latent[fusion, :count] > least
        right[self.collapsed[fusion, :count]] = LABELS == 0
        return right

    def trial(self, scenario: Scenario, count: int, first: int = 0, second: int = 1) -> Trial:
        """Return two fusions with the first `count` seeds; means as in `scenario`."""
        given = np.where(self.collapsed, 50.0, scenario.given(self.seeds))[:, :count]
        paired = pair_right(self.right(scenario, first, count), self.right(scenario, second, count))
        return Trial(paired, float((given[first] - given[second]).mean()))


def pair_right(first: Bools, second: Bools) -> Paired:
    """Pair two fusions by what is right, each of shape (s, n); as `paired.pair` does."""
    differences = first.astype(np.int8) - second.astype(np.int8)
    contributions = differences[:, :MAJORITY] * _WEIGHTS[0]
    contributions[:, :MINORITY] += differences[:, MAJORITY:] * _WEIGHTS[1]
    return Paired(contributions, STRATA, _WEIGHTS, np.array([MAJORITY, MINORITY]))


def simulate(scenario: Scenario, seeds: int, trials: int, stream: str) -> Iterator[Simulated]:
    """Draw simulated studies; the same for the same arguments.

    Parameters
    ----------
    scenario : Scenario
        Its deviations and shares of collapsed seeds count, its means do not.
    stream : str
        Draws of another name are independent.
    """
    source = np.random.default_rng(
        derive_seed("calibration", scenario.stream or scenario.name, stream)
    )
    for start in range(0, trials, _CHUNK):
        yield from _chunk(scenario, seeds, min(_CHUNK, trials - start), source)


def _chunk(
    scenario: Scenario, seeds: int, trials: int, source: np.random.Generator
) -> Iterator[Simulated]:
    count = len(scenario.fusions)
    own = np.array([fusion.seed for fusion in scenario.fusions])[:, None]
    share = np.array([fusion.collapsed for fusion in scenario.fusions])[:, None]
    effects = scenario.shared * source.standard_normal((trials, 1, seeds))
    effects = effects + own * source.standard_normal((trials, count, seeds))
    collapsed = source.random((trials, count, seeds)) < share
    items = scenario.difficulty * _items(source, (trials, 1))
    items = items + scenario.own * _items(source, (trials, count))
    latent = source.standard_normal((trials, count, seeds, len(LABELS)), dtype=np.float32)
    latent *= np.float32(scenario.noise)
    latent += items[:, :, None, :]
    latent += effects.astype(np.float32)[..., None]
    yield from (Simulated(*study) for study in zip(latent, effects, collapsed, strict=True))


def _items(source: np.random.Generator, shape: tuple[int, int]) -> Singles:
    """Draw an effect per sample, deviation 1, shape (*shape, n); those of a group correlate."""
    effects = source.standard_normal((*shape, len(LABELS)), dtype=np.float32)
    common = np.float32(GROUPED) * effects[..., :MINORITY]
    own = np.float32(math.sqrt(1 - GROUPED**2)) * effects[..., MAJORITY:]
    effects[..., MAJORITY:] = common + own
    return effects

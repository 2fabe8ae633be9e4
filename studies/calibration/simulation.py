"""Predictions of fusions drawn from the model of `scenarios`, to try the statistics on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fusebench.seeds import derive_seed
from fusebench.statistics.failures import SeedValues, seed_values
from fusebench.statistics.paired import Floats, Ints, Paired, strata
from studies.calibration.scenarios import CHANCE, Scenario

# Correlation between the difficulties of a group: same place and colour, other shape.
GROUPED = 0.5
MARGIN = 2.0
"""As `compare.margin` declares it for balanced accuracy, in points."""

Bools = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """A test part of two classes: each sample of the minority is in a group with one of the other.

    Attributes
    ----------
    majority, minority : int
        Number of samples of each class, one after the other; the majority's is that of ids, too.
    """

    majority: int
    minority: int

    @cached_property
    def labels(self) -> Ints:
        """Class of each sample."""
        return np.repeat([0, 1], [self.majority, self.minority]).astype(np.int64)

    @cached_property
    def ids(self) -> Ints:
        """Id of each sample."""
        both = [np.arange(self.majority), np.arange(self.minority)]
        return np.concatenate(both).astype(np.int64)

    @cached_property
    def strata(self) -> Ints:
        """Stratum of each id."""
        return strata(self.ids, self.labels)

    @cached_property
    def counts(self) -> Ints:
        """Samples of each class."""
        return np.array([self.majority, self.minority], dtype=np.int64)

    @cached_property
    def weights(self) -> Floats:
        """What a sample's being right adds to balanced accuracy, in percent; by class."""
        return 100 / (2 * self.counts)

    def times(self, factor: int) -> "Part":
        """Return a part with so many times the ids."""
        return Part(factor * self.majority, factor * self.minority)


PART = Part(2000, 150)
"""The default test part: 20 % of 9,999 cubes and of 752 spheres, in round numbers."""


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
    part : Part
        The n samples.
    """

    latent: Singles
    seeds: Floats
    collapsed: Bools
    part: Part = PART

    def right(self, scenario: Scenario, fusion: int, count: int) -> Bools:
        """Return whether each sample is right in each of the first seeds, shape (count, n)."""
        least = -np.repeat(scenario.means[fusion], self.part.counts).astype(np.float32)
        right: Bools = self.latent[fusion, :count] > least
        right[self.collapsed[fusion, :count]] = self.part.labels == 0
        return right

    def rights(self, scenario: Scenario, count: int) -> list[Bools]:
        """Return the same of every fusion."""
        return [self.right(scenario, place, count) for place in range(len(scenario.fusions))]

    def trial(self, scenario: Scenario, count: int, first: int = 0, second: int = 1) -> Trial:
        """Return two fusions with the first `count` seeds; means as in `scenario`."""
        one, other = (self.right(scenario, place, count) for place in (first, second))
        paired = pair_right(one, other, self.part)
        return Trial(paired, self.truth(scenario, count, first, second))

    def truth(self, scenario: Scenario, count: int, first: int = 0, second: int = 1) -> float:
        """Return what the first `count` models differ by over all samples."""
        given = np.where(self.collapsed, CHANCE, scenario.given(self.seeds))[:, :count]
        return float((given[first] - given[second]).mean())


def pair_right(first: Bools, second: Bools, part: Part = PART) -> Paired:
    """Pair two fusions by what is right, each of shape (s, n); as `paired.pair` does."""
    differences = first.astype(np.int8) - second.astype(np.int8)
    contributions = differences[:, : part.majority] * part.weights[0]
    contributions[:, : part.minority] += differences[:, part.majority :] * part.weights[1]
    return Paired(contributions, part.strata, part.weights, part.counts)


def values_of(right: Bools, part: Part = PART) -> Floats:
    """Return the balanced accuracy of each seed in percent, shape (s,)."""
    shares = [right[:, : part.majority].mean(axis=1), right[:, part.majority :].mean(axis=1)]
    values: Floats = 50 * (shares[0] + shares[1])
    return values


def collapsed_of(right: Bools, part: Part = PART) -> Bools:
    """Tell of each seed whether its model answers one class for every sample, shape (s,)."""
    answers = right == (part.labels == 1)
    collapsed: Bools = answers.all(axis=1) | ~answers.any(axis=1)
    return collapsed


def seeds_of(rights: dict[str, Bools], part: Part = PART) -> dict[str, SeedValues]:
    """Return what the product makes of the seeds of several fusions."""
    return seed_values(
        {name: values_of(right, part) for name, right in rights.items()},
        {name: collapsed_of(right, part) for name, right in rights.items()},
        CHANCE,
        higher_is_better=True,
    )


def simulate(
    scenario: Scenario,
    seeds: int,
    trials: int,
    stream: str,
    start: int = 0,
    part: Part = PART,
) -> Iterator[Simulated]:
    """Draw simulated studies; the same for the same arguments.

    Each study has a stream of its own, so they may be drawn in pieces, in any order.

    Parameters
    ----------
    scenario : Scenario
        Its deviations, shapes and shares of collapsed seeds count, its means do not.
    stream : str
        Draws of another name are independent.
    start : int
        How many studies come before the first.
    """
    names = ("calibration", scenario.stream or scenario.name, stream)
    for number in range(start, start + trials):
        source = np.random.default_rng(derive_seed(*names, number))
        yield _draw(scenario, seeds, source, part)


def _draw(scenario: Scenario, seeds: int, source: np.random.Generator, part: Part) -> Simulated:
    count = len(scenario.fusions)
    effects = scenario.shared * source.standard_normal((1, seeds))
    scores = source.standard_normal((count, seeds))
    own = [
        fusion.seed * fusion.shape.of(row)
        for fusion, row in zip(scenario.fusions, scores, strict=True)
    ]
    effects = effects + np.array(own)
    share = np.array([fusion.collapsed for fusion in scenario.fusions])[:, None]
    collapsed = source.random((count, seeds)) < share
    items = scenario.difficulty * _items(source, 1, part)
    items = items + scenario.own * _items(source, count, part)
    latent = source.standard_normal((count, seeds, len(part.labels)), dtype=np.float32)
    latent *= np.float32(scenario.noise)
    latent += items[:, None, :]
    latent += effects.astype(np.float32)[..., None]
    return Simulated(latent, effects, collapsed, part)


def _items(source: np.random.Generator, count: int, part: Part) -> Singles:
    """Draw an effect per sample, deviation 1, shape (count, n); those of a group correlate."""
    effects = source.standard_normal((count, len(part.labels)), dtype=np.float32)
    common = np.float32(GROUPED) * effects[:, : part.minority]
    own = np.float32(math.sqrt(1 - GROUPED**2)) * effects[:, part.majority :]
    effects[:, part.majority :] = common + own
    return effects

"""What two states of a fusion have in common: the same seeds and the same test samples.

A sample is the same when its id, its class and its content are. Only what both sides have counts;
what has no partner is said, and samples that contradict each other are refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.prediction.predictions import FusionPredictions, PartPredictions

_PART = "test"
_KEYS = ["id", "class", "digest"]
# How many samples without a partner are named.
_NAMED = 3


@dataclass(frozen=True)
class Side:
    """One of the two states that are compared.

    Attributes
    ----------
    name : str
        Git revision, experiment or "workspace".
    fusions : dict of str to FusionPredictions
    """

    name: str
    fusions: dict[str, FusionPredictions]


@dataclass(frozen=True)
class Matched:
    """A fusion's test predictions on what both sides have: the same seeds, samples and order.

    Attributes
    ----------
    before, after : FusionPredictions
        With the test part alone; without seeds where nothing is common.
    alone : tuple of (str, str)
        What has no partner: the name of the side that has it, and what it is.
    """

    before: FusionPredictions
    after: FusionPredictions
    alone: tuple[tuple[str, str], ...]

    @property
    def same(self) -> bool:
        """Whether both sides say the same of every sample, to the bit."""
        return all(
            np.array_equal(parts[_PART].logits, self.after.seeds[seed][_PART].logits)
            for seed, parts in self.before.seeds.items()
        )


def match(fusion: str, before: Side, after: Side) -> Matched:
    """Return a fusion's predictions on the seeds and test samples that both sides have.

    Raises
    ------
    ArtifactError
        The classes differ, or a sample has another content or label on the other side.
    """
    _check_agree(fusion, before, after)
    first, second = before.fusions[fusion], after.fusions[fusion]
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    samples = [
        {seed: pd.MultiIndex.from_frame(_samples(side.seeds[seed][_PART])) for seed in seeds}
        for side in (first, second)
    ]
    common = _common([index for side in samples for index in side.values()])
    # F1 and the ranking metrics speak of one class: on both sides of the one that it is now.
    info = {**first.info, "positive": second.info["positive"]}
    alone = [(before.name, what) for what in _alone(first, second, samples[0], common)]
    alone += [(after.name, what) for what in _alone(second, first, samples[1], common)]
    return Matched(
        replace(_restricted(first, samples[0], common), info=info),
        _restricted(second, samples[1], common),
        tuple(alone),
    )


def _samples(part: PartPredictions) -> pd.DataFrame:
    """Return what tells the samples of a part apart, a row per sample."""
    return pd.DataFrame(dict(zip(_KEYS, (part.ids, part.classes, part.digests), strict=True)))


def _common(indexes: list[pd.MultiIndex]) -> pd.MultiIndex:
    """Return the samples that are in all, sorted."""
    if not indexes:
        return pd.MultiIndex.from_arrays([[], [], []], names=_KEYS)
    return reduce(lambda one, other: one.intersection(other), indexes).sort_values()


def _restricted(
    fusion: FusionPredictions, samples: Mapping[int, pd.MultiIndex], common: pd.MultiIndex
) -> FusionPredictions:
    """Return a fusion with the common seeds and samples; without seeds if no sample is common."""
    seeds = {
        seed: {_PART: fusion.seeds[seed][_PART].take(index.get_indexer(common))}
        for seed, index in samples.items()
        if len(common)
    }
    return FusionPredictions(fusion.info, seeds)


def _alone(
    fusion: FusionPredictions,
    other: FusionPredictions,
    samples: Mapping[int, pd.MultiIndex],
    common: pd.MultiIndex,
) -> Iterator[str]:
    """Say which seeds and samples of a fusion have no partner."""
    seeds = [str(seed) for seed in fusion.seeds if seed not in other.seeds]
    if seeds:
        yield f"seeds {', '.join(seeds)}"
    index = next(iter(samples.values()), common)
    alone = index[~index.isin(common)].tolist()
    if alone:
        named = ", ".join(f"{name} of {label}" for name, label, _ in alone[:_NAMED])
        yield f"{len(alone)} test samples ({named}{', …' if len(alone) > _NAMED else ''})"


def _check_agree(fusion: str, before: Side, after: Side) -> None:
    """Refuse sides that call two samples by one name, or one sample by two."""
    first, second = before.fusions[fusion], after.fusions[fusion]
    if first.classes != second.classes:
        raise ArtifactError(
            f"{before.name} has the classes {', '.join(first.classes)}, {after.name} has "
            f"{', '.join(second.classes)}: {fusion} cannot be compared"
        )
    # The test part is the same for every seed.
    ours, theirs = (_samples(next(iter(side.seeds.values()))[_PART]) for side in (first, second))
    named_alike = ours.merge(theirs, on=["id", "class"], suffixes=("", "_after"))
    changed = named_alike[named_alike["digest"] != named_alike["digest_after"]]
    if len(changed):
        raise ArtifactError(
            f"{before.name} was made from other samples than {after.name}: {_first(changed)} has "
            f"another content; {fusion} cannot be compared"
        )
    # A content may have several classes on a side, being there under several names.
    agreed = ours.merge(theirs, on=["digest", "class"])["digest"]
    shared = ours["digest"].isin(theirs["digest"])
    relabelled = ours[shared & ~ours["digest"].isin(agreed)]
    if len(relabelled):
        raise ArtifactError(
            f"{before.name} was made with other labels than {after.name}: what is "
            f"{_first(relabelled)} has another class in {after.name}; {fusion} cannot be compared"
        )


def _first(samples: pd.DataFrame) -> str:
    more = f" (and {len(samples) - 1} more)" if len(samples) > 1 else ""
    return f"test sample {samples['id'].iloc[0]} of {samples['class'].iloc[0]}{more}"

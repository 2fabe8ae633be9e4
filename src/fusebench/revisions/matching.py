"""What two states of a fusion have in common: the same seeds and the same test samples.

A sample is the same when its id, its class and its content are. Only what both sides have counts;
what has no partner is said, and samples that contradict each other are refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusebench.errors import ArtifactError
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.pairs import PART

# How many samples without a partner are named.
_NAMED = 3
Key = tuple[str, str, str]


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
            np.array_equal(parts[PART].logits, self.after.seeds[seed][PART].logits)
            for seed, parts in self.before.seeds.items()
        )


def match(fusion: str, before: Side, after: Side) -> Matched:
    """Return a fusion's predictions on the seeds and test samples that both sides have.

    Raises
    ------
    ArtifactError
        The classes differ, or a sample has another content or label on the other side.
    """
    first, second = before.fusions[fusion], after.fusions[fusion]
    _check_agree(fusion, before, after)
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    rows = [{seed: _rows(each.seeds[seed][PART]) for seed in seeds} for each in (first, second)]
    every = [held.keys() for side in rows for held in side.values()]
    common = sorted(set.intersection(*map(set, every))) if every else []
    kept = [
        _restricted(each, {seed: [held[seed][key] for key in common] for seed in seeds if common})
        for each, held in zip((first, second), rows, strict=True)
    ]
    # F1 and the ranking metrics speak of one class: on both sides of the one that it is now.
    info = {**first.info, "positive": second.info["positive"]}
    alone = [(before.name, what) for what in _alone(first, second, rows[0], common)]
    alone += [(after.name, what) for what in _alone(second, first, rows[1], common)]
    return Matched(replace(kept[0], info=info), kept[1], tuple(alone))


def _rows(part: PartPredictions) -> dict[Key, int]:
    """Return the row of each sample, by id, class and digest."""
    columns = (part.ids.tolist(), part.classes.tolist(), part.digests.tolist())
    return {key: row for row, key in enumerate(zip(*columns, strict=True))}


def _restricted(fusion: FusionPredictions, rows: Mapping[int, Sequence[int]]) -> FusionPredictions:
    seeds = {seed: {PART: _chosen(fusion.seeds[seed][PART], rows[seed])} for seed in rows}
    return FusionPredictions(fusion.info, seeds)


def _chosen(part: PartPredictions, rows: Sequence[int]) -> PartPredictions:
    return PartPredictions(
        part.ids[rows], part.classes[rows], part.digests[rows], part.labels[rows], part.logits[rows]
    )


def _alone(
    fusion: FusionPredictions,
    other: FusionPredictions,
    rows: Mapping[int, Mapping[Key, int]],
    common: Sequence[Key],
) -> Iterator[str]:
    """Say which seeds and samples of a fusion have no partner."""
    seeds = [str(seed) for seed in fusion.seeds if seed not in other.seeds]
    if seeds:
        yield f"seeds {', '.join(seeds)}"
    held = set(common)
    samples = [key for key in next(iter(rows.values()), {}) if key not in held]
    if samples:
        named = ", ".join(f"{name} of {kind}" for name, kind, _ in samples[:_NAMED])
        yield f"{len(samples)} test samples ({named}{', …' if len(samples) > _NAMED else ''})"


def _check_agree(fusion: str, before: Side, after: Side) -> None:
    """Refuse sides that call two samples by one name, or one sample by two."""
    first, second = before.fusions[fusion], after.fusions[fusion]
    if first.classes != second.classes:
        raise ArtifactError(
            f"{before.name} has the classes {', '.join(first.classes)}, {after.name} has "
            f"{', '.join(second.classes)}: {fusion} cannot be compared"
        )
    # The test part is the same for every seed.
    parts = [next(iter(each.seeds.values()))[PART] for each in (first, second)]
    contents, contents_after = ({key[:2]: key[2] for key in _rows(part)} for part in parts)
    others = [key for key, digest in contents.items() if contents_after.get(key, digest) != digest]
    if others:
        raise ArtifactError(
            f"{before.name} was made from other samples than {after.name}: {_first(others)} has "
            f"another content; {fusion} cannot be compared"
        )
    kinds, kinds_after = (_classes_of_contents(part) for part in parts)
    others = [
        (name, kind)
        for name, kind, digest in _rows(parts[0])
        if digest in kinds_after and not kinds[digest] & kinds_after[digest]
    ]
    if others:
        raise ArtifactError(
            f"{before.name} was made with other labels than {after.name}: what is {_first(others)} "
            f"has another class in {after.name}; {fusion} cannot be compared"
        )


def _classes_of_contents(part: PartPredictions) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for digest, kind in zip(part.digests.tolist(), part.classes.tolist(), strict=True):
        found.setdefault(digest, set()).add(kind)
    return found


def _first(keys: Sequence[tuple[str, str]]) -> str:
    more = f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
    return f"test sample {keys[0][0]} of {keys[0][1]}{more}"

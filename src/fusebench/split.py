"""Stage split: which sample is in which part, per seed."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from fusebench.config import Section, Seeds
from fusebench.errors import SplitError
from fusebench.files import read_json
from fusebench.samples.manifest import PARTS, UNUSED
from fusebench.sealed import checked
from fusebench.seeds import keyed_order

Share = Annotated[float, Field(gt=0, lt=1)]
"""A share of all pairs."""


class SplitParams(Section):
    """Section `split`."""

    train: Share
    val: Share
    test: Share
    group: Literal["id", "none"]
    draws: Literal["per_seed", "fixed"]
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        total = sum(_exact(share) for share in (self.train, self.val, self.test))
        if total > 1:
            raise ValueError(
                f"train + val + test = {float(total):g}: the shares must sum to at most 1"
            )
        return self


def _exact(share: float) -> Fraction:
    """Return the decimal number that was written, not its nearest binary neighbour."""
    return Fraction(repr(share))


Stratum = tuple[int, ...]
"""The labels that a group brings, sorted: which classes an id has samples of."""
Groups = Mapping[str, Stratum]
"""What must stay together (the samples of one id, or a single sample), by key."""


def draw(samples: pd.DataFrame, params: SplitParams, seeds: Sequence[int]) -> pd.DataFrame:
    """Return the manifest: the table of samples, and a column `seed_<n>` per seed with the part.

    Test is drawn once, before all else, from names that no train or val choice enters. Each seed
    then draws its val and its train from the rest (`draws: fixed`: one draw for all seeds).

    Parameters
    ----------
    samples : DataFrame
        With `SAMPLE_COLUMNS`.

    Raises
    ------
    SplitError
        A class has no sample in a part.
    """
    keys = samples["id"] if params.group == "id" else samples["id"] + "/" + samples["class"]
    groups = _groups(keys, samples["label"])
    sizes = Counter(groups.values())
    test = _take(groups, params.test, sizes, params.seed, "test")
    rest = _without(groups, test)
    manifest = samples.copy()
    for seed in seeds:
        drawn = seed if params.draws == "per_seed" else "fixed"
        val = _take(rest, params.val, sizes, params.seed, "val", drawn)
        train = _take(_without(rest, val), params.train, sizes, params.seed, "train", drawn)
        parts = {
            key: part
            for part, chosen in zip(PARTS, (train, val, test), strict=True)
            for key in chosen
        }
        # Not keys.map(parts), which makes numbers of nothing where no part was drawn.
        manifest[f"seed_{seed}"] = [parts.get(key, UNUSED) for key in keys]
    _check_classes(manifest, seeds)
    return manifest


def _groups(keys: "pd.Series[str]", labels: "pd.Series[int]") -> dict[str, Stratum]:
    members: dict[str, list[int]] = {}
    for key, label in zip(keys.tolist(), labels.tolist(), strict=True):
        members.setdefault(key, []).append(label)
    return {key: tuple(sorted(of_group)) for key, of_group in members.items()}


def _without(groups: Groups, taken: Iterable[str]) -> dict[str, Stratum]:
    keys = set(taken)
    return {key: stratum for key, stratum in groups.items() if key not in keys}


def _take(
    groups: Groups, share: float, sizes: Mapping[Stratum, int], *names: str | int
) -> list[str]:
    """Return the keys of a stratified draw: the beginning, up to `share`, of an order.

    The names fix the order. It is built so that each of its beginnings is stratified, so smaller
    shares are nested in larger ones: class k is due for its m-th sample when the share reaches
    (m − ½)/N_k, and at that moment one group that holds the class is placed. Without groups of
    several classes each class gets its share to the nearest number; with groups of two classes it
    is within one, as long as there is something left to choose from.

    Parameters
    ----------
    groups : mapping of str to Stratum
        What there is to draw from.
    share : float
        Of all samples, also of those that are not in `groups` any more.
    sizes : mapping of Stratum to int
        How many groups of each stratum all samples make.
    names
        What the order is a function of.
    """
    waiting: dict[Stratum, deque[str]] = {}
    for key in keyed_order(groups, *names):
        waiting.setdefault(groups[key], deque()).append(key)
    pace = _Pace(sizes)
    taken: list[str] = []
    while waiting:
        label = pace.next_label({label for stratum in waiting for label in stratum})
        if pace.due(label) > _exact(share):
            break
        stratum = pace.choose([stratum for stratum in waiting if label in stratum], label)
        pace.place(stratum)
        taken.append(waiting[stratum].popleft())
        if not waiting[stratum]:
            del waiting[stratum]
    return taken


class _Pace:
    """Keeps classes, and the strata of groups that hold them, in step with the growing share."""

    def __init__(self, sizes: Mapping[Stratum, int]) -> None:
        self._sizes = sizes
        self._totals: Counter[int] = Counter()
        for stratum, size in sizes.items():
            self._totals.update(dict.fromkeys(stratum, size))
        self._of_stratum: Counter[Stratum] = Counter()
        self._of_label: Counter[int] = Counter()

    def due(self, label: int) -> Fraction:
        """Return the share at which the class is due for its next sample."""
        return Fraction(2 * self._of_label[label] + 1, 2 * self._totals[label])

    def next_label(self, labels: Iterable[int]) -> int:
        return min(labels, key=lambda label: (self.due(label), label))

    def choose(self, strata: Iterable[Stratum], label: int) -> Stratum:
        """Return the stratum to place now that the class `label` is due.

        Best is one that puts no class a sample ahead; then one whose own turn comes before the
        class is due again; of those the one that binds most classes, since the strata with fewer
        can still even out what it leaves.
        """
        now = self.due(label)
        horizon = now + Fraction(1, self._totals[label])

        def rank(stratum: Stratum) -> tuple[bool, bool, int, Fraction, Stratum]:
            next_share = Fraction(2 * self._of_stratum[stratum] + 1, 2 * self._sizes[stratum])
            ahead = any(self._of_label[k] > now * self._totals[k] for k in stratum)
            return ahead, next_share > horizon, -len(stratum), next_share, stratum

        return min(strata, key=rank)

    def place(self, stratum: Stratum) -> None:
        self._of_stratum[stratum] += 1
        self._of_label.update(stratum)


class _SeedsFile(Section):
    """checked/seeds.json."""

    seeds: Seeds = Field(min_length=1)


def read_seeds(path: Path) -> list[int]:
    """Return the seeds that stage check wrote; raise ArtifactError if the file is broken."""
    return list(checked(_SeedsFile, read_json(path), path).seeds)


def part_counts(
    manifest: pd.DataFrame, seeds: Sequence[int], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the samples of each seed and part (`unused` included), a column per class."""
    tables = {
        seed: manifest.groupby([f"seed_{seed}", "class"]).size().unstack(fill_value=0)
        for seed in seeds
    }
    counts = pd.concat(tables, names=["seed", "part"])
    rows = pd.MultiIndex.from_product([seeds, (*PARTS, UNUSED)], names=["seed", "part"])
    return counts.reindex(index=rows, columns=list(classes), fill_value=0).astype(int)


def _check_classes(manifest: pd.DataFrame, seeds: Sequence[int]) -> None:
    totals = manifest["class"].value_counts(sort=False)
    counts = part_counts(manifest, seeds, list(totals.index))
    for (seed, part), row in counts.iterrows():
        empty = row[row == 0]
        if part != UNUSED and len(empty):
            name = empty.index[0]
            raise SplitError(
                f"params.yaml: split.{part} leaves class '{name}' ({totals[name]} samples) without "
                f"a sample in {part} of seed {seed}; raise split.{part} or add samples"
            )

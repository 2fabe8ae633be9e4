"""Stage split: which sample is in which part, per seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from fusebench.config import Section, Seeds
from fusebench.errors import SplitError
from fusebench.files import read_json
from fusebench.samples.manifest import HOLDOUT, PART_DTYPE, PARTS, UNUSED
from fusebench.sealed import checked
from fusebench.seeds import derive_seeds
from fusebench.split.params import SplitParams
from fusebench.split.strata import Positions, Stratum, stratified_counts


class _Groups(NamedTuple):
    """What must stay together: the samples of a group or an id, or a single sample.

    Attributes
    ----------
    keys : Index of str, G groups, sorted
    of_row : array of int, shape (N,), the group of each sample
    stratum : array of int, shape (G,), positions in `strata`
    strata : list of Stratum, sorted
    """

    keys: "pd.Index[str]"
    of_row: Positions
    stratum: Positions
    strata: list[Stratum]


def draw(samples: pd.DataFrame, params: SplitParams, seeds: Sequence[int]) -> pd.DataFrame:
    """Return the manifest: the table of samples, and a column `seed_<n>` per seed with the part.

    The holdout is drawn first of all, once, from names that no other choice enters; then test,
    once, whose names no train or val choice enters. Each seed then draws its val and its train from
    the rest (`draws: fixed`: one draw for all seeds). Time grows as the number of samples, memory
    by a few numbers for each.

    Where the data name groups, a part has its share of groups, to one per class at most. Which ones
    is chance, so of samples, and of those of each class, it has its share on average only.

    Parameters
    ----------
    samples : DataFrame
        With `SAMPLEPART_DTYPES`.

    Raises
    ------
    SplitError
        A class has no sample in a part.
    """
    groups = _grouped(samples, params.group)
    sizes = np.bincount(groups.stratum)
    # How many groups of a stratum a part takes is the same for each seed; which ones is not.
    free, counts = sizes, {}
    for part in reversed(PARTS):
        share = getattr(params, part)
        counts[part] = stratified_counts(groups.strata, sizes.tolist(), free.tolist(), share)
        free = free - counts[part]
    everything = np.arange(len(groups.keys))
    holdout, rest = _take(groups, everything, counts[HOLDOUT], params.seed, HOLDOUT)
    test, rest = _take(groups, rest, counts["test"], params.seed, "test")
    columns: dict[int | str, pd.Categorical] = {}
    for drawn in seeds if params.draws == "per_seed" else ("fixed",):
        val, others = _take(groups, rest, counts["val"], params.seed, "val", drawn)
        train, _ = _take(groups, others, counts["train"], params.seed, "train", drawn)
        parts = np.full(len(groups.keys), PART_DTYPE.categories.get_loc(UNUSED), np.int8)
        for number, chosen in enumerate((train, val, test, holdout)):
            parts[chosen] = number
        columns[drawn] = pd.Categorical.from_codes(parts[groups.of_row], dtype=PART_DTYPE)
    manifest = samples.assign(
        **{f"seed_{seed}": columns.get(seed, columns.get("fixed")) for seed in seeds}
    )
    _check_classes(manifest, seeds, params)
    return manifest


def _grouped(samples: pd.DataFrame, group: str) -> _Groups:
    """Return what stays together, and the stratum of each.

    That is the classes of an id's samples, but of a named group the one class that fewest groups
    hold: most groups of many samples are alone in how many they have of each class, or in which
    classes they have. They would be drawn by their place among the strata, and not by chance.
    """
    keys = samples["group"] if group == "id" else samples["id"] + "/" + samples["class"]
    of_row, names = pd.factorize(keys, sort=True)
    labels = samples["label"].to_numpy()
    order = np.lexsort((labels, of_row))
    again = (np.diff(of_row[order]) == 0) & (np.diff(labels[order]) == 0)
    order = order[np.append(True, ~again)]
    labels, lengths = labels[order], np.bincount(of_row[order])
    starts = np.cumsum(lengths) - lengths
    if _named(samples, group):
        rarest = np.argsort(np.bincount(labels), kind="stable")
        labels = rarest[np.minimum.reduceat(np.argsort(rarest)[labels], starts)]
        starts, lengths = np.arange(len(names)), np.ones(len(names), np.int64)
    codes, number = _codes(np.unique(labels, return_inverse=True)[1], starts, lengths)
    # A group of each stratum tells its labels.
    strata = [
        tuple(labels[starts[g] : starts[g] + lengths[g]].tolist())
        for g in np.unique(codes, return_index=True)[1]
    ]
    in_order = sorted(range(number), key=strata.__getitem__)
    renumbered = np.empty(number, np.int64)
    renumbered[in_order] = np.arange(number)
    return _Groups(names, of_row, renumbered[codes], [strata[code] for code in in_order])


def _named(samples: pd.DataFrame, group: str) -> bool:
    """Tell whether the data name the groups; else a group is an id, or a sample."""
    return group == "id" and not samples["group"].equals(samples["id"])


def _codes(labels: Positions, starts: Positions, lengths: Positions) -> tuple[Positions, int]:
    """Return a number per list of labels, equal where the lists are equal, and how many there are.

    The lists stand one after another in `labels`, which are counted from 0.
    """
    codes, longer = np.zeros(len(starts), np.int64), np.arange(len(starts))
    kinds, place, above = labels.max() + 1, 0, 1
    while len(longer):
        pairs = codes[longer] * kinds + labels[starts[longer] + place]
        found, dense = np.unique(pairs, return_inverse=True)
        # Above all numbers there are: lists that have ended keep theirs.
        codes[longer] = above + dense
        above, place = above + len(found), place + 1
        longer = longer[lengths[longer] > place]
    found, dense = np.unique(codes, return_inverse=True)
    return dense, len(found)


def _take(
    groups: _Groups, among: Positions, counts: Positions, *names: str | int
) -> tuple[Positions, Positions]:
    """Return which groups are drawn, and which are left.

    They are the first of each stratum in an order that is a function of the names.

    Parameters
    ----------
    among : array of int
        The groups to draw from, ascending: by their keys, which decide between equal seeds.
    counts : array of int
        How many groups to draw of each stratum.
    """
    stratum = groups.stratum[among]
    order = np.lexsort((derive_seeds(groups.keys[among], *names), stratum))
    stratum = stratum[order]
    first = np.searchsorted(stratum, np.arange(len(counts)))
    drawn = np.zeros(len(among), bool)
    drawn[order] = np.arange(len(among)) - first[stratum] < counts[stratum]
    return among[drawn], among[~drawn]


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


def _check_classes(manifest: pd.DataFrame, seeds: Sequence[int], params: SplitParams) -> None:
    totals = manifest["class"].value_counts(sort=False)
    counts = part_counts(manifest, seeds, list(totals.index))
    for (seed, part), row in counts.iterrows():
        empty = row[row == 0]
        if part != UNUSED and getattr(params, part) and len(empty):
            name = empty.index[0]
            of, more = f"{totals[name]} samples", "samples"
            if _named(manifest, params.group):
                groups = manifest.loc[manifest["class"] == name, "group"].nunique()
                of, more = f"{of} in {groups} group{'s' * (groups > 1)}", "groups that have it"
            without = ", set split.holdout: 0 to hold none out" if part == HOLDOUT else ""
            raise SplitError(
                f"params.yaml: split.{part} leaves class '{name}' ({of}) without a sample in "
                f"{part} of seed {seed}; raise split.{part}{without} or add {more}"
            )

"""The split as it is meant, one group at a time and in fractions: slow, and plain to read.

`fusebench.split.draw` draws the same, which test_draw.py holds it to.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import pandas as pd

from fusebench.samples.manifest import PARTS, UNUSED
from fusebench.seeds import derive_seed
from fusebench.split.params import SplitParams

Stratum = tuple[int, ...]
Groups = Mapping[str, Stratum]


def drawn_parts(
    samples: pd.DataFrame, params: SplitParams, seeds: Sequence[int]
) -> dict[int, list[str]]:
    """Return the part of each sample, by seed; a class may be left without a sample."""
    of_id = params.group == "id"
    names = zip(samples["group"], samples["id"], samples["class"], strict=True)
    keys = [group if of_id else f"{key}/{name}" for group, key, name in names]
    groups = strata_of(keys, samples["label"].tolist())
    if of_id and list(samples["group"]) != list(samples["id"]):
        holding = Counter(label for stratum in groups.values() for label in stratum)
        groups = {
            key: (min(stratum, key=lambda label: (holding[label], label)),)
            for key, stratum in groups.items()
        }
    sizes = Counter(groups.values())
    holdout = take(groups, params.holdout, sizes, params.seed, "holdout")
    rest = without(groups, holdout)
    test = take(rest, params.test, sizes, params.seed, "test")
    rest = without(rest, test)
    parts = {}
    for seed in seeds:
        drawn = seed if params.draws == "per_seed" else "fixed"
        val = take(rest, params.val, sizes, params.seed, "val", drawn)
        train = take(without(rest, val), params.train, sizes, params.seed, "train", drawn)
        chosen = dict(zip(PARTS, (train, val, test, holdout), strict=True))
        part_of = {key: part for part, of_part in chosen.items() for key in of_part}
        parts[seed] = [part_of.get(key, UNUSED) for key in keys]
    return parts


def strata_of(keys: Sequence[str], labels: Sequence[int]) -> Groups:
    """Return the classes that each group has samples of."""
    members: dict[str, set[int]] = {}
    for key, label in zip(keys, labels, strict=True):
        members.setdefault(key, set()).add(label)
    return {key: tuple(sorted(held)) for key, held in members.items()}


def without(groups: Groups, taken: Iterable[str]) -> Groups:
    keys = set(taken)
    return {key: stratum for key, stratum in groups.items() if key not in keys}


def take(
    groups: Groups, share: float, sizes: Mapping[Stratum, int], *names: str | int
) -> list[str]:
    """Return the beginning, up to `share` of all samples, of an order that the names fix."""
    waiting: dict[Stratum, deque[str]] = {}
    for key in sorted(groups, key=lambda key: (derive_seed(*names, key), key)):
        waiting.setdefault(groups[key], deque()).append(key)
    pace = Pace(sizes)
    taken: list[str] = []
    while waiting:
        label = pace.next_label({label for stratum in waiting for label in stratum})
        if pace.due(label) > Fraction(repr(share)):
            break
        stratum = pace.choose([stratum for stratum in waiting if label in stratum], label)
        pace.place(stratum)
        taken.append(waiting[stratum].popleft())
        if not waiting[stratum]:
            del waiting[stratum]
    return taken


class Pace:
    """Keeps classes, and the strata of groups that hold them, in step with the growing share."""

    def __init__(self, sizes: Mapping[Stratum, int]) -> None:
        self.sizes = sizes
        self.totals: Counter[int] = Counter()
        for stratum, size in sizes.items():
            self.totals.update({label: size * times for label, times in Counter(stratum).items()})
        self.of_stratum: Counter[Stratum] = Counter()
        self.of_label: Counter[int] = Counter()

    def due(self, label: int) -> Fraction:
        """The share at which the class is due for its next sample."""
        return Fraction(2 * self.of_label[label] + 1, 2 * self.totals[label])

    def next_label(self, labels: Iterable[int]) -> int:
        return min(labels, key=lambda label: (self.due(label), label))

    def choose(self, strata: Iterable[Stratum], label: int) -> Stratum:
        """The stratum to place now that the class is due."""
        now = self.due(label)
        horizon = now + Fraction(1, self.totals[label])

        def rank(stratum: Stratum) -> tuple[bool, bool, int, Fraction, Stratum]:
            next_share = Fraction(2 * self.of_stratum[stratum] + 1, 2 * self.sizes[stratum])
            ahead = any(self.of_label[k] > now * self.totals[k] for k in stratum)
            return ahead, next_share > horizon, -len(stratum), next_share, stratum

        return min(strata, key=rank)

    def place(self, stratum: Stratum) -> None:
        self.of_stratum[stratum] += 1
        self.of_label.update(stratum)

"""Stage split: which sample is in which part, per seed."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fusebench.config import Real, Section
from fusebench.errors import SplitError
from fusebench.samples.manifest import PARTS, UNUSED
from fusebench.samples.samples import SampleRow
from fusebench.seeds import keyed_order

_SHARE = "a number above 0 and below 1: a share of all pairs"
Share = Annotated[Real, Field(gt=0, lt=1, description=_SHARE)]


class SplitParams(Section):
    """Section `split`."""

    train: Share = Field(description=_SHARE)
    val: Share = Field(description=_SHARE)
    test: Share = Field(description=_SHARE)
    group: Literal["id", "none"] = Field(description="'id' or 'none'")
    draws: Literal["per_seed", "fixed"] = Field(description="'per_seed' or 'fixed'")
    seed: int = Field(ge=0, description="an integer of 0 or more")

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


Kind = tuple[int, ...]
"""The labels that a group brings, sorted: which classes an id has."""


@dataclass(frozen=True)
class Group:
    """Samples that must stay together: the twins of one id, or a single sample."""

    key: str
    rows: tuple[SampleRow, ...]

    @property
    def kind(self) -> Kind:
        """The labels that the group brings, sorted."""
        return tuple(sorted(row.label for row in self.rows))


def draw(
    rows: Sequence[SampleRow], params: SplitParams, seeds: Sequence[int]
) -> dict[int, dict[int, str]]:
    """Return, for each seed, the part of each row.

    Test is drawn once, before all else, from names that no train or val choice enters. Each seed
    then draws its val and its train from the rest (`draws: fixed`: one draw for all seeds).

    Raises
    ------
    SplitError
        A class has no sample in a part.
    """
    groups = _groups(rows, params.group)
    sizes = Counter(group.kind for group in groups)
    test = _take(groups, params.test, sizes, params.seed, "test")
    rest = _without(groups, test)
    parts: dict[int, dict[int, str]] = {}
    for seed in seeds:
        drawn = seed if params.draws == "per_seed" else "fixed"
        val = _take(rest, params.val, sizes, params.seed, "val", drawn)
        train = _take(_without(rest, val), params.train, sizes, params.seed, "train", drawn)
        parts[seed] = {row.row: UNUSED for row in rows} | {
            row.row: part
            for part, chosen in zip(PARTS, (train, val, test), strict=True)
            for group in chosen
            for row in group.rows
        }
        _check_classes(rows, parts[seed], seed)
    return parts


def _groups(rows: Iterable[SampleRow], group: Literal["id", "none"]) -> list[Group]:
    members: dict[str, list[SampleRow]] = defaultdict(list)
    for row in rows:
        members[row.id if group == "id" else f"{row.id}/{row.class_name}"].append(row)
    return [Group(key, tuple(found)) for key, found in members.items()]


def _without(groups: Iterable[Group], taken: Iterable[Group]) -> list[Group]:
    keys = {group.key for group in taken}
    return [group for group in groups if group.key not in keys]


def _take(
    groups: Sequence[Group], share: float, sizes: Mapping[Kind, int], *names: str | int
) -> list[Group]:
    """Return a stratified draw: the beginning, up to `share`, of an order that the names fix.

    The order is built so that each of its beginnings is stratified, so smaller shares are nested
    in larger ones: class k is due for its m-th sample when the share reaches (m − ½)/N_k, and at
    that moment one group that holds the class is placed. Without twins each class gets its share
    to the nearest number; with twins of two classes it is within one, as long as there is
    something left to choose from.

    Parameters
    ----------
    groups : sequence of Group
        What there is to draw from.
    share : float
        Of all samples, also of those that are not in `groups` any more.
    sizes : mapping of kind to int
        How many groups of each kind all samples make.
    names
        What the order is a function of.
    """
    by_key = {group.key: group for group in groups}
    waiting: dict[Kind, deque[Group]] = defaultdict(deque)
    for key in keyed_order(by_key, *names):
        waiting[by_key[key].kind].append(by_key[key])
    pace = _Pace(sizes)
    taken: list[Group] = []
    while waiting:
        label = pace.next_label({label for kind in waiting for label in kind})
        if pace.due(label) > _exact(share):
            break
        kind = pace.choose([kind for kind in waiting if label in kind], label)
        pace.place(kind)
        taken.append(waiting[kind].popleft())
        if not waiting[kind]:
            del waiting[kind]
    return taken


class _Pace:
    """Keeps classes, and the kinds of groups that hold them, in step with the growing share."""

    def __init__(self, sizes: Mapping[Kind, int]) -> None:
        self._sizes = sizes
        self._totals: Counter[int] = Counter()
        for kind, size in sizes.items():
            self._totals.update(dict.fromkeys(kind, size))
        self._of_kind: Counter[Kind] = Counter()
        self._of_label: Counter[int] = Counter()

    def due(self, label: int) -> Fraction:
        """Return the share at which the class is due for its next sample."""
        return Fraction(2 * self._of_label[label] + 1, 2 * self._totals[label])

    def next_label(self, labels: Iterable[int]) -> int:
        return min(labels, key=lambda label: (self.due(label), label))

    def choose(self, kinds: Iterable[Kind], label: int) -> Kind:
        """Return the kind to place now that the class `label` is due.

        Best is one that puts no class a sample ahead; then one whose own turn comes before the
        class is due again; of those the one that binds most classes, since the kinds with fewer
        can still even out what it leaves.
        """
        now = self.due(label)
        horizon = now + Fraction(1, self._totals[label])

        def rank(kind: Kind) -> tuple[bool, bool, int, Fraction, Kind]:
            turn = Fraction(2 * self._of_kind[kind] + 1, 2 * self._sizes[kind])
            ahead = any(self._of_label[each] > now * self._totals[each] for each in kind)
            return ahead, turn > horizon, -len(kind), turn, kind

        return min(kinds, key=rank)

    def place(self, kind: Kind) -> None:
        self._of_kind[kind] += 1
        self._of_label.update(kind)


def _check_classes(rows: Iterable[SampleRow], parts: Mapping[int, str], seed: int) -> None:
    totals = Counter(row.class_name for row in rows)
    held = Counter((row.class_name, parts[row.row]) for row in rows)
    for part in PARTS:
        for name, total in totals.items():
            if not held[name, part]:
                raise SplitError(
                    f"params.yaml: split.{part} leaves class '{name}' ({total} samples) without "
                    f"a sample in {part} of seed {seed}; raise split.{part} or add samples"
                )


def counts_table(
    rows: Sequence[SampleRow], parts: Mapping[int, Mapping[int, str]], classes: Sequence[str]
) -> str:
    """Return a table of samples per seed, part and class, `unused` included."""
    width = max(8, *(len(name) + 2 for name in classes))
    lines = ["seed".ljust(6) + "part".ljust(8) + "".join(name.rjust(width) for name in classes)]
    for seed, drawn in parts.items():
        held = Counter((drawn[row.row], row.class_name) for row in rows)
        lines += [
            f"{seed:<6}{part:<8}" + "".join(f"{held[part, name]:>{width},}" for name in classes)
            for part in (*PARTS, UNUSED)
        ]
    return "\n".join(lines)

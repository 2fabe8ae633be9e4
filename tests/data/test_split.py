from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fusebench.data.split import SplitParams, counts_table, draw
from fusebench.errors import ArtifactError, SplitError
from fusebench.samples.manifest import PARTS, UNUSED, read_manifest, write_manifest
from fusebench.samples.samples import SampleRow

Kinds = Mapping[tuple[int, ...], int]
Drawn = dict[int, dict[int, str]]
Named = dict[tuple[str, str], str]
Shares = tuple[float, float, float]

CLASS_NAMES = ("cubes", "spheres", "cones")
PROPERTY = settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def params(shares: Shares = (0.3, 0.2, 0.25), **changes: Any) -> SplitParams:
    train, val, test = shares
    content = {"train": train, "val": val, "test": test, "group": "id", "draws": "per_seed"}
    return SplitParams.model_validate({**content, "seed": 0, **changes})


def table(kinds: Kinds, seed: int = 0) -> list[SampleRow]:
    """Rows by class, then id, as extract writes them.

    Parameters
    ----------
    kinds : mapping of labels to int
        How many ids have exactly these classes; which ids they are is drawn from the seed.
    """
    ids = [f"{number:04}" for number in range(sum(kinds.values()))]
    of_id = np.random.default_rng(seed).permutation(
        [place for place, count in enumerate(kinds.values()) for _ in range(count)]
    )
    labels = [list(kinds)[place] for place in of_id]
    rows: list[SampleRow] = []
    for label in sorted({label for kind in kinds for label in kind}):
        held = [key for key, kind in zip(ids, labels, strict=True) if label in kind]
        rows += [
            SampleRow(len(rows) + place, key, CLASS_NAMES[label], label, f"digest-{label}-{key}")
            for place, key in enumerate(held)
        ]
    return rows


def kinds_of(classes: int) -> list[tuple[int, ...]]:
    """All sets of classes that an id may have."""
    labels = range(classes)
    sizes = (combinations(labels, size) for size in range(1, classes + 1))
    return list(chain.from_iterable(sizes))


@st.composite
def tables(drawn: st.DrawFn, classes: int | None = None) -> list[SampleRow]:
    """Tables of two or three classes that share ids in any way."""
    count = classes or drawn(st.sampled_from([2, 3]))
    most = drawn(st.sampled_from([8, 30, 90]))
    sizes = st.integers(0, most)
    kinds = {kind: drawn(sizes) for kind in kinds_of(count)}
    rows = table(kinds, drawn(st.integers(0, 99)))
    if len({row.label for row in rows}) < count:
        reject()
    return rows


@st.composite
def shares(drawn: st.DrawFn, most: int = 100) -> Shares:
    """Shares in hundredths whose sum is at most `most` hundredths."""
    test = drawn(st.integers(1, most - 2))
    val = drawn(st.integers(1, most - 1 - test))
    train = drawn(st.one_of(st.just(most - val - test), st.integers(1, most - val - test)))
    return train / 100, val / 100, test / 100


def drawn_or_reject(
    rows: Sequence[SampleRow], split: SplitParams, seeds: Sequence[int] = (0, 1)
) -> Drawn:
    """Draw; tables that are too small for the shares are another test's."""
    try:
        return draw(rows, split, seeds)
    except SplitError:
        reject()


def named(rows: Sequence[SampleRow], parts: Mapping[int, str]) -> Named:
    """Parts by class and id, so that the order of the table does not matter."""
    return {(row.class_name, row.id): parts[row.row] for row in rows}


def held_in(parts: Mapping[int, str], part: str) -> set[int]:
    return {row for row, held in parts.items() if held == part}


def ways_off(
    rows: Sequence[SampleRow], parts: Mapping[int, str], share: float, part: str
) -> list[Fraction]:
    """How far each class's count in a part is from its share, in samples."""
    totals = Counter(row.label for row in rows)
    held = Counter(row.label for row in rows if parts[row.row] == part)
    exact = Fraction(str(share))
    return [abs(held[label] - exact * total) for label, total in totals.items()]


# --- Every row is somewhere, twins on one side ---


@PROPERTY
@given(rows=tables(), sizes=shares())
def test_every_row_is_in_one_part_and_twins_in_the_same(
    rows: list[SampleRow], sizes: Shares
) -> None:
    for parts in drawn_or_reject(rows, params(sizes)).values():
        assert parts.keys() == {row.row for row in rows}
        assert set(parts.values()) <= {*PARTS, UNUSED}
        of_id: dict[str, set[str]] = {}
        for row in rows:
            of_id.setdefault(row.id, set()).add(parts[row.row])
        assert all(len(found) == 1 for found in of_id.values())
        for part in PARTS:
            assert {row.label for row in rows if parts[row.row] == part} == {
                row.label for row in rows
            }


# --- Stratified ---


@PROPERTY
@given(rows=tables(classes=2), sizes=shares())
@example(rows=table({(0, 1): 100, (1,): 100}), sizes=(0.902, 0.054, 0.044))
def test_val_and_test_hold_their_share_of_two_classes_within_one(
    rows: list[SampleRow], sizes: Shares
) -> None:
    for parts in drawn_or_reject(rows, params(sizes)).values():
        for share, part in zip(sizes[1:], PARTS[1:], strict=True):
            assert max(ways_off(rows, parts, share, part)) <= 1


@PROPERTY
@given(rows=tables(classes=2), sizes=shares())
@example(rows=table({(0, 1): 100, (1,): 100}), sizes=(0.902, 0.054, 0.044))
@example(rows=table({(0,): 175, (1,): 75, (0, 1): 25}), sizes=(0.176, 0.289, 0.535))
def test_train_holds_its_share_of_two_classes_within_one(
    rows: list[SampleRow], sizes: Shares
) -> None:
    """Where test and val leave nothing to choose from, train bears what both are off.

    So it is, too, of twenty ids or less: the few that are left may all be twins.
    """
    scarce = sum(sizes) > 0.95 or len({row.id for row in rows}) <= 20
    within = 2 if scarce else 1
    for parts in drawn_or_reject(rows, params(sizes)).values():
        assert max(ways_off(rows, parts, sizes[0], "train")) <= within


@PROPERTY
@given(rows=tables(classes=3), sizes=shares())
def test_parts_hold_their_share_of_three_classes_within_three(
    rows: list[SampleRow], sizes: Shares
) -> None:
    """With ids in any two or all of three classes, within one cannot always be had."""
    for parts in drawn_or_reject(rows, params(sizes)).values():
        for share, part in zip(sizes, PARTS, strict=True):
            assert max(ways_off(rows, parts, share, part)) < 3


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("group", ["id", "none"])
@pytest.mark.parametrize("sizes", [(0.3, 0.2, 0.25), (0.6, 0.2, 0.2), (0.07, 0.03, 0.1)])
def test_classes_without_twins_are_drawn_to_the_nearest_number(
    classes: int, group: str, sizes: Shares
) -> None:
    rows = table({(label,): (97, 55, 140)[label] for label in range(classes)})
    parts = draw(rows, params(sizes, group=group), [0])[0]
    for share, part in zip(sizes[1:], PARTS[1:], strict=True):
        assert max(ways_off(rows, parts, share, part)) <= Fraction(1, 2)
    assert max(ways_off(rows, parts, sizes[0], "train")) <= 1


@pytest.mark.parametrize("draws", ["per_seed", "fixed"])
def test_the_default_shares_give_the_notebooks_numbers(draws: str) -> None:
    """Of 9,999 cubes and 752 spheres, all of them twins of cubes: 860, 215 and 2,150."""
    rows = table({(0,): 9247, (0, 1): 752})
    for parts in draw(rows, params((0.08, 0.02, 0.2), draws=draws), [0, 1]).values():
        assert Counter(parts.values()) == {"train": 860, "val": 215, "test": 2150, UNUSED: 7526}
        spheres = Counter(parts[row.row] for row in rows if row.label == 1)
        assert spheres == {"train": 60, "val": 15, "test": 150, UNUSED: 527}


# --- Nested, and untouched by what comes after ---


@PROPERTY
@given(rows=tables(), sizes=shares(), smaller=st.integers(1, 99))
def test_a_smaller_train_is_part_of_a_larger_one(
    rows: list[SampleRow], sizes: Shares, smaller: int
) -> None:
    large = drawn_or_reject(rows, params(sizes))
    small = drawn_or_reject(rows, params((sizes[0] * smaller / 100, *sizes[1:])))
    for seed in large:
        assert held_in(small[seed], "train") <= held_in(large[seed], "train")
        for part in ("val", "test"):
            assert held_in(small[seed], part) == held_in(large[seed], part)


@PROPERTY
@given(
    rows=tables(),
    sizes=shares(60),
    other=shares(60),
    seeds=st.lists(st.integers(0, 2**40), min_size=1, max_size=3, unique=True),
    draws=st.sampled_from(["per_seed", "fixed"]),
)
def test_test_is_untouched_by_any_choice_of_train_and_val(
    rows: list[SampleRow], sizes: Shares, other: Shares, seeds: list[int], draws: str
) -> None:
    first = drawn_or_reject(rows, params(sizes), [0, 1])
    changed = params((min(other[0], 0.2), min(other[1], 0.2), sizes[2]), draws=draws)
    second = drawn_or_reject(rows, changed, seeds)
    tests = {frozenset(held_in(parts, "test")) for parts in [*first.values(), *second.values()]}
    assert len(tests) == 1


@PROPERTY
@given(rows=tables(), sizes=shares(), other=st.integers(1, 100))
def test_val_is_untouched_by_the_share_of_train(
    rows: list[SampleRow], sizes: Shares, other: int
) -> None:
    train = Fraction(other, 100) * (1 - Fraction(str(sizes[1])) - Fraction(str(sizes[2])))
    first = drawn_or_reject(rows, params(sizes))
    second = drawn_or_reject(rows, params((float(train) * 0.999, *sizes[1:])))
    for seed in first:
        assert held_in(first[seed], "val") == held_in(second[seed], "val")


@PROPERTY
@given(rows=tables(), sizes=shares(), seed=st.integers(0, 99))
def test_order_of_the_rows_does_not_matter(rows: list[SampleRow], sizes: Shares, seed: int) -> None:
    first = drawn_or_reject(rows, params(sizes))
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = [replace(rows[place], row=row) for row, place in enumerate(order)]
    second = draw(shuffled, params(sizes), (0, 1))
    for each in first:
        assert named(rows, first[each]) == named(shuffled, second[each])


@PROPERTY
@given(rows=tables(), sizes=shares())
def test_a_seeds_draw_does_not_depend_on_the_other_seeds(
    rows: list[SampleRow], sizes: Shares
) -> None:
    together = drawn_or_reject(rows, params(sizes), (5, 0, 3))
    for seed in (0, 3, 5):
        assert draw(rows, params(sizes), (seed,))[seed] == together[seed]
    assert list(together) == [5, 0, 3]


MANY = {(0,): 150, (0, 1): 100, (1,): 50}


def test_seeds_draw_their_own_train_and_val() -> None:
    parts = draw(table(MANY), params(), range(4))
    for part in ("train", "val"):
        assert len({frozenset(held_in(parts[seed], part)) for seed in range(4)}) == 4
        assert len({len(held_in(parts[seed], part)) for seed in range(4)}) == 1


def test_a_fixed_draw_is_the_same_for_all_seeds() -> None:
    parts = draw(table(MANY), params(draws="fixed"), range(4))
    assert all(parts[seed] == parts[0] for seed in range(4))


def test_another_seed_of_the_split_draws_another_test() -> None:
    first, second = (draw(table(MANY), params(seed=seed), [0])[0] for seed in (0, 1))
    for part in PARTS:
        assert held_in(first, part) != held_in(second, part)
    assert len(held_in(first, "test")) == len(held_in(second, "test"))


def test_what_is_drawn_is_not_the_beginning_of_the_table() -> None:
    """Every id has the same chance, whatever its place: no part is a stretch of ids."""
    rows = table({(0,): 400, (1,): 400})
    parts = draw(rows, params(), [0])[0]
    for part in (*PARTS, UNUSED):
        places = [int(row.id) / 800 for row in rows if parts[row.row] == part]
        # Four standard errors of a uniform mean.
        assert np.mean(places) == pytest.approx(0.5, abs=4 / (12 * len(places)) ** 0.5)


def test_group_none_separates_twins_and_group_id_never_does() -> None:
    rows = table({(0, 1): 60})
    separated = {}
    for group in ("id", "none"):
        parts = named(rows, draw(rows, params(group=group), [0])[0])
        separated[group] = sum(
            parts["cubes", row.id] != parts["spheres", row.id] for row in rows if row.label == 0
        )
    assert separated["id"] == 0
    assert separated["none"] > 20


# --- What is refused ---


@pytest.mark.parametrize(
    "sizes", [(0.7, 0.1, 0.2), (0.1, 0.2, 0.7), (0.3, 0.3, 0.4), (0.98, 0.01, 0.01)]
)
def test_shares_may_sum_to_one_and_leave_nothing(sizes: Shares) -> None:
    """Also where the sum of the binary numbers is a little more than 1."""
    parts = draw(table(MANY), params(sizes), [0])[0]
    assert UNUSED not in parts.values()


@pytest.mark.parametrize(
    ("sizes", "total"), [((0.7, 0.2, 0.2), "1.1"), ((0.7, 0.1, 0.2001), "1.0001")]
)
def test_shares_above_one_are_refused(sizes: Shares, total: str) -> None:
    with pytest.raises(ValidationError, match=rf"train \+ val \+ test = {total}"):
        params(sizes)


@pytest.mark.parametrize(
    "changes",
    [
        {"train": 0.0},
        {"val": 0},
        {"test": -0.1},
        {"test": 1.0},
        {"train": float("nan")},
        {"train": "much"},
        {"group": "class"},
        {"draws": "one"},
        {"seed": -1},
        {"seed": 1.5},
    ],
    ids=str,
)
def test_params_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(**changes)


@pytest.mark.parametrize(
    ("sizes", "part"),
    [((0.3, 0.3, 0.01), "test"), ((0.3, 0.01, 0.3), "val"), ((0.01, 0.3, 0.3), "train")],
)
@pytest.mark.parametrize("group", ["id", "none"])
def test_a_class_left_out_of_a_part_is_refused_by_name(
    sizes: Shares, part: str, group: str
) -> None:
    rows = table({(0,): 400, (1,): 8})
    with pytest.raises(SplitError) as caught:
        draw(rows, params(sizes, group=group), [7])
    message = str(caught.value)
    assert f"split.{part}" in message
    assert "'spheres' (8 samples)" in message
    assert "seed 7" in message
    assert "\n" not in message


def test_a_class_of_two_samples_cannot_be_in_three_parts() -> None:
    with pytest.raises(SplitError, match="'spheres'"):
        draw(table({(0,): 50, (1,): 2}), params((0.3, 0.3, 0.4)), [0])


def test_three_samples_are_enough_for_three_parts() -> None:
    rows = table({(0,): 3, (1,): 3})
    parts = draw(rows, params((0.34, 0.33, 0.33)), [0])[0]
    assert Counter(parts.values()) == dict.fromkeys(PARTS, 2)


# --- The manifest ---


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    rows = table(MANY)
    rows[3] = replace(rows[3], id='a "strange", id')
    parts = draw(rows, params(), [3, 0])
    path = tmp_path / "new" / "split.csv"
    write_manifest(path, rows, parts)
    manifest = read_manifest(path)
    assert manifest.rows == tuple(rows)
    assert list(manifest.parts) == [3, 0]
    for seed in (3, 0):
        for part in (*PARTS, UNUSED):
            expected = [row for row in rows if parts[seed][row.row] == part]
            assert manifest.rows_of(seed, part) == expected
    assert [each.name for each in path.parent.iterdir()] == ["split.csv"]


def test_a_manifest_is_the_same_to_the_byte(tmp_path: Path) -> None:
    rows = table({(0,): 6, (1,): 6})
    for name in ("one.csv", "two.csv"):
        write_manifest(tmp_path / name, rows, draw(rows, params(), [0, 1]))
    content = (tmp_path / "one.csv").read_bytes()
    assert content == (tmp_path / "two.csv").read_bytes()
    assert content.startswith(b"row,id,class,label,digest,seed_0,seed_1\n0,")
    assert content.count(b"\n") == 13


def test_a_seed_that_was_not_drawn_is_refused(tmp_path: Path) -> None:
    rows = table(MANY)
    write_manifest(tmp_path / "split.csv", rows, draw(rows, params(), [0, 2]))
    manifest = read_manifest(tmp_path / "split.csv")
    with pytest.raises(ArtifactError, match=r"no seed 1, only \[0, 2\]"):
        manifest.rows_of(1, "train")


HEAD = "row,id,class,label,digest,seed_0\n"


@pytest.mark.parametrize(
    "content",
    [
        None,
        "row,id,class,label,seed_0\n0,0000,cubes,0,train\n",
        HEAD + "zero,0000,cubes,0,ab,train\n",
        HEAD + "0,0000,cubes,none,ab,train\n",
        HEAD + "0,0000,cubes,0,ab,train\n1,0001,cubes,0\n",
        HEAD + "0,0000,cubes,0,ab,train\n1,0001,cubes,0,ab\n",
        HEAD.replace("seed_0", "seed_zero") + "0,0000,cubes,0,ab,train\n",
    ],
    ids=["missing", "no digest", "row", "label", "cut line", "line without part", "seed"],
)
def test_a_missing_or_broken_manifest_is_refused_by_name(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "split.csv"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ArtifactError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_counts_are_shown_for_every_seed_part_and_class() -> None:
    rows = table({(0,): 9000, (1,): 1000})
    parts = draw(rows, params((0.5, 0.1, 0.2)), [4, 11])
    lines = counts_table(rows, parts, ("cubes", "spheres")).splitlines()
    assert [line.split() for line in lines] == [
        ["seed", "part", "cubes", "spheres"],
        *(
            [seed, *cells]
            for seed in ("4", "11")
            for cells in (
                ["train", "4,500", "500"],
                ["val", "900", "100"],
                ["test", "1,800", "200"],
                ["unused", "1,800", "200"],
            )
        ),
    ]
    assert len({len(line) for line in lines}) == 1

"""The split: stratified, nested, paired by id, and a function of names alone."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.datasets import table_of
from tests.split.reference import drawn_parts

from fusebench.errors import SplitError
from fusebench.files import write_table
from fusebench.samples.manifest import HOLDOUT, PARTS, UNUSED
from fusebench.samples.samples import SAMPLE_COLUMNS
from fusebench.split import draw as draw_module
from fusebench.split.draw import draw, part_counts
from fusebench.split.params import SplitParams

Strata = Mapping[tuple[int, ...], int]
Shares = tuple[float, float, float]

CLASS_NAMES = ("cubes", "spheres", "cones")
SEEN = ("train", "val", "test")
PROPERTY = settings(
    deadline=None,
    max_examples=20,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def params(shares: Shares = (0.3, 0.2, 0.25), **changes: Any) -> SplitParams:
    train, val, test = shares
    content = {"train": train, "val": val, "test": test, "holdout": 0}
    others = {"group": "id", "draws": "per_seed", "seed": 0}
    return SplitParams.model_validate({**content, **others, **changes})


def samples(strata: Strata, seed: int | None = 0) -> pd.DataFrame:
    """A table by class, then id, as extract writes it.

    Parameters
    ----------
    strata : mapping of labels to int
        How many ids have samples of exactly these classes.
    seed : int
        Which ids they are is drawn from it; without it they stand as given.
    """
    of_id = [stratum for stratum, count in strata.items() for _ in range(count)]
    order = range(len(of_id))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(of_id)).tolist()
    pairs = sorted((label, f"{key:04}") for key, i in enumerate(order) for label in of_id[i])
    labels, ids = [label for label, _ in pairs], [key for _, key in pairs]
    return table_of(ids, labels, CLASS_NAMES, digests=[f"{label}{key}" for label, key in pairs])


@st.composite
def tables(drawn: st.DrawFn, classes: int | None = None) -> pd.DataFrame:
    """Tables of two or three classes that share ids in any way."""
    count = classes or drawn(st.sampled_from([2, 3]))
    most = drawn(st.sampled_from([8, 30, 90]))
    sets = (combinations(range(count), size) for size in range(1, count + 1))
    strata = {stratum: drawn(st.integers(0, most)) for stratum in chain.from_iterable(sets)}
    table = samples(strata, drawn(st.integers(0, 99)))
    if table["label"].nunique() < count:
        reject()
    return table


@st.composite
def shares(drawn: st.DrawFn, most: int = 100) -> Shares:
    """Shares in hundredths whose sum is at most `most` hundredths."""
    test = drawn(st.integers(1, most - 2))
    val = drawn(st.integers(1, most - 1 - test))
    train = drawn(st.one_of(st.just(most - val - test), st.integers(1, most - val - test)))
    return train / 100, val / 100, test / 100


def drawn_or_reject(
    table: pd.DataFrame, split: SplitParams, seeds: Sequence[int] = (0, 1)
) -> pd.DataFrame:
    """Draw; tables that are too small for the shares are another test's."""
    try:
        return draw(table, split, seeds)
    except SplitError:
        reject()


def rows_in(manifest: pd.DataFrame, part: str, seed: int = 0) -> set[int]:
    return set(manifest.index[manifest[f"seed_{seed}"] == part])


def most_off(manifest: pd.DataFrame, share: float, part: str, seed: int = 0) -> Fraction:
    """How far the farthest class's count in a part is from its share, in samples."""
    totals = manifest["label"].value_counts()
    counts = manifest.loc[list(rows_in(manifest, part, seed)), "label"].value_counts()
    exact = Fraction(str(share))
    return max(abs(int(counts.get(k, 0)) - exact * int(n)) for k, n in totals.items())


MANY = {(0,): 150, (0, 1): 100, (1,): 50}

# --- Every sample is in a part, those of one id in the same ---


@PROPERTY
@given(table=tables(), sizes=shares())
def test_every_sample_is_in_one_part_with_all_of_its_id(table: pd.DataFrame, sizes: Shares) -> None:
    manifest = drawn_or_reject(table, params(sizes))
    pd.testing.assert_frame_equal(manifest[table.columns], table)
    assert list(manifest.columns) == [*SAMPLE_COLUMNS, "seed_0", "seed_1"]
    for column in ("seed_0", "seed_1"):
        assert set(manifest[column]) <= {*SEEN, UNUSED}
        assert (manifest.groupby("id")[column].nunique() == 1).all()
        for part in SEEN:
            assert set(manifest.loc[manifest[column] == part, "label"]) == set(table["label"])


def test_group_none_separates_samples_of_one_id() -> None:
    table = samples({(0, 1): 60})
    manifest = draw(table, params(group="none"), [0])
    assert (manifest.groupby("id")["seed_0"].nunique() == 2).sum() > 20


def test_ids_are_text_whatever_they_look_like() -> None:
    """As numbers, or as words for nothing, several of these would be one."""
    ids = ["1", "01", "001", "1.0", "1e0", "NA", "nan", "null", "None", "", "a,b", '"a"']
    table = samples({(0, 1): len(ids)})
    table["id"] = table["group"] = ids * 2
    manifest = draw(table, params((0.34, 0.33, 0.33)), [0])
    assert manifest["id"].tolist() == ids * 2
    assert Counter(manifest["seed_0"]) == dict.fromkeys(SEEN, 8)


# --- Stratified ---


@PROPERTY
@given(table=tables(classes=2), sizes=shares())
@example(table=samples({(0, 1): 100, (1,): 100}), sizes=(0.902, 0.054, 0.044))
@example(table=samples({(0,): 175, (1,): 75, (0, 1): 25}), sizes=(0.176, 0.289, 0.535))
def test_parts_hold_their_share_of_two_classes_within_one(
    table: pd.DataFrame, sizes: Shares
) -> None:
    """Where test and val leave nothing to choose from, train bears what both are off.

    So it is, too, of twenty ids or less: the few that are left may all be of both classes.
    """
    scarce = sum(sizes) > 0.95 or table["id"].nunique() <= 20
    manifest = drawn_or_reject(table, params(sizes))
    for seed in (0, 1):
        for share, part in zip(sizes, SEEN, strict=True):
            within = 2 if scarce and part == "train" else 1
            assert most_off(manifest, share, part, seed) <= within


@PROPERTY
@given(table=tables(classes=3), sizes=shares())
def test_parts_hold_their_share_of_three_classes_within_three(
    table: pd.DataFrame, sizes: Shares
) -> None:
    """With ids in any two or all of three classes, within one cannot always be had."""
    manifest = drawn_or_reject(table, params(sizes))
    assert all(most_off(manifest, share, part) < 3 for share, part in zip(sizes, SEEN, strict=True))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("group", ["id", "none"])
@pytest.mark.parametrize("sizes", [(0.3, 0.2, 0.25), (0.6, 0.2, 0.2), (0.07, 0.03, 0.1)])
def test_classes_without_common_ids_are_drawn_to_the_nearest_number(
    classes: int, group: str, sizes: Shares
) -> None:
    table = samples({(label,): (97, 55, 140)[label] for label in range(classes)})
    manifest = draw(table, params(sizes, group=group), [0])
    for share, part in zip(sizes[1:], SEEN[1:], strict=True):
        assert most_off(manifest, share, part) <= Fraction(1, 2)
    assert most_off(manifest, sizes[0], "train") <= 1


def test_the_notebooks_shares_give_its_numbers() -> None:
    """Of 9,999 cubes and 752 spheres with the ids of cubes: 860, 215 and 2,150."""
    table = samples({(0,): 9247, (0, 1): 752})
    manifest = draw(table, params((0.08, 0.02, 0.2)), [0])
    assert part_counts(manifest, [0], CLASS_NAMES[:2]).to_numpy().tolist() == [
        [800, 60], [200, 15], [2000, 150], [0, 0], [6999, 527],
    ]  # fmt: skip
    held_out = draw(table, params((0.08, 0.02, 0.2), holdout=0.1), [0])
    assert part_counts(held_out, [0], CLASS_NAMES[:2]).to_numpy().tolist() == [
        [800, 60], [200, 15], [2000, 150], [1000, 75], [5999, 452],
    ]  # fmt: skip


# --- Nested, and untouched by what comes after ---


@PROPERTY
@given(table=tables(), sizes=shares(), smaller=st.integers(1, 99))
def test_train_is_nested_and_its_share_touches_no_other_part(
    table: pd.DataFrame, sizes: Shares, smaller: int
) -> None:
    large = drawn_or_reject(table, params(sizes))
    small = drawn_or_reject(table, params((sizes[0] * smaller / 100, *sizes[1:])))
    for seed in (0, 1):
        assert rows_in(small, "train", seed) <= rows_in(large, "train", seed)
        for part in ("val", "test"):
            assert rows_in(small, part, seed) == rows_in(large, part, seed)


OTHER_CHOICES: dict[str, Any] = {
    "table": tables(),
    "sizes": shares(60),
    "other": shares(60),
    "seeds": st.lists(st.integers(0, 2**40), min_size=1, max_size=3, unique=True),
    "draws": st.sampled_from(["per_seed", "fixed"]),
}


@PROPERTY
@given(**OTHER_CHOICES)
def test_test_is_untouched_by_any_choice_of_train_and_val(
    table: pd.DataFrame, sizes: Shares, other: Shares, seeds: list[int], draws: str
) -> None:
    first = drawn_or_reject(table, params(sizes), [0, 1])
    changed = params((min(other[0], 0.2), min(other[1], 0.2), sizes[2]), draws=draws)
    second = drawn_or_reject(table, changed, seeds)
    expected = rows_in(first, "test")
    assert rows_in(first, "test", 1) == expected
    assert all(rows_in(second, "test", seed) == expected for seed in seeds)


@PROPERTY
@given(**OTHER_CHOICES)
def test_the_holdout_is_untouched_by_any_other_choice(
    table: pd.DataFrame, sizes: Shares, other: Shares, seeds: list[int], draws: str
) -> None:
    first = drawn_or_reject(table, params(sizes, holdout=0.3), [0, 1])
    second = drawn_or_reject(table, params(other, draws=draws, holdout=0.3), seeds)
    expected = rows_in(first, HOLDOUT)
    assert expected == rows_in(first, HOLDOUT, 1)
    assert all(rows_in(second, HOLDOUT, seed) == expected for seed in seeds)
    assert set(first.loc[list(expected), "label"]) == set(table["label"])


@PROPERTY
@given(table=tables(), sizes=shares(60), smaller=st.integers(1, 39))
def test_holdouts_are_nested_and_keep_ids_together(
    table: pd.DataFrame, sizes: Shares, smaller: int
) -> None:
    large = drawn_or_reject(table, params(sizes, holdout=0.4))
    small = drawn_or_reject(table, params(sizes, holdout=smaller / 100))
    assert rows_in(small, HOLDOUT) <= rows_in(large, HOLDOUT)
    assert (large.groupby("id")["seed_0"].nunique() == 1).all()


@PROPERTY
@given(table=tables(classes=2), sizes=shares(60), share=st.integers(1, 40))
def test_the_holdout_has_its_share_of_two_classes_within_one(
    table: pd.DataFrame, sizes: Shares, share: int
) -> None:
    manifest = drawn_or_reject(table, params(sizes, holdout=share / 100))
    assert most_off(manifest, share / 100, HOLDOUT) <= 1


def test_without_a_holdout_no_sample_is_held_out() -> None:
    """What else a manifest without one is, its digests of earlier versions say below."""
    assert HOLDOUT not in set(draw(samples(MANY), params(), [0])["seed_0"])


@PROPERTY
@given(table=tables(), sizes=shares(), seed=st.integers(0, 99))
def test_order_of_the_rows_does_not_matter(table: pd.DataFrame, sizes: Shares, seed: int) -> None:
    first = drawn_or_reject(table, params(sizes))
    second = draw(table.sample(frac=1, random_state=seed), params(sizes), (0, 1))
    pd.testing.assert_frame_equal(second.sort_values("row"), first)


@PROPERTY
@given(table=tables(), sizes=shares())
def test_a_seeds_draw_does_not_depend_on_the_other_seeds(
    table: pd.DataFrame, sizes: Shares
) -> None:
    together = drawn_or_reject(table, params(sizes), (5, 0))
    assert list(together.columns[-2:]) == ["seed_5", "seed_0"]
    for seed in (0, 5):
        alone = draw(table, params(sizes), (seed,))
        assert alone[f"seed_{seed}"].equals(together[f"seed_{seed}"])


def test_seeds_draw_their_own_train_and_val_unless_the_draw_is_fixed() -> None:
    own, fixed = (draw(samples(MANY), params(draws=d), range(4)) for d in ("per_seed", "fixed"))
    for part in ("train", "val"):
        assert len({frozenset(rows_in(own, part, seed)) for seed in range(4)}) == 4
        assert len({len(rows_in(own, part, seed)) for seed in range(4)}) == 1
    assert all(fixed[f"seed_{seed}"].equals(fixed["seed_0"]) for seed in range(4))


def test_another_seed_of_the_split_draws_all_parts_anew() -> None:
    first, second = (draw(samples(MANY), params(seed=seed, holdout=0.2), [0]) for seed in (0, 1))
    for part in PARTS:
        assert rows_in(first, part) != rows_in(second, part)
    assert len(rows_in(first, "test")) == len(rows_in(second, "test"))


def test_no_part_is_a_stretch_of_ids() -> None:
    manifest = draw(samples({(0,): 400, (1,): 400}), params(), [0])
    for _, ids in manifest["id"].astype(int).groupby(manifest["seed_0"]):
        # Four standard errors of a uniform mean.
        assert ids.mean() / 800 == pytest.approx(0.5, abs=4 / (12 * len(ids)) ** 0.5)


@st.composite
def any_groupings(drawn: st.DrawFn) -> pd.DataFrame:
    """Tables in which an id may have several samples of a class, and labels may leave gaps.

    Groups are ids, or of several ids.
    """
    labels = drawn(st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
    brought = st.lists(st.sampled_from(labels), min_size=1, max_size=drawn(st.integers(1, 4)))
    strata = drawn(st.lists(st.tuples(brought, st.integers(1, 40)), min_size=1, max_size=6))
    ids = drawn(st.randoms(use_true_random=False)).sample(range(10_000), 240)
    of_id = [stratum for stratum, count in strata for _ in range(count)]
    pairs = [(str(key), label) for key, of in zip(ids, of_id, strict=False) for label in of]
    labels, keys = [label for _, label in pairs], [key for key, _ in pairs]
    frames = drawn(st.sampled_from([None, 5, 40]))
    groups = [f"frame {int(key) % frames}" for key in keys] if frames else None
    return table_of(keys, labels, [f"c{label}" for label in range(10)], groups=groups)


@settings(PROPERTY, max_examples=40)
@given(
    table=any_groupings(),
    sizes=st.one_of(shares(), st.tuples(*[st.floats(0.05, 0.33)] * 3)),
    group=st.sampled_from(["id", "none"]),
    draws=st.sampled_from(["per_seed", "fixed"]),
    seeds=st.lists(st.integers(0, 2**40), min_size=1, max_size=3, unique=True),
    held_out=st.sampled_from([0, 0.01, 0.1, 0.2]),
)
# A class that is just not ahead; a stratum whose turn comes just when the class is due again.
@example(samples({(2,): 2, (0, 1, 2): 4}), (0.4, 0.3, 0.2), "id", "per_seed", [0], 0)
@example(samples({(0, 1): 1, (1, 2): 3, (0, 1, 2): 2}), (0.3, 0.3, 0.3), "id", "per_seed", [0], 0)
def test_the_draw_is_that_of_the_plain_one_group_at_a_time(
    table: pd.DataFrame, sizes: Shares, group: str, draws: str, seeds: list[int], held_out: float
) -> None:
    if sum(sizes) + held_out > 1:
        sizes = (sizes[0] * 0.79, sizes[1] * 0.79, sizes[2] * 0.79)
    split = params(sizes, group=group, draws=draws, seed=seeds[0], holdout=held_out)
    expected = drawn_parts(table, split, seeds)
    try:
        manifest = draw(table, split, seeds)
    except SplitError:
        held = [
            set(table["class"][np.array(expected[seed]) == part])
            for seed in seeds
            for part in (PARTS if held_out else SEEN)
        ]
        assert any(classes != set(table["class"]) for classes in held)
    else:
        assert {seed: manifest[f"seed_{seed}"].tolist() for seed in seeds} == expected


def test_keys_of_one_seed_are_drawn_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty-three bits differ by all likelihood; what happens if not is fixed all the same."""
    monkeypatch.setattr(draw_module, "derive_seeds", lambda keys, *_: np.zeros(len(keys), int))
    table = samples({(0,): 10, (1,): 10}).sample(frac=1, random_state=3)
    manifest = draw(table, params((0.5, 0.2, 0.3)), [0]).sort_values("row")
    parts = ["test"] * 3 + ["val"] * 2 + ["train"] * 5
    assert manifest["seed_0"].tolist() == parts * 2


@pytest.mark.parametrize(
    ("group", "draws", "digest"),
    [
        ("id", "per_seed", "13d5cb2714f6bcb6dea587928394fa4a"),
        ("id", "fixed", "51d0deae9e9b1b0911a2ad24c5d8309e"),
        ("none", "per_seed", "7481b7f153e7e2013253988a2b77afcb"),
        ("none", "fixed", "b444fba8850d030b54790a08fb00ad3f"),
    ],
)
def test_the_manifest_is_that_of_earlier_versions_to_the_byte(
    group: str, draws: str, digest: str, tmp_path: Path
) -> None:
    """Digests of what the code wrote before it used pandas: old results stay comparable."""
    strata = {(0,): 40, (1,): 30, (2,): 20, (0, 1): 25, (0, 2): 10, (1, 2): 7, (0, 1, 2): 5}
    split = params((0.3, 0.15, 0.25), group=group, draws=draws, seed=4)
    drawn = draw(samples(strata, None), split, [0, 1, 7])
    assert drawn.pop("group").equals(drawn["id"]), "which those versions did not write"
    write_table(tmp_path / "split.csv", drawn)
    content = (tmp_path / "split.csv").read_bytes()
    assert content.startswith(b"row,id,class,label,digest,seed_0,seed_1,seed_7\n0,0000,cubes,0,")
    assert blake2b(content, digest_size=16).hexdigest() == digest


def test_a_draw_takes_few_bytes_of_memory_per_sample() -> None:
    def peak(count: int) -> int:
        table = samples({(0,): count, (0, 1): count, (1,): count}, None)
        table["id"] = table["group"] = table["id"].str.zfill(8)
        gc.collect()
        tracemalloc.start()
        try:
            draw(table, params(), range(3))
            return tracemalloc.get_traced_memory()[1] // len(table)
        finally:
            tracemalloc.stop()

    # Sets and lists of keys, and a text per sample and seed, were five hundred.
    assert peak(4000) < 250


# --- What is refused ---


@pytest.mark.parametrize("sizes", [(0.7, 0.1, 0.2), (0.1, 0.2, 0.7), (0.98, 0.01, 0.01)])
def test_shares_may_sum_to_one_and_leave_nothing(sizes: Shares) -> None:
    """Also where the sum of the binary numbers is a little more than 1."""
    assert UNUSED not in set(draw(samples(MANY), params(sizes), [0])["seed_0"])


@pytest.mark.parametrize(
    ("sizes", "total"), [((0.7, 0.2, 0.2), "1.1"), ((0.7, 0.1, 0.2001), "1.0001")]
)
def test_shares_above_one_are_refused(sizes: Shares, total: str) -> None:
    with pytest.raises(ValidationError, match=rf"test \+ holdout = {total}: [^;]*; lower one(?!,)"):
        params(sizes)


def test_shares_that_leave_no_holdout_are_told_how_to_do_without() -> None:
    message = r"holdout = 1\.1: [^;]* at most 1; lower one, or set split\.holdout: 0"
    with pytest.raises(ValidationError, match=message):
        params((0.7, 0.1, 0.2), holdout=0.1)
    assert params((0.7, 0.1, 0.1), holdout=0.1).holdout == 0.1


@pytest.mark.parametrize(
    ("sizes", "part"),
    [((0.3, 0.3, 0.01), "test"), ((0.3, 0.01, 0.3), "val"), ((0.01, 0.3, 0.3), "train")],
)
@pytest.mark.parametrize("group", ["id", "none"])
def test_a_class_left_out_of_a_part_is_refused_by_name(
    sizes: Shares, part: str, group: str
) -> None:
    with pytest.raises(SplitError) as caught:
        draw(samples({(0,): 400, (1,): 8}), params(sizes, group=group), [7])
    assert str(caught.value) == (
        f"params.yaml: split.{part} leaves class 'spheres' (8 samples) without a sample in {part} "
        f"of seed 7; raise split.{part} or add samples"
    )


@pytest.mark.parametrize("group", ["id", "none"])
def test_a_class_left_out_of_the_holdout_is_refused_by_name(group: str) -> None:
    table = samples({(0,): 400, (1,): 8})
    with pytest.raises(SplitError) as caught:
        draw(table, params((0.3, 0.3, 0.3), group=group, holdout=0.01), [7])
    assert str(caught.value) == (
        "params.yaml: split.holdout leaves class 'spheres' (8 samples) without a sample in holdout "
        "of seed 7; raise split.holdout, set split.holdout: 0 to hold none out or add samples"
    )
    assert set(draw(table, params((0.3, 0.3, 0.3), group=group), [7])["seed_7"]) == {*SEEN, UNUSED}


def test_two_samples_are_too_few_for_three_parts_and_three_are_enough() -> None:
    with pytest.raises(SplitError, match="'spheres'"):
        draw(samples({(0,): 50, (1,): 2}), params((0.3, 0.3, 0.4)), [0])
    manifest = draw(samples({(0,): 3, (1,): 3}), params((0.34, 0.33, 0.33)), [0])
    assert Counter(manifest["seed_0"]) == dict.fromkeys(SEEN, 2)


def test_shares_of_which_nothing_is_drawn_at_all_are_refused_in_words() -> None:
    with pytest.raises(SplitError, match=r"split\.train leaves class 'cubes' \(1 samples\)"):
        draw(samples({(0,): 1, (1,): 1}), params((0.01, 0.01, 0.01)), [0])


# --- What is shown ---


def test_counts_are_shown_for_every_seed_part_and_class() -> None:
    manifest = draw(samples({(0,): 900, (1,): 100}), params((0.5, 0.1, 0.4)), [4, 11])
    counts = part_counts(manifest, [4, 11], ("spheres", "cubes"))
    assert list(counts.columns) == ["spheres", "cubes"]
    assert list(counts.index) == [(seed, part) for seed in (4, 11) for part in (*PARTS, UNUSED)]
    assert counts.to_numpy().tolist() == [[50, 450], [10, 90], [40, 360], [0, 0], [0, 0]] * 2

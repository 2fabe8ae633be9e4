from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusebench.seeds import derive_seed, derive_seeds

PROPERTY = settings(deadline=None, max_examples=50, derandomize=True, database=None)
ITEMS = st.lists(
    st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=6),
    unique=True,
)
NAMES = st.lists(st.one_of(st.integers(), st.sampled_from(["test", "val", "ü"])), max_size=3)


@pytest.mark.parametrize(
    ("names", "seed"),
    [
        ((), 8238016292129134938),
        (("",), 8238016292129134938),
        ((0,), 4761921975702974394),
        (("synthesize", "scene", 0, 7), 8467349013038752094),
        (("ü", -1), 5208720335819226135),
    ],
)
def test_seeds_are_the_same_on_every_machine(names: tuple[str | int, ...], seed: int) -> None:
    """These numbers are what existing splits, scenes and weights were drawn from."""
    assert derive_seed(*names) == seed
    text = "\x1f".join(map(str, names)).encode()
    assert seed == int.from_bytes(blake2b(text, digest_size=8).digest(), "big") // 2


@PROPERTY
@given(names=NAMES)
def test_a_seed_is_a_function_of_its_names_and_fits_in_63_bits(names: list[str | int]) -> None:
    seed = derive_seed(*names)
    assert seed == derive_seed(*names)
    assert 0 <= seed < 2**63


def test_other_names_give_other_seeds() -> None:
    names: list[tuple[str | int, ...]] = [("a", "b"), ("b", "a"), ("ab",), ("a", ""), ("", "a")]
    names += [("a",), ("a", 1), ("a", 11), ("a", 1, 1), ("a", -1), ("a", 10), ("a", 1, 0)]
    assert len({derive_seed(*words) for words in names}) == len(names)


def test_seeds_are_spread_over_the_whole_range() -> None:
    seeds = [derive_seed("spread", number) for number in range(4000)]
    assert len(set(seeds)) == 4000
    # Four standard errors of a share of one half.
    for bit in range(63):
        share = sum(seed >> bit & 1 for seed in seeds) / 4000
        assert share == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)


@PROPERTY
@given(items=ITEMS, names=NAMES)
def test_seeds_of_many_items_are_those_of_each(items: list[str], names: list[str | int]) -> None:
    seeds = derive_seeds(iter(items), *names)
    assert seeds.dtype == np.int64
    assert seeds.tolist() == [derive_seed(*names, item) for item in items]


def test_a_seed_with_zeros_at_its_end_keeps_them() -> None:
    """numpy's text of bytes ends where its zeros begin."""
    item = next(text for text in map(str, range(10_000)) if ends_with_zeros(text))
    assert derive_seeds([item]).tolist() == [derive_seed(item)]


def ends_with_zeros(item: str) -> bool:
    return blake2b(item.encode(), digest_size=8).digest().endswith(b"\x00")


def test_every_order_is_as_likely() -> None:
    orders = np.array([derive_seeds("abc", number).argsort() for number in range(3000)])
    for item in range(3):
        for place in range(3):
            share = (orders[:, place] == item).mean()
            assert share == pytest.approx(1 / 3, abs=4 * (2 / 9 / 3000) ** 0.5)

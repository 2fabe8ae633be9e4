"""Randomness as a pure function of names: the same words give the same draw, everywhere.

Built on BLAKE2b, so a draw depends on no library's version and on no earlier draw. That is what
makes comparisons paired and resuming exact.
"""

from collections.abc import Iterable
from hashlib import blake2b


def derive_seed(*names: str | int) -> int:
    """Return a seed in [0, 2^63) that is a pure function of `names`."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def keyed_order(items: Iterable[str], *names: str | int) -> list[str]:
    """Return `items` in a random order that is a pure function of `names` and of the items.

    The order of the input does not matter, and an item more or less does not move the others.
    """
    return sorted(items, key=lambda item: (derive_seed(*names, item), item))

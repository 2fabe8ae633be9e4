"""Randomness as a pure function of names: the same words give the same draw, everywhere.

Built on BLAKE2b, so a draw depends on no library's version and on no earlier draw. That is what
makes comparisons paired and resuming exact.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # What needs one seed needs no numpy.
    import numpy as np
    import numpy.typing as npt


def derive_seed(*names: str | int) -> int:
    """Return a seed in [0, 2^63) that is a pure function of `names`."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def derive_seeds(items: Iterable[str], *names: str | int) -> "npt.NDArray[np.int64]":
    """Return `derive_seed(*names, item)` of each item, shape (number of items,).

    To sort items by their seeds is to draw an order: that of the input does not matter, and an item
    more or less does not move the others.
    """
    import numpy as np

    begun = blake2b("".join(f"{name}\x1f" for name in names).encode(), digest_size=8)

    def digest(item: str) -> bytes:
        whole = begun.copy()
        whole.update(item.encode())
        return whole.digest()

    digests = np.fromiter(map(digest, items), "S8")
    return (digests.view(">u8") >> np.uint64(1)).astype(np.int64)

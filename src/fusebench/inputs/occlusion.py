"""Where something covers a map."""

import math

import numpy as np


def rectangle(
    size: tuple[int, int], share: float, draw: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw a rectangle with a share of a map's area, and its proportions, anywhere within it.

    Parameters
    ----------
    size : (int, int)
        Height and width of the map.
    share : float
        0 to 1.

    Returns
    -------
    (int, int, int, int)
        Top, left, height and width.
    """
    high, wide = (round(math.sqrt(share) * side) for side in size)
    top, left = (
        int(draw.integers(0, side - length + 1))
        for side, length in zip(size, (high, wide), strict=True)
    )
    return top, left, high, wide

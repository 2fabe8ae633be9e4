"""What is made of measured times: medians, ratios within a round, shares of a peak."""

from collections.abc import Sequence
from statistics import median
from typing import Any


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Return median, min and max of repeated measurements, and all of them in their order."""
    rounded = [round(value, digits) for value in values]
    return {
        "median": round(median(values), digits),
        "min": min(rounded),
        "max": max(rounded),
        "repeats": len(rounded),
        "values": rounded,
    }


def ratios(values: Sequence[float], references: Sequence[float]) -> list[float]:
    """Return each value divided by the reference of the same round.

    Within a round, because what slows a machine down for a while slows both of them.
    """
    return [value / reference for value, reference in zip(values, references, strict=True)]


def gigaflops(flops: float, seconds: float) -> float:
    """Return a rate in GFLOP/s (10⁹ floating-point operations per second)."""
    return flops / seconds / 1e9


def share(rate: float, peak: float) -> float:
    """Return a rate in percent of a peak in the same unit."""
    return 100 * rate / peak

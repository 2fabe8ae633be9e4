"""One look for every picture: a colour per fusion, safe for colour-blind eyes."""

from collections.abc import Sequence
from pathlib import Path

from fusebench.models.registry import BASELINES

# Okabe & Ito, "Color universal design" (2008), without yellow, which is lost on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BASELINE = "#8A8A8A"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Settings of matplotlib, in its own format.
STYLE_SHEET = Path(__file__).with_name("fusebench.mplstyle")


def colours(fusions: Sequence[str]) -> dict[str, str]:
    """Return the colour of each fusion, by its place in `strategies`, and of the baselines."""
    chosen = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(fusions)}
    return chosen | dict.fromkeys(BASELINES, BASELINE)


def title(name: str) -> str:
    """Return how pictures call a fusion or baseline."""
    return name.replace("_", " ")


def markers(fusions: Sequence[str]) -> dict[str, str]:
    """Return the marker of each fusion: told apart without colour, too."""
    return {name: MARKERS[place % len(MARKERS)] for place, name in enumerate(fusions)}

"""How pictures look: colour, marker and dash of each fusion, and the greys."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from matplotlib.figure import Figure

from fusebench.prediction.predictions import BASELINES
from fusebench.report.results import Comparison

# First Okabe & Ito, "Color universal design" (2008), without yellow, which is lost on white, and
# orange and sky blue darkened to 3 : 1 on white; then seven that are, each in turn, farthest in
# CIELAB from those before, also as people see them who lack one kind of cone. The templates in
# .dvc/plots have the same.
PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#C58700", "#499BCA", "#000000",
    "#773322", "#BB55FF", "#002299", "#FF2266", "#660055", "#BB1177", "#0000FF",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
# Lengths of line and gap, in line widths; empty: a solid line.
DASHES: tuple[tuple[float, ...], ...] = (
    (), (5, 2), (1, 1.5), (6, 2, 1, 2), (10, 2), (6, 2, 1, 2, 1, 2), (2, 4),
)  # fmt: skip
# So many fusions have the same dash; with 14 colours no colour meets a dash twice before the 99th.
_PER_DASH = 7

INK, TEXT_GREY = "#222222", "#595959"
GREY, LIGHT_GREY, CONTEXT = "#6E6E6E", "#8F8F8F", "#D0D0D0"
SHOWN = PALETTE[0]
"""The colour of what is shown by the data, where colour says that and not which fusion."""


class Look(NamedTuple):
    """Colour, marker and dash by which a fusion is told from the others."""

    colour: str
    marker: str
    dash: tuple[float, ...]

    @property
    def linestyle(self) -> tuple[float, tuple[float, ...]] | Literal["-"]:
        """The dash, as matplotlib takes it."""
        return (0, self.dash) if self.dash else "-"


def looks(fusions: Sequence[str]) -> dict[str, Look]:
    """Return the look of each fusion, by its position in `fusions`, and of the baselines."""
    chosen = {name: _look(number) for number, name in enumerate(fusions)}
    return chosen | {name: Look(GREY, mark, ()) for name, mark in zip(BASELINES, "ph", strict=True)}


def _look(number: int) -> Look:
    return Look(
        PALETTE[number % len(PALETTE)],
        MARKERS[number % len(MARKERS)],
        DASHES[number // _PER_DASH % len(DASHES)],
    )


def title(name: str) -> str:
    """Return how pictures call a fusion or baseline."""
    return name.replace("_", " ")


def note(figure: Figure, comparison: Comparison) -> None:
    """Say below the axes, where the layout keeps room for it, what the samples are."""
    note_text(
        figure,
        f"{comparison.samples} samples, {len(comparison.seeds)} seed(s), results "
        f"{comparison.fingerprint}",
    )


def note_text(figure: Figure, text: str) -> None:
    """Say something below the axes, where the layout keeps room for it."""
    figure.supxlabel(text, x=0.99, ha="right", fontsize=8, color=TEXT_GREY)

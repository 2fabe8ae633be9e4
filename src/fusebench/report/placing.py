"""Labels beside points of a picture: where they overlap neither each other nor the points."""

import math
from collections.abc import Iterable, Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from fusebench.report.looks import LIGHT_GREY, TEXT_GREY

# Directions in which a label may stand, in the order they are tried, and how far, in points.
_ANGLES = (0, 180, 90, 270, 45, 315, 135, 225)
_FAR = (9, 18, 30, 44, 60)
# Half the side of a mark with some room, in points; room around a label, in pixels.
_MARK, _ROOM = 5, 2


def place_labels(
    axes: Axes,
    names: Sequence[str],
    points: Sequence[tuple[float, float]],
    spans: Sequence[tuple[float, float]],
) -> None:
    """Write each name beside its point; with a thin line to it where it stands farther off.

    Where there is no free place, a label stands in the one that overlaps least.

    Parameters
    ----------
    axes : Axes
        With all else drawn, laid out, and with its final limits.
    spans : sequence of (float, float)
        The interval of each point along y, which labels keep off too; NaN: there is none.
    """
    scale = axes.figure.dpi / 72
    to_pixels = axes.transData.transform
    taken = [_around(to_pixels(point), _MARK * scale) for point in points]
    for (x, _), ends in zip(points, spans, strict=True):
        if not any(map(math.isnan, ends)):
            (left, low), (_, high) = (to_pixels((x, max(y, axes.get_ylim()[0]))) for y in ends)
            taken.append(Bbox.from_extents(left - scale, low, left + scale, high))
    frame = axes.get_window_extent()
    for name, point in zip(names, points, strict=True):
        label = axes.annotate(
            name, point, xytext=(0, 0), textcoords="offset points", fontsize=8.5, color=TEXT_GREY,
            arrowprops={"arrowstyle": "-", "color": LIGHT_GREY, "linewidth": 0.6},
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
        # It shall not move the axes that it was placed in.
        label.set_in_layout(False)
        taken.append(_place(label, taken, frame))


def _place(label: Annotation, taken: Sequence[Bbox], frame: Bbox) -> Bbox:
    """Move a label to the first free place; return what it covers, in pixels."""
    best = math.inf, frame, 0, 0
    for far, angle in product(_FAR, _ANGLES):
        _move(label, far, angle)
        # This moves it; but what it returns holds the line to the point, too.
        label.get_window_extent()
        covered = Text.get_window_extent(label).padded(_ROOM)
        overlap = sum(_area(covered, other) for other in taken)
        overlap += covered.width * covered.height - _area(covered, frame)
        if overlap < best[0]:
            best = overlap, covered, far, angle
        if overlap <= 0:
            break
    _, covered, far, angle = best
    _move(label, far, angle)
    if far == _FAR[0] and label.arrow_patch is not None:
        label.arrow_patch.set_visible(False)
    return covered


def _move(label: Annotation, far: int, angle: int) -> None:
    x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    label.set_position((far * x, far * y))
    label.set_horizontalalignment("left" if x > 0.1 else "right" if x < -0.1 else "center")
    label.set_verticalalignment("bottom" if y > 0.1 else "top" if y < -0.1 else "center")


def _around(centre: Iterable[float], half: float) -> Bbox:
    x, y = centre
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _area(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else float(both.width * both.height)

"""How a picture is laid out and written: PNG to look at, PDF and SVG for a paper."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from fusebench.aside import replace_file

DPI = 200
# Settings of matplotlib, in its own format.
_STYLE_SHEET = Path(__file__).with_name("fusebench.mplstyle")


def styled(settings: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
    """Return the context in which pictures are drawn; what was set before holds again after it.

    Not as the user's own matplotlibrc has it: a picture is the same on every machine.

    Parameters
    ----------
    settings : mapping of str to Any, optional
        What differs in one picture, by matplotlib's keys.
    """
    return mpl.style.context([_STYLE_SHEET, dict(settings or {})], after_reset=True)


def plain(settings: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
    """Return the context in which pictures are written: matplotlib as it comes; as `styled`."""
    return mpl.style.context(dict(settings or {}), after_reset=True)


def grid(
    count: int, panel: tuple[float, float], extra: tuple[float, float], *, shared: str = ""
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels, four in a row.

    Parameters
    ----------
    panel, extra : (float, float)
        Width and height of a panel, and of what stands around all; in inches.
    shared : str
        The axes that all panels share: some of "xy".
    """
    columns = min(4, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(extra[0] + columns * panel[0], extra[1] + rows * panel[1]))
    both = figure.subplots(rows, columns, squeeze=False, sharex="x" in shared, sharey="y" in shared)
    grid = list(both.flat)
    for axes in grid[count:]:
        axes.set_axis_off()
    return figure, grid[:count]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG in one step, with 256 colours: a third of the size, for git."""
    freeze(figure)
    canvas = FigureCanvasAgg(figure)
    with plain():
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.fromarray(pixels).convert("RGB")
    with replace_file(path) as aside:
        image.quantize(256, dither=Image.Dither.NONE).save(
            aside, format="PNG", optimize=True, dpi=(DPI, DPI)
        )


def freeze(figure: Figure) -> None:
    """Lay a figure out now, and not again each time that it is drawn, which takes long."""
    figure.set_dpi(DPI)
    with styled():
        # Twice: how wide labels are depends on the ticks, and those on the room beside labels.
        for _ in range(2):
            figure.draw_without_rendering()
    # Not "none", which would draw once more before each file.
    figure.set_layout_engine(None)


def write(figure: Figure, path: Path, form: str) -> None:
    """Write a figure as "png", "pdf" or "svg", without the date or version that change its bytes.

    Letters of a PDF are TrueType (type 42), those of an SVG are outlines: neither needs a font
    where it is read.
    """
    absent = {
        "png": ("Software",), "pdf": ("Creator", "Producer", "CreationDate"),
        "svg": ("Creator", "Date", "Format", "Type"),
    }  # fmt: skip
    # What names parts of an SVG is random without a salt.
    style = plain({"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "fusebench"})
    # An open file: by its name, an SVG would be written with the line ends of the system.
    with style, path.open("wb") as file:
        figure.savefig(file, format=form, dpi=DPI, metadata=dict.fromkeys(absent[form]))

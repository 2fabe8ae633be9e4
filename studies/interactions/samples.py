"""What the tasks look like: twins of each task in both sensors, for docs/tasks.md."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.report.drawing import styled
from fusebench.synthetic.archive import render_images, render_ranges
from fusebench.synthetic.difficulty import Difficulty
from fusebench.synthetic.render import MAX_RANGE
from fusebench.synthetic.settings import SynthesizeParams
from fusebench.synthetic.task import task_of

ORDER = ("shape", "colour", "range", "xor", "nearest", "match")
"""From what either sensor tells to what only both together tell."""

_ID = 2
_NEAREST, _FARTHEST = 12.0, 36.0


def tasks_picture() -> Figure:
    """Draw twins of each task: a row per task, image and LiDAR map of a sample of either class.

    A map is turned into the image's orientation, but not into its magnification.
    """
    with styled({"axes.grid": False}):
        figure = Figure(figsize=(6.4, 9.2))
        grid = figure.subplots(len(ORDER), 4)
        for row, name in zip(grid, ORDER, strict=True):
            _draw_task(row, name)
        figure.suptitle("Twins of each task: image and LiDAR map (near is dark)", fontsize=11)
    return figure


def _draw_task(row: Sequence[Axes], name: str) -> None:
    task = task_of(name)
    params = SynthesizeParams(
        task=name, counts="auto", difficulty=Difficulty(gap=4.0, objects=2, noise=0.0), seed=0
    )
    for number, of in enumerate(task.classes):
        views = task.views(params.seed, [_ID], of, params.difficulty)
        image, ranges = row[2 * number], row[2 * number + 1]
        image.imshow(render_images(views)[0])
        range_hw = np.rot90(render_ranges(views, params, [_ID])[0], -1)
        ranges.imshow(
            np.where(range_hw < MAX_RANGE, range_hw, np.nan),
            cmap="viridis", vmin=_NEAREST, vmax=_FARTHEST,
        )  # fmt: skip
        image.set_title(of.replace("_", " "), fontsize=9, loc="left")
        for axes in (image, ranges):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
    row[0].set_ylabel(name, fontsize=10)

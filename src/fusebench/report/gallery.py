"""A picture of samples: RGB beside LiDAR as stored, turned, and in the camera's frame."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusebench.aside import replace_file
from fusebench.inputs.lidar import LidarGeometry, LidarParams, lidar_maps
from fusebench.report.drawing import plain, write
from fusebench.report.origin import origin_of
from fusebench.samples.samples import Samples

_IDS = 3
# Of so many ids the ones to show are chosen.
_CANDIDATES = 200
# Inches: room of an image in width, and the least and the most in height; of a row's label; of
# what stands above and below.
_WIDTH, _LOWEST, _HIGHEST, _LABEL, _AROUND = 2.0, 0.45, 2.6, 1.0, 1.6
# Thickness of the colour bar.
_BAR = 0.1
# Characters of a label's line; longer names are shortened in the middle.
_LETTERS = 14
_COLUMNS = (
    ("RGB", None),
    ("LiDAR as stored\n(align: none)", "none"),
    ("quarter turn undone\n(align: rotate)", "rotate"),
    ("in the camera's frame\n(align: camera)", "camera"),
)


def choose_rows(samples: Samples) -> pd.DataFrame:
    """Return the samples to show: each class of the first ids that all classes share.

    Only objects that the LiDAR map holds whole are shown, and the ids whose object is farthest
    from the map's centre: there the turn and the magnification show best. Where no id is shared,
    the first samples of each class.
    """
    table = samples.table
    sizes = table.groupby("id")["row"].transform("size")
    shared = table[sizes == len(samples.dataset.classes)]
    if shared.empty:
        return table.groupby("label").head(_IDS).sort_values("label", kind="stable")
    shared = shared[shared["id"].isin(shared["id"].unique()[:_CANDIDATES])]
    offsets = shared["row"].map(lambda row: _offset(samples, row))
    smallest = offsets.groupby(shared["id"], sort=False).min()
    chosen = smallest.sort_values(ascending=False, kind="stable").index[:_IDS]
    return pd.concat([shared[shared["id"] == name].sort_values("label") for name in chosen])


def _offset(samples: Samples, row: int) -> float:
    """Return how far the hits' centre is from the map's, or −1 where they touch the border."""
    hit = samples.ranges([row])[0] < samples.dataset.max_range
    if not hit.any() or hit[0].any() or hit[-1].any() or hit[:, 0].any() or hit[:, -1].any():
        return -1.0
    centre = np.argwhere(hit).mean(axis=0) - (np.array(hit.shape) - 1) / 2
    return float(np.hypot(*centre))


def gallery(samples: Samples, rows: pd.DataFrame, note: str = "") -> Figure:
    """Draw one line per sample: the image, and its ranges with the image's outline on them.

    `note` is a line of text below the title.
    """
    geometry = LidarGeometry.of(samples)
    columns = [column for column in _COLUMNS if column[1] in (None, *geometry.aligns)]
    figure, grid, bar = _grid(samples, len(rows), len(columns))
    near, far = _limits(samples, rows)
    for line, row in zip(grid, rows.to_dict("records"), strict=True):
        image = samples.images([row["row"]])[0]
        lit = image.max(axis=2) > 0
        label = f"{_short(row['class'])}\nid {_short(row['id'])}"
        # Upright: beside a low image there is no room for a label that is turned.
        line[0].set_ylabel(label, fontsize=9, rotation=0, ha="right", va="center")
        for axes, (_, align) in zip(line, columns, strict=True):
            axes.set(xticks=[], yticks=[])
            if align is None:
                axes.imshow(image)
                continue
            ranges = _ranges(samples, row["row"], geometry, align)
            shown = axes.imshow(ranges, cmap="viridis_r", vmin=near, vmax=far)
            # An image without black background has no outline.
            if lit.any() and not lit.all():
                axes.contour(lit, levels=[0.5], colors="#D55E00", linewidths=1.3)
    for axes, (title, _) in zip(grid[0], columns, strict=True):
        axes.set_title(title, fontsize=10)
    figure.colorbar(shown, cax=bar, orientation="horizontal", label="range (m); white: no return")
    origin = origin_of(samples.dataset.synthetic, samples.dataset.task)
    figure.suptitle(
        f"Pairs: image and LiDAR map ({origin} samples)\n"
        "Orange: outline of the lit pixels of the image" + (f"\n{note}" if note else ""),
        fontsize=10,
    )
    return figure


def _grid(samples: Samples, lines: int, columns: int) -> tuple[Figure, list[list[Axes]], Axes]:
    """Return a figure with a line of axes per sample, as high as the images ask, and one below."""
    height, width = samples.rgb.shape[1:3]
    line = min(max(_WIDTH * height / width, _LOWEST), _HIGHEST) + 0.08
    size = (_LABEL + columns * _WIDTH, _AROUND + lines * line)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.add_gridspec(
        lines + 1, columns, height_ratios=[line] * lines + [_BAR], hspace=0
    )
    grid = [
        [figure.add_subplot(places[row, column]) for column in range(columns)]
        for row in range(lines)
    ]
    return figure, grid, figure.add_subplot(places[lines, 1:-1])


def _short(name: str) -> str:
    half = _LETTERS // 2
    return name if len(name) <= _LETTERS else f"{name[:half]}…{name[-half:]}"


def _limits(samples: Samples, rows: pd.DataFrame) -> tuple[float, float]:
    """Return the ranges, in metres, between which colours are spread."""
    ranges = samples.ranges(rows["row"].to_numpy())
    hits = ranges[ranges < samples.dataset.max_range]
    if not len(hits):
        return 0.0, samples.dataset.max_range
    near, far = np.percentile(hits, [2, 98])
    return float(near), float(far)


def _ranges(
    samples: Samples, row: int, geometry: LidarGeometry, align: str
) -> npt.NDArray[np.floating]:
    """Return the range in each cell as `align` puts it; NaN where nothing came back."""
    params = LidarParams.model_validate(
        {"projection": "spherical", "align": align, "normalize": True}
    )
    ranges = samples.ranges([row])
    x, y, z, mask = lidar_maps(ranges, np.zeros(1, np.int64), geometry, params)[0]
    distance = np.sqrt(x**2 + y**2 + z**2) * geometry.max_range
    return np.where(mask > 0, distance, np.nan)


def write_gallery(samples: Samples, path: Path, note: str = "") -> None:
    """Write the picture in one step, without the version that would change its bytes."""
    with plain():
        figure = gallery(samples, choose_rows(samples), note)
    with replace_file(path) as aside:
        write(figure, aside, "png")

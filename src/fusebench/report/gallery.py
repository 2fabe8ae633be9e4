"""A picture of samples: twins, RGB beside LiDAR as stored, turned, and in the camera's frame."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fusebench.files import replace_file
from fusebench.inputs.lidar import LidarGeometry, LidarParams, lidar_maps
from fusebench.samples.samples import SampleRow, Samples

mpl.use("Agg")

_IDS = 3
_COLUMNS = (
    ("RGB", None),
    ("LiDAR as stored\n(align: none)", "none"),
    ("quarter turn undone\n(align: rotate)", "rotate"),
    ("in the camera's frame\n(align: camera)", "camera"),
)


def choose_rows(samples: Samples) -> list[SampleRow]:
    """Return the samples to show: each class of the first ids that all classes share.

    Only objects that the LiDAR map holds whole are shown, and the ids whose object is farthest
    from the map's centre: there the turn and the magnification show best. Where no id is shared,
    the first samples of each class.
    """
    by_id: dict[str, list[SampleRow]] = {}
    for row in samples.rows:
        by_id.setdefault(row.id, []).append(row)
    classes = len(samples.dataset.classes)
    twins = [held for held in by_id.values() if len(held) == classes][:200]
    if not twins:
        first = [
            [row for row in samples.rows if row.label == label][:_IDS] for label in range(classes)
        ]
        return [row for held in first for row in held]
    twins.sort(key=lambda held: -min(_offset(samples, row) for row in held))
    return [row for held in twins[:_IDS] for row in sorted(held, key=lambda row: row.label)]


def _offset(samples: Samples, row: SampleRow) -> float:
    """Return how far the hits' centre is from the map's, or −1 where they touch the border."""
    hit = np.asarray(samples.lidar[row.row]) < samples.dataset.max_range
    if not hit.any() or hit[0].any() or hit[-1].any() or hit[:, 0].any() or hit[:, -1].any():
        return -1.0
    centre = np.argwhere(hit).mean(axis=0) - (np.array(hit.shape) - 1) / 2
    return float(np.hypot(*centre))


def gallery(samples: Samples, rows: Sequence[SampleRow]) -> Figure:
    """Draw one line per sample: the image, and its ranges with the image's outline on them."""
    figure = Figure(figsize=(8.2, 2.05 * len(rows) + 1), dpi=100, layout="constrained")
    grid = figure.subplots(len(rows), len(_COLUMNS), squeeze=False)
    geometry = LidarGeometry.of(samples)
    near, far = _limits(samples, rows)
    for line, row in zip(grid, rows, strict=True):
        image = np.asarray(samples.rgb[row.row])
        lit = image.max(axis=2) > 0
        for axes, (title, align) in zip(line, _COLUMNS, strict=True):
            if align is None:
                axes.imshow(image)
                axes.set_ylabel(f"{row.class_name}\nid {row.id}", fontsize=9)
            else:
                ranges = _ranges(samples, row, geometry, align)
                shown = axes.imshow(ranges, cmap="viridis_r", vmin=near, vmax=far)
                # An image without black background has no outline.
                if lit.any() and not lit.all():
                    axes.contour(lit, levels=[0.5], colors="#D55E00", linewidths=1.3)
            axes.set(xticks=[], yticks=[])
            if row is rows[0]:
                axes.set_title(title, fontsize=10)
    figure.colorbar(
        shown,
        ax=grid,
        location="bottom",
        shrink=0.5,
        aspect=40,
        label="range (m); white: no return",
    )
    kind = "rendered" if samples.dataset.rendered else "recorded"
    figure.suptitle(
        f"The same object in both inputs ({kind} samples)\n"
        "Orange: outline of the lit pixels of the image",
        fontsize=10,
    )
    return figure


def _limits(samples: Samples, rows: Sequence[SampleRow]) -> tuple[float, float]:
    """Return the ranges, in metres, between which colours are spread."""
    held = np.concatenate([np.asarray(samples.lidar[row.row]).ravel() for row in rows])
    hits = held[held < samples.dataset.max_range]
    if not len(hits):
        return 0.0, samples.dataset.max_range
    near, far = np.percentile(hits, [2, 98])
    return float(near), float(far)


def _ranges(
    samples: Samples, row: SampleRow, geometry: LidarGeometry, align: str
) -> npt.NDArray[np.floating]:
    """Return the range in each cell as `align` places it; NaN where nothing came back."""
    params = LidarParams.model_validate(
        {"projection": "spherical", "align": align, "normalize": True}
    )
    ranges = np.asarray(samples.lidar[row.row])[None]
    x, y, z, mask = lidar_maps(ranges, np.zeros(1, np.int64), geometry, params)[0]
    distance = np.sqrt(x**2 + y**2 + z**2) * geometry.max_range
    return np.where(mask > 0, distance, np.nan)


def write_gallery(samples: Samples, path: Path) -> None:
    """Write the picture in one step, without the version that would change its bytes."""
    figure = gallery(samples, choose_rows(samples))
    with replace_file(path) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})

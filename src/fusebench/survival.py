"""How much of each sensor reaches the models: what alignment keeps, and what carries nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.errors import ArtifactError
from fusebench.inputs.lidar import Align, LidarGeometry, aligned_cells
from fusebench.samples.samples import Samples

LEAST_KEPT = 25.0
"""Returns that are kept, in %, below which there is a warning.

Not 50: a map that is finer than the image is thinned out and loses nothing of its shape. Of the
demonstration, `align: camera` keeps 43 %.
"""

MOST_EMPTY = 10.0
"""Maps or images that carry nothing, in %, above which there is a warning."""


def views_per_cell(geometry: LidarGeometry, align: Align) -> npt.NDArray[np.intp]:
    """Return how many image pixels look at each cell of a LiDAR map, shape (h · w,)."""
    cells, inside = aligned_cells(geometry, align)
    seen = cells.reshape(-1) if inside is None else cells[inside]
    return np.bincount(seen, minlength=len(geometry.azimuth) * len(geometry.zenith))


def lidar_survival(samples: Samples, align: Align) -> dict[str, Any]:
    """Return what `lidar.align` keeps of the returns.

    Returns
    -------
    dict
        returns: in all maps as stored. returns_kept: in %, those that a pixel looks at. maps, and
        maps_empty: those of which no return is kept. pixels_with_return: in %.
    """
    geometry = LidarGeometry.of(samples)
    views = views_per_cell(geometry, align)
    count = len(samples.lidar)
    returns = kept = empty = pixels = 0
    for rows in samples.chunks():
        chunk = samples.ranges(rows)
        returned = chunk.reshape(len(chunk), -1) < np.float32(geometry.max_range)
        of_map = returned[:, views > 0].sum(axis=1)
        returns, kept = returns + int(returned.sum()), kept + int(of_map.sum())
        empty += int((of_map == 0).sum())
        pixels += int(returned.sum(axis=0) @ views)
    return {
        "align": align,
        "returns": returns,
        "returns_kept": 100 * kept / max(1, returns),
        "maps": count,
        "maps_empty": empty,
        "pixels_with_return": 100 * pixels / (count * int(np.prod(geometry.image_size))),
    }


def rgb_survival(samples: Samples) -> dict[str, Any]:
    """Return how many images there are, and how many are of one colour, which carries nothing."""
    count, constant = len(samples.rgb), 0
    for rows in samples.chunks():
        chunk = samples.images(rows)
        constant += int((chunk == chunk[:, :1, :1]).all(axis=(1, 2, 3)).sum())
    return {"images": count, "images_of_one_colour": constant}


def is_low(lidar: Mapping[str, Any]) -> bool:
    """Tell whether so little of the LiDAR maps is kept that there is a warning."""
    return bool(
        lidar["returns_kept"] < LEAST_KEPT or 100 * lidar["maps_empty"] > MOST_EMPTY * lidar["maps"]
    )


_LOOK_AT = (
    "look at lidar.align in params.yaml, and at camera.image_size, camera.focal_length, "
    "lidar.max_range and lidar.quarter_turns in the file that data.sensors names"
)


def survival_lines(lidar: Mapping[str, Any], rgb: Mapping[str, Any]) -> list[str]:
    """Return what the screen shows, warnings included."""
    lines = [
        f"lidar.align: {lidar['align']} keeps {lidar['returns_kept']:.1f} % of "
        f"{lidar['returns']:,} returns; {lidar['maps_empty']:,} of {lidar['maps']:,} maps keep "
        f"none; {lidar['pixels_with_return']:.1f} % of pixels have a return",
        f"rgb: {rgb['images_of_one_colour']:,} of {rgb['images']:,} images have one colour",
    ]
    if is_low(lidar):
        lines.append(f"warning: little is left of the LiDAR maps; {_LOOK_AT}")
    if 100 * rgb["images_of_one_colour"] > MOST_EMPTY * rgb["images"]:
        lines.append("warning: many images carry nothing; look at them in the archive")
    return lines


def refuse_empty(lidar: Mapping[str, Any], rgb: Mapping[str, Any]) -> None:
    """Raise ArtifactError if a sensor carries nothing in any sample."""
    if lidar["maps_empty"] == lidar["maps"]:
        raise ArtifactError(
            f"data/samples: no LiDAR map keeps a return under lidar.align = '{lidar['align']}' "
            f"({lidar['returns']:,} returns as stored); {_LOOK_AT}"
        )
    if rgb["images_of_one_colour"] == rgb["images"]:
        raise ArtifactError(
            f"data/samples: each of the {rgb['images']:,} images has one colour; look at them in "
            "the archive that data.archive names"
        )


def shares_line(samples: Samples) -> str:
    """Return one line for the gallery: the returns that each alignment keeps."""
    shares = []
    for align in LidarGeometry.of(samples).aligns:
        lidar = lidar_survival(samples, align)
        warning = " (WARNING: little)" if is_low(lidar) else ""
        shares.append(f"{align} {lidar['returns_kept']:.0f} %{warning}")
    return f"Returns kept by lidar.align: {', '.join(shares)}"

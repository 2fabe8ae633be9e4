"""The file of sensors that fits what was seen, and what of it nobody can know from the files."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.data.paths import ANGLES
from fusebench.inspection.proposal import Proposal
from fusebench.inspection.seen import Seen

LONGEST_SIDE = 128
"""Pixels to which larger images are brought: models and time grow with their area."""
_SMALLEST = 16
# Of cells, below which a value may be a range that was measured several times.
_OFTEN = 0.01
# What lidar.max_range may be, in metres.
_FARTHEST = 9e5


def propose_images(seen: Seen, proposal: Proposal) -> None:
    """Propose section camera."""
    sizes = seen.images
    proposal.sensors["camera.focal_length"] = None
    if not sizes:
        if "camera.image_size" not in seen.kind.chosen:
            proposal.leave("camera.image_size", "height and width in pixels", "no image was read")
        return
    largest = max(sizes, key=lambda size: size[0] * size[1])
    smallest = min(sizes, key=lambda size: size[0] * size[1])
    told = " × ".join(map(str, smallest))
    if len(sizes) > 1:
        told = f"{told} to {' × '.join(map(str, largest))}, {len(sizes)} sizes"
    if "camera.image_size" in seen.kind.chosen:
        # What is cut out of them has another size.
        proposal.seen.append(f"images of {told} pixels (height × width)")
        return
    written = _fitting(sizes.most_common(1)[0][0])
    proposal.sensors["camera.image_size"] = list(written)
    stretched = max(abs(math.log(h / w / (written[0] / written[1]))) for h, w in sizes)
    proposal.seen.append(
        f"images of {told} pixels (height × width); brought to {written[0]} × {written[1]}, which "
        f"stretches them by {100 * math.expm1(stretched):.0f} % at most"
    )
    proposal.unknown.append(
        "camera.focal_length: in pixels of image_size; left empty, for only lidar.align: camera "
        "needs it"
    )


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size itself, or one of its proportions that is not too large or small."""
    if min(size) >= _SMALLEST and max(size) <= LONGEST_SIDE:
        return size
    scale = LONGEST_SIDE / max(size) if max(size) > LONGEST_SIDE else _SMALLEST / min(size)
    height, width = (max(_SMALLEST, round(side * scale)) for side in size)
    return height, width


def propose_lidar(seen: Seen, proposal: Proposal) -> None:
    """Propose section lidar, and what the layout itself says."""
    proposal.sensors |= {
        "lidar.format": seen.format, "lidar.rows": "azimuth", "lidar.azimuth": "stored",
        "lidar.zenith": "stored", "lidar.step": None, "lidar.axes": None,
        "lidar.quarter_turns": 0, "lidar.no_return": [],
    }  # fmt: skip
    if seen.format == "points":
        _points(seen, proposal)
    else:
        _maps(seen, proposal)
    for key in (*seen.kind.fixed, *seen.kind.chosen):
        proposal.missing.pop(key, None)
    proposal.sensors |= {**seen.kind.chosen, **seen.kind.fixed}
    if seen.kind.fixed:
        proposal.seen.append(f"as {seen.layout} always has it: {_listed(seen.kind.fixed)}")
    if seen.kind.chosen:
        proposal.unknown.append(
            f"what of an object and its surroundings is looked at; written to begin with: "
            f"{_listed(seen.kind.chosen)}"
        )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {'empty' if value is None else value}" for key, value in values.items()
    )


def _points(seen: Seen, proposal: Proposal) -> None:
    ranges, known = seen.ranges, {**seen.kind.fixed, **seen.kind.chosen}
    box = ", ".join(
        f"{name} {low:.1f} to {high:.1f}"
        for name, low, high in zip("xyz", ranges.lowest, ranges.highest, strict=True)
    )
    if _is_range(ranges.largest):
        proposal.seen.append(f"points with {box}; the farthest at {ranges.largest:.1f}")
    wanted = {
        "lidar.axes": "which coordinate is right, forward and up",
        "lidar.size": "rows and columns of the map that points are projected to",
        "lidar.azimuth": "degrees of the first and the last azimuth, to the left",
        "lidar.zenith": "degrees of the first and the last zenith, downwards",
    }
    if len(seen.angles) == len(ANGLES):
        # A map of points may have them either way.
        size = [len(seen.angles[angle]) for angle in ANGLES]
        proposal.sensors["lidar.size"] = size
        proposal.seen.append(f"stored angles: {size[0]} azimuths, {size[1]} zeniths")
        _turns(seen, "azimuth", proposal)
        known |= dict.fromkeys(("lidar.size", "lidar.azimuth", "lidar.zenith"))
    for key, what in wanted.items():
        if key not in known:
            proposal.leave(key, what)
    if "lidar.max_range" not in known:
        _beyond(ranges.largest, proposal)


def _is_range(value: float) -> bool:
    return math.isfinite(value) and 0 < value <= _FARTHEST


def _beyond(largest: float, proposal: Proposal) -> None:
    """Write a largest range beyond all that were seen, and say that nobody knows it."""
    if not _is_range(largest):
        hint = "no range was read" if largest <= 0 else f"the largest range is {largest:g}"
        proposal.leave("lidar.max_range", "metres of no return", hint)
        return
    proposal.sensors["lidar.max_range"] = _rounded_up(largest)
    proposal.unknown.append(
        f"lidar.max_range: how far the sensor reaches; written: {_rounded_up(largest):g}, beyond "
        f"the largest range, {largest:g}, in the unit of the files"
    )


def _maps(seen: Seen, proposal: Proposal) -> None:
    ranges = seen.ranges
    if not ranges.shapes:
        for key, what in (("size", "rows and columns"), ("max_range", "metres of no return")):
            proposal.leave(f"lidar.{key}", what, "no map was read")
        return
    size = ranges.shapes.most_common(1)[0][0]
    proposal.sensors["lidar.size"] = list(size)
    others = sum(ranges.shapes.values()) - ranges.shapes[size]
    proposal.seen.append(
        f"{seen.format} of {size[0]} × {size[1]} cells"
        + (f"; {others:,} of other sizes are bad samples" if others else "")
    )
    rows = _rows(seen, size, proposal)
    _turns(seen, rows, proposal)
    _no_return(seen, proposal)


def _rows(seen: Seen, size: tuple[int, ...], proposal: Proposal) -> str:
    """Write which angle is one per row, and whether angles are stored."""
    lengths = {name: len(values) for name, values in seen.angles.items()}
    for name in ("azimuth", "zenith"):
        if name not in lengths:
            proposal.leave(
                f"lidar.{name}", f"degrees of the first and the last {name}", f"no {name}.npy"
            )
    of_rows = {"azimuth": ("azimuth", "zenith"), "zenith": ("zenith", "azimuth")}
    fits = [
        kind
        for kind, names in of_rows.items()
        if all(
            lengths.get(name, length) == length for name, length in zip(names, size, strict=True)
        )
    ]
    rows = fits[0] if fits else "azimuth"
    proposal.sensors["lidar.rows"] = rows
    if lengths:
        told = ", ".join(f"{count} {name}s" for name, count in lengths.items())
        proposal.seen.append(f"stored angles: {told}; lidar.rows: {rows}")
    if not fits:
        proposal.unknown.append(
            "lidar.rows: the stored angles are as many as neither rows nor columns; extract refuses"
        )
    elif len(fits) > 1:
        proposal.unknown.append(
            f"lidar.rows: whether a row has one azimuth or one zenith; written: {rows}"
        )
    return rows


def _turns(seen: Seen, rows: str, proposal: Proposal) -> None:
    """Write the turns that bring a map upright, if the order of its angles tells."""
    orders = {name: _order(values) for name, values in seen.angles.items()}
    # Of azimuth and zenith: an upright map has azimuths that fall to the right, zeniths that grow
    # downwards.
    upright = {
        "zenith": {(-1, 1): 0, (1, -1): 2},
        "azimuth": {(1, 1): 1, (-1, -1): 3},
    }[rows]
    found = (orders.get("azimuth", 0), orders.get("zenith", 0))
    if found in upright:
        proposal.sensors["lidar.quarter_turns"] = upright[found]
        proposal.seen.append(
            f"lidar.quarter_turns: {upright[found]}, as the order of the stored angles has it"
        )
        return
    mirrored = 0 not in found
    proposal.unknown.append(
        "lidar.quarter_turns: "
        + (
            "no turn brings maps upright, for by their angles they are mirrored"
            if mirrored
            else "how maps are turned against images"
        )
        + "; written: 0, which lidar.align: none does not read"
    )


def _order(angles: npt.NDArray[Any]) -> int:
    """Return 1 where angles grow all along, -1 where they fall, else 0."""
    steps = np.sign(np.diff(angles.astype(np.float64)))
    return int(steps[0]) if len(steps) and (steps == steps[0]).all() else 0


def _no_return(seen: Seen, proposal: Proposal) -> None:
    """Write what means that nothing came back, and the largest range."""
    ranges, cells = seen.ranges, seen.ranges.cells
    listed = [word for word in ("zero", "nan", "inf") if cells[word]]
    if seen.format == "depth":
        proposal.leave("lidar.step", "metres that one step of a depth image stands for")
    proposal.sensors["lidar.no_return"] = listed
    for word in listed:
        proposal.seen.append(f"{100 * cells[word] / cells['all']:.1f} % of cells are {word}")
    if "zero" in listed:
        proposal.unknown.append("lidar.no_return: taken for granted that a range of 0 is no return")
    if cells["negative"]:
        proposal.seen.append(f"{cells['negative']:,} cells are negative: extract refuses such maps")
    alike = ranges.files_at_largest > sum(ranges.shapes.values()) / 2
    if seen.format == "depth":
        proposal.leave(
            "lidar.max_range", "metres of no return", f"the largest value is {ranges.largest:g}"
        )
    elif _is_range(ranges.largest) and alike and ranges.at_largest >= _OFTEN * cells["all"]:
        proposal.sensors["lidar.max_range"] = ranges.largest
        proposal.unknown.append(
            f"lidar.max_range: taken for no return: {ranges.largest:g}, the largest value, which "
            f"{100 * ranges.at_largest / cells['all']:.1f} % of cells have"
        )
    else:
        _beyond(ranges.largest, proposal)


def _rounded_up(value: float) -> float:
    """Return the next number of two digits above a positive value."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{(math.floor(value / unit) + 1) * unit:.6g}")

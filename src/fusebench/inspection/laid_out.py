"""Which layout, classes and LiDAR files fit the names in a zip or a folder."""

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.data.container import Container
from fusebench.data.headers import shown
from fusebench.data.layout import Layout, Recognised
from fusebench.data.layouts.manifest import COLUMNS, GROUP
from fusebench.data.listed import read_listed
from fusebench.data.npy import open_npy
from fusebench.data.paths import composed
from fusebench.data.settings import LAYOUTS, TABLES, DataParams
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError
from fusebench.samples.sensors import CameraSensor, LidarSensor, Sensors

FORMATS = ("ranges", "depth", "points")
# Files that are looked at to tell maps from points.
_TRIED = 100
_FEWEST_CLASSES = 2


def archive_of(path: Path) -> tuple[Path, str | None]:
    """Return the zip or folder that a path means, and of a table its path in it.

    A table means the folder that holds it and all files that it names.

    Raises
    ------
    ArchiveError
        The path names a table that is none.
    """
    if path.suffix.lower() not in TABLES or not path.is_file():
        return path, None
    try:
        listed = read_listed(path.read_bytes(), path.name, COLUMNS, (GROUP,), gaps=True)
    except BadMemberError as error:
        raise ArchiveError(f"{path}: {error}") from None
    above = max(
        (
            posixpath.normpath(cell).split("/").count("..")
            for kind in ("rgb", "lidar")
            for cell in listed[kind].unique()
        ),
        default=0,
    )
    folder = path.parent
    if above:
        folder = path.resolve().parents[above]
        # As short as it can be said.
        if folder.is_relative_to(Path.cwd()):
            folder = folder.relative_to(Path.cwd())
    return folder, composed(path.resolve().relative_to(folder.resolve()).as_posix())


def recognised_in(
    container: Container, table: str | None, layout: str | None
) -> tuple[str, Recognised]:
    """Return the one layout that fits, and what it says.

    Parameters
    ----------
    table : str or None
        Path of the table in the container, if it is to be one.
    layout : str or None
        The layout, if it is to be one.

    Raises
    ------
    ArchiveError
        None fits, or several do; or there are fewer than two classes.
    """
    names = LAYOUTS.names() if layout is None else [layout]
    found = {}
    for name in names:
        fitting = LAYOUTS.load(name, Layout).recognised(container)
        for recognised in fitting:
            if table in (None, recognised.manifest):
                apart = recognised.manifest or (
                    ", ".join(map(shown, recognised.classes)) if len(fitting) > 1 else ""
                )
                found[f"{name} ({apart})" if apart else name] = name, recognised
    return _only(found, container.source, names)


def _only(
    found: Mapping[str, tuple[str, Recognised]], source: str, names: list[str]
) -> tuple[str, Recognised]:
    if not found:
        raise ArchiveError(
            f"{source}: laid out in no way that is known ({', '.join(names)}); docs/your-data.md "
            "shows them"
        )
    if len(found) > 1:
        raise ArchiveError(
            f"{source}: may be laid out as {' or '.join(found)}; say which by LAYOUT=…, or name "
            "the folder or table itself in DATA=…"
        )
    name, recognised = next(iter(found.values()))
    if not recognised.classes:
        raise ArchiveError(f"{source}: layout {name} lists no sample")
    if len(recognised.classes) < _FEWEST_CLASSES:
        raise ArchiveError(
            f"{source}: layout {name} with one class, '{shown(recognised.classes[0])}'; two or "
            "more are needed"
        )
    return name, recognised


def paired(
    container: Container, name: str, params: DataParams, recognised: Recognised
) -> tuple[str, Layout, dict[str, str]]:
    """Return the format of LiDAR files that gives the most samples, these, and lost classes.

    A class without a sample is left out, with the reason.
    """
    found = _best(container, name, params, recognised)
    lost: dict[str, str] = {}
    if isinstance(found, str):
        for class_name in recognised.classes:
            alone = _best(container, name, params, recognised._replace(classes=(class_name,)))
            if isinstance(alone, str):
                lost[class_name] = alone
    else:
        labels = set(found[1].pairs.labels.tolist())
        reason = "; ".join(found[1].bad[:1])
        lost = {
            class_name: f"no usable sample; {reason}"
            for label, class_name in enumerate(recognised.classes)
            if label not in labels
        }
        if not lost:
            return *found, lost
    kept = tuple(key for key in recognised.classes if key not in lost)
    if lost and len(kept) >= _FEWEST_CLASSES:
        found = _best(container, name, params, recognised._replace(classes=kept))
    elif not isinstance(found, str):
        found = f"{container.source}: fewer than two classes with a usable sample; {reason}"
    if isinstance(found, str):
        raise ArchiveError(found)
    return *found, lost


def _best(
    container: Container, name: str, params: DataParams, recognised: Recognised
) -> tuple[str, Layout] | str:
    """Return the samples in the format that gives the most of them, or why there are none."""
    changed = params.model_copy(
        update={"layout": name, **recognised._asdict(), "positive": recognised.classes[0]}
    )
    layout_class = LAYOUTS.load(name, Layout)
    best: tuple[str, Layout] | None = None
    reason = ""
    for kind in FORMATS:
        try:
            layout: Layout = layout_class(container, changed, _sensors(kind))
        except ArchiveError as error:
            # That of the format that a layout is fixed to says more than "it must be this one".
            if layout_class.fixed.get("lidar.format", FORMATS[0]) == kind:
                reason = str(error)
            continue
        if best is None or len(layout.pairs) > len(best[1].pairs):
            best = kind, layout
    if best is not None and best[0] == "ranges" and _holds_points(best[1]):
        return "points", layout_class(container, changed, _sensors("points"))
    return reason if best is None else best


def _holds_points(layout: Layout) -> bool:
    """Tell whether .npy files hold points: an array of three or four columns."""
    lengths = {name: len(values) for name, values in stored_angles(layout).items()}
    azimuths, zeniths = (lengths.get(name) for name in ("azimuth", "zenith"))
    for _, file in layout.pairs.members[:_TRIED]:
        found = layout.decoded(int(file), open_npy)
        if not isinstance(found, str):
            map_of_angles = found.shape in ((azimuths, zeniths), (zeniths, azimuths))
            return found.ndim == 2 and found.shape[1] in (3, 4) and not map_of_angles
    return False


def stored_angles(layout: Layout) -> dict[str, npt.NDArray[Any]]:
    """Return azimuth and zenith of the first files of angles; those that are none are missing."""
    angles = {}
    for angle, members in layout.stored_angles().items():
        found = layout.decoded(members[0], open_npy) if len(members) else ""
        if isinstance(found, np.ndarray) and found.ndim == 1 and len(found):
            angles[angle] = found
    return angles


def _sensors(kind: str) -> Sensors:
    """Return sensors by which a layout pairs files; nothing is decoded with them."""
    return Sensors.model_construct(
        camera=CameraSensor.model_construct(image_size=(16, 16), focal_length=None),
        lidar=LidarSensor.model_construct(
            format=kind, size=(1, 1), rows="azimuth", azimuth=(0.0, 1.0), zenith=(0.0, 1.0),
            axes=("-y", "x", "z") if kind == "points" else None, quarter_turns=0, no_return=(),
        )
    )  # fmt: skip

"""Stage extract: from the zip straight into packed arrays; no tree of files is ever unpacked."""

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.data.archive import Layout, read_layout
from fusebench.data.headers import shown
from fusebench.data.images import decode_image
from fusebench.data.npy import decode_angles, decode_ranges
from fusebench.data.pairs import PairedMembers
from fusebench.data.paths import ANGLES, GUIDE
from fusebench.data.sensors import Sensors
from fusebench.data.settings import DataParams
from fusebench.data.summary import Report, Sample
from fusebench.data.unpack import BadMemberError
from fusebench.data.zips import Zip, open_archive
from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.files import write_json, write_npz, write_table
from fusebench.samples.samples import SAMPLE_COLUMNS, Dataset, content_digest, describe


class ArrayWriter:
    """Appends arrays of one shape to an .npy file, so that memory does not grow with their number.

    Parameters
    ----------
    shape : tuple of int
        Shape of one array; the file's is (number written, *shape).
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._file = path.open("wb")
        self._shape, self._dtype = shape, np.dtype(dtype)
        self.count = 0
        self._write_header()

    def _write_header(self) -> None:
        # numpy pads the header for a first axis of any length, so that it can be written again.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self.count, *self._shape),
            },
        )

    def append(self, array: npt.NDArray[Any]) -> None:
        """Write one array."""
        self._file.write(np.ascontiguousarray(array, self._dtype).tobytes())
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._file.seek(0)
                self._write_header()


def extract(params: DataParams, sensors: Sensors, folder: Path, metrics: Path) -> dict[str, Any]:
    """Read an archive into `folder` and write what it holds to `metrics`.

    Writes rgb.npy (N, H, W, 3) uint8; lidar.npy (N, h, w) float32 in metres; angles.npz with
    azimuth (h,) and zenith (w,) in radians; samples.csv; skipped.csv; dataset.json.

    Returns
    -------
    dict
        The summary that stands in `metrics`.

    Raises
    ------
    ArchiveError
        The archive cannot be used at all, or changed meanwhile.
    BadSamplesError
        Samples are bad and `data.on_bad_sample` is "error"; all of them are named.
    """
    with open_archive(Path(params.archive), params.limits) as archive:
        layout = read_layout(archive, params.classes)
        archive.check_limits(layout.members())
        angles = _read_angles(archive, layout, params, sensors)
        report = Report(problems=list(layout.ambiguous))
        with replace_outputs([folder], [metrics]) as (aside, summary_aside):
            _write_samples(archive, layout, params, sensors, aside, report)
            archive.check_unchanged()
            if report.problems and params.on_bad_sample == "error":
                raise BadSamplesError(params.archive, report.problems)
            empty = [name for name in params.classes if not report.pairs[name]]
            if empty:
                raise ArchiveError(f"{params.archive}: class '{empty[0]}' has no usable sample")
            write_npz(aside / "angles.npz", angles)
            write_table(aside / "skipped.csv", pd.DataFrame({"problem": report.problems}))
            describe(aside, _dataset(params, sensors, layout), sum(report.pairs.values()))
            summary = report.summary(layout, params.classes)
            write_json(summary_aside, summary)
    return summary


def _dataset(params: DataParams, sensors: Sensors, layout: Layout) -> Dataset:
    """Return what later stages must know of the data; they read it here, not in the params."""
    return Dataset(
        params.classes,
        params.positive,
        sensors.lidar.max_range,
        sensors.camera.focal_length,
        sensors.lidar.quarter_turns,
        layout.synthetic,
        layout.task,
    )


def _write_samples(
    archive: Zip,
    layout: Layout,
    params: DataParams,
    sensors: Sensors,
    folder: Path,
    report: Report,
) -> None:
    """Write the arrays and the table of the samples; bad ones go into the report instead."""
    with ExitStack() as stack:
        image_shape = (*sensors.camera.image_size, 3)
        rgb = stack.enter_context(ArrayWriter(folder / "rgb.npy", image_shape, "u1"))
        lidar = stack.enter_context(ArrayWriter(folder / "lidar.npy", sensors.lidar.size, "<f4"))
        table = stack.enter_context(
            (folder / "samples.csv").open("w", encoding="utf-8", newline="")
        )
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(SAMPLE_COLUMNS)
        for number, (pair, sample) in enumerate(_read_pairs(archive, layout, sensors)):
            if isinstance(sample, str):
                report.problems.append(sample)
                continue
            digest = content_digest(*sample)
            label = params.classes.index(pair.class_name)
            rows.writerow((rgb.count, pair.id, pair.class_name, label, digest))
            rgb.append(sample[0])
            lidar.append(sample[1])
            report.add(number, pair, digest, sample, sensors.lidar.max_range)


def _read_pairs(
    archive: Zip, layout: Layout, sensors: Sensors
) -> Iterator[tuple[PairedMembers, Sample | str]]:
    """Yield each pair with its arrays, or with the line that says what is wrong with it."""

    def image(content: bytes) -> npt.NDArray[np.uint8]:
        return decode_image(content, sensors.camera.image_size)

    def ranges(content: bytes) -> npt.NDArray[np.float32]:
        return decode_ranges(content, sensors.lidar)

    for pair in layout.pairs:
        rgb = _decoded(archive, pair.rgb, image)
        lidar = _decoded(archive, pair.lidar, ranges)
        if isinstance(rgb, str) or isinstance(lidar, str):
            yield pair, "; ".join(line for line in (rgb, lidar) if isinstance(line, str))
        else:
            yield pair, (rgb, lidar)


Decoded = TypeVar("Decoded")


def _decoded(archive: Zip, member: int, decode: Callable[[bytes], Decoded]) -> Decoded | str:
    """Return what a member holds, or the line that says what is wrong with it."""
    try:
        return decode(archive.read(member))
    except BadMemberError as error:
        return f"{shown(archive.name(member))}: {error}"


def _read_angles(
    archive: Zip, layout: Layout, params: DataParams, sensors: Sensors
) -> dict[str, npt.NDArray[np.float32]]:
    """Return azimuth (h,) and zenith (w,), in radians, which all classes must share."""
    angles: dict[str, npt.NDArray[np.float32]] = {}
    for angle, length in zip(ANGLES, sensors.lidar.size, strict=True):
        first = shown(archive.name(layout.angles[params.classes[0], angle]))
        for class_name in params.classes:
            member = layout.angles[class_name, angle]
            name = shown(archive.name(member))
            try:
                values = decode_angles(archive.read(member), length)
            except BadMemberError as error:
                raise ArchiveError(f"{params.archive}: {name}: {error}") from None
            if not np.array_equal(values, angles.setdefault(angle, values)):
                # Angles that depend on the class would tell the class to every model.
                raise ArchiveError(
                    f"{params.archive}: {name} differs from {first}; one sensor is expected "
                    f"({GUIDE})"
                )
    return angles

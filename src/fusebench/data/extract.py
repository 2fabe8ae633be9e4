"""Stage extract: from a zip or a folder straight into packed arrays; nothing is ever unpacked."""

import csv
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.data.layout import Layout, find_layout
from fusebench.data.opened import open_container
from fusebench.data.projection import LidarFiles
from fusebench.data.settings import DataParams
from fusebench.data.summary import Report
from fusebench.errors import ArchiveError, BadSamplesError
from fusebench.files import write_json, write_npz, write_table
from fusebench.samples.samples import SAMPLE_COLUMNS, Dataset, content_digest, describe
from fusebench.samples.sensors import Sensors


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
    with open_container(Path(params.archive), params.limits) as container:
        layout = find_layout(container, params, sensors)
        container.check_limits(layout.members())
        lidar = LidarFiles(sensors.lidar, layout.angles())
        report = Report(problems=list(layout.bad))
        with replace_outputs([folder], [metrics]) as (aside, summary_aside):
            _write_samples(layout, lidar, aside, report)
            container.check_unchanged()
            if report.problems and params.on_bad_sample == "error":
                raise BadSamplesError(params.archive, report.problems)
            empty = [name for name in params.classes if not report.pairs[name]]
            if empty:
                raise ArchiveError(f"{params.archive}: class '{empty[0]}' has no usable sample")
            write_npz(aside / "angles.npz", lidar.angles)
            write_table(aside / "skipped.csv", pd.DataFrame({"problem": report.problems}))
            describe(aside, _dataset(params, sensors, layout), sum(report.pairs.values()))
            summary = report.summary(layout, params.classes)
            write_json(summary_aside, summary)
    return summary


def _dataset(params: DataParams, sensors: Sensors, layout: Layout) -> Dataset:
    """Return what later stages must know of the data; they read it here, not in the params."""
    return Dataset(
        params.classes, params.positive, sensors, layout.synthetic, params.layout, layout.task
    )


def _write_samples(layout: Layout, lidar: LidarFiles, folder: Path, report: Report) -> None:
    """Write the arrays and the table of the samples; bad ones go into the report instead."""
    sensors, classes = layout.sensors, layout.pairs.classes
    with ExitStack() as stack:
        image_shape = (*sensors.camera.image_size, 3)
        rgb = stack.enter_context(ArrayWriter(folder / "rgb.npy", image_shape, "u1"))
        maps = stack.enter_context(
            ArrayWriter(folder / "lidar.npy", sensors.lidar.angle_counts, "<f4")
        )
        table = stack.enter_context(
            (folder / "samples.csv").open("w", encoding="utf-8", newline="")
        )
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(SAMPLE_COLUMNS)
        for number, pair in enumerate(layout.pairs):
            sample = layout.sample(number, lidar)
            if isinstance(sample, str):
                report.problems.append(sample)
                continue
            digest = content_digest(*sample)
            label = classes.index(pair.class_name)
            rows.writerow((rgb.count, pair.id, pair.group, pair.class_name, label, digest))
            rgb.append(sample[0])
            maps.append(sample[1])
            report.add(number, pair, digest, sample, sensors.lidar.max_range)

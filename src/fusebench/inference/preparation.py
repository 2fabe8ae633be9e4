"""New samples, prepared as those that a model was trained on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusebench.data.headers import shown
from fusebench.data.images import decode_image
from fusebench.data.npy import decode_angles
from fusebench.data.paths import MODALITIES
from fusebench.data.projection import LidarFiles, turned_angles
from fusebench.data.unpack import BadMemberError
from fusebench.errors import ArchiveError
from fusebench.inference.found import Found, NewSample, content_of
from fusebench.models.description import Description
from fusebench.samples.samples import Samples

# Bytes of samples that are held at once, where a batch is not more.
_HELD = 1 << 28


class Preparation:
    """Reads files by the very functions that stage extract reads an archive with.

    Parameters
    ----------
    description : Description
        What the models were trained on: sensors, angles, classes.
    sees : sequence of str
        "rgb", "lidar" or both: what the fusion sees. Nothing else is read.
    """

    def __init__(self, description: Description, sees: Sequence[str]) -> None:
        self._description, self._sees = description, tuple(sees)
        self._dataset = description.dataset
        self._angles = {
            "azimuth": np.array(description.azimuth, np.float32),
            "zenith": np.array(description.zenith, np.float32),
        }
        self._lidar = LidarFiles(self._dataset.sensors.lidar, self._angles)
        # What the fusion does not see takes no memory: all samples share one.
        self._nothing: dict[str, npt.NDArray[Any]] = {
            "rgb": np.zeros((*self._dataset.sensors.camera.image_size, 3), np.uint8),
            "lidar": np.zeros(tuple(map(len, self._angles.values())), np.float32),
        }

    def check_angles(self, found: Found) -> None:
        """Refuse files of angles beside new samples that are not those of the models.

        Raises
        ------
        ArchiveError
            They are others, or broken. Where the sensors' file gives the angles, they are not
            looked at, nor by a fusion that sees the image alone.
        """
        lidar = self._dataset.sensors.lidar
        if "lidar" not in self._sees:
            return
        # Turned once more, they are in the order in which files have them.
        known = turned_angles(self._angles, lidar)
        for angle, path in found.angles.items():
            if getattr(lidar, angle) != "stored":
                continue
            try:
                values = decode_angles(content_of(path), len(known[angle]))
            except BadMemberError as error:
                raise ArchiveError(f"{shown(str(path))}: {error}") from None
            if not np.array_equal(values, known[angle]):
                raise ArchiveError(
                    f"{shown(str(path))}: other angles than those that the models were trained on; "
                    "maps of another sensor are not predicted"
                )

    def read(
        self, samples: Sequence[NewSample], batch: int, problems: list[str]
    ) -> Iterator[Samples]:
        """Yield the samples that can be read, whole batches at a time but for the last.

        Parameters
        ----------
        problems : list of str
            A line is added for each sample that cannot be read.
        """
        size = sum(self._nothing[sensor].nbytes for sensor in self._sees)
        count = batch * max(1, _HELD // (size * batch))
        ids: list[str] = []
        arrays: dict[str, list[npt.NDArray[Any]]] = {sensor: [] for sensor in self._sees}
        for sample in samples:
            read = self._decoded(sample, problems)
            if read is None:
                continue
            ids.append(sample.id)
            for sensor, array in read.items():
                arrays[sensor].append(array)
            if len(ids) == count:
                yield self._samples(ids, arrays)
                ids, arrays = [], {sensor: [] for sensor in self._sees}
        if ids:
            yield self._samples(ids, arrays)

    def _decoded(
        self, sample: NewSample, problems: list[str]
    ) -> dict[str, npt.NDArray[Any]] | None:
        """Return the arrays of a sample by sensor; else add the line that says what is wrong."""
        arrays, lines = {}, []
        if reason := self._no_number(sample):
            lines.append(reason)
        for sensor, path in sample.files.items():
            try:
                arrays[sensor] = self._decode(sensor, path.name, content_of(path))
            except BadMemberError as error:
                lines.append(f"{shown(str(path))}: {error}")
        if lines:
            problems.append("; ".join(lines))
            return None
        return arrays

    def _no_number(self, sample: NewSample) -> str:
        """Return why an id names no angles where models were trained to look them up by it."""
        by_id = self._description.lidar.projection == "notebook" and "lidar" in self._sees
        if not by_id or sample.id.isdecimal():
            return ""
        return (
            f"id '{shown(sample.id)}': must be a number, for the models were trained with "
            "lidar.projection: notebook, which looks angles up by it"
        )

    def _decode(self, sensor: str, name: str, content: bytes) -> npt.NDArray[Any]:
        if sensor == "rgb":
            return decode_image(content, self._dataset.sensors.camera.image_size)
        return self._lidar.decode(content, name)

    def _samples(self, ids: list[str], arrays: Mapping[str, list[npt.NDArray[Any]]]) -> Samples:
        rgb, lidar = (
            np.stack(arrays[sensor])
            if sensor in arrays
            else np.broadcast_to(nothing, (len(ids), *nothing.shape))
            for sensor, nothing in ((name, self._nothing[name]) for name in MODALITIES)
        )
        # Nothing depends on the class, which is not known; no digest is looked at in memory.
        columns = {
            "row": np.arange(len(ids)), "id": ids, "group": ids,
            "class": self._dataset.classes[0], "label": 0, "digest": "",
        }  # fmt: skip
        angles = self._angles
        return Samples(
            rgb, lidar, angles["azimuth"], angles["zenith"], pd.DataFrame(columns), self._dataset
        )

"""A small set of samples in each layout, as a zip and as a folder."""

import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.data import archives, kitti_files
from tests.data.archives import (
    IDS,
    IMAGE_SIZE,
    LIDAR_SIZE,
    angle_array,
    npy,
    png,
    range_array,
    write_folder,
    write_zip,
)

from fusebench.data.extract import extract
from fusebench.data.settings import DataParams
from fusebench.files import read_table
from fusebench.samples.sensors import Sensors

TABLE = "lists/samples.csv"
"""The table of the manifest below."""


class MadeUp(NamedTuple):
    """A set of samples, and what reads it.

    Attributes
    ----------
    files : dict of str to bytes
        By their paths, as `archives.members` has them.
    params : callable
        Takes the archive's path, and keys of section `data`.
    image, lidar : str
        A file of some samples.
    of_file : int
        How many samples each of the two belongs to.
    """

    files: dict[str, bytes]
    params: Callable[..., DataParams]
    sensors: Callable[..., Sensors]
    image: str
    lidar: str
    of_file: int


def manifest_files() -> dict[str, bytes]:
    """A table in a folder of its own, which names files of all kinds of places by class and id."""
    files = {
        "lists/azimuth.npy": npy(angle_array(LIDAR_SIZE[0])),
        "lists/zenith.npy": npy(angle_array(LIDAR_SIZE[1])),
    }
    rows = ["id,class,rgb,lidar,group"]
    for name, keys in IDS.items():
        for number, key in enumerate(keys):
            image, ranges = f"{name}-{key}.PNG", f"maps/{name}/{key}.npy"
            files[f"lists/{image}"] = png(archives.image_array(name, key, IMAGE_SIZE))
            files[ranges] = npy(range_array(name, key, LIDAR_SIZE))
            rows.append(f"{key},{name},{image},../{ranges},run {number // 2}")
    return files | {TABLE: "\n".join([*rows, ""]).encode()}


def manifest_params(archive: Path | str, /, **changes: Any) -> DataParams:
    """Section `data` for `manifest_files`."""
    return archives.params(archive, **{"layout": "manifest", "manifest": TABLE, **changes})


SETS: dict[str, MadeUp] = {
    "class_folders": MadeUp(
        archives.members(), archives.params, archives.sensors, "cubes/rgb/0001.png",
        "cubes/lidar/0001.npy", 1,
    ),
    "manifest": MadeUp(
        manifest_files(), manifest_params, archives.sensors, "lists/cubes-0001.PNG",
        "maps/cubes/0001.npy", 1,
    ),
    "kitti": MadeUp(
        kitti_files.members(kitti_files.crowd(4)), kitti_files.params, kitti_files.sensors,
        "training/image_2/000001.png", "training/velodyne/000001.bin", 2,
    ),
}  # fmt: skip
"""By the layout's name."""
KINDS = ("zip", "folder")


class Laid:
    """A set of samples as one kind of container, and where it is extracted to."""

    def __init__(self, root: Path, made: MadeUp, kind: str) -> None:
        self.made, self.kind, self.root = made, kind, root
        self.path = root / ("some.zip" if kind == "zip" else "some")
        root.mkdir(exist_ok=True)
        self.write()

    def write(self, files: Mapping[str, bytes] | None = None, omit: Collection[str] = ()) -> None:
        """Write the files anew, some of them changed or left out."""
        content = {**self.made.files, **(files or {})}
        content = {name: data for name, data in content.items() if name not in omit}
        if self.kind == "zip":
            write_zip(self.path, content, prefix="")
        else:
            shutil.rmtree(self.path, ignore_errors=True)
            write_folder(self.path, content)

    def extract(self, **changes: Any) -> dict[str, Any]:
        """Extract; keywords are keys of `data` and of the sensors."""
        of_data = {
            key: changes.pop(key) for key in tuple(changes) if key in DataParams.model_fields
        }
        return extract(
            self.made.params(self.path, **of_data), self.made.sensors(**changes),
            self.root / "out/samples", self.root / "out/data.json",
        )  # fmt: skip

    def outputs(self) -> dict[str, bytes]:
        """Every file that was written, also what should not be left."""
        out = self.root / "out"
        return {
            str(path.relative_to(out)): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }

    def skipped(self) -> list[str]:
        """Return the lines of skipped.csv."""
        table = read_table(self.root / "out/samples/skipped.csv", {"problem": str})
        problems: list[str] = table["problem"].tolist()
        return problems

"""The demonstration archive: cubes and spheres drawn at random, in the real archive's layout."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from fusebench.aside import replace_file
from fusebench.config import Section
from fusebench.data.archive import SYNTHETIC_COMMENT
from fusebench.seeds import derive_seed
from fusebench.synthetic.render import (
    Floats,
    Scenes,
    Shape,
    lidar_angles,
    lidar_ranges,
    rgb_images,
)

_CENTRE, _SPREAD = np.array([0.0, 25.0, 0.0]), 5.0
_ROOT = "assessment"
_BATCH = 64
"""Scenes rendered together: few enough to stay in the processor's cache."""

_LEVEL = 1
"""Of deflate. The maps are nearly all background: more effort saves a tenth and takes twice."""


class SceneCounts(Section):
    """How many samples of each class; they get the ids 0000, 0001, …"""

    cubes: int = Field(ge=1, le=9999)
    spheres: int = Field(ge=1, le=9999)


class SynthesizeParams(Section):
    """The section `synthesize` of params.yaml."""

    counts: SceneCounts
    seed: int = Field(ge=0)


def draw_scenes(seed: int, ids: Sequence[int]) -> Scenes:
    """Draw scenes, each a pure function of the seed and its own id.

    The centre is uniform in ±5 on each axis about (0, 25, 0), the colour uniform in [0, 1]³, the
    rotation uniform over all rotations. A cube and a sphere of one id share centre and colour: the
    shape is no part of the draw, and the rotation comes from a stream of its own.

    Parameters
    ----------
    seed : int
        Other seeds give other scenes.
    ids : sequence of int
        The samples' ids, in the order of the result.
    """
    place_colour_n6 = np.stack([_stream("scene", seed, id_).random(6) for id_ in ids])
    normals_n4 = np.stack([_stream("turn", seed, id_).standard_normal(4) for id_ in ids])
    return Scenes(
        centre_n3=_CENTRE + _SPREAD * (2 * place_colour_n6[:, :3] - 1),
        colour_n3=place_colour_n6[:, 3:],
        turn_n33=_rotations(normals_n4),
    )


def _stream(*names: str | int) -> np.random.Generator:
    return np.random.default_rng(derive_seed("synthesize", *names))


def _rotations(normals_n4: Floats) -> Floats:
    """Turn normal draws into uniformly random rotations, by way of unit quaternions."""
    w, x, y, z = (normals_n4 / np.sqrt((normals_n4**2).sum(-1, keepdims=True))).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def write_archive(path: Path, params: SynthesizeParams) -> None:
    """Write the archive in one step; the same params give the same bytes.

    Parameters
    ----------
    path : Path
        The zip. It is replaced when the new one is complete, and untouched if that fails.
    """
    with replace_file(path) as aside, ZipFile(aside, "w") as archive:
        archive.comment = SYNTHETIC_COMMENT
        for name, content in _members(params):
            # ZipInfo's own timestamp is fixed (1980); without it the bytes would tell the time.
            member = ZipInfo(f"{_ROOT}/{name}")
            member.create_system = 3  # Unix, wherever it is written.
            member.external_attr = 0o644 << 16
            # A PNG is deflated inside.
            method = ZIP_STORED if name.endswith(".png") else ZIP_DEFLATED
            archive.writestr(member, content, method, _LEVEL)


def _members(params: SynthesizeParams) -> Iterator[tuple[str, bytes]]:
    counts: dict[Shape, int] = {"cubes": params.counts.cubes, "spheres": params.counts.spheres}
    for shape, count in counts.items():
        yield f"{shape}/azimuth.npy", _npy(lidar_angles())
        yield f"{shape}/zenith.npy", _npy(lidar_angles())
        for first in range(0, count, _BATCH):
            ids = range(first, min(first + _BATCH, count))
            scenes = draw_scenes(params.seed, ids)
            images, ranges = rgb_images(shape, scenes), lidar_ranges(shape, scenes)
            for id_, image_hw4, range_hw in zip(ids, images, ranges, strict=True):
                yield f"{shape}/rgb/{id_:04}.png", _png(image_hw4)
                yield f"{shape}/lidar/{id_:04}.npy", _npy(range_hw)


def _png(image_hw4: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_hw4).save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()

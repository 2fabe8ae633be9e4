"""The demonstration archive: objects drawn at random, in the real archive's layout."""

import io
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusebench.aside import replace_file
from fusebench.data.demonstration import comment_of
from fusebench.synthetic.placing import stream
from fusebench.synthetic.render import (
    MAX_RANGE,
    lidar_angles,
    lidar_ranges,
    rgb_images,
)
from fusebench.synthetic.settings import SynthesizeParams
from fusebench.synthetic.task import Views

_ROOT = "assessment"
_BATCH = 64
"""Scenes rendered together: few enough to stay in the processor's cache."""

_LEVEL = 1
"""Of deflate. The maps are nearly all background: more effort saves a tenth and takes twice."""

_SHORTEST, _LONGEST = 0.5, np.nextafter(np.float32(MAX_RANGE), np.float32(0))
"""Metres to which noise may bring a range; at the maximum it would be no return."""


def write_archive(path: Path, params: SynthesizeParams) -> None:
    """Write the archive in one step; the same params give the same bytes.

    Parameters
    ----------
    path : Path
        The zip. It is replaced when the new one is complete, and untouched if that fails.
    """
    with replace_file(path) as aside, ZipFile(aside, "w") as archive:
        archive.comment = comment_of(params.task)
        for name, content in _members(params):
            # ZipInfo's own timestamp is fixed (1980); without it the bytes would tell the time.
            member = ZipInfo(f"{_ROOT}/{name}")
            member.create_system = 3  # Unix, wherever it is written.
            member.external_attr = 0o644 << 16
            # A PNG is deflated inside.
            method = ZIP_STORED if name.endswith(".png") else ZIP_DEFLATED
            archive.writestr(member, content, method, _LEVEL)


def _members(params: SynthesizeParams) -> Iterator[tuple[str, bytes]]:
    task = params.of_task
    for class_name, count in params.class_counts().items():
        yield f"{class_name}/azimuth.npy", _npy(lidar_angles())
        yield f"{class_name}/zenith.npy", _npy(lidar_angles())
        for first in range(0, count, _BATCH):
            ids = range(first, min(first + _BATCH, count))
            views = task.views(params.seed, ids, class_name, params.difficulty)
            images, ranges = render_images(views), render_ranges(views, params, ids)
            for id_, image_hw4, range_hw in zip(ids, images, ranges, strict=True):
                yield f"{class_name}/rgb/{id_:04}.png", _png(image_hw4)
                yield f"{class_name}/lidar/{id_:04}.npy", _npy(range_hw)


def render_images(views: Views) -> NDArray[np.uint8]:
    """Return images (n, 64, 64, 4): all else is black, and no object covers another."""
    first, *others = (rgb_images(of.shape, of.scenes) for of in views.camera)
    return reduce(np.maximum, others, first)


def render_ranges(
    views: Views, params: SynthesizeParams, ids: Sequence[int]
) -> NDArray[np.float32]:
    """Return LiDAR maps (n, 64, 64), in metres, with the noise that is asked for."""
    first, *others = (lidar_ranges(of.shape, of.scenes) for of in views.lidar)
    range_nhw = reduce(np.minimum, others, first)
    noise = params.difficulty.noise
    if not noise:
        return range_nhw
    # Of the id alone: twins have the same, so that it does not tell them apart.
    errors_nhw = np.stack(
        [stream("noise", params.seed, id_).normal(0, noise, range_nhw.shape[1:]) for id_ in ids]
    )
    noisy_nhw = np.clip(range_nhw + errors_nhw.astype(np.float32), _SHORTEST, _LONGEST)
    range_nhw[:] = np.where(range_nhw < MAX_RANGE, noisy_nhw, range_nhw)
    return range_nhw


def _png(image_hw4: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_hw4).save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()

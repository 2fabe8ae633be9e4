"""What the models see: both inputs as maps of four channels on the same grid."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from fusebench.errors import ParamsError
from fusebench.inputs.lidar import LidarGeometry, LidarParams, lidar_maps
from fusebench.samples.samples import Samples

Batch = tuple[dict[str, Tensor], Tensor]
"""Maps by input name, each (b, 4, H, W) float32 in channels_last, and labels (b,)."""

CHANNELS = 4
# Of an 8-bit image; what it is divided by.
_FULL = 255
# Rows turned into maps at once: enough for numpy's speed, little next to the maps themselves.
_CHUNK = 64
# Bytes of a value as it is held: an image's is divided when a batch is made.
_DTYPES = {"rgb": torch.uint8, "lidar": torch.float32}


class PartInputs(Protocol):
    """Samples of one part, asked for by position: held as maps, or made on demand.

    Attributes
    ----------
    labels : tensor of int64, shape (N,), on the device
    held_bytes : int
        Of memory that the maps take for as long as this lives.
    """

    @property
    def labels(self) -> Tensor: ...  # noqa: D102
    @property
    def held_bytes(self) -> int: ...  # noqa: D102

    def __len__(self) -> int: ...

    def batch(self, positions: Tensor) -> Batch:
        """Return the maps and labels of the samples at `positions`, shape (b,)."""

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the samples of `order`, positions of shape (n,) on the CPU, `size` at a time."""


@dataclass(frozen=True)
class Inputs:
    """Samples of one part as tensors on the device; a batch is made there by index.

    Attributes
    ----------
    maps : mapping of str to tensor, shape (N, 4, H, W)
        By input name, "rgb" and "lidar". uint8 stands for fractions of 255, which a batch has as
        float32: a quarter of the memory, and the same bits.
    labels : tensor of int64, shape (N,)
    """

    maps: Mapping[str, Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def held_bytes(self) -> int:
        """Bytes of the maps."""
        return sum(maps.nbytes for maps in self.maps.values())

    def batch(self, positions: Tensor) -> Batch:
        """Return the maps and labels of the samples at `positions`, shape (b,), on the device."""
        chosen = {}
        for name, maps in self.maps.items():
            # Whole samples as they lie in memory, and so in channels_last.
            of_batch = maps.permute(0, 2, 3, 1).index_select(0, positions).permute(0, 3, 1, 2)
            if maps.dtype == torch.uint8:
                # By a tensor on the device: torch's kernels for GPUs multiply by the inverse of a
                # Python number, which has other last bits.
                full = torch.full((), _FULL, dtype=torch.float32, device=maps.device)
                of_batch = of_batch.to(torch.float32) / full
            chosen[name] = of_batch
        return chosen, self.labels.index_select(0, positions)

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the samples of `order`, positions of shape (n,) on the CPU, `size` at a time."""
        # One copy to the device, before the first batch: nothing is waited for after that.
        for positions in torch.split(order.to(self.labels.device), size):
            yield self.batch(positions)

    @classmethod
    def load(
        cls,
        samples: Samples,
        rows: pd.DataFrame,
        params: LidarParams,
        names: Sequence[str],
        device: torch.device,
    ) -> Self:
        """Compute the maps of samples once, for the inputs that a fusion declares.

        Memory beyond the maps themselves is that of a few samples.

        Parameters
        ----------
        rows : DataFrame
            Some of `samples.table`.
        """
        maps = {}
        height, width = samples.rgb.shape[1:3]
        for name in names:
            filled = _empty((len(rows), height, width, CHANNELS), _DTYPES[name], device)
            filled = filled.permute(0, 3, 1, 2)
            for start in range(0, len(rows), _CHUNK):
                chunk = rows.iloc[start : start + _CHUNK]
                filled[start : start + len(chunk)] = _MAKERS[name](samples, chunk, params)
            maps[name] = filled
        return cls(maps, labels_of(rows, device))


def _empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a tensor whose memory goes back to the system with it.

    What is freed otherwise stays with the process (`memory.keep_freed_memory`): the maps of the
    next seed, of another size, would be taken beside the hole that those of the last one left.
    """
    if device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    count = math.prod(shape)
    # Private, or it would be counted as shared with other processes.
    memory = mmap(-1, count * dtype.itemsize, MAP_PRIVATE | MAP_ANONYMOUS)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


def maps_bytes(samples: Samples, count: int, names: Sequence[str]) -> int:
    """Return the bytes that `Inputs.load` would hold of some samples."""
    height, width = samples.rgb.shape[1:3]
    return count * CHANNELS * int(height * width) * sum(_DTYPES[name].itemsize for name in names)


def labels_of(rows: pd.DataFrame, device: torch.device) -> Tensor:
    """Return the labels of samples, shape (N,), on the device."""
    return torch.tensor(rows["label"].to_numpy(), dtype=torch.int64, device=device)


def float_maps(samples: Samples, rows: pd.DataFrame, params: LidarParams, name: str) -> Tensor:
    """Return the maps of one input as a batch has them, on the CPU: (N, 4, H, W), float32."""
    maps = _MAKERS[name](samples, rows, params).numpy()
    # In channels_last, as all that models see: the layout decides their last bits.
    in_memory = np.ascontiguousarray(maps.transpose(0, 2, 3, 1), np.float32)
    if maps.dtype == np.uint8:
        in_memory /= np.float32(_FULL)
    return torch.from_numpy(in_memory.transpose(0, 3, 1, 2))


def rgb_batch(samples: Samples, rows: pd.DataFrame, _params: LidarParams) -> Tensor:
    """Return images (N, 4, H, W), uint8; the fourth channel is zero, as in the notebook."""
    images = samples.images(rows["row"].to_numpy())
    maps: npt.NDArray[np.uint8] = np.zeros((*images.shape[:3], CHANNELS), np.uint8)
    # One channel after the other: numpy copies three times as fast as with three at a time.
    for channel in range(3):
        maps[..., channel] = images[..., channel]
    return torch.from_numpy(maps.transpose(0, 3, 1, 2))


def lidar_batch(samples: Samples, rows: pd.DataFrame, params: LidarParams) -> Tensor:
    """Return LiDAR maps (N, 4, H, W), float32: x, y, z and mask.

    Raises
    ------
    ParamsError
        `lidar.projection: notebook` looks angles up by the id, and an id is no number.
    """
    ids = np.zeros(len(rows), np.int64)
    if params.projection == "notebook":
        wrong = next((id_ for id_ in rows["id"] if not id_.isdecimal()), None)
        if wrong is not None:
            raise ParamsError(
                f"params.yaml: lidar.projection = 'notebook' needs ids that are numbers, not "
                f"'{wrong}'; must be 'spherical' for these samples"
            )
        # An id past the angles has none, however long it is.
        ids = np.array([min(int(id_), np.iinfo(np.int64).max) for id_ in rows["id"]])
    ranges = samples.ranges(rows["row"].to_numpy())
    return torch.from_numpy(lidar_maps(ranges, ids, LidarGeometry.of(samples), params))


_MAKERS = {"rgb": rgb_batch, "lidar": lidar_batch}

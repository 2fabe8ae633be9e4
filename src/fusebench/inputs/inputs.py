"""What the models see: both inputs as maps of four channels on the same grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fusebench.errors import ParamsError
from fusebench.inputs.lidar import LidarGeometry, LidarParams, lidar_maps
from fusebench.samples.samples import Samples

# Rows turned into maps at once: enough for numpy's speed, little next to the maps themselves.
_CHUNK = 256


@dataclass(frozen=True)
class Inputs:
    """Samples of one part as tensors on the device, addressed by position.

    Batches are asked for by position only (`batch`), so that maps which do not fit in memory can
    be made on demand behind the same two methods.

    Attributes
    ----------
    maps : mapping of str to tensor, shape (N, 4, H, W), float32
        By input name, "rgb" and "lidar".
    labels : tensor of int64, shape (N,)
    """

    maps: Mapping[str, Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, positions: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the maps and labels of the samples at `positions`, shape (b,)."""
        chosen = {name: maps.index_select(0, positions) for name, maps in self.maps.items()}
        return chosen, self.labels.index_select(0, positions)

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

        Parameters
        ----------
        rows : DataFrame
            Some of `samples.table`.
        """
        makers = {"rgb": rgb_batch, "lidar": lidar_batch}
        maps = {}
        for name in names:
            height, width = samples.rgb.shape[1:3]
            filled = torch.empty(
                (len(rows), 4, height, width), memory_format=torch.channels_last, device=device
            )
            for start in range(0, len(rows), _CHUNK):
                chunk = rows.iloc[start : start + _CHUNK]
                filled[start : start + len(chunk)] = makers[name](samples, chunk, params).to(device)
            maps[name] = filled
        labels = torch.tensor(rows["label"].to_numpy(), dtype=torch.int64, device=device)
        return cls(maps, labels)


def rgb_batch(samples: Samples, rows: pd.DataFrame, _params: LidarParams) -> Tensor:
    """Return images (N, 4, H, W) in 0…1; the fourth channel is zero, as in the notebook."""
    images = samples.images(rows["row"].to_numpy())
    maps = np.zeros((len(rows), 4, *images.shape[1:3]), np.float32)
    maps[:, :3] = images.transpose(0, 3, 1, 2) / np.float32(255)
    return torch.from_numpy(maps)


def lidar_batch(samples: Samples, rows: pd.DataFrame, params: LidarParams) -> Tensor:
    """Return LiDAR maps (N, 4, H, W): x, y, z and mask.

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

"""What is exported: from what the sensors recorded to probabilities, in one graph.

Shape suffixes: s seeds, b batch, c channels, h and w of the LiDAR map, H and W of the image, k
classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.inputs.inputs import CHANNELS
from fusebench.inputs.lidar import (
    LidarGeometry,
    LidarParams,
    aligned_cells,
    background,
    directions,
    notebook_directions,
)
from fusebench.models.base import Fusion, build
from fusebench.models.description import Description

_FULL = 255
# Of an example that is only traced. Not 1: torch takes a size of 1 for one that never changes.
_TRACED = 2


@dataclass(frozen=True)
class Tensors:
    """An input of a graph, or its output.

    Attributes
    ----------
    name : str
    dtype : str
    shape : tuple of int
        Of one sample; a batch of any size stands before it.
    holds : str
        What it is, in words.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    holds: str


class RgbMaps(nn.Module):
    """Images as the models see them: what `inputs.rgb_batch` and a batch make of them."""

    full: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("full", torch.tensor(float(_FULL)))

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (b, 4, H, W), float32, of images (b, H, W, 3), uint8."""
        colours = images.permute(0, 3, 1, 2).to(torch.float32) / self.full
        # The last channels are empty.
        return F.pad(colours, (0, 0, 0, 0, 0, CHANNELS - images.shape[3]))


class LidarMaps(nn.Module):
    """LiDAR maps as the models see them: what `inputs.lidar.lidar_maps` makes of ranges."""

    vectors: Tensor
    max_range: Tensor
    cells: Tensor
    inside: Tensor
    background: Tensor

    def __init__(self, geometry: LidarGeometry, params: LidarParams) -> None:
        super().__init__()
        self.by_id, self.normalize = params.projection == "notebook", params.normalize
        self.size = geometry.image_size
        self.register_buffer("vectors", _vectors(geometry, by_id=self.by_id))
        self.register_buffer("max_range", torch.tensor(geometry.max_range, dtype=torch.float32))
        cells, inside = aligned_cells(geometry, params.align)
        stored = np.arange(len(geometry.azimuth) * len(geometry.zenith))
        self.moved, self.bounded = not np.array_equal(cells.reshape(-1), stored), inside is not None
        if self.moved:
            self.register_buffer("cells", torch.from_numpy(cells.reshape(-1).astype(np.int64)))
        if inside is not None:
            self.register_buffer("inside", torch.from_numpy(inside))
            nothing = background(geometry, params).transpose(2, 0, 1).copy()
            self.register_buffer("background", torch.from_numpy(nothing))

    def forward(self, ranges_bhw: Tensor, ids_b: Tensor | None = None) -> Tensor:
        """Return maps (b, 4, H, W), float32.

        Parameters
        ----------
        ranges_bhw : tensor of float32
            Metres; the maximum range where nothing came back.
        ids_b : tensor of int64
            Read by `projection: notebook` only.
        """
        hit_b1hw = (ranges_bhw < self.max_range)[:, None].to(torch.float32)
        vectors = self.vectors
        if ids_b is not None:
            vectors = vectors[ids_b.clamp(max=len(vectors) - 1)]
        points = ranges_bhw[:, None] * vectors
        if self.normalize:
            points = points * (hit_b1hw / self.max_range)
        maps = torch.cat([points, hit_b1hw], dim=1)
        if self.moved:
            maps = maps.flatten(2).index_select(2, self.cells).reshape(-1, CHANNELS, *self.size)
        return torch.where(self.inside, maps, self.background) if self.bounded else maps


def _vectors(geometry: LidarGeometry, *, by_id: bool) -> Tensor:
    """Return the cells' directions, (3, h, w); or those of a whole map, by its id, (n, 3, 1, 1)."""
    if not by_id:
        parts = directions(geometry.azimuth, geometry.zenith)
        return torch.from_numpy(np.stack(np.broadcast_arrays(*parts)))
    # The last is that of all ids past the angles.
    ids = np.arange(max(len(geometry.azimuth), len(geometry.zenith)) + 1)
    return torch.from_numpy(np.stack(notebook_directions(ids, geometry), axis=1))


class Graph(nn.Module):
    """The mean over models of their probabilities, each divided by its temperature before.

    Attributes
    ----------
    models : ModuleList of Fusion
        In fp32, one per seed.
    sees : tuple of str
        The sensors that they see: "rgb", "lidar" or both.
    inputs : tuple of Tensors
    """

    temperatures: Tensor

    def __init__(
        self, description: Description, models: Sequence[Fusion], temperatures: Sequence[float]
    ) -> None:
        super().__init__()
        self.models, self.sees = nn.ModuleList(models), models[0].inputs
        self.register_buffer("temperatures", torch.tensor(temperatures, dtype=torch.float32))
        geometry = geometry_of(description)
        self.rgb = RgbMaps() if "rgb" in self.sees else None
        self.lidar = LidarMaps(geometry, description.lidar) if "lidar" in self.sees else None
        self.inputs = inputs_of(description, self.sees)
        self.requires_grad_(requires_grad=False).eval()

    def forward(
        self, rgb: Tensor | None = None, lidar: Tensor | None = None, ids: Tensor | None = None
    ) -> Tensor:
        """Return probabilities (b, k), float32."""
        maps = {}
        if self.rgb is not None:
            maps["rgb"] = self.rgb(rgb)
        if self.lidar is not None:
            maps["lidar"] = self.lidar(lidar, ids)
        each = [
            (model(maps) / temperature).softmax(1)
            for model, temperature in zip(self.models, self.temperatures, strict=True)
        ]
        return torch.stack(each).mean(0)

    @property
    def shapes(self) -> dict[str, dict[int, Any]]:
        """Which lengths of the inputs may change: the batch, the same in all."""
        batch = torch.export.Dim("batch")
        return {each.name: {0: batch} for each in self.inputs}

    def trace(self) -> torch.export.ExportedProgram:
        """Return the graph as operations, for batches of any size, whatever their content."""
        example = {
            each.name: torch.zeros((_TRACED, *each.shape), dtype=getattr(torch, each.dtype))
            for each in self.inputs
        }
        return torch.export.export(self, (), example, dynamic_shapes=self.shapes, strict=False)


def build_in_fp32(description: Description) -> Fusion:
    """Return an untrained model of a description that computes in fp32, whatever it trained in."""
    return build(replace(description.spec, precision="fp32"))


def geometry_of(description: Description) -> LidarGeometry:
    """Return the geometry of the sensors that models were trained for."""
    return LidarGeometry.at(
        np.array(description.azimuth, np.float32), np.array(description.zenith, np.float32),
        description.dataset.sensors, description.spec.image_size,
    )  # fmt: skip


def inputs_of(description: Description, sees: Sequence[str]) -> tuple[Tensors, ...]:
    """Return what an exported model takes: what stage extract keeps of a sample."""
    size = len(description.azimuth), len(description.zenith)
    farthest = description.dataset.max_range
    known = {
        "rgb": Tensors(
            "rgb", "uint8", (*description.spec.image_size, 3), "the image: red, green, blue"
        ),
        "lidar": Tensors(
            "lidar", "float32", size,
            f"range of each cell in metres, 0 to {farthest:g}; {farthest:g}: nothing came back",
        ),
    }  # fmt: skip
    inputs = [known[name] for name in ("rgb", "lidar") if name in sees]
    if "lidar" in sees and description.lidar.projection == "notebook":
        inputs.append(Tensors("ids", "int64", (), "the sample's id, by which angles are looked up"))
    return tuple(inputs)


def output_of(description: Description) -> Tensors:
    """Return what an exported model gives."""
    return Tensors(
        "probabilities", "float32", (len(description.classes),),
        "probability of each class, in the order of the classes; their sum is 1",
    )  # fmt: skip

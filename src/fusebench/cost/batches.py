"""Random inputs to measure on: how long a model takes does not depend on what it sees."""

import torch
from torch import Tensor

from fusebench.inputs.inputs import CHANNELS
from fusebench.models.base import ModelSpec, fusion_class
from fusebench.seeds import derive_seed


def random_maps(spec: ModelSpec, size: int, device: torch.device) -> dict[str, Tensor]:
    """Return the maps that a model reads, by input name: (size, 4, h, w), as a batch has them."""
    height, width = spec.image_size
    maps = {}
    for name in fusion_class(spec.fusion).inputs:
        generator = torch.Generator().manual_seed(derive_seed("cost", name))
        # Channels last in memory from the start: a copy would count as memory of the step.
        maps_bhwc = torch.rand(size, height, width, CHANNELS, generator=generator)
        maps[name] = maps_bhwc.permute(0, 3, 1, 2).to(device)
    return maps

"""Intermediate fusion by concatenation."""

import torch
from torch import Tensor

from fusebench.models.base import IntermediateFusion


class Concat(IntermediateFusion):
    """f = [r ; l]: the channels of both maps, side by side.

    The head's convolution can weigh every channel of either input freely, at the price of twice
    its weights.

    References
    ----------
    Ngiam et al., "Multimodal deep learning", ICML 2011.
    """

    def fused_channels(self) -> int:
        """Return the channels of all maps together."""
        return len(self.inputs) * self.channels

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the maps one after the other along the channels."""
        return torch.cat(maps_bchw, dim=1)

"""Intermediate fusion by feature-wise modulation, in both directions."""

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.models.base import IntermediateFusion, ModelSpec


class Film(IntermediateFusion):
    """f = [relu((1 + γ_r) ⊙ r + β_r) ; relu((1 + γ_l) ⊙ l + β_l)], (γ_r, β_r) = W_r·mean(l) + b_r.

    And (γ_l, β_l) = W_l·mean(r) + b_l: what one input shows as a whole scales and shifts the
    channels of the other. It needs no agreement of places. Then both maps go side by side, so it is
    concatenation with 9 % more parameters, for the modulation.

    References
    ----------
    Perez et al., "FiLM: Visual reasoning with a general conditioning layer", AAAI 2018.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.modulations = nn.ModuleDict(
            {name: nn.Linear(self.channels, 2 * self.channels) for name in self.inputs}
        )

    def fused_channels(self) -> int:
        """Return the channels of both maps together."""
        return len(self.inputs) * self.channels

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the maps, each modulated by the other, side by side."""
        others = reversed(maps_bchw)
        modulated = [
            self._modulate(name, maps, other)
            for name, maps, other in zip(self.inputs, maps_bchw, others, strict=True)
        ]
        return torch.cat(modulated, dim=1)

    def _modulate(self, name: str, maps_bchw: Tensor, other_bchw: Tensor) -> Tensor:
        both_bc = self.modulations[name](other_bchw.mean((2, 3)))
        scale_bchw, shift_bchw = both_bc[:, :, None, None].chunk(2, dim=1)
        return F.relu((1 + scale_bchw) * maps_bchw + shift_bchw)

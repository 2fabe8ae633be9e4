"""Intermediate fusion by the Hadamard product."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class Hadamard(IntermediateFusion):
    """f = r ⊙ l: elementwise; each input gates the other.

    What either input does not show (0 after the ReLU) is gone from both. It assumes that the same
    place of both maps shows the same place of the scene.

    References
    ----------
    Kim et al., "Hadamard product for low-rank bilinear pooling", ICLR 2017.
    """

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the elementwise product of both maps."""
        first, second = maps_bchw
        return first * second

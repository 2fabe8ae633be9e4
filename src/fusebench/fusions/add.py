"""Intermediate fusion by addition."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class Add(IntermediateFusion):
    """f = r + l: elementwise.

    Equal to concatenation whose head is tied to the same weights for both inputs. It assumes that
    the same place of both maps shows the same place of the scene.

    References
    ----------
    Feichtenhofer et al., "Convolutional two-stream network fusion", CVPR 2016 (sum fusion).
    """

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the sum of both maps."""
        first, second = maps_bchw
        return first + second

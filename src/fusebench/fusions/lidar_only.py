"""No fusion: the LiDAR map alone."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class LidarOnly(IntermediateFusion):
    """f = l: what the LiDAR map tells without the image.

    Stem and head are those of the intermediate fusions. A model of two inputs can end below one of
    its inputs alone, since the two overfit at different rates.

    References
    ----------
    Wang, Tran & Feiszli, "What makes training multi-modal classification networks hard?", CVPR
    2020.
    """

    strategy = "unimodal"
    inputs = ("lidar",)

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the only map."""
        (only,) = maps_bchw
        return only

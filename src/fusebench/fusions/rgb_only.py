"""No fusion: the image alone."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class RgbOnly(IntermediateFusion):
    """f = r: what the image tells without the LiDAR map.

    Stem and head are those of the intermediate fusions. A fusion that is no better than the better
    of its inputs alone has gained nothing by the other.

    References
    ----------
    Thomason, Gordon & Bisk, "Shifting the baseline: single modality performance on visual
    navigation & QA", NAACL 2019.
    """

    strategy = "unimodal"
    inputs = ("rgb",)

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the only map."""
        (only,) = maps_bchw
        return only

"""Late fusion of the same size as concatenation: only the place where the inputs meet differs."""

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.models.base import (
    HEAD_CHANNELS,
    Classifier,
    ConvBlock,
    Fusion,
    ModelSpec,
    flatten,
)


class LateMatched(Fusion):
    """y = W·[h_r ; h_l] = W_r·h_r + W_l·h_l, h = flatten(head(stem(input))).

    Each input has a head of its own, made as that of the intermediate fusions; the two meet only as
    summands of the logits. Parameters are within 3 % of concatenation's and operations within
    0.1 %, so a difference between the two speaks of where inputs meet, which `late` with its large
    linear layers cannot show.

    References
    ----------
    Snoek et al., "Early versus late fusion in semantic video analysis", ACM Multimedia 2005.
    """

    strategy = "late"

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        height, width = self.map_size
        features = HEAD_CHANNELS * (height // 4) * (width // 4)
        self.heads = nn.ModuleDict(
            {name: ConvBlock(self.channels, HEAD_CHANNELS) for name in self.inputs}
        )
        self.classifier = Classifier(len(self.inputs) * features, spec.classes)

    def classify(self, maps: list[Tensor]) -> Tensor:
        """Return logits (b, k)."""
        vectors = [
            flatten(self.heads[name](F.max_pool2d(maps_bchw, 2)))
            for name, maps_bchw in zip(self.inputs, maps, strict=True)
        ]
        logits_bk: Tensor = self.classifier(torch.cat(vectors, dim=1))
        return logits_bk

"""Late fusion: each input is encoded to a vector of its own before they meet."""

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

from fusebench.models.base import Classifier, Fusion, ModelSpec, flatten

_EMBEDDING = 100


class Late(Fusion):
    """y = W₂·relu(W₁·[e_r ; e_l]), e = relu(W·flatten(stem(input))): two vectors of 100 meet.

    Most of its weights are the two large linear layers behind the stems, so it differs from the
    other fusions in capacity as well as in the place where the inputs meet.

    References
    ----------
    Snoek et al., "Early versus late fusion in semantic video analysis", ACM Multimedia 2005.
    """

    strategy = "late"

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        height, width = self.map_size
        features = self.channels * height * width
        self.embeddings = nn.ModuleDict(
            {name: nn.Linear(features, _EMBEDDING) for name in self.inputs}
        )
        self.hidden = nn.Linear(len(self.inputs) * _EMBEDDING, _EMBEDDING)
        self.classifier = Classifier(_EMBEDDING, spec.classes)

    def classify(self, maps: list[Tensor]) -> Tensor:
        """Return logits (b, k)."""
        vectors = [
            F.relu(self.embeddings[name](flatten(maps_bchw)))
            for name, maps_bchw in zip(self.inputs, maps, strict=True)
        ]
        logits_bk: Tensor = self.classifier(F.relu(self.hidden(torch.cat(vectors, dim=1))))
        return logits_bk

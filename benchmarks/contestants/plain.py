"""`concat` as one writes it first: convolution, ReLU, max-pool, in torch's default layout."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn

Batches = Iterable[tuple[Tensor, Tensor, Tensor]]
"""Maps of RGB and LiDAR, each (b, 4, H, W), and labels (b,)."""


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


class PlainConcat(nn.Module):
    """The architecture of fusion `concat`: the same layers, the same function of the same weights.

    Parameters
    ----------
    size : (int, int)
        Height and width of the inputs.
    classes : int
        Number of logits.
    """

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.rgb = nn.Sequential(*_block(4, 32), *_block(32, 64))
        self.lidar = nn.Sequential(*_block(4, 32), *_block(32, 64))
        self.head = nn.Sequential(nn.MaxPool2d(2), *_block(128, 128), nn.Flatten())
        self.classifier = nn.Linear(128 * (size[0] // 16) * (size[1] // 16), classes)

    def forward(self, rgb_bchw: Tensor, lidar_bchw: Tensor) -> Tensor:
        """Return logits (b, k)."""
        fused_bchw = torch.cat((self.rgb(rgb_bchw), self.lidar(lidar_bchw)), dim=1)
        logits_bk: Tensor = self.classifier(self.head(fused_bchw))
        return logits_bk


@torch.no_grad()
def val_loss(model: nn.Module, batches: Batches) -> float:
    """Return the mean cross-entropy of a val pass, in nats per sample."""
    model.eval()
    total, count = 0.0, 0
    for rgb, lidar, labels in batches:
        total += F.cross_entropy(model(rgb, lidar), labels).item() * len(labels)
        count += len(labels)
    return total / count

"""`concat` as one writes it first (torch's default layout, fp32), in a plain Fabric loop."""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.library import Rows, TrainingData, load_inputs

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


def tensors(data: TrainingData, rows: Rows) -> TensorDataset:
    """Return the project's own maps, RGB and LiDAR, in torch's default layout, and the labels."""
    names = ("rgb", "lidar")
    inputs = load_inputs(data.samples, rows, data.lidar, names, torch.device("cpu"))
    maps, labels = inputs.batch(torch.arange(len(inputs)))
    return TensorDataset(*(maps[name].contiguous() for name in names), labels)


class FabricTraining:
    """Trains as the guide of Lightning Fabric shows it: fp32, a loader over arrays in memory."""

    def __init__(self, data: TrainingData) -> None:
        # Here, so that it is not in the memory of the notebook's process.
        from lightning_fabric import Fabric

        self._settings = data.settings
        self._shape = (data.size, data.classes)
        self._fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
        self._train = self._loader(tensors(data, data.train), shuffle=True)
        self._val = self._loader(tensors(data, data.val), shuffle=False)
        self.start(0)

    def _loader(self, samples: TensorDataset, shuffle: bool) -> Batches:
        loader = DataLoader(samples, batch_size=self._settings.batch_size, shuffle=shuffle)
        return cast("Batches", self._fabric.setup_dataloaders(loader))

    def start(self, seed: int) -> None:
        """Begin a training anew; torch's own generator gives weights and order."""
        torch.manual_seed(seed)
        model = PlainConcat(*self._shape)
        optimizer = torch.optim.Adam(model.parameters(), lr=self._settings.lr)
        self.model, self._optimizer = self._fabric.setup(model, optimizer)

    def epoch(self) -> float:
        """Run one epoch, train and val pass; return the val loss in nats per sample."""
        self.model.train()
        for rgb, lidar, labels in self._train:
            self._optimizer.zero_grad()
            loss = F.cross_entropy(self.model(rgb, lidar), labels)
            self._fabric.backward(loss)
            self._optimizer.step()
        return val_loss(self.model, self._val)

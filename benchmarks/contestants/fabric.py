"""A plain Lightning Fabric loop over the project's maps, which are in memory already."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from lightning_fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contestants.material import Material
from benchmarks.contestants.plain import Batches, PlainConcat, val_loss
from fusebench.inputs.inputs import Inputs
from fusebench.samples.samples import SampleRow


def tensors(material: Material, rows: list[SampleRow]) -> TensorDataset:
    """Return the project's own maps, RGB and LiDAR, in torch's default layout, and the labels."""
    names = ("rgb", "lidar")
    inputs = Inputs.load(material.samples, rows, material.lidar, names, torch.device("cpu"))
    return TensorDataset(*(inputs.maps[name].contiguous() for name in names), inputs.labels)


class PlainFabric:
    """Trains as Fabric's guide shows it: fp32, a loader, a loop."""

    def __init__(self, material: Material) -> None:
        self._settings = material.settings
        self._shape = (material.size, len(material.samples.dataset.classes))
        self._fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
        self._train = self._loader(tensors(material, material.train), shuffle=True)
        self._val = self._loader(tensors(material, material.val), shuffle=False)
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

    def turn(self) -> float:
        """Make one epoch, train and val pass; return the val loss in nats per sample."""
        self.model.train()
        for rgb, lidar, labels in self._train:
            self._optimizer.zero_grad()
            loss = F.cross_entropy(self.model(rgb, lidar), labels)
            self._fabric.backward(loss)
            self._optimizer.step()
        return val_loss(self.model, self._val)

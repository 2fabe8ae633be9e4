"""The notebook's way, written anew: a file per sample and input, decoded again in each epoch.

Kept are its costs: two files per sample, opened by loader workers, points computed per sample, fp32
in torch's default layout, a loss read after each batch. Not kept is its mistake: the angles are
those of row and column, so that its loss can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.implementations.plain import PlainConcat, val_loss
from benchmarks.library import Rows, TrainingData, rows_and_labels
from fusebench.samples.samples import Samples


@dataclass(frozen=True)
class Pair:
    """The files of one sample, and its label."""

    rgb: Path
    lidar: Path
    label: int


def write_pairs(samples: Samples, rows: Rows, folder: Path) -> list[Pair]:
    """Write an RGBA PNG and an .npy file of ranges per row into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = []
    for row, label in rows_and_labels(rows):
        pair = Pair(folder / f"{row}.png", folder / f"{row}.npy", label)
        Image.fromarray(samples.rgb[row]).convert("RGBA").save(pair.rgb)
        np.save(pair.lidar, samples.lidar[row])
        pairs.append(pair)
    return pairs


class PairDataset(Dataset[tuple[Tensor, Tensor, int]]):
    """Reads a sample when it is asked for: maps of RGB and LiDAR, each (4, H, W), and the label."""

    def __init__(self, pairs: Sequence[Pair], samples: Samples) -> None:
        self._pairs = pairs
        self._size = samples.rgb.shape[1:3]
        self._max_range = samples.dataset.max_range
        self._azimuth = torch.from_numpy(samples.azimuth)[:, None]
        self._zenith = torch.from_numpy(samples.zenith)[None, :]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        pair = self._pairs[position]
        return self._rgb(pair.rgb), self._lidar(pair.lidar), pair.label

    def _rgb(self, path: Path) -> Tensor:
        with Image.open(path) as stored:
            image = stored.convert("RGB").resize((self._size[1], self._size[0]))
        rgb = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return torch.cat((rgb, torch.zeros(1, *self._size)))

    def _lidar(self, path: Path) -> Tensor:
        ranges = torch.from_numpy(np.load(path))
        x = ranges * torch.sin(-self._azimuth) * torch.cos(-self._zenith)
        y = ranges * torch.cos(-self._azimuth) * torch.cos(-self._zenith)
        z = ranges * torch.sin(-self._zenith)
        return torch.stack((x, y, z, (ranges < self._max_range).float()))


class NotebookTraining:
    """Trains as the notebook did.

    Parameters
    ----------
    folder : Path
        Where its files are written.
    workers : int
        Processes that load samples; 0: none but this one.
    """

    def __init__(self, data: TrainingData, folder: Path, workers: int) -> None:
        self._settings = data.settings
        self._shape = (data.size, data.classes)
        train, val = (
            PairDataset(write_pairs(data.samples, rows, folder / part), data.samples)
            for part, rows in (("train", data.train), ("val", data.val))
        )
        size = self._settings.batch_size
        self._train = DataLoader(train, batch_size=size, shuffle=True, num_workers=workers)
        self._val = DataLoader(val, batch_size=size, num_workers=workers)
        self.start(0)

    def start(self, seed: int) -> None:
        """Begin a training anew; torch's own generator gives weights and order."""
        torch.manual_seed(seed)
        self.model = PlainConcat(*self._shape)
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=self._settings.lr)

    def epoch(self) -> float:
        """Run one epoch, train and val pass; return the val loss in nats per sample."""
        self.model.train()
        for rgb, lidar, labels in self._train:
            self._optimizer.zero_grad()
            loss = F.cross_entropy(self.model(rgb, lidar), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            loss.item()
        return val_loss(self.model, self._val)

"""The training part of an epoch, with corruptions that are drawn anew each epoch."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fusebench.inputs.corruption import SEVERITIES, Condition, corrupted
from fusebench.inputs.inputs import Batch, float_maps, labels_of
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import Samples
from fusebench.seeds import derive_seed


def drawn_conditions(
    digest: str, probabilities: Mapping[str, float], seed: int, epoch: int
) -> list[Condition]:
    """Return what befalls a sample in an epoch, in the order of `probabilities`.

    Each corruption by its own probability, at a severity of which each is as likely. A pure
    function of its arguments, and so the same for every fusion.

    Parameters
    ----------
    digest : str
        Names the content of the sample.
    probabilities : mapping of str to float
        By the name of the corruption.
    """
    befell = []
    for name, probability in probabilities.items():
        draw = np.random.default_rng(derive_seed("augment", seed, epoch, name, digest))
        if draw.random() < probability:
            befell.append(Condition(name, int(draw.integers(1, SEVERITIES + 1))))
    return befell


class AugmentedInputs:
    """Samples of one part in one epoch, corrupted and made into maps batch by batch.

    Not ahead of use in a thread of its own: what corrupts images uses torch's threads.

    Parameters
    ----------
    rows : DataFrame
        Some of `samples.table`.
    probabilities : mapping of str to float
        Of each corruption, by its name.
    """

    held_bytes = 0

    def __init__(
        self,
        samples: Samples,
        rows: pd.DataFrame,
        params: LidarParams,
        names: Sequence[str],
        device: torch.device,
        probabilities: Mapping[str, float],
        seed: int,
        epoch: int,
    ) -> None:
        self._samples, self._rows, self._params = samples, rows, params
        self._names, self._device = tuple(names), device
        self._probabilities, self._seed, self._epoch = probabilities, seed, epoch
        self.labels = labels_of(rows, device)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: Tensor) -> Batch:
        """Return the maps and labels of the samples at `positions`, shape (b,), on the device."""
        rows = self._rows.iloc[positions.cpu().numpy()]
        chosen = [
            drawn_conditions(digest, self._probabilities, self._seed, self._epoch)
            for digest in rows["digest"]
        ]
        words = ("augment", str(self._seed), str(self._epoch))
        befell = corrupted(self._samples, rows, chosen, words)
        maps = {
            name: float_maps(befell, befell.table, self._params, name).to(self._device)
            for name in self._names
        }
        return maps, self.labels.index_select(0, positions.to(self._device))

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the samples of `order`, positions of shape (n,) on the CPU, `size` at a time."""
        for positions in torch.split(order, size):
            yield self.batch(positions)

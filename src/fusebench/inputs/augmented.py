"""Samples with what befell them, as models see them; in training, drawn anew each epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fusebench.inputs.corruption import SEVERITIES, Condition, corrupted, corruption_of
from fusebench.inputs.inputs import Batch, float_maps, labels_of
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import Samples
from fusebench.seeds import derive_seed


def drawn_conditions(
    digest: str, probabilities: Mapping[str, float], seed: int, epoch: int
) -> list[Condition]:
    """Return what befalls a sample in an epoch, in the order of `probabilities`.

    Each corruption by its own probability, at a severity of which each is as likely; one that
    befalls samples as a whole (`Corruption.of_samples`) at its last. A pure function of its
    arguments, and so the same for every fusion.

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
            severity = int(draw.integers(1, SEVERITIES + 1))
            befell.append(
                Condition(name, SEVERITIES if corruption_of(name).of_samples else severity)
            )
    return befell


class CorruptedInputs:
    """Samples of one part with what befell them, made into maps batch by batch.

    Not ahead of use in a thread of its own: what corrupts images uses torch's threads.

    Parameters
    ----------
    rows : DataFrame
        Some of `samples.table`; "another sample" is one of them.
    chosen : callable
        Gives what befalls a sample, by what names its content.
    words : sequence of str
        As the seeds of `corrupted`.
    """

    held_bytes = 0

    def __init__(
        self,
        samples: Samples,
        rows: pd.DataFrame,
        params: LidarParams,
        names: Sequence[str],
        device: torch.device,
        chosen: Callable[[str], Sequence[Condition]],
        words: Sequence[str] = (),
    ) -> None:
        self._samples, self._rows, self._params = samples, rows, params
        self._names, self._device = tuple(names), device
        self._chosen, self._words = chosen, tuple(words)
        self.labels = labels_of(rows, device)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: Tensor) -> Batch:
        """Return the maps and labels of the samples at `positions`, shape (b,), on the device."""
        rows = self._rows.iloc[positions.cpu().numpy()]
        chosen = [self._chosen(digest) for digest in rows["digest"]]
        befell = corrupted(self._samples, rows, chosen, self._words, self._rows)
        maps = {
            name: float_maps(befell, befell.table, self._params, name).to(self._device)
            for name in self._names
        }
        return maps, self.labels.index_select(0, positions.to(self._device))

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the samples of `order`, positions of shape (n,) on the CPU, `size` at a time."""
        for positions in torch.split(order, size):
            yield self.batch(positions)


def augmented_inputs(
    samples: Samples,
    rows: pd.DataFrame,
    params: LidarParams,
    names: Sequence[str],
    device: torch.device,
    probabilities: Mapping[str, float],
    seed: int,
    epoch: int,
) -> CorruptedInputs:
    """Return the training part of an epoch, with what is drawn to befall its samples.

    Parameters
    ----------
    probabilities : mapping of str to float
        Of each corruption, by its name.
    """

    def chosen(digest: str) -> list[Condition]:
        return drawn_conditions(digest, probabilities, seed, epoch)

    words = ("augment", str(seed), str(epoch))
    return CorruptedInputs(samples, rows, params, names, device, chosen, words)

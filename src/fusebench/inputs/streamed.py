"""Inputs that do not fit into memory: made batch by batch from the mapped arrays, ahead of use."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pandas as pd
import torch
from torch import Tensor

from fusebench.inputs.inputs import Batch, Inputs, PartInputs, float_maps, labels_of, maps_bytes
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import Samples

# Batches that are made while the model computes: one thread makes them faster than they are used.
_AHEAD = 3


class StreamedInputs:
    """Samples of one part, made on demand by the same code as `Inputs`, to the same bits.

    Parameters
    ----------
    rows : DataFrame
        Some of `samples.table`.
    """

    held_bytes = 0

    def __init__(
        self,
        samples: Samples,
        rows: pd.DataFrame,
        params: LidarParams,
        names: Sequence[str],
        device: torch.device,
    ) -> None:
        self._samples, self._rows, self._params = samples, rows, params
        self._names, self._device = tuple(names), device
        self.labels = labels_of(rows, device)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: Tensor) -> Batch:
        """Return the maps and labels of the samples at `positions`, shape (b,), on the device."""
        return self._placed(self._made(positions.cpu()), positions.to(self._device))

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the samples of `order`, positions of shape (n,) on the CPU, `size` at a time."""
        parts = zip(
            torch.split(order, size), torch.split(order.to(self._device), size), strict=True
        )
        coming: deque[tuple[Future[dict[str, Tensor]], Tensor]] = deque()
        with ThreadPoolExecutor(1, "batches") as pool:
            try:
                for on_cpu, on_device in parts:
                    coming.append((pool.submit(self._made, on_cpu), on_device))
                    if len(coming) > _AHEAD:
                        yield self._next(coming)
                while coming:
                    yield self._next(coming)
            finally:
                # Nobody waits for those any more.
                pool.shutdown(cancel_futures=True)

    def _next(self, coming: "deque[tuple[Future[dict[str, Tensor]], Tensor]]") -> Batch:
        made, positions = coming.popleft()
        return self._placed(made.result(), positions)

    def _made(self, positions: Tensor) -> dict[str, Tensor]:
        """Return maps by name, on the CPU; with numpy alone, which leaves torch's threads be."""
        rows = self._rows.iloc[positions.numpy()]
        return {name: float_maps(self._samples, rows, self._params, name) for name in self._names}

    def _placed(self, maps: dict[str, Tensor], positions: Tensor) -> Batch:
        on_device = {name: made.to(self._device) for name, made in maps.items()}
        return on_device, self.labels.index_select(0, positions)


def open_inputs(
    samples: Samples,
    rows: pd.DataFrame,
    params: LidarParams,
    names: Sequence[str],
    device: torch.device,
    budget: int,
) -> PartInputs:
    """Return the inputs of samples: held as maps if these fit into `budget` bytes, else streamed.

    Parameters
    ----------
    rows : DataFrame
        Some of `samples.table`.
    """
    if maps_bytes(samples, len(rows), names) <= budget:
        return Inputs.load(samples, rows, params, names, device)
    return StreamedInputs(samples, rows, params, names, device)

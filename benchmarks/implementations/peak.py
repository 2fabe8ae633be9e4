"""What a machine can do at most: the rate of a matrix product, and of copying memory."""

import torch

from fusebench.device import Precision

_REPEATS = 3
_FLOATS_PER_MIB = 2**18


class MatrixProducts:
    """Multiplies large square matrices; their rate is the peak that trainings are compared with.

    Parameters
    ----------
    size : int
        Rows and columns of the matrices.
    """

    def __init__(self, device: torch.device, precision: Precision, size: int) -> None:
        self._device = device
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        generator = torch.Generator().manual_seed(0)
        self._left, self._right = (
            torch.randn(size, size, generator=generator).to(device, dtype) for _ in range(2)
        )

    def start(self, seed: int) -> None:
        """Do nothing: products have no state."""

    def epoch(self) -> None:
        """Compute the products and wait for them."""
        for _ in range(_REPEATS):
            torch.mm(self._left, self._right)
        _wait(self._device)


class Copies:
    """Copies an array that no cache holds; each copy reads and writes all of its bytes.

    Parameters
    ----------
    size : int
        Of the array, in MiB.
    """

    def __init__(self, device: torch.device, size: int) -> None:
        self._device = device
        self._source, self._target = (
            torch.full((size * _FLOATS_PER_MIB,), value, device=device) for value in (1.0, 0.0)
        )

    def start(self, seed: int) -> None:
        """Do nothing: copies have no state."""

    def epoch(self) -> None:
        """Make the copies and wait for them."""
        for _ in range(_REPEATS):
            self._target.copy_(self._source)
        _wait(self._device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

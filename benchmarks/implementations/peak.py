"""What a machine can do at most: the rates of a matrix product, a convolution, and copying memory.

In fp32 on a CPU torch takes MKL for one product and oneDNN for the other, and which is the faster
depends on who made the processor: the peak is the larger rate.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from fusebench.device import Precision

_REPEATS = 3
_FLOATS_PER_MIB = 2**18
# With 512 channels about as many operations as a product of matrices of 4,096.
_IMAGES, _PIXELS = 24, 32


class MatrixProducts:
    """Multiplies large square matrices.

    Parameters
    ----------
    size : int
        Rows and columns of the matrices.
    """

    def __init__(self, device: torch.device, precision: Precision, size: int) -> None:
        self._device = device
        self._left, self._right = (
            _random((size, size), seed, precision, device) for seed in range(2)
        )

    def start(self, seed: int) -> None:
        """Do nothing: products have no state."""

    def epoch(self) -> None:
        """Compute the products and wait for them."""
        for _ in range(_REPEATS):
            torch.mm(self._left, self._right)
        _wait(self._device)


class Convolutions:
    """Convolves large maps with 3 × 3 kernels, without a gradient.

    Parameters
    ----------
    size : int
        Channels of the maps, before and after.
    """

    def __init__(self, device: torch.device, precision: Precision, size: int) -> None:
        self._device = device
        # As the project is prepared: fp32 means fp32.
        torch.backends.cudnn.allow_tf32 = False
        self._maps, self._kernels = (
            _random(shape, seed, precision, device).to(memory_format=torch.channels_last)
            for seed, shape in enumerate([(_IMAGES, size, _PIXELS, _PIXELS), (size, size, 3, 3)])
        )

    def start(self, seed: int) -> None:
        """Do nothing: convolutions have no state."""

    def epoch(self) -> None:
        """Compute the convolutions and wait for them."""
        for _ in range(_REPEATS):
            functional.conv2d(self._maps, self._kernels, padding=1)
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


def _random(
    shape: Sequence[int], seed: int, precision: Precision, device: torch.device
) -> torch.Tensor:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(device, dtype)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

"""The machine's own measure: large matrix products, as fast as its library makes them."""

import torch

from fusebench.device import Precision

SIZE = 4096
COUNT = 3


class Product:
    """Multiplies square matrices; its rate is the peak that trainings are set against.

    Parameters
    ----------
    size : int
        Rows and columns of the matrices.
    """

    def __init__(self, device: torch.device, precision: Precision, size: int = SIZE) -> None:
        self._device = device
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        generator = torch.Generator().manual_seed(0)
        self._left, self._right = (
            torch.randn(size, size, generator=generator).to(device, kind) for _ in range(2)
        )

    def start(self, seed: int) -> None:
        """Do nothing: products have no state."""

    def turn(self) -> None:
        """Make the products and wait for them."""
        for _ in range(COUNT):
            torch.mm(self._left, self._right)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

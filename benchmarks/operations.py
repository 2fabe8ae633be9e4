"""A digest of what each operation of the models gives: python benchmarks/operations.py --portable

By operation: its result and its gradients. Where two machines train to other bits, their lists tell
which operation differs.
"""

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]

from fusebench import cli  # noqa: E402
from fusebench.processor import PORTABLE_THREADS, make_portable  # noqa: E402

if TYPE_CHECKING:
    import torch

_CONVOLUTIONS = ((4, 32, 1), (32, 64, 2), (64, 128, 8), (128, 128, 8))
"""Channels in and out, and by how much the image is reduced there."""


def main() -> None:
    """Print a line per operation."""
    parser = cli.parser(__doc__)
    parser.add_argument("--portable", action="store_true", help="as with runtime.portable: true")
    parser.add_argument("--threads", type=int, default=PORTABLE_THREADS)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=64, help="of the images, in pixels")
    arguments = parser.parse_args()
    if arguments.portable:
        make_portable()

    import torch

    torch.set_num_threads(arguments.threads)
    for name, values in results(arguments.batch, arguments.size):
        print(name.ljust(24), *map(digest, values))


def digest(values: "torch.Tensor") -> str:
    """Return a short digest of a tensor's values."""
    return sha256(values.detach().contiguous().numpy().tobytes()).hexdigest()[:12]


def results(batch: int, size: int) -> "Iterator[tuple[str, list[torch.Tensor]]]":
    """Yield each operation's name, and its result and gradients."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        values = torch.rand(*shape, generator=generator) - 0.5
        if len(shape) == 4:
            values = values.contiguous(memory_format=torch.channels_last)
        return values.requires_grad_()

    for channels, filters, reduced in _CONVOLUTIONS:
        maps = random(batch, channels, size // reduced, size // reduced)
        yield (
            f"conv2d {channels} {filters}",
            _gradients(torch.conv2d, maps, random(filters, channels, 3, 3), random(filters),
                       padding=1),
        )  # fmt: skip
    linear = torch.nn.functional.linear
    for features, units in ((64 * (size // 4) ** 2, 100), (200, 100), (100, 2), (8 * size, 2)):
        values = _gradients(linear, random(batch, features), random(units, features), random(units))
        yield f"linear {features} {units}", values
    yield "max_pool2d", _gradients(torch.max_pool2d, random(batch, 64, size, size), kernel_size=2)
    labels = torch.arange(batch) % 2
    yield (
        "cross_entropy",
        _gradients(torch.nn.functional.cross_entropy, random(batch, 2), target=labels,
                   weight=torch.tensor([0.3, 1.7])),
    )  # fmt: skip
    yield "Adam, fused", [_adam(random(100_003), random(100_003))]
    yield "sum", [random(1000 * batch).sum(), random(batch * 100, 33).sum(0)]
    yield "uniform_", [torch.empty(10_007).uniform_(-0.1, 0.1, generator=generator)]


def _gradients(
    operation: object, *inputs: "torch.Tensor", **options: object
) -> list["torch.Tensor"]:
    """Return an operation's result, and the gradients of the sum of its squares."""
    import torch

    result = operation(*inputs, **options)  # type: ignore[operator]
    return [result, *torch.autograd.grad((result * result).sum(), inputs)]


def _adam(weights: "torch.Tensor", gradient: "torch.Tensor") -> "torch.Tensor":
    """Return weights after three steps."""
    import torch

    optimizer = torch.optim.Adam([weights], 1e-3, weight_decay=0.01, fused=True)
    for _ in range(3):
        weights.grad = gradient.detach()
        optimizer.step()
    return weights


if __name__ == "__main__":
    cli.run(main)

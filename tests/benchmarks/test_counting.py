"""Operations and bytes of an epoch, counted."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from benchmarks.implementations.counting import counted
from benchmarks.implementations.peak import Convolutions, Copies, MatrixProducts

CPU = torch.device("cpu")


@dataclass
class Doing:
    """An implementation whose epoch is a function."""

    epoch_of: Callable[[], object]

    def start(self, seed: int) -> None:
        pass

    def epoch(self) -> None:
        self.epoch_of()


def test_a_product_reads_two_matrices_and_writes_one() -> None:
    left, right = torch.ones(3, 5), torch.ones(5, 7)
    count = counted(Doing(lambda: torch.relu(left @ right) + 1), copies=False)
    assert count == {"flops": 2 * 3 * 5 * 7, "bytes": 4 * (3 * 5 + 5 * 7 + 3 * 7)}


def test_a_convolution_counts_forward_and_back_and_pooling_does_not() -> None:
    maps, weight, bias = torch.ones(2, 4, 8, 8), torch.ones(6, 4, 3, 3), torch.ones(6)
    weight.requires_grad_()
    bias.requires_grad_()

    def epoch() -> None:
        out = F.max_pool2d(F.relu(F.conv2d(maps, weight, bias, padding=1)), 2)
        torch.autograd.backward(out.sum())

    outputs = 2 * 6 * 8 * 8
    weights = weight.numel()
    forward = maps.numel() + weights + 6 + outputs
    # Back: the gradient of the output, maps and weights are read; no gradient is made of the maps.
    backward = outputs + maps.numel() + weights + weights + 6
    assert counted(Doing(epoch), copies=False)["bytes"] == 4 * (forward + backward)


def test_a_linear_layer_counts_in_inference_too() -> None:
    features, weight = torch.ones(2, 10, dtype=torch.bfloat16), torch.ones(3, 10).bfloat16()

    def epoch() -> None:
        with torch.inference_mode():
            F.linear(features, weight)

    count = counted(Doing(epoch), copies=False)
    assert count == {"flops": 2 * 2 * 10 * 3, "bytes": 2 * (2 * 10 + 3 * 10 + 2 * 3)}


def test_what_gives_the_peak_is_counted_and_a_copy_reads_and_writes_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    products = counted(MatrixProducts(CPU, "bf16", 16), copies=False)
    assert products == {"flops": 3 * 2 * 16**3, "bytes": 3 * 2 * 3 * 16**2}
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    convolutions = counted(Convolutions(CPU, "fp32", 2), copies=False)
    # On a GPU it would have been the peak of another format.
    assert not torch.backends.cudnn.allow_tf32
    assert convolutions["flops"] == 3 * 2 * (24 * 2 * 32 * 32) * (2 * 3 * 3)
    copies = Copies(CPU, 1)
    assert counted(copies, copies=True) == {"flops": 0, "bytes": 3 * 2 * 2**20}
    assert torch.equal(copies._source, copies._target)

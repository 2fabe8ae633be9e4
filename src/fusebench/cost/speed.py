"""How many operations a forward pass takes, and how long it takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from fusebench.cost.batches import random_maps
from fusebench.models.base import Fusion, ModelSpec


@dataclass(frozen=True)
class Runs:
    """How often a thing is measured: until both `fewest` runs and `seconds` are reached, or `most`.

    Attributes
    ----------
    warm : int
        Runs before the first that counts: torch chooses and prepares its kernels in them.
    """

    warm: int
    fewest: int
    most: int
    seconds: float


ONE_SAMPLE = Runs(warm=10, fewest=30, most=200, seconds=2.0)
MANY = Runs(warm=1, fewest=3, most=20, seconds=1.5)
BATCH = 256


@torch.no_grad()
def operations(model: Fusion, spec: ModelSpec, device: torch.device) -> int:
    """Return the floating-point operations of a forward pass of one sample.

    Those of convolutions and matrix products, two per multiply-add. What is left out (ReLU,
    pooling, additions) takes one or less per value.
    """
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(random_maps(spec, 1, device))
    return int(counter.get_total_flops())


@torch.inference_mode()
def forward_seconds(
    model: Fusion, spec: ModelSpec, device: torch.device, size: int, runs: Runs
) -> list[float]:
    """Return how long each forward pass of a batch took, in s; inputs are on the device before."""
    model.eval()
    maps = random_maps(spec, size, device)

    def run() -> None:
        model(maps)
        if device.type == "cuda":
            # The call returns before the device is done.
            torch.cuda.synchronize(device)

    return seconds_of(run, runs)


def seconds_of(run: Callable[[], None], runs: Runs) -> list[float]:
    """Return how long each run took, in s, those that warm up left out."""
    for _ in range(runs.warm):
        run()
    seconds: list[float] = []
    began = now = time.perf_counter()
    while len(seconds) < runs.fewest or (len(seconds) < runs.most and now - began < runs.seconds):
        start = time.perf_counter()
        run()
        now = time.perf_counter()
        seconds.append(now - start)
    return seconds

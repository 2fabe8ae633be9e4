"""How much memory a training step takes, as torch's allocator counts it.

Not the resident set of the process, most of which is the libraries' code, and which keeps what
earlier models took.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch.autograd.profiler import profile

from fusebench.cost.batches import random_maps
from fusebench.models.base import ModelSpec, build
from fusebench.training.loop import adam
from fusebench.training.settings import TrainParams


def step_bytes(spec: ModelSpec, settings: TrainParams, device: torch.device) -> int:
    """Return the most bytes that are held at one time in a training step.

    Weights, gradients, the optimiser's state, inputs, and what the forward pass keeps for the
    backward pass; no samples but those of one batch.

    Parameters
    ----------
    settings : TrainParams
        Of them, `batch_size` decides.
    """
    # What is collected in between would be taken off.
    gc.collect()
    if device.type == "cuda":
        return _bytes_on_gpu(spec, settings, device)
    return _bytes_on_cpu(spec, settings, device)


def _train(spec: ModelSpec, settings: TrainParams, device: torch.device) -> None:
    """Build a model, and train it on one batch as `training.loop.train_epoch` does."""
    model = build(spec).to(device).to(memory_format=torch.channels_last).train()
    optimizer = adam(model.parameters(), settings)
    maps = random_maps(spec, settings.batch_size, device)
    labels = torch.arange(settings.batch_size, device=device) % spec.classes
    # In the first step there are neither gradients nor state yet.
    for _ in range(2):
        loss = F.cross_entropy(model(maps), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def _bytes_on_cpu(spec: ModelSpec, settings: TrainParams, device: torch.device) -> int:
    # The model is built inside, too: the profiler does not know how large a block is that was
    # there before, and leaves out that it was freed.
    with _without_stderr(), profile(use_cpu=True, profile_memory=True) as profiler:
        gc.disable()
        try:
            _train(spec, settings, device)
        finally:
            gc.enable()
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def _bytes_on_gpu(spec: ModelSpec, settings: TrainParams, device: torch.device) -> int:
    # Once before: libraries keep their workspaces from the first use on.
    _train(spec, settings, device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    _train(spec, settings, device)
    return torch.cuda.max_memory_allocated(device) - before


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Keep off the screen that the profiler starts and ends; no log level of it leaves that out."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

"""The process of one implementation: python -m benchmarks.worker '{"spec": {…}, "folder": "…"}'

Reads requests from stdin and answers each with one line, both JSON; in between it waits and costs
nothing. The end of stdin is the end of the process.

    → {"do": "start", "seed": 0}    ← {}                                begins a training anew
    → {"do": "epoch"}               ← {"seconds": 1.5, "val_loss": 0.2}  one epoch
    → {"do": "count"}               ← {"flops": 3e11, "bytes": 4e9}     one epoch, counted
    → {"do": "memory"}              ← {"peak_mb": 900.0, "measured": …}  of everything so far
"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import torch

from benchmarks.implementations.counting import counted
from benchmarks.implementations.peak import Convolutions, Copies, MatrixProducts
from benchmarks.implementations.spec import Implementation, Spec
from benchmarks.library import TrainingData, runtime
from benchmarks.processes import reply_stream
from fusebench import cli
from fusebench.device import Device, peak_memory, prepare

LOADER_WORKERS = 2


def build(spec: Spec, folder: Path) -> tuple[Implementation, Device]:
    """Return an implementation, ready to start, and its device.

    Parameters
    ----------
    folder : Path
        For files of its own.
    """
    # Each kind imports what it alone needs: other libraries are not in its memory.
    if spec.kind == "project":
        return _project(spec)
    device = Device(torch.device(spec.device), "benchmark", spec.threads)
    torch.set_num_threads(spec.threads)
    if spec.kind == "matmul":
        return MatrixProducts(device.device, spec.precision, spec.size), device
    if spec.kind == "convolution":
        return Convolutions(device.device, spec.precision, spec.size), device
    if spec.kind == "copy":
        return Copies(device.device, spec.size), device
    if spec.kind == "notebook":
        from benchmarks.implementations.notebook import NotebookTraining

        # With one core torch warns of two loader workers; the notebook had two cores.
        workers = min(LOADER_WORKERS, spec.threads)
        return NotebookTraining(TrainingData.read(), folder, workers), device
    from benchmarks.implementations.plain import FabricTraining

    return FabricTraining(TrainingData.read()), device


def _project(spec: Spec) -> tuple[Implementation, Device]:
    from benchmarks.implementations.project import ProjectTraining

    # As a stage prepares it: how memory is kept and deterministic algorithms included.
    device = prepare(runtime(device=spec.device, threads=spec.threads, portable=spec.portable))
    return ProjectTraining(TrainingData.read(), device, spec.precision), device


def answer(
    implementation: Implementation, device: Device, request: dict[str, Any]
) -> dict[str, Any]:
    """Do what a request asks for; return the reply."""
    if request["do"] == "start":
        implementation.start(request["seed"])
        return {}
    if request["do"] == "epoch":
        began = time.perf_counter()
        val_loss = implementation.epoch()
        return {"seconds": time.perf_counter() - began, "val_loss": val_loss}
    if request["do"] == "count":
        return counted(implementation, isinstance(implementation, Copies))
    if request["do"] == "memory":
        return dict(peak_memory(device))
    raise ValueError(f"request '{request['do']}' is unknown")


def serve(
    implementation: Implementation, device: Device, requests: Iterable[str], replies: TextIO
) -> None:
    """Say that the implementation is ready, then answer requests until there are no more."""
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in requests:
        print(
            json.dumps(answer(implementation, device, json.loads(line))), file=replies, flush=True
        )


def main() -> None:
    """Build the implementation that the argument describes and serve."""
    # What a library prints must not come between the replies.
    replies = reply_stream()
    order = json.loads(sys.argv[1])
    implementation, device = build(Spec(**order["spec"]), Path(order["folder"]))
    serve(implementation, device, sys.stdin, replies)


if __name__ == "__main__":
    cli.run(main)

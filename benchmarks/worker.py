"""A contestant's own process: python -m benchmarks.worker '{"spec": {…}, "folder": "…"}'

Reads requests from stdin and answers each with one line, both JSON; in between it waits and costs
nothing. The end of stdin is the end of the process.

    → {"do": "start", "seed": 0}    ← {}                                begins a training anew
    → {"do": "turn"}                ← {"seconds": 1.5, "val_loss": 0.2}  one epoch
    → {"do": "flops"}               ← {"flops": 3e11}                   one epoch, counted
    → {"do": "memory"}              ← {"peak_mb": 900.0, "measured": …}  of all that was done so far
"""

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import torch

from benchmarks.contestants.material import read_material
from benchmarks.contestants.spec import Contestant, Spec
from fusebench import cli
from fusebench.config import PARAMS_FILE, load_section
from fusebench.device import Device, RuntimeParams, peak_memory, prepare

LOADER_WORKERS = 2


def build(spec: Spec, folder: Path) -> tuple[Contestant, Device]:
    """Return a contestant, ready to start, and the device that it works on.

    Parameters
    ----------
    folder : Path
        For files of its own.
    """
    device = Device(torch.device(spec.device), "benchmark", spec.threads)
    torch.set_num_threads(spec.threads)
    # Each kind imports what it alone needs: the others' libraries are not in its memory.
    if spec.kind == "product":
        from benchmarks.contestants.product import Product

        return Product(device.device, spec.precision), device
    if spec.kind == "notebook":
        from benchmarks.contestants.notebook import Notebook

        # With one core torch warns of two loader workers; the notebook had two cores.
        return Notebook(read_material(), folder, min(LOADER_WORKERS, spec.threads)), device
    if spec.kind == "fabric":
        from benchmarks.contestants.fabric import PlainFabric

        return PlainFabric(read_material()), device
    return _project(spec)


def _project(spec: Spec) -> tuple[Contestant, Device]:
    from benchmarks.contestants.project import Project

    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    # As a stage prepares it, deterministic algorithms included.
    device = prepare(runtime.model_copy(update={"device": spec.device, "threads": spec.threads}))
    return Project(read_material(), device, spec.precision), device


def answer(contestant: Contestant, device: Device, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks for; return the reply."""
    if request["do"] == "start":
        contestant.start(request["seed"])
        return {}
    if request["do"] == "turn":
        began = time.perf_counter()
        val_loss = contestant.turn()
        return {"seconds": time.perf_counter() - began, "val_loss": val_loss}
    if request["do"] == "flops":
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            contestant.turn()
        return {"flops": counter.get_total_flops()}
    if request["do"] == "memory":
        return dict(peak_memory(device))
    raise ValueError(f"request '{request['do']}' is unknown")


def serve(contestant: Contestant, device: Device, requests: Iterable[str], replies: TextIO) -> None:
    """Say that the contestant is ready, then answer requests until there are no more."""
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in requests:
        print(json.dumps(answer(contestant, device, json.loads(line))), file=replies, flush=True)


def main() -> None:
    """Make the contestant that the argument describes and serve."""
    # What a library prints must not come between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = json.loads(sys.argv[1])
    contestant, device = build(Spec(**order["spec"]), Path(order["folder"]))
    serve(contestant, device, sys.stdin, replies)


if __name__ == "__main__":
    cli.run(main)

"""One measurement in a process of its own: python -m benchmarks.scaling.job '{"kind": …}'

Writes lines of JSON to stdout: when a phase begins, with the memory that the process then holds,
and at the end what was measured.

    {"phase": "load", "anonymous_mb": 250.0}
    {"phase": "work", "anonymous_mb": 1050.0}
    {"seconds": 6.1, "samples": 1920, "held_bytes": 800000000}
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.library import load_inputs, runtime
from benchmarks.processes import anonymous_mb, reply_stream
from benchmarks.scaling.plan import EXTRACT, HELD, PREDICT, SPLIT, STREAMED
from benchmarks.timing import FUSION
from fusebench import cli
from fusebench.config import PARAMS_FILE, load, load_section
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import open_samples
from fusebench.training.settings import TrainParams

if TYPE_CHECKING:
    from fusebench.inputs.inputs import PartInputs
    from fusebench.training.loop import Task

Tell = Callable[[str], None]
"""Says that a phase begins: "load" or "work"."""


@dataclass(frozen=True)
class Order:
    """What one process measures.

    Attributes
    ----------
    kind : str
        One of `plan.KINDS`.
    size : int
        Number of samples.
    path : str
        The packed samples; of kind "extract" the archive.
    warm, batches : int
        As in `Plan`.
    """

    kind: str
    size: int
    path: str
    warm: int
    batches: int


class EnoughError(Exception):
    """All batches that are to be timed were."""


class BatchClock:
    """Times some of the batches that a loop goes through, and then ends the loop.

    Parameters
    ----------
    sizes : iterator of int
        Samples in each batch, in their order.
    warm : int
        Batches before the clock starts.
    batches : int
        Batches that are timed.
    """

    def __init__(self, sizes: Iterator[int], warm: int, batches: int) -> None:
        self._sizes, self._warm, self._batches = sizes, warm, batches
        self._done, self._began = 0, 0.0
        self.samples, self.seconds = 0, 0.0

    def tick(self) -> None:
        """Note that a batch is done.

        Raises
        ------
        EnoughError
            It was the last one that is timed.
        """
        size = next(self._sizes)
        self._done += 1
        if self._done > self._warm:
            self.samples += size
        if self._done == self._warm:
            self._began = time.perf_counter()
        if self._done == self._warm + self._batches:
            self.seconds = time.perf_counter() - self._began
            raise EnoughError

    def run(self, once: Callable[[], object]) -> None:
        """Do something again and again, until enough batches were timed in it."""
        try:
            while True:
                once()
        except EnoughError:
            return


def batch_sizes(count: int, size: int) -> Iterator[int]:
    """Yield how many samples each batch has, epoch after epoch."""
    rest = count % size
    return cycle([size] * (count // size) + [rest] * (rest > 0))


def spread_order(count: int, size: int, batches: int) -> npt.NDArray[np.intp]:
    """Return positions in an order whose first batches are spread evenly over all samples."""
    parts = np.array_split(np.arange(count), range(size, count, size))
    chosen = np.unique(np.linspace(0, len(parts) - 1, min(batches, len(parts))).astype(int))
    others = np.setdiff1d(np.arange(len(parts)), chosen)
    return np.concatenate([parts[number] for number in (*chosen, *others)])


def train(order: Order, tell: Tell) -> dict[str, float]:
    """Time batches of the training loop; the order of an epoch spreads them over all samples."""
    from fusebench.training.loop import start, train_epoch

    task = _task(order, tell)
    state = start(task)
    size = task.settings.batch_size
    clock = BatchClock(batch_sizes(order.size, size), order.warm, order.batches)

    def once() -> None:
        train_epoch(task, state, lambda _task, _state, _share: clock.tick())
        state.epoch += 1

    clock.run(once)
    return _measured(clock, task.train)


def predict(order: Order, tell: Tell) -> dict[str, float]:
    """Time batches of a model's answers; the first of them are spread over all samples."""
    from fusebench.models.base import predict
    from fusebench.training.loop import start

    task = _task(order, tell)
    model, size = start(task).model, task.settings.batch_size
    clock = BatchClock(batch_sizes(order.size, size), order.warm, order.batches)
    model.register_forward_hook(lambda _model, _inputs, _logits: clock.tick())
    clock.run(lambda: predict(model, task.train, size))
    return _measured(clock, task.train)


def _measured(clock: BatchClock, inputs: "PartInputs") -> dict[str, float]:
    return {
        "seconds": clock.seconds, "samples": clock.samples, "held_bytes": inputs.held_bytes,
    }  # fmt: skip


def _task(order: Order, tell: Tell) -> "Task":
    """Return the training of all samples of a folder, prepared as a stage prepares it."""
    from fusebench.device import prepare, resolve_precision
    from fusebench.models.base import ModelSpec, fusion_class
    from fusebench.training.loop import Task

    device = prepare(runtime(device="cpu", threads="auto", portable=False))
    settings = load_section(PARAMS_FILE, "train", TrainParams)
    samples = open_samples(Path(order.path))
    dataset = samples.dataset
    classes = len(dataset.classes)
    height, width = samples.rgb.shape[1:3]
    precision = resolve_precision("auto", device)
    spec = ModelSpec(FUSION, classes, (height, width), settings.pooling, precision)
    rows = samples.table
    if order.kind == PREDICT:
        batches = order.warm + order.batches
        rows = rows.iloc[spread_order(len(rows), settings.batch_size, batches)]
    lidar = load_section(PARAMS_FILE, "lidar", LidarParams)
    names = fusion_class(FUSION).inputs
    tell("load")
    # A digest is checked when a sample is first looked at: once per training, not once per epoch.
    for chunk in samples.chunks():
        samples.images(chunk)
    inputs = load_inputs(samples, rows, lidar, names, device.device, streamed=order.kind != HELD)
    tell("work")
    positive = dataset.classes.index(dataset.positive)
    # No val pass is made; predictions are measured by themselves.
    return Task(spec, settings, 0, inputs, inputs, positive, device.device)


def split(order: Order, tell: Tell) -> dict[str, float]:
    """Time what stage split does, with the seeds of params.yaml."""
    from fusebench.files import write_table
    from fusebench.samples.samples import read_samples_table
    from fusebench.split.draw import draw
    from fusebench.split.params import SplitParams

    params = load_section(PARAMS_FILE, "split", SplitParams)
    seeds = load_section(PARAMS_FILE, "train", TrainParams).seeds
    tell("work")
    began = time.perf_counter()
    with TemporaryDirectory(dir=Path(order.path).parent) as folder:
        table = draw(read_samples_table(Path(order.path)), params, seeds)
        write_table(Path(folder) / "split.csv", table)
        return {"seconds": time.perf_counter() - began, "samples": order.size}


def extract(order: Order, tell: Tell) -> dict[str, float]:
    """Time what stage extract does."""
    from fusebench.data.extract import extract
    from fusebench.params import Params
    from fusebench.samples.sensors import Sensors

    params = load(PARAMS_FILE, Params).data.model_copy(update={"archive": order.path})
    sensors = load(Path(params.sensors), Sensors)
    with TemporaryDirectory(dir=Path(order.path).parent) as name:
        folder = Path(name)
        tell("work")
        began = time.perf_counter()
        extract(params, sensors, folder / "samples", folder / "data.json")
        return {"seconds": time.perf_counter() - began, "samples": order.size}


_JOBS: dict[str, Callable[[Order, Tell], dict[str, float]]] = {
    STREAMED: train, HELD: train, PREDICT: predict, SPLIT: split, EXTRACT: extract,
}  # fmt: skip


def main() -> None:
    """Measure what the argument says."""
    replies = reply_stream()

    def tell(phase: str) -> None:
        reply = {"phase": phase, "anonymous_mb": anonymous_mb(os.getpid()) or 0.0}
        print(json.dumps(reply), file=replies, flush=True)

    order = Order(**json.loads(sys.argv[1]))
    measured: dict[str, Any] = _JOBS[order.kind](order, tell)
    tell("end")
    print(json.dumps(measured), file=replies, flush=True)


if __name__ == "__main__":
    cli.run(main)

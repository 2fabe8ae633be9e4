"""Seeds beside each other: processes of their own, each of which trains one seed at a time.

A worker hears through a pipe what to train, and tells through it how far it is and what came of the
seed. It takes kept seeds and keeps states itself. It ends with the process that started it, however
that ends. Nothing that decides a result is shared: a seed's bits are those of a training alone.
"""

import math
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

from fusebench.device import Device, RuntimeParams, prepare
from fusebench.errors import TrainingError
from fusebench.models.base import fusion_class
from fusebench.processor import usable_cores
from fusebench.progress import EpochFigures, Shows
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import open_samples
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training
from fusebench.training.stored import pack_finished, unpack_finished
from fusebench.training.train import Done, Job, Trainer, one_by_one, train_job

# Between two messages within an epoch; the screen shows no more.
_SECONDS_BETWEEN = 0.2
# What a worker that is told to end may take to remove what it was writing.
_SECONDS_TO_END = 10


def worker_count(runtime: RuntimeParams, device: Device, seeds: int) -> int:
    """Return how many of some seeds are trained at the same time, by `runtime.workers`."""
    wanted = runtime.workers
    if wanted == "auto":
        wanted = 1 if device.device.type == "cuda" else usable_cores() // device.threads
    return max(1, min(wanted, seeds))


def trainer_of(runtime: RuntimeParams, count: int) -> Trainer:
    """Return what trains `count` seeds at the same time; one: in this process."""
    return one_by_one if count == 1 else partial(side_by_side, runtime, count)


@dataclass(frozen=True)
class _Setup:
    """What a worker hears first: what all of its trainings share."""

    runtime: RuntimeParams
    samples: Path
    manifest: Manifest
    # Of each fusion, what tells whether its code is that of the keys.
    code: dict[str, Callable[[], bool]]


@dataclass(frozen=True)
class _Seed:
    """What a worker hears of a job: all of it that is small."""

    recipe: Recipe
    code: str
    seed: int
    kept: KeptSeeds


def side_by_side(runtime: RuntimeParams, count: int, jobs: Sequence[Job], progress: Shows) -> Done:
    """Train jobs in `count` processes; yield each as it is done.

    Parameters
    ----------
    jobs : sequence of Job
        Of any fusions, with the same samples, which are mapped from a folder, and manifest.

    Raises
    ------
    Exception
        What a worker raised; TrainingError if it was killed, or found other code.
    """
    first = jobs[0].training
    assert first.samples.folder is not None  # noqa: S101
    code = {job.training.recipe.fusion: job.kept.same_code for job in jobs}
    # Of the memory, each has its share.
    share = {"memory_budget": first.device.memory_budget / count / 1e9}
    setup = _Setup(runtime.model_copy(update=share), first.samples.folder, first.manifest, code)
    waiting, workers = deque(jobs), list[_Worker]()
    try:
        for _ in range(min(count, len(jobs))):
            worker = _Worker()
            workers.append(worker)
            worker.start()
        for worker in workers:
            worker.begin(waiting.popleft(), setup)
        busy = {worker.pipe: worker for worker in workers}
        while busy:
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                if (done := worker.hear(progress)) is None:
                    continue
                if waiting:
                    worker.begin(waiting.popleft())
                else:
                    del busy[worker.pipe]
                yield done
    finally:
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.join()


class _Worker:
    """A worker, as the process that started it sees it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, self._far_end = context.Pipe()
        self._process = context.Process(target=_work, args=(self._far_end,), daemon=True)
        self._job: Job

    def start(self) -> None:
        with _deaf_to_ctrl_c():
            self._process.start()
        # The worker's alone from now on, so that its end is heard.
        self._far_end.close()

    def begin(self, job: Job, setup: _Setup | None = None) -> None:
        """Let the worker train a seed; before the first one it needs the setup."""
        self._job, training = job, job.training
        kept = replace(job.kept, say=print)
        with self._named():
            if setup is not None:
                self.pipe.send(setup)
            self.pipe.send(_Seed(training.recipe, training.code, job.seed, kept))

    def hear(self, progress: Shows) -> tuple[Job, Any] | None:
        """Take one message; return the job and what came of it if that is the message."""
        with self._named():
            kind, values = self.pipe.recv()
        if kind == "failed":
            raise values
        if kind == "finished":
            return self._job, unpack_finished(values)
        getattr(progress, kind)(*values)
        return None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say what has become of a worker whose pipe is broken."""
        try:
            yield
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_END)
            code = self._process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise TrainingError(
                f"{self._job.label}: its process was ended from outside ({how}); where memory is "
                "short, make runtime.workers fewer"
            ) from None

    def end(self) -> None:
        """Tell the worker to end, if it was started."""
        if self._process.pid is not None:
            self._process.terminate()

    def join(self) -> None:
        """Wait for the end of the worker."""
        if self._process.pid is not None:
            self._process.join(_SECONDS_TO_END)
            # What it leaves is aside, and the next one that writes there removes it.
            self._process.kill()
            self._process.join()
        self.pipe.close()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Start processes that Ctrl-C passes by: a terminal sends it to all, and this one ends them."""
    # It is started with the first worker, and would unblock the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- In the worker ---


def _work(pipe: Connection) -> None:
    """Train what is heard of, until told to end, or the other end is gone."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            _train_or_tell(pipe)
        finally:
            signal.signal(signal.SIGTERM, _go_on)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        pass


def _train_or_tell(pipe: Connection) -> None:
    relay = _Relay(pipe)
    try:
        _train(pipe, relay)
    except Exception as error:
        if isinstance(error, EOFError | ConnectionError):
            raise
        relay.tell("failed", _portable(error))
        # The other end decides; what this was writing has been removed.
        pipe.recv()


def _interrupt(number: int, _frame: object) -> NoReturn:
    # Once: what is removed on the way out is to be removed in peace.
    signal.signal(signal.SIGTERM, _go_on)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _go_on(_number: int, _frame: object) -> None:
    """Do nothing: this process is ending already. (Python warns of SIG_IGN set too late.)"""


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _train(pipe: Connection, relay: "_Relay") -> None:
    setup: _Setup = pipe.recv()
    device = prepare(setup.runtime)
    samples = open_samples(setup.samples)
    # All code is imported now: what is run is what the keys name.
    for fusion, same_code in setup.code.items():
        fusion_class(fusion)
        if not same_code():
            raise TrainingError(f"{fusion}: its code was changed while this began; run it again")
    while True:
        told: _Seed = pipe.recv()
        training = Training(told.recipe, samples, setup.manifest, device, told.code)
        kept = replace(told.kept, say=relay.note)
        finished = train_job(Job(training, told.seed, kept), relay)
        relay.tell("finished", pack_finished(finished))


class _Relay:
    """Passes what a training shows on to the process that has the screen."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._told = pipe, -math.inf
        # States are written, and their trouble is told, beside the training.
        self._lock = threading.Lock()

    def tell(self, kind: str, values: object) -> None:
        """Send a message: its kind, and what belongs to it."""
        with self._lock:
            self._pipe.send((kind, values))

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None:
        if time.monotonic() >= self._told + _SECONDS_BETWEEN:
            self._told = time.monotonic()
            self.tell("batch", (label, epoch, epochs, share))

    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None:
        self.tell("epoch", (label, epochs, rate, figures))

    def seed(self, label: str, epochs: int, rate: float, best: EpochFigures) -> None:
        self.tell("seed", (label, epochs, rate, best))

    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None:
        self.tell("kept_seed", (label, epochs, best))

    def note(self, text: str) -> None:
        self.tell("note", (text,))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with where it was raised for a developer to read."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (it was made here)
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error

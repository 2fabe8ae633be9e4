"""Seeds beside each other: processes of their own, each of which trains one seed at a time.

This is the side of the process that has the screen; worker.py is the other. Nothing that decides
a result is shared: a seed's bits are those of a training alone.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from fusebench import system
from fusebench.device import Device, RuntimeParams
from fusebench.errors import TrainingError
from fusebench.processor import usable_cores
from fusebench.progress import Shows
from fusebench.training.stored import unpack_finished
from fusebench.training.train import Done, Job, Trainer, one_by_one
from fusebench.training.worker import Seed, Setup, work

# What a worker that is told to end may take to remove what it was writing.
_SECONDS_TO_END = 10


def worker_count(runtime: RuntimeParams, device: Device, seeds: int) -> int:
    """Return how many of some seeds are trained at the same time, by `runtime.workers`."""
    wanted = runtime.workers
    if wanted == "auto":
        wanted = 1 if device.device.type == "cuda" else usable_cores() // device.threads
    return max(1, min(wanted, seeds, system.MOST_PROCESSES))


def trainer_of(runtime: RuntimeParams, count: int) -> Trainer:
    """Return what trains `count` seeds at the same time; one: in this process."""
    return one_by_one if count == 1 else partial(side_by_side, runtime, count)


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
    setup = Setup(runtime.model_copy(update=share), first.samples.folder, first.manifest, code)
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
        self._process = context.Process(target=work, args=(self._far_end,), daemon=True)
        self._job: Job

    def start(self) -> None:
        with _deaf_to_ctrl_c():
            self._process.start()
        # The worker's alone from now on, so that its end is heard.
        self._far_end.close()

    def begin(self, job: Job, setup: Setup | None = None) -> None:
        """Let the worker train a seed; before the first one it needs the setup."""
        self._job, training = job, job.training
        kept = replace(job.kept, say=print)
        with self._named():
            if setup is not None:
                self.pipe.send(setup)
            self.pipe.send(Seed(training.recipe, training.code, job.seed, kept))

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
        if self._process.pid is None:
            return
        if system.WINDOWS:
            # There terminate() lets it remove nothing. It misses the pipe within a batch.
            self.pipe.close()
        else:
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
    if not hasattr(signal, "pthread_sigmask"):
        # The worker begins with letting it pass by.
        yield
        return
    # It is started with the first worker, and would unblock the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Runs each implementation in a process of its own, an epoch whenever it is asked for one."""

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self, cast

from benchmarks.implementations.spec import Spec
from benchmarks.processes import (
    BenchmarkError,
    end_tree,
    environment,
    last_line,
    proportional_mb,
)
from fusebench.processor import PORTABLE_ENVIRONMENT

_SAMPLING_SECONDS = 0.02


class Worker:
    """The process of one implementation.

    Parameters
    ----------
    folder : Path
        For the files it writes; the caller removes it.
    """

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec, self.name = spec, spec.name
        self._errors = folder / f"{spec.name}.stderr"
        order = {"spec": spec.fields(), "folder": str(folder / spec.name)}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "benchmarks.worker", json.dumps(order)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=environment() | (dict(PORTABLE_ENVIRONMENT) if spec.portable else {}),
                # A group of its own, so that its loader workers end with it.
                start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self._requests = cast("IO[str]", self._process.stdin)
        self._replies = cast("IO[str]", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        end_tree(self.pid)
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(BrokenPipeError):
                pipe.close()

    @property
    def errors(self) -> str:
        """What it has written to stderr so far."""
        return self._errors.read_text("utf-8", errors="replace")

    def wait_ready(self) -> None:
        """Wait until the implementation is set up; raise BenchmarkError if that fails."""
        self._reply()

    def start(self, seed: int) -> None:
        """Begin a training anew."""
        self._ask("start", seed=seed)

    def epoch(self) -> tuple[float, float | None]:
        """Run one epoch; return its seconds and val loss.

        Raises
        ------
        BenchmarkError
            The process has ended; as with every request.
        """
        reply = self._ask("epoch")
        return reply["seconds"], reply["val_loss"]

    def count(self) -> dict[str, int]:
        """Run one epoch; return its `flops`, and the `bytes` that it moves at least."""
        return self._ask("count")

    def begin_epoch(self) -> None:
        """Ask for an epoch without waiting for it."""
        self._send("epoch")

    def end_epoch(self) -> None:
        """Wait for the epoch that was begun."""
        self._reply()

    def memory(self) -> dict[str, float | str]:
        """Run one epoch; return the largest memory use meanwhile, in MB (10⁶ bytes)."""
        peak = proportional_mb(self.pid)
        self.begin_epoch()
        # Where the system does not tell, there is nothing to see meanwhile.
        while peak is not None and not self._has_replied():
            peak = max(peak, proportional_mb(self.pid) or 0.0)
        self.end_epoch()
        if self.spec.device == "cpu" and peak:
            return {"peak_mb": round(peak, 1), "measured": "process and its loader workers (PSS)"}
        return self._ask("memory")

    def _has_replied(self) -> bool:
        return bool(select.select([self._replies], [], [], _SAMPLING_SECONDS)[0])

    def _ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        self._send(do, **arguments)
        return self._reply()

    def _send(self, do: str, **arguments: Any) -> None:
        # Where nobody reads any more, the missing reply is what is reported.
        with suppress(BrokenPipeError):
            print(json.dumps({"do": do} | arguments), file=self._requests, flush=True)

    def _reply(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            self._process.wait()
            raise BenchmarkError(f"benchmark of {self.name} ended: {last_line(self.errors)}")
        reply: dict[str, Any] = json.loads(line)
        return reply


def epochs_together(running: Sequence[Worker]) -> float:
    """Let each worker run one epoch, all at the same time; return the seconds until all are done.

    Raises
    ------
    BenchmarkError
        A process has ended.
    """
    began = time.perf_counter()
    for worker in running:
        worker.begin_epoch()
    for worker in running:
        worker.end_epoch()
    return time.perf_counter() - began


@contextmanager
def workers(specs: Sequence[Spec]) -> Iterator[list[Worker]]:
    """Start a process per implementation, wait until all are ready; end them all in any case."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fusebench-")))
        started = []
        for number, spec in enumerate(specs):
            # Equal specs have equal names of files.
            own = folder / str(number)
            own.mkdir()
            started.append(stack.enter_context(Worker(spec, own)))
        for worker in started:
            worker.wait_ready()
        yield started

"""Who asks the contestants for their turns: each has a process of its own, and works when asked.

This side imports no torch: a child's peak memory begins with that of the process it came from.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self, cast

from benchmarks.contestants.spec import Spec
from benchmarks.memory import proportional_mb
from fusebench.errors import FusebenchError

ROOT = Path(__file__).resolve().parents[1]
_SAMPLING_SECONDS = 0.02


class BenchmarkError(FusebenchError):
    """Something cannot be measured."""


def environment() -> dict[str, str]:
    """Return the environment in which `python -m benchmarks.…` finds its modules."""
    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def last_line(text: str) -> str:
    """Return the last line that says something, without the word "error" before it."""
    line = next((line for line in reversed(text.splitlines()) if line.strip()), "no message")
    return re.sub(r"^error:\s*", "", line.strip(), flags=re.IGNORECASE)


class Worker:
    """The process of one contestant.

    Parameters
    ----------
    folder : Path
        For what it writes; removed by whoever made it.
    """

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec, self.name = spec, spec.name
        self._errors = folder / f"{spec.name}.stderr"
        order = {"spec": spec.fields(), "folder": str(folder / spec.name)}
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "benchmarks.worker", json.dumps(order)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=environment(),
                # A group of its own, so that its loader workers end with it.
                start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self._requests = cast("IO[str]", self._process.stdin)
        self._replies = cast("IO[str]", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(BrokenPipeError):
                pipe.close()

    @property
    def errors(self) -> str:
        """What it has written to stderr so far."""
        return self._errors.read_text("utf-8", errors="replace")

    def ready(self) -> None:
        """Wait until the contestant is made; raise BenchmarkError if it cannot be."""
        self._reply()

    def start(self, seed: int) -> None:
        """Begin a training anew."""
        self._ask("start", seed=seed)

    def turn(self) -> tuple[float, float | None]:
        """Have one turn done; return its seconds and val loss.

        Raises
        ------
        BenchmarkError
            The process has ended; as in all that is asked of it.
        """
        reply = self._ask("turn")
        return reply["seconds"], reply["val_loss"]

    def flops(self) -> int:
        """Have one turn done and counted; return its floating-point operations."""
        return int(self._ask("flops")["flops"])

    def memory(self) -> dict[str, float | str]:
        """Have one turn done; return the largest memory use meanwhile, in MB (10⁶ bytes)."""
        peak = proportional_mb(self.pid) or 0.0
        self._send("turn")
        while not select.select([self._replies], [], [], _SAMPLING_SECONDS)[0]:
            peak = max(peak, proportional_mb(self.pid) or 0.0)
        self._reply()
        if self.spec.device == "cpu" and peak:
            return {"peak_mb": round(peak, 1), "measured": "process and its loader workers (PSS)"}
        return self._ask("memory")

    def _ask(self, do: str, **more: Any) -> dict[str, Any]:
        self._send(do, **more)
        return self._reply()

    def _send(self, do: str, **more: Any) -> None:
        # Where nobody reads any more, the reply that does not come will say so.
        with suppress(BrokenPipeError):
            print(json.dumps({"do": do} | more), file=self._requests, flush=True)

    def _reply(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            self._process.wait()
            raise BenchmarkError(f"benchmark of {self.name} ended: {last_line(self.errors)}")
        reply: dict[str, Any] = json.loads(line)
        return reply


@contextmanager
def workers(specs: Sequence[Spec]) -> Iterator[list[Worker]]:
    """Start a process per contestant, wait until all are ready, and end them all in any case."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fusebench-")))
        started = [stack.enter_context(Worker(spec, folder)) for spec in specs]
        for worker in started:
            worker.ready()
        yield started

"""Commands that are measured from outside: how long they run, how much memory they take."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from benchmarks.conductor import BenchmarkError, last_line

# Linux counts in KiB, macOS in bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Run:
    """A command that has ended; memory is its peak resident set in MB (10⁶ bytes)."""

    code: int
    seconds: float
    peak_mb: float
    output: str
    errors: str


def measured(command: Sequence[str], folder: Path) -> Run:
    """Run a command in `folder` and measure it; what it prints is kept, not shown."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        try:
            # Of this child alone; getrusage(RUSAGE_CHILDREN) is of the largest so far.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        # Popen did not see it end.
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [_content(file) for file in (output, errors)]
    return Run(process.returncode, seconds, usage.ru_maxrss * _UNIT / 1e6, *texts)


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def succeeded(command: Sequence[str], folder: Path) -> Run:
    """Run a command as `measured` does; raise BenchmarkError unless it exits with 0."""
    run = measured(command, folder)
    if run.code != 0:
        raise BenchmarkError(f"{' '.join(command[1:])} failed: {last_line(run.errors)}")
    return run

"""Processes that are measured from outside: how long they run, how much memory they take.

Nothing here, nor what it is used by in the measuring process, imports torch or pandas: a child's
peak memory begins with that of the process it came from.
"""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TextIO

import psutil

from fusebench.errors import FusebenchError

ROOT = Path(__file__).resolve().parents[1]
PROC = Path("/proc")

# The unit of ru_maxrss: Linux counts in KiB, macOS in bytes.
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class BenchmarkError(FusebenchError):
    """Something cannot be measured."""


@dataclass(frozen=True)
class CompletedRun:
    """A command that has ended; memory is its peak resident set in MB (10⁶ bytes)."""

    code: int
    seconds: float
    peak_mb: float
    output: str
    errors: str


def environment() -> dict[str, str]:
    """Return the environment in which `python -m benchmarks.…` finds its modules."""
    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def last_line(text: str) -> str:
    """Return the last line that is not blank, without a leading "error:"."""
    line = next((line for line in reversed(text.splitlines()) if line.strip()), "no message")
    return re.sub(r"^error:\s*", "", line.strip(), flags=re.IGNORECASE)


def check_system() -> None:
    """Refuse a system that does not tell what a process that has ended took (Windows).

    Raises
    ------
    BenchmarkError
        It is such a system.
    """
    if not hasattr(os, "wait4"):
        raise _refusal()


def _refusal() -> BenchmarkError:
    return BenchmarkError(
        f"{platform.system()}: does not tell the peak memory of a process that has ended; speed "
        "is measured on Linux and macOS alone"
    )


def run_measured(command: Sequence[str], folder: Path) -> CompletedRun:
    """Run a command in `folder` and measure it; what it prints is captured, not shown.

    Raises
    ------
    BenchmarkError
        As `check_system`.
    """
    if not hasattr(os, "wait4"):
        raise _refusal()
    with _text_file() as output, _text_file() as errors:
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
    return CompletedRun(process.returncode, seconds, usage.ru_maxrss * _MAXRSS_BYTES / 1e6, *texts)


def _text_file() -> IO[str]:
    return TemporaryFile("w+", encoding="utf-8", errors="replace")


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def run_checked(command: Sequence[str], folder: Path) -> CompletedRun:
    """Run a command as `run_measured` does; raise BenchmarkError unless it exits with 0."""
    run = run_measured(command, folder)
    if run.code != 0:
        raise BenchmarkError(f"{' '.join(command[1:])} failed: {last_line(run.errors)}")
    return run


def process_tree(pid: int) -> list[int]:
    """Return the ids of a process and of all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; the parent is the second field after it.
            parent = int(stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    tree, waiting = [], [pid]
    while waiting:
        tree.append(waiting.pop())
        waiting += children.get(tree[-1], [])
    return tree


def end_tree(pid: int) -> None:
    """End a process that was started in a group of its own, and all that it started, at once."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return
    # Windows has no such groups.
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for member in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                member.kill()


def proportional_mb(pid: int) -> float | None:
    """Return the memory of a process and its descendants, in MB (10⁶ bytes).

    Own memory is summed by proportional share (PSS), so that pages shared with a loader worker
    count once. Pages of files count once, and in full: their proportional share would depend on how
    many other processes happen to have the same libraries loaded. None where the system does not
    tell (it is Linux that does).
    """
    own_kib, mapped_kib = 0, 0
    for member in process_tree(pid):
        try:
            rollup = (PROC / str(member) / "smaps_rollup").read_text("utf-8")
            status = (PROC / str(member) / "status").read_text("utf-8")
            own_kib += _kib(rollup, "Pss_Anon") + _kib(rollup, "Pss_Shmem")
            mapped_kib = max(mapped_kib, _kib(status, "RssFile"))
        except (OSError, StopIteration):
            # It ended in between.
            continue
    return (own_kib + mapped_kib) * 1024 / 1e6 if own_kib else None


def anonymous_mb(pid: int) -> float | None:
    """Return the anonymous memory of one process, in MB (10⁶ bytes): what it holds of its own.

    Pages of mapped files do not count: the system takes them back where it needs them. None where
    the process has ended, or the system does not tell (it is Linux that does).
    """
    try:
        status = (PROC / str(pid) / "status").read_text("utf-8")
        return _kib(status, "RssAnon") * 1024 / 1e6
    except (OSError, StopIteration):
        return None


def reply_stream() -> TextIO:
    """Return a stream to where stdout went; what libraries print goes to stderr from now on."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def _kib(text: str, name: str) -> int:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])

"""Implementations in processes of their own, on a small project."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.implementations.spec import Spec
from benchmarks.processes import (
    BenchmarkError,
    environment,
    process_tree,
    run_checked,
    run_measured,
)
from benchmarks.runner import Worker, epochs_together, workers

# One thread, since two that wait for each other are slow where something else is running.
NOTEBOOK = Spec("notebook", "fp32", "cpu", 1)


def ended(pid: int) -> bool:
    """Tell whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 60
    while not (met := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.005)
    return met


def test_a_worker_that_dies_is_named_with_its_last_line(tiny_root: Path, tmp_path: Path) -> None:
    assert tiny_root
    with Worker(NOTEBOOK, tmp_path) as worker:
        (tmp_path / "notebook-fp32.stderr").write_text("Traceback\nValueError: no luck\n\n")
        os.kill(worker.pid, signal.SIGKILL)
        for ask in (worker.wait_ready, worker.epoch, worker.count, worker.memory):
            with pytest.raises(BenchmarkError) as caught:
                ask()
            assert str(caught.value) == "benchmark of notebook-fp32 ended: ValueError: no luck"


def test_workers_end_with_their_loaders_and_files_when_interrupted(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tiny_root
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pids: list[int] = []

    def interrupted() -> None:
        with workers([NOTEBOOK]) as (worker,):
            assert list(tmp_path.rglob("*.png"))
            worker._send("epoch")
            assert wait_until(lambda: len(process_tree(worker.pid)) > 1)
            pids.extend(process_tree(worker.pid))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert wait_until(lambda: all(map(ended, pids)))
    assert list(tmp_path.iterdir()) == []


def test_equal_implementations_have_a_folder_each(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    class Fake:
        def __init__(self, _spec: Spec, folder: Path) -> None:
            assert folder.is_dir()
            folders.append(folder)

        def __enter__(self) -> "Fake":
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def wait_ready(self) -> None:
            pass

    monkeypatch.setattr("benchmarks.runner.Worker", Fake)
    with workers([NOTEBOOK, NOTEBOOK]) as started:
        assert len(started) == len(set(folders)) == 2


def test_epochs_side_by_side_all_begin_before_one_is_waited_for() -> None:
    asked: list[str] = []

    class Fake(Worker):
        def __init__(self, number: int) -> None:
            self.number = number

        def begin_epoch(self) -> None:
            asked.append(f"begin {self.number}")

        def end_epoch(self) -> None:
            asked.append(f"end {self.number}")

    assert epochs_together([Fake(0), Fake(1)]) >= 0
    assert asked == ["begin 0", "begin 1", "end 0", "end 1"]


def test_a_command_is_measured_and_its_failure_named_with_the_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print(1); sys.exit('a\\nerror: disk full\\n')"]
    run = run_measured(command, tmp_path)
    assert (run.code, run.output, run.errors) == (1, "1\n", "a\nerror: disk full\n\n")
    with pytest.raises(BenchmarkError, match=r"^-c .* failed: disk full$"):
        run_checked(command, tmp_path)


def test_peak_memory_is_that_of_one_command_in_a_small_process(tmp_path: Path) -> None:
    # A child's peak begins with its parent's: bench.py must not import what is large.
    code = (
        "import pathlib, sys, benchmarks.suite; from benchmarks.processes import run_measured\n"
        "assert not {'torch', 'pandas'} & set(sys.modules)\n"
        "for size in (300, 1):\n"
        "    command = [sys.executable, '-c', f\"block = b'1' * {size}_000_000\"]\n"
        "    print(run_measured(command, pathlib.Path()).peak_mb)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    large, small = map(float, done.stdout.split())
    assert large > 300 > small > 1

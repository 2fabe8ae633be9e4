import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.commands import measured, succeeded
from benchmarks.conductor import BenchmarkError, environment, last_line


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_runs_in_its_folder_and_what_it_printed_is_kept(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('oh', file=sys.stderr); sys.exit(3)"
    run = measured(python(code), tmp_path)
    assert run.code == 3
    assert Path(run.output.strip()).samefile(tmp_path)
    assert run.errors == "oh\n"
    assert run.seconds > 0


def test_memory_is_that_of_this_command(tmp_path: Path) -> None:
    # Asked by a small process, as bench.py is one: a child's peak begins with its parent's.
    code = (
        "import pathlib, sys; from benchmarks.commands import measured\n"
        "for size in (300, 1):\n"
        "    command = [sys.executable, '-c', f\"held = b'1' * {size}_000_000\"]\n"
        "    print(measured(command, pathlib.Path()).peak_mb)"
    )
    done = subprocess.run(
        python(code), cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True
    )
    # The larger one first: what is measured next must not remember it.
    large, small = map(float, done.stdout.split())
    assert large > 300 > small > 1


def test_a_command_that_fails_is_said_with_its_last_line(tmp_path: Path) -> None:
    code = "import sys; sys.exit('first\\nerror: the disk is full\\n\\n')"
    with pytest.raises(BenchmarkError, match=r"^-c .* failed: the disk is full$"):
        succeeded(python(code), tmp_path)
    assert succeeded(python(""), tmp_path).code == 0


def test_an_interrupted_command_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def interrupt(pid: int, _options: int) -> None:
        started.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "wait4", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measured(python("import time; time.sleep(60)"), tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\n\n  \n", "b"),
        ("ERROR: failed to reproduce", "failed to reproduce"),
        ("error: data: no such file\n", "data: no such file"),
        ("ValueError: x", "ValueError: x"),
        ("", "no message"),
    ],
)
def test_the_last_line_that_says_something(text: str, line: str) -> None:
    assert last_line(text) == line

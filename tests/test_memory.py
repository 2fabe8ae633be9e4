"""Main memory: what is free, and what becomes of what is freed."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from fusebench.memory import free_memory, keep_freed_memory

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this system has no glibc")
# Takes and frees 40 MB again and again; prints the page faults of that.
CHURN = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from fusebench.memory import keep_freed_memory
if sys.argv[2] == "keep":
    assert keep_freed_memory() is True
def churn():
    del [bytearray(b"x") * 40_000_000][:]
churn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    churn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    src = Path(__file__).parents[1] / "src"
    done = subprocess.run(
        [sys.executable, "-c", CHURN, str(src), how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@on_glibc
def test_memory_that_was_freed_is_used_again_without_page_faults() -> None:
    assert faults("keep") < faults("as it is") / 20


def test_both_thresholds_are_raised_and_the_answer_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, int]] = []
    answers = {-3: 1, -1: 1}

    def mallopt(name: int, value: int) -> int:
        calls.append((name, value))
        return answers[name]

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() is True
    # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's malloc.h.
    assert calls == [(-3, 1 << 30), (-1, 2**31 - 1)]
    answers[-1] = 0
    assert keep_freed_memory() is False


def test_nothing_is_done_where_there_is_no_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_is_loaded(_name: object) -> object:
        raise AssertionError

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", none_is_loaded)
    assert keep_freed_memory() is None


@pytest.mark.parametrize(
    ("limit", "expected"),
    # The cache of files, 300 of the 900 that are used, is given up first.
    [("1000", 400), ("max", 5000), ("500", 0), ("nonsense", 5000)],
)
def test_free_memory_is_what_a_container_leaves(
    limit: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 600\nfile 300\n")
    monkeypatch.setattr("fusebench.memory._CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5000))
    assert free_memory() == expected


def test_free_memory_without_a_container_is_what_the_system_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusebench.memory._CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5000))
    assert free_memory() == 5000

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
    refused: set[tuple[int, int]] = set()

    def mallopt(name: int, value: int) -> int:
        calls.append((name, value))
        return (name, value) not in refused

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(mallopt=mallopt))
    # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's malloc.h.
    large, trim = (-3, 1 << 30), (-1, 2**31 - 1)
    assert keep_freed_memory() is True
    assert calls == [large, trim]
    # As an old glibc: the most that it allows is asked for then.
    refused.add(large)
    calls.clear()
    assert keep_freed_memory() is True
    assert calls == [large, (-3, 32 << 20), trim]
    refused.add(trim)
    assert keep_freed_memory() is False
    refused.symmetric_difference_update({trim, (-3, 32 << 20)})
    assert keep_freed_memory() is False


def test_nothing_is_done_where_there_is_no_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_is_loaded(_name: object) -> object:
        raise AssertionError

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", none_is_loaded)
    assert keep_freed_memory() is None


def group(folder: Path, limit: str, used: int) -> None:
    """Make a cgroup of version 2. Of its files in memory, those of a tmpfs cannot be given up."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    stat = "anon 500\nfile 400\nshmem 100\ninactive_file 200\nactive_file 100\n"
    (folder / "memory.stat").write_text(stat)


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of the cgroups of a system with 5000 bytes to spare; this process is in a/job."""
    monkeypatch.setattr("fusebench.memory._CGROUPS", tmp_path)
    monkeypatch.setattr("fusebench.memory._OWN", tmp_path / "own")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5000))
    (tmp_path / "own").write_text("0::/a/job\n")
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "expected"),
    # The cache of files, 300 of the 900 that are used, is given up first.
    [("1000", 400), ("max", 5000), ("500", 0), ("nonsense", 5000)],
)
@pytest.mark.parametrize("where", [".", "a", "a/job"])
def test_free_memory_is_what_a_container_or_job_leaves(
    where: str, limit: str, expected: int, groups: Path
) -> None:
    group(groups / where, limit, 900)
    assert free_memory() == expected


def test_the_lowest_limit_of_all_above_counts(groups: Path) -> None:
    group(groups, "2000", 1000)
    group(groups / "a", "1000", 900)
    group(groups / "a/job", "max", 100)
    assert free_memory() == 400


def test_another_group_does_not_count(groups: Path) -> None:
    group(groups / "b", "500", 900)
    assert free_memory() == 5000


@pytest.mark.parametrize("own", ["1:memory:/a\n", "", None])
def test_without_groups_of_version_2_free_memory_is_what_the_system_has(
    own: str | None, groups: Path
) -> None:
    (groups / "own").unlink()
    if own is not None:
        (groups / "own").write_text(own)
    assert free_memory() == 5000

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.memory import descendants, mapped_kib, own_kib, proportional_mb

ROLLUP = """565119ac2000-7ffc6fb71000 ---p 00000000 00:00 0                          [rollup]
Rss:                1728 kB
Pss:                 524 kB
Pss_Dirty:           112 kB
Pss_Anon:            100 kB
Pss_File:            412 kB
Pss_Shmem:            12 kB
"""
STATUS = """Name:\tpython RssFile: 7 kB
VmRSS:\t    1728 kB
RssAnon:\t     112 kB
RssFile:\t    1616 kB
"""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts so")
MEGABYTES = 200


@contextmanager
def python(code: str) -> Iterator[int]:
    """Run Python code that prints a line when it is ready; yield its process."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def test_own_memory_is_that_without_a_file_by_share() -> None:
    assert own_kib(ROLLUP) == 112


def test_mapped_memory_is_read_from_the_line_of_that_name() -> None:
    assert mapped_kib(STATUS) == 1616


@linux
def test_a_process_and_all_below_it_are_found() -> None:
    code = (
        "import subprocess, sys\n"
        "inner = 'print(1, flush=True); input()'\n"
        "child = subprocess.Popen([sys.executable, '-c', inner], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); child.wait()"
    )
    with python(code) as pid:
        found = descendants(pid)
        assert found[0] == pid
        assert len(found) == 2
        assert set(found) < set(descendants(os.getpid()))


@linux
def test_memory_of_a_process_is_counted() -> None:
    with python("print(1, flush=True); input()") as small:
        before = proportional_mb(small)
    with python(f"held = b'1' * {MEGABYTES}_000_000; print(1, flush=True); input()") as large:
        after = proportional_mb(large)
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(MEGABYTES, rel=0.1)


@linux
def test_pages_shared_with_a_child_count_once_and_its_own_are_added() -> None:
    code = (
        f"import os\nheld = b'1' * {MEGABYTES}_000_000\n"
        f"if os.fork() == 0:\n    own = b'2' * {MEGABYTES}_000_000\n"
        "    print(1, flush=True); os.read(0, 1); os._exit(0)\n"
        "os.wait()"
    )
    with python(code) as pid:
        found = proportional_mb(pid)
    assert found is not None
    assert 2 * MEGABYTES < found < 2.5 * MEGABYTES


def test_a_process_that_is_gone_has_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert proportional_mb(process.pid) is None

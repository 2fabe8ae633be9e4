"""Measurements in processes of their own: their memory, their failures, their order."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import BenchmarkError, environment
from benchmarks.scaling import measure as module
from benchmarks.scaling.job import Order
from benchmarks.scaling.measure import Measured, _lines, measure, run_job
from benchmarks.scaling.plan import EXTRACT, HELD, PREDICT, SPLIT, STREAMED, Plan


def test_memory_is_kept_by_phase_and_a_border_belongs_to_both() -> None:
    measured = Measured()
    measured.see(900.0)
    measured.hear({"phase": "load", "anonymous_mb": 100.0})
    for megabytes in (150.0, 240.0, None, 130.0):
        measured.see(megabytes)
    measured.hear({"phase": "work", "anonymous_mb": 250.0})
    measured.see(400.0)
    measured.hear({"seconds": 6.0, "samples": 3000, "held_bytes": 120_000_000})
    assert measured.peaks_mb == {"start": 900.0, "load": 250.0, "work": 400.0}
    assert measured.milliseconds == 2.0
    assert measured.peak_mb == 900.0
    assert measured.loading == (250 - 100) / 120
    measured.hear({"seconds": 6.0, "samples": 3000, "held_bytes": 0})
    assert measured.loading is None


def test_memory_of_a_process_is_seen_while_it_runs() -> None:
    # Anonymous memory alone: the mapped file of the same size does not count.
    code = (
        "import mmap, tempfile, time\n"
        "block = bytearray(200_000_000)\n"
        "with tempfile.TemporaryFile() as file:\n"
        "    file.truncate(300_000_000)\n"
        "    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "    total = sum(mapped[::4096])\n"
        "    print('one\\ntwo', flush=True)\n"
        "    del block\n"
        "    time.sleep(0.2)\n"
        "print('three')"
    )
    seen: list[float] = []
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    lines = list(_lines(process, lambda megabytes: seen.append(megabytes or 0.0)))
    assert process.wait() == 0
    assert lines == ["one", "two", "three"]
    assert 200 < max(seen) < 300


def test_a_measurement_that_fails_is_named_with_its_last_line(tiny_root: Path) -> None:
    assert tiny_root
    with pytest.raises(BenchmarkError, match=r"^nowhere/dataset\.json: no such file"):
        run_job(Order(SPLIT, 10, "nowhere", 1, 1))


PLAN = Plan(sizes=(40, 60, 80), most_held=60, most_repeated=40, repeats=2, warm=1, batches=3)


def test_sizes_are_interleaved_and_a_failure_is_not_tried_again(
    tiny_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tiny_root
    orders: list[tuple[str, int]] = []

    def run_job(order: Order) -> Measured:
        assert Path(order.path).exists()
        orders.append((order.kind, order.size))
        if (order.kind, order.size) == (HELD, 60):
            raise BenchmarkError("ended by signal 9")
        measured = Measured()
        measured.hear({"phase": "load", "anonymous_mb": 100.0})
        measured.see(90.0 + len(orders))
        held = 40e6 if order.kind == HELD else 0
        measured.hear({"seconds": 0.002 * len(orders), "samples": 2, "held_bytes": held})
        return measured

    facts = {"machine": "m", "commit": "c"}
    monkeypatch.setattr(module, "run_job", run_job)
    monkeypatch.setattr(module, "probe", lambda: facts)
    lines: list[str] = []
    result = measure(PLAN, lines.append)
    packed = [(PREDICT, 40), (STREAMED, 40), (HELD, 40), (SPLIT, 40), (PREDICT, 60), (STREAMED, 60)]
    assert orders == [
        *packed, (HELD, 60), (SPLIT, 60), (PREDICT, 80), (STREAMED, 80), (SPLIT, 80),
        # Again, but not what failed nor what is measured once.
        *packed, (PREDICT, 80), (STREAMED, 80),
        (EXTRACT, 40), (EXTRACT, 40), (EXTRACT, 60), (EXTRACT, 80),
    ]  # fmt: skip
    rows: dict[tuple[str, int], Any] = {
        (row["kind"], row["samples"]): row for row in result["rows"]
    }
    assert rows[HELD, 60] == {
        "kind": HELD, "samples": 60, "not_measured": "ended by signal 9",
    }  # fmt: skip
    assert rows[HELD, 40]["milliseconds"]["values"] == [3.0, 14.0]
    assert rows[HELD, 40]["anonymous_mb"]["max"] == 104.0
    assert rows[HELD, 40]["loading"]["values"] == [0.0, 0.1]
    assert "loading" not in rows[STREAMED, 40]
    assert f"{HELD}, 60 samples: not measured: ended by signal 9" in lines


def test_everything_is_measured_in_processes_of_their_own(
    tiny_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert tiny_root
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # One thread: two that wait for each other are slow where something else is running.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    result = measure(Plan(sizes=(100,), repeats=1, warm=1, batches=3), lambda _line: None)
    rows = {row["kind"]: row for row in result["rows"]}
    assert rows.keys() == {STREAMED, HELD, PREDICT, SPLIT, EXTRACT}
    for row in rows.values():
        assert row["milliseconds"]["median"] > 0
        assert row["anonymous_mb"]["median"] > 10
    # The maps are among what loading adds.
    assert rows[HELD]["loading"]["median"] > 0.9
    assert list(tmp_path.iterdir()) == []


def test_without_samples_one_line_names_what_makes_them(tmp_path: Path) -> None:
    script = Path(module.__file__).parents[1] / "scale.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/samples/dataset.json: no such file")
    assert len(done.stderr.splitlines()) == 1

"""Contestants in processes of their own, on a small project."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.conductor import BenchmarkError, Worker, workers
from benchmarks.contestants.spec import Spec
from benchmarks.memory import descendants

# Bf16 is emulated where the processor lacks it: slow, but these samples are few. One thread, since
# two that wait for each other are slow where something else is running.
SPECS = [
    Spec("project", "bf16", "cpu", 1),
    Spec("notebook", "fp32", "cpu", 1),
    Spec("fabric", "fp32", "cpu", 1),
]


@pytest.fixture(scope="module")
def started(in_tiny_root: Path) -> Iterator[dict[str, Worker]]:
    """A process per kind of contestant, each trained for one epoch."""
    assert in_tiny_root
    with workers(SPECS) as made:
        for worker in made:
            worker.start(0)
            worker.turn()
        yield {worker.spec.kind: worker for worker in made}


KINDS = [spec.kind for spec in SPECS]


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_is_an_epoch_with_its_loss(kind: str, started: dict[str, Worker]) -> None:
    worker = started[kind]
    losses = []
    for _ in range(2):
        worker.start(0)
        seconds, loss = worker.turn()
        assert seconds > 0
        losses.append(loss)
    assert losses[0] == losses[1]
    assert losses[0] is not None
    assert 0 < losses[0] < 100


def test_all_make_the_same_number_of_operations(started: dict[str, Worker]) -> None:
    flops = {kind: worker.flops() for kind, worker in started.items()}
    # Per sample: two stems, the head, the classifier; a product of a and b makes 2ab.
    forward = 2 * (
        2 * (64 * 64 * 4 * 9 * 32 + 32 * 32 * 32 * 9 * 64) + 8 * 8 * 128 * 9 * 128 + 2048 * 2
    )
    # Backward, for inputs and for weights, but no gradient is made of the maps themselves.
    backward = 2 * forward - 2 * 2 * (64 * 64 * 4 * 9 * 32)
    assert set(flops.values()) == {30 * (forward + backward) + 20 * forward}


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_that_of_the_process(kind: str, started: dict[str, Worker]) -> None:
    found = started[kind].memory()
    assert float(found["peak_mb"]) > 100
    assert found["measured"] == "process and its loader workers (PSS)"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_warns(kind: str, started: dict[str, Worker]) -> None:
    assert started[kind].errors == ""


def gone(pid: int) -> bool:
    """Tell whether a process has ended, waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_worker_that_dies_is_said_with_its_last_line(in_tiny_root: Path, tmp_path: Path) -> None:
    assert in_tiny_root
    with Worker(Spec("product", "fp32", "cpu", 1), tmp_path) as worker:
        worker.ready()
        (tmp_path / "product-fp32.stderr").write_text("Traceback\nValueError: no luck\n\n")
        os.kill(worker.pid, signal.SIGKILL)
        for ask in (worker.turn, worker.flops, worker.memory):
            with pytest.raises(BenchmarkError) as caught:
                ask()
            assert str(caught.value) == "benchmark of product-fp32 ended: ValueError: no luck"


def test_a_worker_that_cannot_begin_is_said_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError) as caught, workers([SPECS[2]]):
        pass
    assert str(caught.value) == (
        "benchmark of fabric-fp32 ended: data/samples: no such file; 'dvc repro split' makes it"
    )


def test_an_interrupt_ends_all_workers_and_their_files(
    in_tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_tiny_root
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pids: list[int] = []

    def interrupted() -> None:
        with workers([SPECS[1], SPECS[0]]) as made:
            pids.extend(pid for worker in made for pid in descendants(worker.pid))
            assert list(tmp_path.rglob("*.png"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pids) >= 2
    assert all(gone(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_ends_with_its_loader_workers(in_tiny_root: Path, tmp_path: Path) -> None:
    assert in_tiny_root
    with Worker(SPECS[1], tmp_path) as worker:
        worker.ready()
        worker._send("turn")
        deadline = time.monotonic() + 60
        while len(pids := descendants(worker.pid)) < 2 and time.monotonic() < deadline:
            pass
    assert len(pids) >= 2
    while not all(gone(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert all(gone(pid) for pid in pids)

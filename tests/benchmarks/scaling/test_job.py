"""What one process measures, and of which samples."""

from collections.abc import Callable
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.library import load_inputs
from benchmarks.scaling import job
from benchmarks.scaling.data import write_archive, write_samples
from benchmarks.scaling.job import BatchClock, Order, batch_sizes, spread_order
from benchmarks.scaling.plan import EXTRACT, HELD, PREDICT, SPLIT, STREAMED
from fusebench.config import PARAMS_FILE, load_section
from fusebench.device import Device
from fusebench.inputs.inputs import Inputs, PartInputs
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.samples import Samples, open_samples

# --- Which batches are timed ---


@given(total=st.integers(1, 400), size=st.integers(1, 40), batches=st.integers(1, 30))
def test_an_order_has_each_position_once_and_begins_with_spread_batches(
    total: int, size: int, batches: int
) -> None:
    order = spread_order(total, size, batches)
    assert sorted(order) == list(range(total))
    starts = [int(order[place]) for place in range(0, min(batches * size, total), size)]
    assert starts[0] == 0
    if total % size == 0 and 1 < batches <= total // size:
        # From the first to the last, in steps that differ by one batch at most.
        assert starts[-1] == total - size
        steps = [(after - before) // size for before, after in pairwise(starts)]
        assert max(steps) - min(steps) <= 1


def test_batches_are_those_of_epoch_after_epoch() -> None:
    assert list(islice(batch_sizes(10, 4), 7)) == [4, 4, 2, 4, 4, 2, 4]
    assert list(islice(batch_sizes(8, 4), 3)) == [4, 4, 4]
    assert list(islice(batch_sizes(3, 4), 2)) == [3, 3]


def test_the_clock_starts_after_the_warm_batches_and_ends_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = count(100)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(seconds)))
    clock, epochs = BatchClock(batch_sizes(10, 4), warm=2, batches=3), []

    def epoch() -> None:
        epochs.append(0)
        for _ in range(3):
            clock.tick()

    clock.run(epoch)
    # 4, 4 | 2, 4, 4: the clock is read when it starts and when it stops.
    assert (clock.samples, clock.seconds, len(epochs)) == (10, 1.0, 2)


# --- What is done in them ---


@pytest.fixture(scope="module")
def folder(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred samples, packed and as an archive. Read-only."""
    folder = tmp_path_factory.mktemp("scaled")
    write_samples(samples, 100, folder / "100")
    write_archive(samples, 100, folder / "100.zip")
    return folder


Run = Callable[[str, str], tuple[dict[str, float], list[str]]]


@pytest.fixture
def run(folder: Path, tiny_root: Path, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a kind of measurement in this process; return what it measured, and its phases."""
    assert tiny_root
    # What a measurement sets, the fixture takes back.
    assert cpu
    # Two threads that wait for each other are slow where something else is running.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(kind: str, name: str) -> tuple[dict[str, float], list[str]]:
        phases: list[str] = []
        order = Order(kind, 100, str(folder / name), warm=1, batches=5)
        return job._JOBS[kind](order, phases.append), phases

    return run


def test_a_training_in_memory_says_what_its_maps_take(run: Run, folder: Path) -> None:
    measured, phases = run(HELD, "100")
    # Batches of 8.
    assert (measured["samples"], phases) == (40, ["load", "work"])
    samples = open_samples(folder / "100")
    lidar = load_section(PARAMS_FILE, "lidar", LidarParams)
    device = torch.device("cpu")
    inputs = Inputs.load(samples, samples.table, lidar, ("rgb", "lidar"), device)
    assert measured["held_bytes"] == sum(maps.nbytes for maps in inputs.maps.values())
    assert measured["seconds"] > 0


@pytest.mark.parametrize("kind", [STREAMED, PREDICT])
def test_all_samples_were_looked_at_before_batches_are_timed(
    kind: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []

    def load(samples: Samples, *arguments: Any, **named: Any) -> PartInputs:
        looked.append(bool(samples._checked.all()))
        return load_inputs(samples, *arguments, **named)

    monkeypatch.setattr(job, "load_inputs", load)
    run(kind, "100")
    assert looked == [True]


@pytest.mark.parametrize(("kind", "name"), [(SPLIT, "100"), (EXTRACT, "100.zip")])
def test_split_and_extract_are_measured_whole_and_leave_nothing(
    kind: str, name: str, run: Run, folder: Path
) -> None:
    before = sorted(folder.iterdir())
    measured, phases = run(kind, name)
    assert (measured["samples"], phases) == (100, ["work"])
    assert measured["seconds"] > 0
    assert sorted(folder.iterdir()) == before

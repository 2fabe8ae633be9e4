"""Operations of a forward pass against a count by hand; how often a run is timed."""

import time
from collections.abc import Callable

import pytest
import torch
from tests.project import ROOT

from fusebench.cost import speed
from fusebench.cost.batches import random_maps
from fusebench.cost.speed import Runs, forward_seconds, operations, seconds_of
from fusebench.models.base import ModelSpec, build, fusion_class
from fusebench.models.registry import FUSIONS

CPU = torch.device("cpu")
Specs = Callable[..., ModelSpec]


def _convolution(channels_in: int, channels_out: int, side: int) -> int:
    """Count 3×3 products for each value of the output, two operations per multiply-add."""
    return 2 * 9 * channels_in * channels_out * side * side


def test_operations_are_those_counted_by_hand(spec: Specs) -> None:
    one = spec("add", size=16)
    stem = _convolution(4, 32, 16) + _convolution(32, 64, 8)
    # The fused map is 4 × 4; it is halved before the head's convolution, and after it.
    head = _convolution(64, 128, 2) + 2 * 128 * 1 * 1 * 2
    assert operations(build(one), one, CPU) == 2 * stem + head


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_operations_do_not_depend_on_the_precision(fusion: str, spec: Specs) -> None:
    counts = {
        precision: operations(build(spec(fusion, precision)), spec(fusion, precision), CPU)
        for precision in ("fp32", "bf16")
    }
    assert counts["fp32"] == counts["bf16"] > 0


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_random_maps_are_what_the_fusion_reads_and_the_same_each_time(
    fusion: str, spec: Specs
) -> None:
    maps = random_maps(spec(fusion, size=20), 3, CPU)
    assert tuple(maps) == fusion_class(fusion).inputs
    again = random_maps(spec(fusion, size=20), 3, CPU)
    for name, values in maps.items():
        assert values.shape == (3, 4, 20, 20)
        assert values.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(values, again[name])
    if len(maps) == 2:
        assert not torch.equal(maps["rgb"], maps["lidar"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what is in the list."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("takes", "count"),
    [(0.001, 200), (0.025, 80), (0.1, 30), (10.0, 30)],
    ids=["at most so many", "as fit into the time", "at least so many", "however long"],
)
def test_runs_are_as_many_as_fit_but_neither_too_few_nor_too_many(
    takes: float, count: int, clock: list[float]
) -> None:
    ran = 0

    def run() -> None:
        nonlocal ran
        ran += 1
        # What warms up takes long, and does not count.
        clock[0] += takes if ran > 5 else 1000.0

    seconds = seconds_of(run, Runs(warm=5, fewest=30, most=200, seconds=1.99))
    assert len(seconds) == count == ran - 5
    assert seconds == pytest.approx([takes] * count)


def test_a_batch_is_run_in_inference_mode_without_dropping_to_training(
    spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = build(spec()).train(), []

    def run(run_once: Callable[[], None], _runs: Runs) -> list[float]:
        run_once()
        return [1.0]

    def look(_module: object, given: tuple[dict[str, torch.Tensor]], logits: torch.Tensor) -> None:
        seen.append((given[0]["rgb"].shape[0], logits.is_inference(), model.training))

    monkeypatch.setattr(speed, "seconds_of", run)
    model.register_forward_hook(look)
    assert forward_seconds(model, spec(), CPU, 5, speed.MANY) == [1.0]
    assert seen == [(5, True, False)]


def test_page_says_how_often_each_time_is_measured() -> None:
    page = " ".join((ROOT / "docs/cost.md").read_text("utf-8").split())
    one, many = speed.ONE_SAMPLE, speed.MANY
    assert (
        f"after {one.warm} runs that do not count, {one.fewest} to {one.most} runs, as many as fit "
        f"into {one.seconds:g} s"
    ) in page
    assert many.warm == 1
    assert f"batches of {speed.BATCH} " in page
    assert (
        f"after one batch that does not count, the median of {many.fewest} to {many.most} "
        f"batches, as many as fit into {many.seconds:g} s"
    ) in page

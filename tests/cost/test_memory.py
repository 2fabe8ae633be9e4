"""Memory of a training step: of this model alone, whatever ran before."""

import gc
import os
from collections.abc import Callable

import pytest
import torch

from fusebench.cost import memory
from fusebench.cost.memory import step_bytes
from fusebench.models.base import ModelSpec, build
from fusebench.models.registry import FUSIONS
from fusebench.training.settings import TrainParams

CPU = torch.device("cpu")
Specs = Callable[..., ModelSpec]
Settings = Callable[[int], TrainParams]


def _parameters(spec: ModelSpec) -> int:
    return sum(tensor.numel() for tensor in build(spec).parameters())


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_memory_is_the_same_again_and_after_a_larger_model(
    precision: str, spec: Specs, settings: Settings
) -> None:
    small, large = spec("add", precision), spec("late", precision, size=48)
    first = step_bytes(small, settings(4), CPU)
    assert step_bytes(small, settings(4), CPU) == first
    of_large = step_bytes(large, settings(16), CPU)
    kept = [torch.ones(1000) for _ in range(50)]
    assert step_bytes(small, settings(4), CPU) == first < of_large
    del kept


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_memory_holds_weights_gradients_and_both_moments(
    fusion: str, spec: Specs, settings: Settings
) -> None:
    one = spec(fusion)
    assert step_bytes(one, settings(2), CPU) >= 4 * 4 * _parameters(one)


@pytest.mark.usefixtures("cpu")
def test_memory_grows_with_the_batch_by_what_a_sample_keeps(
    spec: Specs, settings: Settings
) -> None:
    at = {batch: step_bytes(spec(), settings(batch), CPU) for batch in (8, 16, 32)}
    assert at[8] < at[16] < at[32]
    # Weights and state do not grow: what is added is in proportion to the samples added.
    assert at[32] - at[16] == pytest.approx(2 * (at[16] - at[8]), rel=0.05)
    # At the least, a sample's maps and what the first block of each stem gives.
    assert at[16] - at[8] > 8 * 2 * 4 * (4 + 32) * 16 * 16


@pytest.mark.usefixtures("cpu")
def test_a_fusion_of_one_sensor_holds_the_maps_of_one(spec: Specs, settings: Settings) -> None:
    one, both = (step_bytes(spec(name), settings(16), CPU) for name in ("rgb_only", "add"))
    assert one < 0.75 * both


@pytest.mark.usefixtures("cpu")
def test_profiler_says_nothing_and_errors_are_seen_all_the_same(
    spec: Specs, settings: Settings, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    step_bytes(spec(), settings(2), CPU)
    assert capfd.readouterr() == ("", "")

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(memory, "adam", broken)
    with pytest.raises(RuntimeError, match="broken"):
        step_bytes(spec(), settings(2), CPU)
    assert gc.isenabled()
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"

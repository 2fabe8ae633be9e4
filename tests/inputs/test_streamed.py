"""Inputs made batch by batch: the same bits as those that are held, whatever is asked for."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusebench.inputs import inputs as made
from fusebench.inputs import streamed
from fusebench.inputs.inputs import Batch, Inputs, maps_bytes
from fusebench.inputs.lidar import LidarParams
from fusebench.inputs.streamed import StreamedInputs, open_inputs
from fusebench.samples.samples import Samples

CPU = torch.device("cpu")
NAMES = ("rgb", "lidar")
WAYS = [
    LidarParams(projection="spherical", align=align, normalize=normalize)
    for align in ("none", "rotate", "camera")
    for normalize in (True, False)
]


def assert_equal(batches: Sequence[Batch], expected: Sequence[Batch]) -> None:
    assert len(batches) == len(expected)
    for (maps, labels), (wanted_maps, wanted_labels) in zip(batches, expected, strict=True):
        assert maps.keys() == wanted_maps.keys()
        for name, wanted in wanted_maps.items():
            assert torch.equal(maps[name], wanted)
            # The layout decides which kernel computes, and so the last bits.
            assert maps[name].stride() == wanted.stride()
            assert maps[name].dtype == wanted.dtype == torch.float32
            assert wanted.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(labels, wanted_labels)


@given(
    way=st.sampled_from(WAYS),
    names=st.sampled_from([NAMES, ("rgb",), ("lidar",)]),
    order=st.lists(st.integers(0, 29), min_size=1, max_size=40),
    size=st.integers(1, 9),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_batches_are_those_of_held_inputs_to_the_bit(
    way: LidarParams, names: tuple[str, ...], order: list[int], size: int, samples: Samples
) -> None:
    rows = samples.table.iloc[40:70]
    held = Inputs.load(samples, rows, way, names, CPU)
    made = StreamedInputs(samples, rows, way, names, CPU)
    positions = torch.tensor(order)
    assert len(made) == len(held) == 30
    assert torch.equal(made.labels, held.labels)
    assert_equal(list(made.batches(positions, size)), list(held.batches(positions, size)))
    assert_equal([made.batch(positions)], [held.batch(positions)])


def test_images_are_held_in_a_quarter_of_the_memory_and_seen_as_fractions(
    samples: Samples,
) -> None:
    held = Inputs.load(samples, samples.table.head(3), WAYS[0], NAMES, CPU)
    assert held.held_bytes == maps_bytes(samples, 3, NAMES) == 3 * 64 * 64 * 4 * (1 + 4)
    # Each of the 256 values, as numpy divides.
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 4, 8, 8)
    inputs = Inputs({"rgb": every}, torch.zeros(1, dtype=torch.int64))
    maps, _ = inputs.batch(torch.tensor([0]))
    expected = np.arange(256, dtype=np.uint8) / np.float32(255)
    assert maps["rgb"].flatten().tolist() == expected.tolist()


@pytest.mark.parametrize(("fewer", "kind"), [(0, Inputs), (1, StreamedInputs)])
def test_inputs_are_held_as_long_as_they_fit_into_the_budget(
    fewer: int, kind: type, samples: Samples
) -> None:
    rows = samples.table.head(5)
    budget = maps_bytes(samples, 5, ("lidar",)) - fewer
    inputs = open_inputs(samples, rows, WAYS[0], ("lidar",), CPU, budget)
    assert isinstance(inputs, kind)
    assert inputs.held_bytes == (0 if fewer else budget)


def test_loading_reads_few_samples_at_a_time(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it takes little memory beside the maps themselves."""
    read: list[int] = []
    ranges = Samples.ranges

    def counted(self: Samples, rows: Any) -> Any:
        read.append(len(rows))
        return ranges(self, rows)

    monkeypatch.setattr(Samples, "ranges", counted)
    Inputs.load(samples, samples.table, WAYS[0], NAMES, CPU)
    assert sum(read) == len(samples.table)
    assert max(read) <= 64


def test_no_more_than_a_few_batches_are_made_ahead(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    float_maps = made.float_maps

    def counted(*arguments: Any) -> Any:
        asked.append(len(arguments[1]))
        return float_maps(*arguments)

    monkeypatch.setattr(streamed, "float_maps", counted)
    inputs = StreamedInputs(samples, samples.table, WAYS[0], ("rgb",), CPU)
    batches = inputs.batches(torch.arange(60), 2)
    for number in range(1, 6):
        next(batches)
        assert number <= len(asked) <= number + streamed._AHEAD + 1
    # One that is stopped on the way leaves no thread at work.
    batches.close()  # type: ignore[attr-defined]
    count = len(asked)
    assert count <= 5 + streamed._AHEAD + 1
    assert Event().wait(0.05) is False
    assert len(asked) == count


def test_what_is_wrong_with_a_sample_is_raised_where_its_batch_is_asked_for(
    samples: Samples,
) -> None:
    rows = samples.table.head(9).copy()
    rows.loc[rows.index[4], "row"] = 10_000
    inputs = StreamedInputs(samples, rows, WAYS[0], ("rgb",), CPU)
    batches = inputs.batches(torch.arange(9), 3)
    next(batches)
    with pytest.raises(IndexError, match="10000"):
        next(batches)

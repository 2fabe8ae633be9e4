"""A part's samples as tensors: the maps of both sensors, addressed by position."""

import numpy as np
import psutil
import pytest
import torch

from fusebench.device import Device
from fusebench.inputs.inputs import Inputs, lidar_batch, rgb_batch
from fusebench.inputs.lidar import LidarParams
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples

LIDAR = LidarParams(projection="spherical", align="camera", normalize=True)


def test_images_are_fractions_with_an_empty_fourth_channel(samples: Samples) -> None:
    rows = samples.table.iloc[[70, 3]]
    maps = rgb_batch(samples, rows, LIDAR).numpy()
    assert maps.shape == (2, 4, 64, 64)
    expected = samples.rgb[[70, 3]].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(maps[:, :3], expected)
    assert not maps[:, 3].any()
    inputs = Inputs.load(samples, rows, LIDAR, ("rgb",), torch.device("cpu"))
    batch, _ = inputs.batch(torch.tensor([0, 1]))
    np.testing.assert_array_equal(batch["rgb"].numpy(), maps / np.float32(255))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_part_is_loaded_whole_however_it_is_cut(
    samples: Samples, manifest: Manifest, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusebench.inputs.inputs._CHUNK", chunk)
    rows = manifest.part(0, "val")
    inputs = Inputs.load(samples, rows, LIDAR, ("rgb", "lidar"), torch.device("cpu"))
    assert len(inputs) == len(rows)
    assert inputs.labels.tolist() == rows["label"].tolist()
    assert torch.equal(inputs.maps["rgb"], rgb_batch(samples, rows, LIDAR))
    assert torch.equal(inputs.maps["lidar"], lidar_batch(samples, rows, LIDAR))
    positions = torch.tensor([4, 0, 4])
    maps, labels = inputs.batch(positions)
    assert torch.equal(maps["lidar"], inputs.maps["lidar"][positions])
    assert labels.tolist() == rows["label"].iloc[[4, 0, 4]].tolist()


def test_only_the_inputs_that_are_asked_for_are_computed(samples: Samples) -> None:
    """A fusion of the image alone needs no ids that are numbers."""
    rows = samples.table.head(2).assign(id=["a", "b"])
    notebook = LidarParams(projection="notebook", align="none", normalize=True)
    inputs = Inputs.load(samples, rows, notebook, ("rgb",), torch.device("cpu"))
    assert list(inputs.maps) == ["rgb"]


def test_memory_of_maps_goes_back_to_the_system(samples: Samples, cpu: Device) -> None:
    """Though the process keeps what else is freed: seeds of other sizes would add up."""
    assert cpu.device.type == "cpu", "keep_freed_memory was called"
    process = psutil.Process()
    rows = samples.table.loc[samples.table.index.repeat(20)]
    blockers = []
    before = process.memory_info().rss
    for more in range(3):
        inputs = Inputs.load(samples, rows.iloc[: 1500 + more], LIDAR, ("rgb", "lidar"), cpu.device)
        assert process.memory_info().rss - before > inputs.held_bytes / 2
        # Small, and behind them: the heap cannot be cut here.
        blockers.append(torch.ones(10_000))
        held = inputs.held_bytes
        del inputs
    assert process.memory_info().rss - before < held / 2

"""Samples that do not fit into the memory budget: trained to the same bits."""

from dataclasses import replace

import pytest
import torch

from fusebench.device import Device, Precision
from fusebench.inputs.inputs import Inputs, maps_bytes
from fusebench.inputs.lidar import LidarParams
from fusebench.inputs.streamed import StreamedInputs
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training.loop import Task, TrainingState, fit, start
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
TRAIN = TrainParams(
    seeds=(0,), epochs=2, batch_size=16, lr=0.001, weight_decay=0.0, schedule="constant",
    class_weights="balanced", augment=(), pooling="max", precision="auto",
)  # fmt: skip


def ignore(_task: Task, _state: TrainingState) -> None:
    pass


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_streamed_training_is_that_of_held_samples_to_the_bit(
    precision: Precision, samples: Samples, manifest: Manifest, cpu: Device
) -> None:
    states = []
    for budget, kind in ((2**40, Inputs), (0, StreamedInputs)):
        device = replace(cpu, memory_budget=budget)
        recipe = Recipe("concat", TRAIN, LIDAR, precision)
        task = Training(recipe, samples, manifest, device, "").task(0)
        assert isinstance(task.train, kind)
        assert isinstance(task.val, kind)
        states.append(fit(task, start(task), ignore))
    held, streamed = states
    assert streamed.records == held.records
    weights = streamed.model.state_dict()
    for name, tensor in held.model.state_dict().items():
        assert torch.equal(weights[name], tensor), name


def test_val_is_held_before_train(samples: Samples, manifest: Manifest, cpu: Device) -> None:
    val, train = (len(manifest.part(0, part)) for part in ("val", "train"))
    assert val < train
    budget = maps_bytes(samples, val + train, ("rgb", "lidar")) - 1
    device = replace(cpu, memory_budget=budget)
    task = Training(Recipe("add", TRAIN, LIDAR, "fp32"), samples, manifest, device, "").task(0)
    assert isinstance(task.val, Inputs)
    assert isinstance(task.train, StreamedInputs)
    # Of two seeds at a time, each has half of it.
    training = Training(Recipe("add", TRAIN, LIDAR, "fp32"), samples, manifest, device, "")
    half = replace(training, device=replace(device, memory_budget=2 * budget + 2))
    assert isinstance(half.task(0, 2).train, Inputs)
    assert isinstance(half.task(0, 3).train, StreamedInputs)

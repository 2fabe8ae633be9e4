"""What is fast against what is plain: the same function, the same gradients, the same training."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor

from fusebench.inputs.inputs import Inputs
from fusebench.models import registry
from fusebench.models.base import ConvBlock, Fusion
from fusebench.models.weights import initialize
from fusebench.training.loop import Task, TrainingState, epoch_order, start, train_epoch
from fusebench.training.optimizer import Adam

MakeTask = Callable[..., Task]
every_fusion = pytest.mark.parametrize("fusion", registry.names())
each_pooling = pytest.mark.parametrize("pooling", ["max", "strided"])


def plain_block(self: ConvBlock, maps_bchw: Tensor) -> Tensor:
    """Convolution, ReLU, then pooling: the order in which papers write it."""
    rectified = F.relu(self.conv(maps_bchw))
    return F.max_pool2d(rectified, 2) if self.pooled else rectified


def plain_model(task: Task, monkeypatch: pytest.MonkeyPatch) -> Fusion:
    """Return the untrained model in torch's default layout, its blocks computing plainly."""
    monkeypatch.setattr(ConvBlock, "forward", plain_block)
    model = registry.build(task.spec)
    initialize(model, task.seed)
    return model


def contiguous(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    held = {name: maps.to(dtype).contiguous() for name, maps in inputs.maps.items()}
    return Inputs(held, inputs.labels)


def as_stored(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    held = {
        name: maps.to(dtype).to(memory_format=torch.channels_last)
        for name, maps in inputs.maps.items()
    }
    return Inputs(held, inputs.labels)


@each_pooling
@every_fusion
def test_gradients_of_the_first_step_are_those_of_the_plain_model(
    fusion: str, pooling: str, tiny_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_task(fusion, pooling=pooling)
    labels = task.train.labels
    fast = start(task).model
    inputs = as_stored(task.train, torch.float32)
    torch.autograd.backward(F.cross_entropy(fast(inputs.maps), labels))
    plain = plain_model(task, monkeypatch)
    inputs = contiguous(task.train, torch.float32)
    torch.autograd.backward(F.cross_entropy(plain(inputs.maps), labels))
    expected = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-4, atol=1e-7)


def fast_run(task: Task, epochs: int) -> TrainingState:
    state = start(task)
    state.model.double()
    state.optimizer = Adam(state.model, task.settings.weight_decay)
    task = replace(task, train=as_stored(task.train, torch.float64))
    for _ in range(epochs):
        train_epoch(task, state)
        state.epoch += 1
    return state


def plain_run(task: Task, epochs: int, monkeypatch: pytest.MonkeyPatch) -> Fusion:
    model = plain_model(task, monkeypatch).double()
    inputs = contiguous(task.train, torch.float64)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=task.settings.lr, weight_decay=task.settings.weight_decay
    )
    for epoch in range(epochs):
        order = epoch_order(task.seed, epoch, len(inputs))
        for positions in torch.split(order, task.settings.batch_size):
            maps, labels = inputs.batch(positions)
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(maps), labels))
            optimizer.step()
    return model


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@each_pooling
@every_fusion
def test_twenty_steps_in_float64_are_those_of_the_plain_loop(
    fusion: str,
    pooling: str,
    weight_decay: float,
    tiny_task: MakeTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = tiny_task(fusion, pooling=pooling, weight_decay=weight_decay, lr=0.01)
    epochs = 7  # of 3 steps each.
    fast = fast_run(task, epochs)
    assert all(float(steps) == 21 for steps in fast.optimizer.steps.values())
    plain = plain_run(task, epochs, monkeypatch)
    begun = start(task).model.state_dict()
    expected = plain.state_dict()
    for name, value in fast.model.state_dict().items():
        assert not torch.equal(value.float(), begun[name]), name
        torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-10)


def test_max_before_relu_is_max_after_it() -> None:
    block = ConvBlock(4, 32)
    # Large areas of one value, as behind the object: windows whose four values are tied.
    maps = torch.zeros(2, 4, 16, 16)
    maps[:, :, 3:9, 5:8] = torch.randn(2, 4, 6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(maps), plain_block(block, maps))


@every_fusion
def test_maps_reach_every_convolution_in_the_layout_of_its_weights(
    fusion: str, tiny_task: MakeTask
) -> None:
    task = tiny_task(fusion)
    model = start(task).model
    found = []
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(
                lambda _layer, given, name=name: found.append(
                    (name, given[0].is_contiguous(memory_format=torch.channels_last))
                )
            )
    model(as_stored(task.train, torch.float32).maps)
    assert found
    assert [name for name, kept in found if not kept] == []

"""What is fast against what is plain: the same function, the same gradients, the same training."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor

from fusebench.inputs.inputs import Inputs, PartInputs
from fusebench.models.base import ConvBlock, Fusion, build
from fusebench.models.registry import FUSIONS
from fusebench.models.weights import initialize
from fusebench.training.loop import Task, TrainingState, epoch_order, start, train_epoch

MakeTask = Callable[..., Task]
every_fusion = pytest.mark.parametrize("fusion", FUSIONS.names())


def plain_block(self: ConvBlock, maps_bchw: Tensor) -> Tensor:
    """Convolution, ReLU, then pooling: the order in which papers write it."""
    rectified = F.relu(self.conv(maps_bchw))
    return F.max_pool2d(rectified, 2) if self.pooled else rectified


def plain_model(task: Task, monkeypatch: pytest.MonkeyPatch) -> Fusion:
    """Return the untrained model in torch's default layout, its blocks computing plainly."""
    monkeypatch.setattr(ConvBlock, "forward", plain_block)
    model = build(task.spec)
    initialize(model, task.seed)
    return model


def cast(inputs: PartInputs, dtype: torch.dtype, layout: torch.memory_format) -> Inputs:
    assert isinstance(inputs, Inputs)
    maps = {name: m.to(dtype).contiguous(memory_format=layout) for name, m in inputs.maps.items()}
    return Inputs(maps, inputs.labels)


def is_channels_last(maps: Tensor) -> bool:
    return maps.is_contiguous(memory_format=torch.channels_last)


def fast_run(task: Task, epochs: int) -> TrainingState:
    state = start(task)
    state.model.double()
    task = replace(task, train=cast(task.train, torch.float64, torch.channels_last))
    for _ in range(epochs):
        train_epoch(task, state)
        state.epoch += 1
    return state


def plain_run(task: Task, epochs: int, monkeypatch: pytest.MonkeyPatch) -> Fusion:
    """Train with Adam as the paper writes it: Kingma & Ba, ICLR 2015, Algorithm 1."""
    model = plain_model(task, monkeypatch).double()
    inputs = cast(task.train, torch.float64, torch.contiguous_format)
    parameters = list(model.parameters())
    means, squares = ([torch.zeros_like(weight) for weight in parameters] for _ in range(2))
    settings, step = task.settings, 0
    steps = settings.epochs * math.ceil(len(inputs) / settings.batch_size)
    for epoch in range(epochs):
        for positions in torch.split(
            epoch_order(task.seed, epoch, len(inputs)), settings.batch_size
        ):
            rate = settings.lr
            if settings.schedule == "cosine":
                rate *= (1 + math.cos(math.pi * step / steps)) / 2
            step += 1
            maps, labels = inputs.batch(positions)
            gradients = torch.autograd.grad(F.cross_entropy(model(maps), labels), parameters)
            with torch.no_grad():
                for weight, grad, mean, square in zip(
                    parameters, gradients, means, squares, strict=True
                ):
                    penalised = grad + settings.weight_decay * weight
                    mean.mul_(0.9).add_(0.1 * penalised)
                    square.mul_(0.999).add_(0.001 * penalised**2)
                    corrected = (square / (1 - 0.999**step)).sqrt() + 1e-8
                    weight.sub_(rate * mean / (1 - 0.9**step) / corrected)
    return model


@pytest.mark.parametrize(
    ("pooling", "schedule", "weight_decay"), [("max", "cosine", 0.01), ("strided", "constant", 0.0)]
)
@every_fusion
def test_training_in_float64_is_the_plain_loop_with_adam_as_published(
    fusion: str,
    pooling: str,
    schedule: str,
    weight_decay: float,
    tiny_task: MakeTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = tiny_task(
        fusion, pooling=pooling, schedule=schedule, weight_decay=weight_decay, lr=0.01, epochs=5
    )
    fast = fast_run(task, 4)  # Of 3 steps each.
    plain = plain_run(task, 4, monkeypatch).state_dict()
    begun = start(task).model.state_dict()
    for name, value in fast.model.state_dict().items():
        assert not torch.equal(value.float(), begun[name]), name
        torch.testing.assert_close(value, plain[name], rtol=1e-9, atol=1e-9)


def test_max_before_relu_is_max_after_it() -> None:
    block, generator = ConvBlock(4, 32), torch.Generator().manual_seed(0)
    # Large areas of one value, as behind the object: windows whose four values are tied.
    maps = torch.zeros(2, 4, 16, 16)
    maps[:, :, 3:9, 5:8] = torch.randn(2, 4, 6, 3, generator=generator)
    assert torch.equal(block(maps), plain_block(block, maps))


@every_fusion
def test_maps_and_weights_of_every_convolution_are_channels_last(
    fusion: str, tiny_task: MakeTask
) -> None:
    task = tiny_task(fusion)
    model, fits = start(task).model, {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(
                lambda layer, given, name=name: fits.update(
                    {name: [is_channels_last(given[0]), is_channels_last(layer.weight)]}
                )
            )
    model(cast(task.train, torch.float32, torch.channels_last).maps)
    assert fits
    assert all(fit == [True, True] for fit in fits.values()), fits

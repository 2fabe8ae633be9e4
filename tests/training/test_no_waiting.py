"""From the first batch of an epoch to the last, nothing is read from the device or copied to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fusebench.inputs.inputs import Inputs
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName
from fusebench.training import loop, stacked
from fusebench.training.loop import Task

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]
META = torch.device("meta")
# What torch itself says of an operator: its result, or the shape of it, is known only when the
# device has computed it. `bincount`, `nonzero`, `unique`, `masked_select`, `.item()`, `equal`, ….
READS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}

every_model = pytest.mark.parametrize(
    ("fusion", "pooling"),
    [(fusion, pooling) for fusion in FUSIONS.names() for pooling in ("max", "strided")],
)


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each operator, and whether it makes the host wait."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[str, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_leaves((args, kwargs))
        # Nothing can be read from the meta device: what is wanted of it is made up.
        if func is torch.ops.aten._local_scalar_dense.default and given[0].device == META:
            made: Any = 0.0
        else:
            made = func(*args, **(kwargs or {}))
        devices = {leaf.device for leaf in (*given, *tree_leaves(made)) if isinstance(leaf, Tensor)}
        self.seen.append((str(func), bool(READS & set(func.tags)) or len(devices) > 1))
        return made

    def between_the_batches(self) -> list[str]:
        """Return what waits between the first layer of the first batch and the last gradient."""
        names = [name for name, _ in self.seen]
        first = names.index("aten.convolution.default")
        last = len(names) - names[::-1].index("aten.convolution_backward.default")
        assert sum(name.startswith("aten.nll_loss_forward") for name in names[first:last]) == 3
        return [name for name, waits in self.seen[first:last] if waits]

    def waits(self) -> list[str]:
        return [name for name, waits in self.seen if waits]


def on_meta(task: Task) -> Task:
    """Return the task with its samples on a device that nothing can be read from."""
    assert isinstance(task.train, Inputs)
    maps = {name: of_name.to(META) for name, of_name in task.train.maps.items()}
    return replace(task, train=Inputs(maps, task.train.labels.to(META)), device=META)


@contextmanager
def without_autocast() -> Iterator[None]:
    """Leave autocast out, which does not know the meta device."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
        patch.setattr(torch, "is_autocast_enabled", lambda _: False)
        yield


def without_reading(optimizer: torch.optim.Adam) -> Any:
    """Return an optimiser for the meta device, which the fused Adam does not know."""
    return torch.optim.SGD(optimizer.param_groups[0]["params"], lr=0.1)


@pytest.fixture
def tasks(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> Callable[..., list[Task]]:
    """Make tasks of three batches each, the last of another size for each seed."""

    def make(fusion: str, pooling: str) -> list[Task]:
        return [
            tiny_task(
                fusion, seed, tiny_inputs([0, 0, 1] * 7 + [1] * seed), pooling=pooling,
                schedule="cosine", class_weights="balanced",
            )
            for seed in range(3)
        ]  # fmt: skip

    return make


@every_model
def test_an_epoch_reads_one_number_after_the_last_batch(
    fusion: str, pooling: str, tasks: Callable[..., list[Task]]
) -> None:
    task = tasks(fusion, pooling)[0]
    state = loop.start(task)
    with Watch() as watch:
        loop.train_epoch(task, state)
    assert watch.between_the_batches() == []
    assert watch.waits() == ["aten._local_scalar_dense.default"]


@every_model
def test_an_epoch_copies_the_order_before_the_first_batch_and_nothing_after(
    fusion: str, pooling: str, tasks: Callable[..., list[Task]]
) -> None:
    task = tasks(fusion, pooling)[0]
    state = loop.start(replace(task, device=META))
    assert state.class_weights is not None
    state.class_weights = state.class_weights.to(META)
    state.optimizer = without_reading(state.optimizer)
    task = on_meta(task)
    with without_autocast(), Watch() as watch:
        loop.train_epoch(task, state)
    assert watch.between_the_batches() == []
    assert watch.waits() == ["aten._to_copy.default", "aten._local_scalar_dense.default"]


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "notebook"])
def test_an_epoch_of_an_encoder_copies_nothing_between_the_batches(
    stem: StemName, tiny_task: MakeTask
) -> None:
    task = tiny_task(stem=stem)
    state = loop.start(replace(task, device=META))
    state.optimizer = without_reading(state.optimizer)
    task = on_meta(task)
    with without_autocast(), Watch() as watch:
        loop.train_epoch(task, state)
    assert watch.between_the_batches() == []
    assert watch.waits() == ["aten._to_copy.default", "aten._local_scalar_dense.default"]


@every_model
def test_a_stacked_epoch_reads_nothing(
    fusion: str, pooling: str, tasks: Callable[..., list[Task]]
) -> None:
    stack = tasks(fusion, pooling)
    state = stacked.start(stack)
    with Watch() as watch:
        stacked.train_epoch(stack, state)
    assert watch.between_the_batches() == []
    assert watch.waits() == []


@every_model
def test_a_stacked_epoch_copies_the_orders_before_the_first_batch_and_nothing_after(
    fusion: str, pooling: str, tasks: Callable[..., list[Task]]
) -> None:
    stack = tasks(fusion, pooling)
    state = stacked.start([replace(task, device=META) for task in stack])
    state.class_weights_sk = state.class_weights_sk.to(META)
    state.optimizer = without_reading(state.optimizer)
    stack = [on_meta(task) for task in stack]
    with without_autocast(), Watch() as watch:
        losses = stacked.train_epoch(stack, state)
    assert losses.device == META
    assert watch.between_the_batches() == []
    assert watch.waits() == ["aten._to_copy.default"]

"""Seeds trained in one pass against the same seeds trained alone: the same learning."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fusebench.errors import TrainingError
from fusebench.inputs.inputs import Inputs
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName
from fusebench.training import loop, stacked
from fusebench.training.loop import Task, TrainingState, epoch_order
from fusebench.training.stacked import StackedState, reason_against

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]
MakeTasks = Callable[..., list[Task]]
every_fusion = pytest.mark.parametrize("fusion", FUSIONS.names())
# By seed: samples of its train and val part. Last batches of 5, 8 and 3 of 8; one or two of val.
COUNTS = {0: (21, 5), 4: (24, 9), 2: (19, 16)}


@pytest.fixture
def tasks(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> MakeTasks:
    """Make the tasks of `COUNTS`, each with a draw of its own; keywords: fusion, settings."""

    def make(
        fusion: str = "add", dtype: torch.dtype = torch.float32, **settings: object
    ) -> list[Task]:
        return [
            tiny_task(
                fusion, seed,
                cast(tiny_inputs(([0, 0, 1] * train)[-train:], seed), dtype),
                cast(tiny_inputs(([0, 1] * val)[:val], 10 + seed), dtype),
                **settings,
            )
            for seed, (train, val) in COUNTS.items()
        ]  # fmt: skip

    return make


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return Inputs({name: maps.to(dtype) for name, maps in inputs.maps.items()}, inputs.labels)


def ignore(*_: object) -> None:
    pass


def together(tasks: list[Task], dtype: torch.dtype = torch.float32) -> StackedState:
    state = stacked.start(tasks)
    for weight in state.weights.values():
        weight.data = weight.data.to(dtype)
    return stacked.fit(tasks, state, ignore)


def alone(task: Task, dtype: torch.dtype = torch.float32) -> TrainingState:
    state = loop.start(task)
    state.model.to(dtype)
    if state.class_weights is not None:
        state.class_weights = state.class_weights.to(dtype)
    return loop.fit(task, state, ignore)


def weights_of(state: StackedState, number: int) -> dict[str, Tensor]:
    return {name: weight[number].detach() for name, weight in state.weights.items()}


# --- The same learning ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pooling", "schedule", "weight_decay", "class_weights"),
    [("max", "cosine", 0.01, "balanced"), ("strided", "constant", 0.0, "none")],
)
@every_fusion
def test_in_float64_each_seed_is_what_it_is_alone(
    fusion: str,
    pooling: str,
    schedule: str,
    weight_decay: float,
    class_weights: str,
    tasks: MakeTasks,
) -> None:
    stack = tasks(
        fusion, torch.float64, pooling=pooling, schedule=schedule, weight_decay=weight_decay,
        class_weights=class_weights, lr=0.01, epochs=7,
    )  # fmt: skip
    state = together(stack, torch.float64)  # 21 steps
    for number, (task, came) in enumerate(zip(stack, state.seeds, strict=True)):
        expected = alone(task, torch.float64)
        for name, weight in expected.model.state_dict().items():
            found = weights_of(state, number)[name]
            torch.testing.assert_close(found, weight, rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(
                came.best_weights[name], expected.best_weights[name], rtol=1e-10, atol=1e-10
            )
        assert came.best_epoch == expected.best_epoch
        for record, wanted in zip(came.records, expected.records, strict=True):
            assert vars(record) == pytest.approx(vars(wanted), rel=1e-10)


def gradients(task: Task) -> tuple[float, Tensor]:
    """Return the loss of a first step of all samples, and all its gradients in one tensor."""
    state = loop.start(task)
    loss = loop.train_epoch(task, state)
    return loss, flat({name: weight.grad for name, weight in state.model.named_parameters()})


def stacked_gradients(tasks: list[Task]) -> list[tuple[float, Tensor]]:
    state = stacked.start(tasks)
    losses = stacked.train_epoch(tasks, state).tolist()
    found = {name: weight.grad for name, weight in state.weights.items()}
    return [
        (loss, flat({name: part(gradient, number) for name, gradient in found.items()}))
        for number, loss in enumerate(losses)
    ]


def part(gradient: Tensor | None, number: int) -> Tensor | None:
    return None if gradient is None else gradient[number]


def flat(tensors: dict[str, Tensor | None]) -> Tensor:
    present = [tensor.flatten() for _, tensor in sorted(tensors.items()) if tensor is not None]
    assert len(present) == len(tensors)
    return torch.cat(present)


def distance(first: Tensor, second: Tensor) -> float:
    return float(torch.linalg.vector_norm(first - second) / torch.linalg.vector_norm(second))


@every_fusion
def test_first_gradients_are_those_of_each_seed(fusion: str, tasks: MakeTasks) -> None:
    stack = tasks(fusion, class_weights="balanced", batch_size=32)
    for (loss, found), task in zip(stacked_gradients(stack), stack, strict=True):
        expected_loss, expected = gradients(task)
        assert loss == pytest.approx(expected_loss, rel=1e-5)
        assert distance(found, expected) < 1e-4


@every_fusion
def test_in_bf16_gradients_are_as_far_from_fp32_as_alone(fusion: str, tasks: MakeTasks) -> None:
    precise = tasks(fusion, batch_size=32)
    stack = tasks(fusion, batch_size=32, precision="bf16")
    for (_, found), task, in_fp32 in zip(stacked_gradients(stack), stack, precise, strict=True):
        _, expected = gradients(in_fp32)
        alone = distance(gradients(task)[1], expected)
        assert alone / 3 < distance(found, expected) < 3 * alone


class Formats(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the number formats of products: convolutions and linear layers, not their gradients."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[str, torch.dtype]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).split(".")[1]
        if name in ("convolution", "addmm", "mm", "bmm", "baddbmm"):
            kind = "convolution" if name == "convolution" else "product"
            self.seen.append((kind, args[0].dtype))
        return func(*args, **(kwargs or {}))


@every_fusion
def test_in_bf16_all_but_the_logits_is_bf16_as_alone(fusion: str, tasks: MakeTasks) -> None:
    stack = tasks(fusion, precision="bf16")
    state, parts = stacked.start(stack), [task.train for task in stack]
    with Formats() as formats:
        stacked._logits(state, stacked._batch(parts, torch.zeros(3, 8, dtype=torch.int64))[0])
    with Formats() as expected:
        loop.start(stack[0]).model(stack[0].train.batch(torch.arange(8))[0])
    assert formats.seen == expected.seen
    assert formats.seen[-1] == ("product", torch.float32)
    assert ("convolution", torch.bfloat16) in formats.seen


def test_curves_differ_from_those_alone_by_less_than_seeds_differ(tasks: MakeTasks) -> None:
    stack = tasks("concat", epochs=3)
    curves = [[record.val_loss for record in came.records] for came in together(stack).seeds]
    expected = [[record.val_loss for record in alone(task).records] for task in stack]
    spread = torch.tensor(expected).std(0)
    assert ((torch.tensor(curves) - torch.tensor(expected)).abs() < 0.01 * spread).all()


def test_rates_of_val_are_of_its_own_samples_alone(tasks: MakeTasks) -> None:
    stack = tasks(epochs=2)
    for came, task in zip(together(stack).seeds, stack, strict=True):
        expected = alone(task).records
        assert [r.accuracy for r in came.records] == [r.accuracy for r in expected]
        assert [r.seed for r in came.records] == [task.seed] * 2
        assert [r.epoch for r in came.records] == [1, 2]


# --- Each seed by itself ---


def test_best_weights_are_those_of_each_seeds_own_best_epoch(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    # Bright is class 1; in the val part of the first seed it is class 0: learning is soon a loss.
    train, val = tiny_inputs([0, 1] * 12, contrast=1.0), tiny_inputs([0, 1] * 4, 1, contrast=1.0)
    wrong = Inputs(val.maps, 1 - val.labels)
    stack = [tiny_task(seed=seed, train=train, val=part, lr=0.003, epochs=4)
             for seed, part in ((0, wrong), (1, val))]  # fmt: skip
    after: list[list[dict[str, Tensor]]] = []

    def keep(state: StackedState) -> None:
        after.append([
            {name: weight.clone() for name, weight in weights_of(state, number).items()}
            for number in range(2)
        ])  # fmt: skip

    state = stacked.fit(stack, stacked.start(stack), keep)
    first, second = (came.best_epoch for came in state.seeds)
    assert first < second
    for number, came in enumerate(state.seeds):
        kept = after[came.best_epoch - 1][number]
        assert came.best_weights.keys() == kept.keys()
        assert all(torch.equal(came.best_weights[name], kept[name]) for name in kept)


def test_weights_have_the_names_and_shapes_of_the_model(tasks: MakeTasks) -> None:
    stack = tasks("late", epochs=1)
    shapes = {name: value.shape for name, value in loop.start(stack[0]).model.state_dict().items()}
    for came in together(stack).seeds:
        assert {name: value.shape for name, value in came.best_weights.items()} == shapes


def test_initial_weights_and_order_of_a_seed_are_the_same_in_every_stack(
    tasks: MakeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = tasks(epochs=1)
    asked: dict[int, list[Tensor]] = {}
    batch = Inputs.batch

    def noting(self: Inputs, positions: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        asked.setdefault(id(self), []).append(positions)
        return batch(self, positions)

    monkeypatch.setattr(Inputs, "batch", noting)
    begun = loop.start(second).model.state_dict()
    count = len(second.train)
    for stack in ([first, second], [second, third], [third, second, first]):
        asked.clear()
        state = stacked.start(stack)
        found = weights_of(state, stack.index(second))
        assert all(torch.equal(found[name], begun[name]) for name in begun)
        stacked.train_epoch(stack, state)
        order = torch.cat(asked[id(second.train)])
        assert torch.equal(order[:count], epoch_order(second.seed, 0, count))


def test_what_fills_a_shorter_batch_has_no_part_in_learning(
    tasks: MakeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = tasks(epochs=2, class_weights="balanced")
    expected, filled = together(stack), stacked._filled

    def other(positions: list[Tensor]) -> Tensor:
        made = filled(positions)
        for row, of_seed in zip(made, positions, strict=True):
            row[len(of_seed) :] = 0
        return made

    monkeypatch.setattr(stacked, "_filled", other)
    found = together(stack)
    for name, weight in expected.weights.items():
        torch.testing.assert_close(found.weights[name], weight, rtol=1e-5, atol=1e-6)


# --- What cannot be stacked ---


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({0: 25, 1: 32}, None),
        ({3: 24, 5: 24, 7: 17}, None),
        ({3: 24, 5: 32, 7: 33}, "an epoch of seed 3 has 3 steps, of seed 5 4"),
        ({3: 9, 5: 16, 7: 8}, "an epoch of seed 3 has 2 steps, of seed 7 1"),
        ({0: 25}, "there is only one"),
    ],
)
def test_why_seeds_cannot_be_stacked(counts: dict[int, int], reason: str | None) -> None:
    assert reason_against(counts, 8) == reason


@pytest.mark.parametrize("stem", STEMS)
def test_seeds_of_an_encoder_that_normalises_batches_cannot_be_stacked(stem: StemName) -> None:
    reason = reason_against({0: 24, 1: 24}, 8, stem)
    assert (reason is None) is (not STEMS[stem].batch_norm)
    assert reason is None or reason.startswith(f"model.stem is '{stem}', whose batch normalisation")


def test_tasks_of_such_an_encoder_are_refused(tiny_task: MakeTask) -> None:
    stack = [tiny_task(seed=seed, stem="mobilenet_v3_small") for seed in (0, 1)]
    with pytest.raises(ValueError, match=r"seeds \[0, 1\] cannot be stacked: model\.stem is 'mob"):
        stacked.start(stack)


@given(st.lists(st.integers(1, 100), min_size=2, max_size=5), st.integers(1, 40))
def test_seeds_of_as_many_steps_can_be_stacked(counts: list[int], batch_size: int) -> None:
    reason = reason_against(dict(enumerate(counts)), batch_size)
    assert (reason is None) == (len({math.ceil(count / batch_size) for count in counts}) == 1)


def test_tasks_of_other_steps_are_refused(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    stack = [tiny_task(), tiny_task(seed=1, train=tiny_inputs([0, 1] * 3))]
    with pytest.raises(ValueError, match=r"seeds \[0, 1\] cannot be stacked: an epoch of seed 0"):
        stacked.start(stack)


def test_loss_that_is_no_number_names_its_seed(tasks: MakeTasks) -> None:
    first, second, third = tasks(lr=0.25, epochs=2)
    assert isinstance(second.train, Inputs)
    maps = {name: of_name * math.nan for name, of_name in second.train.maps.items()}
    spoilt = replace(second, train=Inputs(maps, second.train.labels))
    with pytest.raises(TrainingError) as caught:
        together([first, spoilt, third])
    assert str(caught.value) == (
        "add seed 4: loss is nan in epoch 1; lower train.lr or override.add.lr (now 0.25)"
    )


# --- Seconds ---


def test_seconds_of_a_pass_are_divided_among_the_seeds(
    tasks: MakeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 6.0, 10.0, 19.0])
    monkeypatch.setattr(stacked, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    state = together(tasks(epochs=2))
    assert [came.seconds for came in state.seeds] == [[2.0, 3.0]] * 3

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor

from fusebench.errors import TrainingError
from fusebench.evaluation.counts import confusion_counts, rates
from fusebench.inputs.inputs import Inputs
from fusebench.models import registry
from fusebench.models.base import predict
from fusebench.training.loop import (
    Task,
    TrainingState,
    class_weights,
    epoch_order,
    fit,
    learning_rate,
    start,
    train_epoch,
)
from fusebench.training.optimizer import Adam

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]


def ignore(_task: Task, _state: TrainingState) -> None:
    pass


def fitted(task: Task) -> TrainingState:
    return fit(task, start(task), ignore)


def weights_of(state: TrainingState) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    differ = [name for name in first if not torch.equal(first[name], second[name])]
    assert differ == []


def losses_of(state: TrainingState, inputs: Inputs) -> Tensor:
    logits = predict(state.model, inputs, 100)
    return F.cross_entropy(logits, inputs.labels, reduction="none")


@dataclass(frozen=True)
class RecordingInputs(Inputs):
    """Inputs that remember which positions were asked for."""

    asked: list[list[int]] = field(default_factory=list)

    def batch(self, positions: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        self.asked.append(positions.tolist())
        return super().batch(positions)


# --- Repeating and resuming ---


@pytest.mark.parametrize("fusion", registry.names())
def test_training_repeats_to_the_bit(fusion: str, tiny_task: MakeTask) -> None:
    states = []
    for unrelated in (1, 2):
        torch.manual_seed(unrelated)
        torch.rand(unrelated)
        states.append(fitted(tiny_task(fusion)))
    assert_same(weights_of(states[0]), weights_of(states[1]))
    assert_same(states[0].best_weights, states[1].best_weights)
    assert states[0].records == states[1].records


def test_another_seed_gives_another_training(tiny_task: MakeTask) -> None:
    first, second = fitted(tiny_task(seed=0)), fitted(tiny_task(seed=1))
    assert first.records[0].train_loss != second.records[0].train_loss


def stored(state: TrainingState) -> dict[str, Any]:
    """Return a copy of all that a state consists of, as plain values and tensors."""
    held = {each.name: getattr(state, each.name) for each in fields(state)}
    held["model"] = state.model.state_dict()
    held["optimizer"] = state.optimizer.state_dict()
    return copy.deepcopy(held)


def read_back(task: Task, held: dict[str, Any]) -> TrainingState:
    fresh = start(task)
    fresh.model.load_state_dict(held["model"])
    fresh.optimizer.load_state_dict(held["optimizer"])
    kept = {name: held[name] for name in held if name not in ("model", "optimizer")}
    return replace(fresh, **kept)


@pytest.mark.parametrize("done", [0, 1, 3, 4])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_stored_state_goes_on_exactly_where_it_was(
    schedule: str, done: int, tiny_task: MakeTask
) -> None:
    task = tiny_task(epochs=4, schedule=schedule, weight_decay=0.01)
    kept = {0: stored(start(task))}

    def keep(_task: Task, state: TrainingState) -> None:
        kept[state.epoch] = stored(state)

    straight = fit(task, start(task), keep)
    resumed = fit(task, read_back(task, kept[done]), ignore)
    assert_same(weights_of(straight), weights_of(resumed))
    assert_same(straight.best_weights, resumed.best_weights)
    assert straight.records == resumed.records
    assert straight.best_epoch == resumed.best_epoch
    assert_same(straight.optimizer.state_dict(), resumed.optimizer.state_dict())


def test_interrupted_training_can_be_resumed_from_the_same_state(tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=3)
    state = start(task)

    def interrupt(_task: Task, state: TrainingState) -> None:
        if state.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(task, state, interrupt)
    assert_same(weights_of(fit(task, state, ignore)), weights_of(fitted(task)))


# --- Order of samples ---


@pytest.mark.parametrize("count", [1, 2, 33])
def test_order_is_a_permutation_that_seed_and_epoch_fix(count: int) -> None:
    order = epoch_order(3, 5, count)
    assert sorted(order.tolist()) == list(range(count))
    torch.manual_seed(9)
    assert torch.equal(order, epoch_order(3, 5, count))


def test_order_differs_between_epochs_and_seeds() -> None:
    orders = {tuple(epoch_order(s, e, 50).tolist()) for s in range(4) for e in range(4)}
    assert len(orders) == 16


def test_every_fusion_sees_the_same_batches(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    inputs = tiny_inputs([0, 1] * 10)
    asked = []
    for fusion in registry.names():
        train = RecordingInputs(inputs.maps, inputs.labels)
        fitted(tiny_task(fusion, train=train))
        asked.append(train.asked)
    assert all(each == asked[0] for each in asked)
    assert [len(batch) for batch in asked[0]] == [8, 8, 4] * 2
    for epoch in range(2):
        seen = [position for batch in asked[0][3 * epoch : 3 * epoch + 3] for position in batch]
        assert seen == epoch_order(0, epoch, 20).tolist()


# --- What is selected ---


@pytest.mark.parametrize("flipped", [False, True], ids=["as in train", "labels flipped"])
def test_best_weights_are_those_of_the_lowest_val_loss(
    flipped: bool, tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    # With flipped labels, what is learnt makes the val loss worse: the best epoch is an early one.
    val = tiny_inputs([0, 1, 0, 1, 0, 1], seed=1)
    labels = 1 - val.labels if flipped else val.labels
    task = tiny_task(val=Inputs(val.maps, labels), epochs=10, lr=0.003)
    after: list[dict[str, Tensor]] = []
    state = fit(task, start(task), lambda _, now: after.append(weights_of(now)))
    losses = [record.val_loss for record in state.records]
    best = losses.index(min(losses))
    assert best != (len(losses) - 1 if flipped else 0), "the case would show nothing"
    assert (state.best_epoch, state.best_loss) == (best + 1, losses[best])
    assert_same(state.best_weights, after[best])
    unlike = 0 if best else -1
    assert not torch.equal(
        state.best_weights["classifier.weight"], after[unlike]["classifier.weight"]
    )


def test_first_of_equal_epochs_is_selected(tiny_task: MakeTask) -> None:
    state = fitted(tiny_task(epochs=3, lr=0.0))
    assert len({record.val_loss for record in state.records}) == 1
    assert state.best_epoch == 1


def test_val_has_no_part_in_learning(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    vals = tiny_inputs([0, 1, 0, 1], seed=5), tiny_inputs([1, 0, 1, 0, 0, 0, 1], seed=6)
    first, second = (fitted(tiny_task(val=val)) for val in vals)
    assert_same(weights_of(first), weights_of(second))
    assert [r.train_loss for r in first.records] == [r.train_loss for r in second.records]
    assert first.records[0].val_loss != second.records[0].val_loss


def test_model_learns_in_training_mode_and_predicts_in_evaluation_mode(
    tiny_task: MakeTask,
) -> None:
    task = tiny_task()
    state = start(task)
    state.model.eval()
    train_epoch(task, state)
    assert state.model.training
    predict(state.model, task.val, 2)
    assert not state.model.training


# --- What is recorded ---


@pytest.mark.parametrize("count", [16, 18, 5], ids=["even", "smaller last batch", "one batch"])
def test_train_loss_is_the_mean_over_samples(
    count: int, tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    task = tiny_task(train=tiny_inputs([1] + [0] * (count - 1)), lr=0.0)
    state = start(task)
    losses = losses_of(state, task.train)
    assert train_epoch(task, state) == pytest.approx(float(losses.mean()), rel=1e-6)


def test_val_loss_and_rates_are_those_of_the_model_after_the_epoch(tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=3)
    found = []

    def measure(task: Task, state: TrainingState) -> None:
        logits = predict(state.model, task.val, 100)
        loss = float(F.cross_entropy(logits.double(), task.val.labels))
        counts = confusion_counts(task.val.labels.numpy(), logits.argmax(1).numpy(), 2)
        found.append((state.epoch, loss, rates(counts, task.positive)))

    state = fit(task, start(task), measure)
    assert [record.epoch for record in state.records] == [1, 2, 3]
    for record, (epoch, loss, expected) in zip(state.records, found, strict=True):
        assert (record.seed, record.epoch) == (0, epoch)
        assert record.val_loss == pytest.approx(loss, rel=1e-5)
        for name in ("accuracy", "balanced_accuracy", "f1"):
            assert getattr(record, name) == expected[name]


def test_three_classes_are_learnt(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    train, val = tiny_inputs([0, 1, 2] * 10, contrast=1.0), tiny_inputs([0, 1, 2], 1, contrast=1.0)
    state = fitted(tiny_task(train=train, val=val, epochs=12, lr=0.005))
    assert state.records[0].train_loss == pytest.approx(math.log(3), abs=0.3)
    assert max(record.balanced_accuracy for record in state.records) == 100


@pytest.mark.parametrize("fusion", registry.names())
def test_loss_falls(fusion: str, tiny_task: MakeTask) -> None:
    records = fitted(tiny_task(fusion, epochs=10, lr=0.005)).records
    assert records[-1].train_loss < 0.9 * records[0].train_loss


def test_each_epoch_is_timed(tiny_task: MakeTask) -> None:
    state = fitted(tiny_task(epochs=3))
    assert len(state.seconds) == 3
    assert all(0 < each < 60 for each in state.seconds)


# --- Settings ---


def reference_epoch(task: Task, rate: Callable[[int], float]) -> dict[str, Tensor]:
    """Return the weights after one epoch of a plain loop with torch's Adam."""
    model = start(task).model
    optimizer = torch.optim.Adam(
        model.parameters(), weight_decay=task.settings.weight_decay, fused=False
    )
    order = epoch_order(task.seed, 0, len(task.train)).tolist()
    size = task.settings.batch_size
    for step, first in enumerate(range(0, len(order), size)):
        optimizer.param_groups[0]["lr"] = rate(step)
        inputs, labels = task.train.batch(torch.tensor(order[first : first + size]))
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(inputs), labels))
        optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_epoch_is_that_of_a_plain_adam_loop(
    schedule: str, weight_decay: float, tiny_task: MakeTask
) -> None:
    task = tiny_task(schedule=schedule, weight_decay=weight_decay, lr=0.01, epochs=2)
    state = start(task)
    train_epoch(task, state)
    steps = 2 * 3  # 21 samples in batches of 8, two epochs.
    cosine = schedule == "cosine"
    expected = reference_epoch(
        task, lambda step: 0.005 * (1 + math.cos(math.pi * step / steps)) if cosine else 0.01
    )
    for name, value in weights_of(state).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=2e-4)


def test_constant_rate_is_the_same_at_each_step(tiny_task: MakeTask) -> None:
    settings = tiny_task(lr=0.3).settings
    assert [learning_rate(settings, step, 10) for step in (0, 5, 10)] == [0.3] * 3


def test_cosine_rate_falls_from_lr_to_zero(tiny_task: MakeTask) -> None:
    settings = tiny_task(lr=0.3, schedule="cosine").settings
    values = [learning_rate(settings, step, 10) for step in range(11)]
    assert values[0] == 0.3
    assert values[5] == pytest.approx(0.15)
    assert values[10] == pytest.approx(0, abs=1e-15)
    assert values == sorted(values, reverse=True)
    assert values[2] == pytest.approx(0.15 * (1 + math.cos(math.pi / 5)))


def test_schedule_runs_over_all_epochs(
    tiny_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_task(epochs=4, schedule="cosine")
    used: list[float] = []
    monkeypatch.setattr(Adam, "step", lambda _self, lr: used.append(lr))
    fit(task, start(task), ignore)
    assert used == [learning_rate(task.settings, step, 4 * 3) for step in range(4 * 3)]


def test_weight_decay_shrinks_the_weights(tiny_task: MakeTask) -> None:
    norms = []
    for decay in (0.0, 1.0):
        state = fitted(tiny_task(epochs=5, lr=0.003, weight_decay=decay))
        norms.append(sum(float(value.norm()) for value in weights_of(state).values()))
    assert norms[1] < 0.9 * norms[0]


def test_balanced_weights_are_n_over_k_times_held(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    task = tiny_task(train=tiny_inputs([0] * 9 + [1] * 2 + [2]), class_weights="balanced")
    weights = class_weights(task)
    assert weights is not None
    assert weights.tolist() == pytest.approx([12 / 27, 12 / 6, 12 / 3])
    assert class_weights(replace(task, settings=tiny_task().settings)) is None


@pytest.mark.parametrize(("mode", "share"), [("none", 0.25), ("balanced", 0.5)])
def test_balanced_weights_undo_the_imbalance(
    mode: str, share: float, tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    # Maps that tell nothing: the best constant answer is the share of each class in the loss.
    inputs = tiny_inputs([0, 0, 0, 1] * 6)
    blank = Inputs(
        {name: torch.zeros_like(maps) for name, maps in inputs.maps.items()}, inputs.labels
    )
    task = tiny_task(train=blank, val=blank, class_weights=mode, epochs=60, lr=0.02, batch_size=24)
    probabilities = predict(fitted(task).model, blank, 100).softmax(1)
    assert float(probabilities[0, 1]) == pytest.approx(share, abs=0.02)


# --- Failure ---


def test_loss_that_is_no_number_is_one_line_with_what_to_do(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    good = tiny_inputs([0, 1] * 4)
    huge = Inputs({name: maps * 1e30 for name, maps in good.maps.items()}, good.labels)
    with pytest.raises(TrainingError) as caught:
        fitted(tiny_task("hadamard", seed=3, train=huge, lr=0.25))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in ("hadamard", "seed 3", "epoch 1", "train.lr", "0.25", "nan"):
        assert part in message


def test_loss_that_is_no_number_on_val_alone_is_an_error_too(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    good = tiny_inputs([0, 1] * 4)
    broken = Inputs({name: maps * math.nan for name, maps in good.maps.items()}, good.labels)
    with pytest.raises(TrainingError, match="epoch 1"):
        fitted(tiny_task(val=broken))


def test_no_record_is_made_of_a_failed_epoch(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    good = tiny_inputs([0, 1] * 4)
    task = tiny_task(val=Inputs({n: m * math.nan for n, m in good.maps.items()}, good.labels))
    state = start(task)
    with pytest.raises(TrainingError):
        fit(task, state, ignore)
    assert state.records == []
    assert state.best_weights == {}

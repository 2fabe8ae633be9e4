import copy
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fusebench.errors import TrainingError
from fusebench.evaluation.metrics import METRICS
from fusebench.inputs.inputs import Inputs
from fusebench.models.base import predict
from fusebench.models.registry import FUSIONS
from fusebench.models.settings import STEMS, StemName
from fusebench.prediction.predictions import PartPredictions
from fusebench.training.loop import (
    Task,
    TrainingState,
    class_weights,
    fit,
    learning_rate,
    start,
    train_epoch,
    val_rates,
)

MakeTask = Callable[..., Task]
MakeInputs = Callable[..., Inputs]
RATES = ("accuracy", "balanced_accuracy", "f1")


def ignore(_task: Task, _state: TrainingState) -> None:
    pass


def fitted(task: Task) -> TrainingState:
    return fit(task, start(task), ignore)


def weights_of(state: TrainingState) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def spoilt(inputs: Inputs, factor: float) -> Inputs:
    return Inputs({name: maps * factor for name, maps in inputs.maps.items()}, inputs.labels)


def registry_rates(labels: Tensor, predicted: Tensor, classes: int, positive: int) -> list[float]:
    """Return accuracy, balanced accuracy and F1 as the registry of metrics has them."""
    text = np.full(len(labels), "")
    logits = np.eye(classes, dtype=np.float32)[predicted.numpy()]
    part = PartPredictions(text, text, text, labels.numpy(), logits)
    return [METRICS[name].function(part, positive) for name in RATES]


# --- Repeating and resuming ---


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_training_repeats_to_the_bit(fusion: str, tiny_task: MakeTask) -> None:
    states = []
    for unrelated in (1, 2):
        torch.manual_seed(unrelated)
        torch.rand(unrelated)
        states.append(fitted(tiny_task(fusion, schedule="cosine", weight_decay=0.01)))
    assert_same(weights_of(states[0]), weights_of(states[1]))
    assert_same(states[0].best_weights, states[1].best_weights)
    assert states[0].records == states[1].records


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "notebook"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_of_an_encoder_repeats_to_the_bit(
    precision: str, stem: StemName, tiny_task: MakeTask
) -> None:
    states = [
        fitted(tiny_task("concat", stem=stem, precision=precision, epochs=2)) for _ in range(2)
    ]
    assert_same(weights_of(states[0]), weights_of(states[1]))
    assert_same(states[0].best_weights, states[1].best_weights)
    assert states[0].records == states[1].records


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "notebook"])
def test_val_changes_no_mean_of_an_encoder(stem: StemName, tiny_task: MakeTask) -> None:
    task = tiny_task("add", stem=stem)
    state = start(task)
    begun = weights_of(state)
    predict(state.model, task.val, 8)
    assert_same(weights_of(state), begun)
    train_epoch(task, state)
    changed = weights_of(state)
    assert not [name for name in begun if torch.equal(begun[name], changed[name])]


@pytest.mark.parametrize("done", [1, 3])
def test_stored_state_goes_on_exactly_where_it_was(done: int, tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=4, schedule="cosine", weight_decay=0.01)
    kept: dict[int, dict[str, Any]] = {}

    def keep(_task: Task, state: TrainingState) -> None:
        plain = vars(state) | {
            "model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()
        }  # fmt: skip
        kept[state.epoch] = copy.deepcopy(plain)

    straight = fit(task, start(task), keep)
    fresh, stored = start(task), kept[done]
    fresh.model.load_state_dict(stored.pop("model"))
    fresh.optimizer.load_state_dict(stored.pop("optimizer"))
    resumed = fit(task, replace(fresh, **stored), ignore)
    assert_same(weights_of(straight), weights_of(resumed))
    assert_same(straight.best_weights, resumed.best_weights)
    assert straight.records == resumed.records
    assert straight.best_epoch == resumed.best_epoch


def test_watching_each_batch_changes_no_bit(tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=3)
    shares: list[tuple[int, float]] = []

    def watch(_task: Task, state: TrainingState, share: float) -> None:
        shares.append((state.epoch, share))

    watched, alone = fit(task, start(task), ignore, watch), fitted(task)
    assert_same(weights_of(watched), weights_of(alone))
    assert watched.records == alone.records
    # 21 samples in batches of 8, after each of them.
    assert shares == [(epoch, batch / 3) for epoch in range(3) for batch in (1, 2, 3)]


# --- Selection on val ---


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


# --- What is recorded ---


@pytest.mark.parametrize("count", [16, 18, 5], ids=["even", "smaller last batch", "one batch"])
def test_train_loss_is_the_mean_over_samples(
    count: int, tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    task = tiny_task(train=tiny_inputs([1] + [0] * (count - 1)), lr=0.0)
    state = start(task)
    expected = F.cross_entropy(predict(state.model, task.train, 100), task.train.labels)
    assert train_epoch(task, state) == pytest.approx(float(expected), rel=1e-6)


def test_val_loss_and_rates_are_those_of_the_model_after_the_epoch(tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=3)
    measured = []

    def measure(task: Task, state: TrainingState) -> None:
        logits = predict(state.model, task.val, 100)
        loss = float(F.cross_entropy(logits.double(), task.val.labels))
        rates = registry_rates(task.val.labels, logits.argmax(1), 2, task.positive)
        measured.append([0, state.epoch, loss, *rates])

    records = fit(task, start(task), measure).records
    assert [record.epoch for record in records] == [1, 2, 3]
    for record, expected in zip(records, measured, strict=True):
        columns = asdict(record)
        del columns["train_loss"]
        assert list(columns.values()) == pytest.approx(expected, rel=1e-5)


answers = st.integers(2, 4).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(
            st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)),
            min_size=1, max_size=40,
        ),
    )
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(answers, st.integers(0, 1))
def test_val_rates_are_those_of_the_registry(
    case: tuple[int, list[tuple[int, int]]], positive: int
) -> None:
    classes, pairs = case
    labels, predicted = torch.tensor(pairs).T
    rates = val_rates(labels, predicted, classes, positive)
    assert rates == pytest.approx(registry_rates(labels, predicted, classes, positive))


def test_three_classes_are_learnt(tiny_task: MakeTask, tiny_inputs: MakeInputs) -> None:
    train, val = tiny_inputs([0, 1, 2] * 10, contrast=1.0), tiny_inputs([0, 1, 2], 1, contrast=1.0)
    state = fitted(tiny_task(train=train, val=val, epochs=12, lr=0.005))
    assert state.records[0].train_loss == pytest.approx(math.log(3), abs=0.3)
    assert max(record.balanced_accuracy for record in state.records) == 100


# --- Settings ---


def test_rate_is_set_before_each_step_over_all_epochs(tiny_task: MakeTask) -> None:
    task = tiny_task(epochs=4, schedule="cosine")
    state, rates = start(task), []
    state.optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    fit(task, state, ignore)
    steps = range(4 * 3)
    assert rates == [learning_rate(task.settings, step, len(steps)) for step in steps]


def test_balanced_weights_are_n_over_k_times_n_of_the_class(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    task = tiny_task(train=tiny_inputs([0] * 9 + [1] * 2 + [2]), class_weights="balanced")
    torch.testing.assert_close(class_weights(task), torch.tensor([12 / 27, 12 / 6, 12 / 3]))


@pytest.mark.parametrize(("mode", "share"), [("none", 0.25), ("balanced", 0.5)])
def test_balanced_weights_undo_the_imbalance(
    mode: str, share: float, tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    # Maps that tell nothing: the best constant answer is the share of each class in the loss.
    blank = spoilt(tiny_inputs([0, 0, 0, 1] * 2), 0)
    task = tiny_task(train=blank, val=blank, class_weights=mode, epochs=60, lr=0.02)
    probabilities = predict(fitted(task).model, blank, 100).softmax(1)
    assert float(probabilities[0, 1]) == pytest.approx(share, abs=0.02)


# --- Failure ---


def test_loss_that_is_no_number_is_one_line_with_what_to_do(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    huge = spoilt(tiny_inputs([0, 1] * 4), 1e30)
    with pytest.raises(TrainingError) as caught:
        fitted(tiny_task("hadamard", seed=3, train=huge, lr=0.25))
    assert str(caught.value) == (
        "hadamard seed 3: loss is nan in epoch 1; lower train.lr or override.hadamard.lr (now 0.25)"
    )


def test_epoch_with_a_val_loss_that_is_no_number_is_not_recorded(
    tiny_task: MakeTask, tiny_inputs: MakeInputs
) -> None:
    task = tiny_task(val=spoilt(tiny_inputs([0, 1] * 4), math.nan))
    state = start(task)
    with pytest.raises(TrainingError, match="epoch 1"):
        fit(task, state, ignore)
    assert (state.records, state.best_weights) == ([], {})

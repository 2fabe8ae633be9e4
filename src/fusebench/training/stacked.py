"""All seeds of a fusion in one pass: the loop of `loop.py` over stacked weights and batches.

A small model leaves a large device waiting for the next call. Stacked, a call computes a layer of
all seeds. Each seed keeps its own draw, order, initial weights and best epoch, by the functions of
`loop.py`, so it learns what it would learn alone. The last bits differ: other kernels sum in
another order.

Not measured to be faster on a CPU. No GPU was at hand.

Shape suffixes: s seeds, n samples, b batch, k classes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fusebench.inputs.inputs import PartInputs
from fusebench.models.base import Fusion
from fusebench.models.settings import STEMS, StemName
from fusebench.training import loop
from fusebench.training.loop import Progressed, Task


def reason_against(
    train_counts: Mapping[int, int], batch_size: int, stem: StemName = "notebook"
) -> str | None:
    """Return why these seeds cannot be trained in one pass; None if they can.

    Parameters
    ----------
    train_counts : mapping of int to int
        Samples of the training part, by seed.
    stem : str
        What encodes the inputs.
    """
    if STEMS[stem].batch_norm:
        return (
            f"model.stem is '{stem}', whose batch normalisation keeps running means beside the "
            "weights"
        )
    if len(train_counts) < 2:
        return "there is only one"
    steps = {seed: -(-count // batch_size) for seed, count in train_counts.items()}
    (first, of_first), *others = steps.items()
    for seed, of_seed in others:
        if of_seed != of_first:
            return f"an epoch of seed {first} has {of_first} steps, of seed {seed} {of_seed}"
    return None


@dataclass(kw_only=True)
class StackedState:
    """All that the training of some seeds has come to after some epochs.

    Attributes
    ----------
    model : Fusion
        Computes; its own weights are on no device, and `weights` take their place.
    weights : dict of str to tensor, shape (s, …)
        By their names in the model.
    class_weights_sk : tensor of float32
        As `loop.class_weights`; ones for equal.
    counted_sn : tensor of float32
        1 for each sample of a training part, 0 for what fills it up to the length of the longest.
    seeds : list of Progressed
        What came of each seed, in the order of the tasks.
    """

    model: Fusion
    weights: dict[str, Tensor]
    optimizer: torch.optim.Adam
    class_weights_sk: Tensor
    counted_sn: Tensor
    seeds: list[Progressed]

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.seeds[0].epoch


def start(tasks: Sequence[Task]) -> StackedState:
    """Return the state before the first epoch, each seed's weights as `loop.start` makes them.

    Parameters
    ----------
    tasks : sequence of Task
        The same but for seed and samples.

    Raises
    ------
    ValueError
        They cannot be trained in one pass; see `reason_against`.
    """
    settings, device = tasks[0].settings, tasks[0].device
    counts = {task.seed: len(task.train) for task in tasks}
    if reason := reason_against(counts, settings.batch_size, tasks[0].spec.stem):
        raise ValueError(f"seeds {list(counts)} cannot be stacked: {reason}")
    alone = [loop.start(task) for task in tasks]
    weights, _ = stack_module_state([state.model for state in alone])
    equal = torch.ones(tasks[0].spec.classes, device=device)
    model = alone[0].model.to("meta")
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.forward = partial(_convolve, layer)  # type: ignore[method-assign]
    return StackedState(
        model=model,
        weights=weights,
        optimizer=loop.adam(weights.values(), settings),
        class_weights_sk=torch.stack(
            [equal if state.class_weights is None else state.class_weights for state in alone]
        ),
        counted_sn=torch.nn.utils.rnn.pad_sequence(
            [torch.ones(len(task.train)) for task in tasks], batch_first=True
        ).to(device),
        seeds=[Progressed() for _ in tasks],
    )


def fit(
    tasks: Sequence[Task], state: StackedState, on_epoch: Callable[[StackedState], None]
) -> StackedState:
    """Train to the last epoch, keeping of each seed the weights of its lowest validation loss.

    As an epoch's seconds each seed records those of the pass divided by the number of seeds: what
    one seed cost. So they add up to what the training took.

    Parameters
    ----------
    on_epoch : callable
        Called after each epoch.

    Raises
    ------
    TrainingError
        The loss of a seed is no longer a number; the others end with it.
    """
    while state.epoch < tasks[0].settings.epochs:
        began = time.perf_counter()
        train_losses_s = train_epoch(tasks, state)
        logits = predict(tasks, state)
        val_losses_s = torch.stack(
            [
                F.cross_entropy(logits_nk, task.val.labels)
                for task, logits_nk in zip(tasks, logits, strict=True)
            ]
        )
        # Read at once: each time waits for the device.
        losses = torch.stack([train_losses_s, val_losses_s.to(torch.float64)], 1).tolist()
        seconds = (time.perf_counter() - began) / len(tasks)
        for number, (task, of_seed) in enumerate(zip(tasks, state.seeds, strict=True)):
            weights = {name: stacked[number] for name, stacked in state.weights.items()}
            of_seed.add_epoch(task, losses[number], logits[number].argmax(1), seconds, weights)
        on_epoch(state)
    return state


def train_epoch(tasks: Sequence[Task], state: StackedState) -> Tensor:
    """Make one pass over the training parts; return each seed's mean loss per sample, shape (s,).

    As in `loop.train_epoch`, nothing waits for the device from the first batch to the last.
    """
    settings, parts = tasks[0].settings, [task.train for task in tasks]
    state.model.train()
    orders = [loop.epoch_order(task.seed, state.epoch, len(task.train)) for task in tasks]
    steps = torch.split(_filled(orders).to(tasks[0].device), settings.batch_size, 1)
    counted = torch.split(state.counted_sn, settings.batch_size, 1)
    total_s = torch.zeros(len(tasks), dtype=torch.float64, device=tasks[0].device)
    for number, (positions_sb, counted_sb) in enumerate(zip(steps, counted, strict=True)):
        loop.set_rate(state.optimizer, settings, state.epoch, number, len(steps))
        inputs, labels_sb = _batch(parts, positions_sb)
        weights_sb = counted_sb * state.class_weights_sk.gather(1, labels_sb)
        losses_s = _weighted_means(_logits(state, inputs), labels_sb, weights_sb)
        state.optimizer.zero_grad()
        # No seed's loss depends on another's weights: the sum's gradients are those of each.
        torch.autograd.backward(losses_s.sum())
        state.optimizer.step()
        total_s += losses_s.detach() * counted_sb.sum(1)
    return total_s / state.counted_sn.sum(1)


@torch.inference_mode()
def predict(tasks: Sequence[Task], state: StackedState) -> list[Tensor]:
    """Return the logits (n, k) of each seed's val part, with its own weights."""
    state.model.eval()
    parts = [task.val for task in tasks]
    positions_sn = _filled([torch.arange(len(part)) for part in parts]).to(tasks[0].device)
    logits_snk = torch.cat(
        [
            _logits(state, _batch(parts, positions_sb)[0])
            for positions_sb in torch.split(positions_sn, tasks[0].settings.batch_size, 1)
        ],
        1,
    )
    return [logits_nk[: len(part)] for part, logits_nk in zip(parts, logits_snk, strict=True)]


def _logits(state: StackedState, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return logits (s, b, k) for inputs (s, b, 4, h, w), by name."""

    def of_one(weights: dict[str, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        logits_bk: Tensor = functional_call(state.model, weights, (inputs,))
        return logits_bk

    logits_sbk: Tensor = vmap(of_one)(state.weights, inputs)
    return logits_sbk


def _convolve(layer: nn.Conv2d, maps_bchw: Tensor) -> Tensor:
    """Return what a layer makes of maps, in the format that `device.arithmetic` asks for.

    Below vmap torch's autocast does not find the convolutions of a CPU: they would be fp32.
    """
    weight, bias, device = layer.weight, layer.bias, maps_bchw.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        maps_bchw, weight = maps_bchw.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    made_bchw: Tensor = layer._conv_forward(maps_bchw, weight, bias)
    return made_bchw


def _weighted_means(logits_sbk: Tensor, labels_sb: Tensor, weights_sb: Tensor) -> Tensor:
    """Return Σ w·ce / Σ w of each seed: what F.cross_entropy returns for weights of classes."""
    each_sb = F.cross_entropy(
        logits_sbk.flatten(0, 1), labels_sb.flatten(), reduction="none"
    ).view_as(labels_sb)
    weights_sb = weights_sb.to(each_sb.dtype)
    return (weights_sb * each_sb).sum(1) / weights_sb.sum(1)


def _batch(parts: Sequence[PartInputs], positions_sb: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Return maps (s, b, 4, h, w) by name, and labels (s, b), of each seed's own part."""
    batches = [part.batch(positions) for part, positions in zip(parts, positions_sb, strict=True)]
    maps = {name: torch.stack([maps[name] for maps, _ in batches]) for name in batches[0][0]}
    return maps, torch.stack([labels for _, labels in batches])


def _filled(positions: Sequence[Tensor]) -> Tensor:
    """Return positions of each seed as one tensor (s, n); the shorter repeat their last one.

    A sample that is there anyway: what is no number in it, is so without the repetition.
    """
    longest = max(map(len, positions))
    return torch.stack(
        [torch.cat([of_seed, of_seed[-1:].expand(longest - len(of_seed))]) for of_seed in positions]
    )

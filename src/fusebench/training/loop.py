"""The training loop of one model and one seed: `fit` over epochs, `train_epoch` over batches.

All that an epoch needs is in `TrainingState`, and all randomness is a pure function of (seed,
epoch, layer name): a state that was stored and read back goes on exactly where it was.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import Tensor

from fusebench.errors import TrainingError
from fusebench.inputs.inputs import PartInputs
from fusebench.models.base import Fusion, ModelSpec, build, predict
from fusebench.models.encoders import load_weights
from fusebench.models.settings import NOTEBOOK, ModelSettings
from fusebench.models.weights import initialize
from fusebench.seeds import derive_seed
from fusebench.training.settings import TrainParams


@dataclass(frozen=True)
class Task:
    """What a model is trained on and how: the same for every fusion but for the model itself."""

    spec: ModelSpec
    settings: TrainParams
    seed: int
    train: PartInputs
    val: PartInputs
    positive: int
    device: torch.device
    model: ModelSettings = NOTEBOOK
    augmented: Callable[[int], PartInputs] | None = None

    def train_in(self, epoch: int) -> PartInputs:
        """Return the training part as an epoch sees it, from 0: with corruptions, if there are."""
        return self.train if self.augmented is None else self.augmented(epoch)

    @property
    def label(self) -> str:
        """How messages call this piece of work."""
        return f"{self.spec.fusion} seed {self.seed}"


@dataclass(frozen=True)
class EpochRecord:
    """One line of the learning curve; rates in percent, losses in nats per sample."""

    seed: int
    epoch: int
    train_loss: float
    val_loss: float
    accuracy: float
    balanced_accuracy: float
    f1: float


@dataclass(kw_only=True)
class Progressed:
    """What came of a seed's training after some epochs: its curve, its best weights so far."""

    epoch: int = 0
    records: list[EpochRecord] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def add_epoch(
        self,
        task: Task,
        losses: tuple[float, float],
        predicted_n: Tensor,
        seconds: float,
        weights: Mapping[str, Tensor],
    ) -> None:
        """Add an epoch, and copy its weights if its validation loss is the lowest so far.

        Parameters
        ----------
        losses : (float, float)
            Of the epoch's train and val pass.
        predicted_n : tensor of int64, shape (n,)
            The class that is predicted for each sample of the val part.
        weights : mapping of str to tensor
            Those after the epoch.

        Raises
        ------
        TrainingError
            A loss is no longer a number.
        """
        train_loss, val_loss = losses
        self.epoch += 1
        if not math.isfinite(train_loss + val_loss):
            raise TrainingError(
                f"{task.label}: loss is {train_loss + val_loss} in epoch {self.epoch}; lower "
                f"train.lr or override.{task.spec.fusion}.lr (now {task.settings.lr:g})"
            )
        self.seconds.append(seconds)
        rates = val_rates(task.val.labels, predicted_n, task.spec.classes, task.positive)
        self.records.append(EpochRecord(task.seed, self.epoch, train_loss, val_loss, *rates))
        if val_loss < self.best_loss:
            self.best_loss, self.best_epoch = val_loss, self.epoch
            # Copies: the optimiser changes the weights in place.
            self.best_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}


@dataclass(kw_only=True)
class TrainingState(Progressed):
    """All that training has come to after some epochs, and what each epoch needs.

    Attributes
    ----------
    class_weights : tensor of shape (k,), or None
        As `class_weights` returns it; once per training.
    """

    model: Fusion
    optimizer: torch.optim.Adam
    class_weights: Tensor | None


def start(task: Task) -> TrainingState:
    """Return the state before the first epoch: initial weights, an optimiser without a step."""
    model = build(task.spec)
    initialize(model, task.seed)
    load_weights(model, task.model)
    model = model.to(task.device).to(memory_format=torch.channels_last)
    return TrainingState(
        model=model,
        optimizer=adam(model.parameters(), task.settings),
        class_weights=class_weights(task),
    )


def adam(weights: Iterable[Tensor], settings: TrainParams) -> torch.optim.Adam:
    """Return an optimiser without a step; `train_epoch` sets its rate before each one."""
    # Fused: one pass over all tensors, on the CPU too.
    return torch.optim.Adam(weights, settings.lr, weight_decay=settings.weight_decay, fused=True)


def ignore_batch(_task: Task, _state: TrainingState, _share: float) -> None:
    """Do nothing after a batch."""


def fit(
    task: Task,
    state: TrainingState,
    on_epoch: Callable[[Task, TrainingState], None],
    on_batch: Callable[[Task, TrainingState, float], None] = ignore_batch,
) -> TrainingState:
    """Train to the last epoch, keeping the weights of the lowest validation loss.

    Parameters
    ----------
    on_epoch : callable
        Called after each epoch; where progress is shown and a state could be stored.
    on_batch : callable
        Called after each training batch with the share (0…1) of the epoch's batches that are done;
        on a GPU, that are given to it. Nothing is read from the device for it.

    Raises
    ------
    TrainingError
        A loss is no longer a number.
    """
    while state.epoch < task.settings.epochs:
        began = time.perf_counter()
        train_loss = train_epoch(task, state, on_batch)
        logits_nk = predict(state.model, task.val, task.settings.batch_size)
        val_loss = float(F.cross_entropy(logits_nk, task.val.labels))
        seconds = time.perf_counter() - began
        losses, weights = (train_loss, val_loss), state.model.state_dict()
        state.add_epoch(task, losses, logits_nk.argmax(1), seconds, weights)
        on_epoch(task, state)
    return state


def train_epoch(
    task: Task,
    state: TrainingState,
    on_batch: Callable[[Task, TrainingState, float], None] = ignore_batch,
) -> float:
    """Make one pass over the training part; return its mean loss per sample.

    From the first batch to the last, nothing waits for the device: nothing is read from it, and
    nothing is copied to it. The mean loss is read after the last.
    """
    settings, model = task.settings, state.model
    model.train()
    order, part = epoch_order(task.seed, state.epoch, len(task.train)), task.train_in(state.epoch)
    steps = math.ceil(len(order) / settings.batch_size)
    # Summed on the device: reading each loss would wait for the device each time.
    total = torch.zeros((), dtype=torch.float64, device=task.device)
    for number, (inputs, labels) in enumerate(part.batches(order, settings.batch_size)):
        set_rate(state.optimizer, settings, state.epoch, number, steps)
        loss = F.cross_entropy(model(inputs), labels, weight=state.class_weights)
        state.optimizer.zero_grad()
        torch.autograd.backward(loss)
        state.optimizer.step()
        total += loss.detach() * len(labels)
        on_batch(task, state, (number + 1) / steps)
    return float(total) / len(order)


def set_rate(
    optimizer: torch.optim.Adam, settings: TrainParams, epoch: int, batch: int, batches: int
) -> None:
    """Set the learning rate of the step at a batch of an epoch, both from 0."""
    rate = learning_rate(settings, epoch * batches + batch, settings.epochs * batches)
    for group in optimizer.param_groups:
        group["lr"] = rate


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """Return the order of the samples in an epoch, shape (count,), the same for every fusion."""
    generator = torch.Generator().manual_seed(derive_seed("order", seed, epoch))
    return torch.randperm(count, generator=generator)


def learning_rate(settings: TrainParams, step: int, steps: int) -> float:
    """Return the rate at a step, a pure function of it.

    Cosine: lr · ½(1 + cos(π·step/steps)) (Loshchilov & Hutter, "SGDR", ICLR 2017).
    """
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * step / steps))


def class_weights(task: Task) -> Tensor | None:
    """Return the loss weight of each class, shape (k,): N / (k · N_class), or None for equal."""
    if task.settings.class_weights == "none":
        return None
    counts = torch.bincount(task.train.labels, minlength=task.spec.classes)
    return len(task.train) / (task.spec.classes * counts.to(torch.float32))


def val_rates(
    labels_n: Tensor, predicted_n: Tensor, classes: int, positive: int
) -> tuple[float, float, float]:
    """Return accuracy, balanced accuracy and F1 in percent, as `evaluation.metrics` defines them.

    Parameters
    ----------
    labels_n, predicted_n : tensor of int64, shape (n,)
    classes : int
        Number of classes k.
    positive : int
        Label whose F1 it is with two classes; with more, F1 is the mean over classes.
    """
    counts_kk = torch.bincount(labels_n * classes + predicted_n, minlength=classes * classes)
    counts_kk = counts_kk.reshape(classes, classes).to(torch.float64).cpu()
    hits_k, true_k, called_k = counts_kk.diagonal(), counts_kk.sum(1), counts_kk.sum(0)
    recall_k = hits_k[true_k > 0] / true_k[true_k > 0]
    # A class that neither occurs nor is predicted has F1 0.
    f1_k = 2 * hits_k / (true_k + called_k).clamp(min=1)
    f1 = f1_k[positive] if classes == 2 else f1_k.mean()
    accuracy = hits_k.sum() / true_k.sum()
    return 100 * float(accuracy), 100 * float(recall_k.mean()), 100 * float(f1)

"""What is timed and in which order, and the statistics of the times.

Epochs of the implementations are interleaved, A B C, A B C, …: what disturbs the machine for a
while disturbs all of them, and ratios are taken within a round.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

FUSION = "concat"
SPLIT_SEED = 0
"""Whose train and val part every implementation gets; seeds of a plan vary weights and order."""


@dataclass(frozen=True)
class Plan:
    """How often each thing is measured. The defaults take about eight minutes on two cores.

    Attributes
    ----------
    seeds : tuple of int
        Trainings per implementation.
    rounds : int
        Epochs that every implementation runs with the first seed, whatever loss it has reached.
    epochs : int
        After so many without reaching `val_loss`, a training is given up.
    val_loss : float
        What a training is to reach, in nats per sample.
    stage_repeats : int
        Runs of each data stage, and of a `dvc repro` with nothing to do.
    start_repeats : int
        Starts of each script.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    rounds: int = 7
    epochs: int = 12
    val_loss: float = 0.05
    stage_repeats: int = 3
    start_repeats: int = 5


class Timed(Protocol):
    """What runs an epoch when it is asked to; a `runner.Worker`."""

    name: str

    def start(self, seed: int) -> None:
        """Begin a training anew."""

    def epoch(self) -> tuple[float, float | None]:
        """Run one epoch; return its seconds and val loss."""


@dataclass(frozen=True)
class EpochTiming:
    """One epoch of one implementation; val loss in nats per sample; None: nothing is trained."""

    name: str
    seed: int
    epoch: int
    seconds: float
    val_loss: float | None


@dataclass(frozen=True)
class TimeToLoss:
    """One training up to the first epoch that reached the loss of the plan, or to the last.

    Attributes
    ----------
    seconds : float
        Of these epochs together.
    lowest : float
        Val loss in nats per sample.
    """

    seed: int
    reached: bool
    epochs: int
    seconds: float
    lowest: float


def time_epochs(
    trainings: Sequence[Timed],
    calibrations: Sequence[Timed],
    plan: Plan,
    show: Callable[[str], None],
) -> list[EpochTiming]:
    """Train every implementation with every seed, their epochs interleaved.

    The same epochs serve both questions, how long one takes and how long it takes to the loss. So
    a training goes on until it has reached `plan.val_loss`, at most `plan.epochs` epochs; with the
    first seed it goes on until all have run `plan.rounds`, and these are the rounds in which the
    products and the copy are timed too.
    """
    timings: list[EpochTiming] = []
    for seed in plan.seeds:
        for training in trainings:
            training.start(seed)
        rounds = plan.rounds if seed == plan.seeds[0] else 0
        running = list(trainings)
        for epoch in range(1, max(rounds, plan.epochs) + 1):
            timed = [*running, *(calibrations if epoch <= rounds else ())]
            made = [EpochTiming(item.name, seed, epoch, *item.epoch()) for item in timed]
            show(_line(seed, epoch, made))
            timings += made
            running = [
                training
                for training in trainings
                if epoch < rounds
                or (
                    epoch < plan.epochs
                    and not time_to_loss(timings, training.name, seed, plan).reached
                )
            ]
            if not running:
                break
    return timings


def _line(seed: int, epoch: int, timings: Sequence[EpochTiming]) -> str:
    cells = [
        f"{timing.name} {timing.seconds:.2f} s"
        + ("" if timing.val_loss is None else f" ({timing.val_loss:.3f})")
        for timing in timings
    ]
    return f"seed {seed} epoch {epoch}: " + " · ".join(cells)


def complete_rounds(timings: Sequence[EpochTiming], names: Sequence[str]) -> list[dict[str, float]]:
    """Return the seconds by name of each round in which all of `names` ran an epoch."""
    rounds: dict[tuple[int, int], dict[str, float]] = {}
    for timing in timings:
        rounds.setdefault((timing.seed, timing.epoch), {})[timing.name] = timing.seconds
    return [seconds for seconds in rounds.values() if seconds.keys() >= set(names)]


def time_to_loss(timings: Sequence[EpochTiming], name: str, seed: int, plan: Plan) -> TimeToLoss:
    """Return how long an implementation took to reach the loss of the plan with one seed."""
    lowest, seconds, epochs = math.inf, 0.0, 0
    for timing in timings:
        if (timing.name, timing.seed) != (name, seed) or timing.val_loss is None:
            continue
        if lowest <= plan.val_loss or epochs == plan.epochs:
            break
        lowest, epochs = min(lowest, timing.val_loss), timing.epoch
        seconds += timing.seconds
    reached = lowest <= plan.val_loss
    return TimeToLoss(seed, reached, epochs, round(seconds, 3), round(lowest, 6))


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Return median, min and max of repeated measurements, and all of them in their order."""
    rounded = [round(value, digits) for value in values]
    return {
        "median": round(median(values), digits),
        "min": min(rounded),
        "max": max(rounded),
        "repeats": len(rounded),
        "values": rounded,
    }


def ratios(values: Sequence[float], references: Sequence[float]) -> list[float]:
    """Return each value divided by the reference of the same round."""
    return [value / reference for value, reference in zip(values, references, strict=True)]


def giga_per_second(count: float, seconds: float) -> float:
    """Return a rate in 10⁹ per second, of operations (GFLOP/s) or of bytes (GB/s)."""
    return count / seconds / 1e9

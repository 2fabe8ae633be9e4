"""Contestants in turn: A B C, A B C, …, so that what disturbs the machine disturbs all alike."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.plan import Plan


class Player(Protocol):
    """A contestant as the conductor sees it."""

    name: str

    def start(self, seed: int) -> None:
        """Begin a training anew."""

    def turn(self) -> tuple[float, float | None]:
        """Do one turn's work; return its seconds and val loss."""


@dataclass(frozen=True)
class Turn:
    """What one turn came to; val loss in nats per sample, None for a product."""

    name: str
    seed: int
    epoch: int
    seconds: float
    val_loss: float | None


def contest(
    trainers: Sequence[Player],
    products: Sequence[Player],
    plan: Plan,
    show: Callable[[str], None],
) -> list[Turn]:
    """Train every contestant with every seed, an epoch each in turn.

    The same epochs serve both questions, how long one takes and how long it takes to the loss. So
    a contestant trains until it has reached `plan.val_loss`, at most `plan.epochs` epochs; with the
    first seed it goes on until all have made `plan.rounds`, and these are the rounds that products
    join.
    """
    turns: list[Turn] = []
    for seed in plan.seeds:
        for trainer in trainers:
            trainer.start(seed)
        least = plan.rounds if seed == plan.seeds[0] else 0
        waiting = list(trainers)
        for epoch in range(1, max(least, plan.epochs) + 1):
            players = [*waiting, *(products if epoch <= least else ())]
            made = [Turn(each.name, seed, epoch, *each.turn()) for each in players]
            show(_line(seed, epoch, made))
            turns += made
            waiting = [
                each
                for each in trainers
                if epoch < least
                or (epoch < plan.epochs and not time_to_loss(turns, each.name, seed, plan).reached)
            ]
            if not waiting:
                break
    return turns


def _line(seed: int, epoch: int, made: Sequence[Turn]) -> str:
    cells = [
        f"{turn.name} {turn.seconds:.2f} s"
        + ("" if turn.val_loss is None else f" ({turn.val_loss:.3f})")
        for turn in made
    ]
    return f"seed {seed} epoch {epoch}: " + " · ".join(cells)


def whole_rounds(turns: Sequence[Turn], names: Sequence[str]) -> list[dict[str, float]]:
    """Return the seconds by name of each round in which all of `names` had a turn."""
    rounds: dict[tuple[int, int], dict[str, float]] = {}
    for turn in turns:
        rounds.setdefault((turn.seed, turn.epoch), {})[turn.name] = turn.seconds
    return [each for each in rounds.values() if each.keys() >= set(names)]


@dataclass(frozen=True)
class TimeToLoss:
    """How one training went, up to the first epoch that reached the loss, or to the last.

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


def time_to_loss(turns: Sequence[Turn], name: str, seed: int, plan: Plan) -> TimeToLoss:
    """Return how long a contestant took to reach the loss of the plan with one seed."""
    lowest, seconds, epochs = math.inf, 0.0, 0
    for turn in turns:
        if (turn.name, turn.seed) != (name, seed) or turn.val_loss is None:
            continue
        if lowest <= plan.val_loss or epochs == plan.epochs:
            break
        lowest, seconds, epochs = min(lowest, turn.val_loss), seconds + turn.seconds, turn.epoch
    reached = lowest <= plan.val_loss
    return TimeToLoss(seed, reached, epochs, round(seconds, 3), round(lowest, 6))

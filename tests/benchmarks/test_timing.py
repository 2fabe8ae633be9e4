import math
from collections.abc import Callable

from benchmarks.timing import (
    EpochTiming,
    Plan,
    ratios,
    spread,
    time_epochs,
    time_to_loss,
)

PLAN = Plan(seeds=(0, 1), rounds=3, epochs=5, val_loss=0.05)
HIGH = [1.0] * 9
QUICK = [0.05, *HIGH]


class Fake:
    """A training whose losses are known beforehand; logs what it is asked for."""

    def __init__(self, name: str, losses: dict[int, list[float]], log: list[str]) -> None:
        self.name, self._losses, self._log = name, losses, log
        self._seed, self._epoch = -1, 0

    def start(self, seed: int) -> None:
        self._log.append(f"{self.name} starts {seed}")
        self._seed, self._epoch = seed, 0

    def epoch(self) -> tuple[float, float | None]:
        self._log.append(self.name)
        self._epoch += 1
        losses = self._losses.get(self._seed)
        return 1.0, losses[self._epoch - 1] if losses else None


def timed(
    losses: dict[str, dict[int, list[float]]],
    plan: Plan = PLAN,
    show: Callable[[str], None] = lambda _line: None,
) -> tuple[list[EpochTiming], list[str]]:
    """Time trainings with these losses and one matrix product "p"; return timings and log."""
    log: list[str] = []
    trainings = [Fake(name, by_seed, log) for name, by_seed in losses.items()]
    return time_epochs(trainings, [Fake("p", {}, log)], plan, show), log


def test_epochs_are_interleaved_and_products_are_timed_in_the_first_rounds() -> None:
    plan = Plan(seeds=(0,), rounds=2, epochs=3, val_loss=0.05)
    lines: list[str] = []
    _, log = timed({"a": {0: HIGH}, "b": {0: HIGH}}, plan, lines.append)
    assert log == ["a starts 0", "b starts 0", "a", "b", "p", "a", "b", "p", "a", "b"]
    assert lines[0] == "seed 0 epoch 1: a 1.00 s (1.000) · b 1.00 s (1.000) · p 1.00 s"


def test_a_training_stops_at_the_loss_but_not_before_the_rounds_of_the_first_seed() -> None:
    timings, _ = timed({"a": {0: QUICK, 1: QUICK}, "b": {0: QUICK, 1: HIGH}})
    epochs: dict[tuple[str, int], list[int]] = {}
    for timing in timings:
        epochs.setdefault((timing.name, timing.seed), []).append(timing.epoch)
    assert epochs == {
        ("a", 0): [1, 2, 3], ("b", 0): [1, 2, 3], ("p", 0): [1, 2, 3],
        ("a", 1): [1], ("b", 1): [1, 2, 3, 4, 5],
    }  # fmt: skip


def timings_of(name: str, seed: int, epochs: list[tuple[float, float]]) -> list[EpochTiming]:
    return [EpochTiming(name, seed, number, *epoch) for number, epoch in enumerate(epochs, 1)]


def test_time_to_loss_is_the_sum_up_to_the_first_epoch_that_reached_it() -> None:
    epochs = [(1.0, 0.3), (2.0, 0.05), (4.0, 0.2), (8.0, 0.01)]
    timings = timings_of("b", 0, epochs) + timings_of("a", 1, epochs) + timings_of("a", 0, epochs)
    result = time_to_loss(timings, "a", 0, PLAN)
    assert (result.reached, result.epochs, result.seconds, result.lowest) == (True, 2, 3.0, 0.05)


def test_a_loss_that_is_not_reached_within_the_epochs_of_the_plan_gives_the_lowest() -> None:
    epochs = [(1.0, 0.3), (1.0, 0.07), (1.0, 0.09), (1.0, 0.3), (1.0, 0.3), (1.0, 0.01)]
    result = time_to_loss(timings_of("a", 0, epochs), "a", 0, PLAN)
    assert (result.reached, result.epochs, result.seconds, result.lowest) == (False, 5, 5.0, 0.07)
    assert time_to_loss([], "a", 0, PLAN).lowest == math.inf


def test_spread_is_median_ends_and_all_values_in_their_order() -> None:
    assert spread([3.0, 1.0, 2.00004, 10.0]) == {
        "median": 2.5, "min": 1.0, "max": 10.0, "repeats": 4, "values": [3.0, 1.0, 2.0, 10.0],
    }  # fmt: skip
    assert spread([1.26, 1.24], digits=1)["values"] == [1.3, 1.2]


def test_ratios_are_taken_within_a_round() -> None:
    # Twice as slow in each round; the ratio of the medians would be 2 only by chance.
    assert ratios([2.0, 20.0, 6.0], [1.0, 10.0, 3.0]) == [2.0, 2.0, 2.0]

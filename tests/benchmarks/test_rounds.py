import math
from collections.abc import Callable

import pytest

from benchmarks.plan import Plan
from benchmarks.rounds import Turn, contest, time_to_loss, whole_rounds

PLAN = Plan(seeds=(0, 1), rounds=3, epochs=5, val_loss=0.05)


class Fake:
    """A contestant whose losses are known beforehand; says in `log` what it was asked."""

    def __init__(self, name: str, losses: dict[int, list[float]], log: list[str]) -> None:
        self.name, self._losses, self._log = name, losses, log
        self._seed, self._epoch = -1, 0

    def start(self, seed: int) -> None:
        self._log.append(f"{self.name} starts {seed}")
        self._seed, self._epoch = seed, 0

    def turn(self) -> tuple[float, float | None]:
        self._log.append(self.name)
        self._epoch += 1
        losses = self._losses.get(self._seed)
        return 1.0, losses[self._epoch - 1] if losses else None


def ignore(_line: str) -> None:
    pass


def contested(
    losses: dict[str, dict[int, list[float]]],
    plan: Plan = PLAN,
    show: Callable[[str], None] = ignore,
) -> tuple[list[Turn], list[str]]:
    """Let contestants with these losses and one product play; return turns and log."""
    log: list[str] = []
    trainers = [Fake(name, held, log) for name, held in losses.items()]
    return contest(trainers, [Fake("p", {}, log)], plan, show), log


HIGH = [1.0] * 9
QUICK = [0.05, *HIGH]


def test_contestants_take_turns_and_products_join_the_first_rounds() -> None:
    plan = Plan(seeds=(0,), rounds=2, epochs=3, val_loss=0.05)
    _, log = contested({"a": {0: HIGH}, "b": {0: HIGH}}, plan)
    assert log == ["a starts 0", "b starts 0", "a", "b", "p", "a", "b", "p", "a", "b"]


def test_who_has_reached_the_loss_stops_but_not_before_the_rounds_of_the_first_seed() -> None:
    turns, _ = contested({"a": {0: QUICK, 1: QUICK}, "b": {0: HIGH, 1: HIGH}})
    made = {
        (name, seed): [turn.epoch for turn in turns if (turn.name, turn.seed) == (name, seed)]
        for name in ("a", "b", "p")
        for seed in (0, 1)
    }
    assert made == {
        ("a", 0): [1, 2, 3],
        ("a", 1): [1],
        ("b", 0): [1, 2, 3, 4, 5],
        ("b", 1): [1, 2, 3, 4, 5],
        ("p", 0): [1, 2, 3],
        ("p", 1): [],
    }


def test_a_seed_ends_when_all_have_reached_the_loss() -> None:
    turns, log = contested({"a": {0: QUICK, 1: QUICK}, "b": {0: QUICK, 1: HIGH[:1] + QUICK}})
    assert max(turn.epoch for turn in turns if turn.seed == 0) == 3
    assert max(turn.epoch for turn in turns if turn.seed == 1) == 2
    assert log[-3:] == ["a", "b", "b"]


def test_more_rounds_than_epochs_are_made_all_the_same() -> None:
    plan = Plan(seeds=(0,), rounds=4, epochs=2, val_loss=0.05)
    turns, _ = contested({"a": {0: HIGH}}, plan)
    assert [turn.epoch for turn in turns if turn.name == "a"] == [1, 2, 3, 4]
    # What came after the last epoch of the plan is no part of the time to the loss.
    late = [Turn("a", 0, epoch, 1.0, 1.0 if epoch < 4 else 0.0) for epoch in range(1, 5)]
    assert not time_to_loss(late, "a", 0, plan).reached


def test_each_round_is_shown_on_one_line() -> None:
    lines: list[str] = []
    contested({"a": {0: HIGH}}, Plan(seeds=(0,), rounds=1, epochs=1), lines.append)
    assert lines == ["seed 0 epoch 1: a 1.00 s (1.000) · p 1.00 s"]


# --- What is made of turns ---


def turns_of(name: str, seed: int, made: list[tuple[float, float]]) -> list[Turn]:
    return [Turn(name, seed, epoch, *each) for epoch, each in enumerate(made, start=1)]


def test_ratios_are_made_of_rounds_that_all_took_part_in() -> None:
    turns = [*turns_of("a", 0, [(1.0, 1.0), (2.0, 1.0)]), *turns_of("b", 0, [(3.0, 1.0)])]
    turns += [*turns_of("b", 1, [(4.0, 1.0)]), *turns_of("a", 1, [(5.0, 1.0)])]
    rounds = whole_rounds(turns, ["a", "b"])
    assert [(each["a"], each["b"]) for each in rounds] == [(1.0, 3.0), (5.0, 4.0)]


def test_time_to_loss_is_the_sum_up_to_the_first_epoch_that_reached_it() -> None:
    made = [(1.0, 0.3), (2.0, 0.04), (4.0, 0.2), (8.0, 0.01)]
    found = time_to_loss(turns_of("a", 0, made) + turns_of("a", 1, made[:1]), "a", 0, PLAN)
    assert (found.reached, found.epochs, found.seconds, found.lowest) == (True, 2, 3.0, 0.04)


def test_the_loss_is_reached_by_being_equal_to_it() -> None:
    assert time_to_loss(turns_of("a", 0, [(1.0, 0.05)]), "a", 0, PLAN).reached


def test_a_loss_that_is_not_reached_is_said_with_the_lowest() -> None:
    made = [(1.0, 0.3), (1.0, 0.07), (1.0, 0.09), (1.0, 0.3), (1.0, 0.3)]
    found = time_to_loss(turns_of("a", 0, made), "a", 0, PLAN)
    assert (found.reached, found.epochs, found.seconds, found.lowest) == (False, 5, 5.0, 0.07)


@pytest.mark.parametrize(("name", "seed"), [("b", 0), ("a", 7)])
def test_turns_of_others_do_not_count(name: str, seed: int) -> None:
    found = time_to_loss(turns_of("a", 0, [(1.0, 0.01)]), name, seed, PLAN)
    assert (found.reached, found.epochs, found.lowest) == (False, 0, math.inf)

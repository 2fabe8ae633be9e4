import io
import re
from collections.abc import Callable

import pytest

from fusebench.training.loop import EpochRecord, Task, start
from fusebench.training.progress import Progress

MakeTask = Callable[..., Task]

CLEAR = "\r\x1b[2K"


class Screen(io.StringIO):
    """A stream that is a terminal, or says it is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(task: Task, mode: str, terminal: bool, seeds: int = 1) -> str:
    """Return what the screen got of the training of some seeds, all of them alike."""
    screen = Screen(terminal)
    progress = Progress(mode, seeds, screen)
    for _ in range(seeds):
        state = start(task)
        for epoch in range(1, task.settings.epochs + 1):
            state.epoch = epoch
            state.seconds.append(0.5)
            state.records.append(
                EpochRecord(task.seed, epoch, 0.7 / epoch, abs(epoch - 2) + 0.25, 90.0, 81.25, 75.0)
            )
            progress.epoch(task, state)
        state.best_epoch = 2
        progress.seed(task, state)
    return screen.getvalue()


@pytest.fixture
def task(tiny_task: MakeTask) -> Task:
    return tiny_task("hadamard", seed=7, epochs=4)


@pytest.mark.parametrize(
    ("mode", "terminal", "moving"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("line", False, True),
        ("plain", True, False),
    ],
)
def test_line_moves_on_a_terminal_or_when_asked_to(
    mode: str, terminal: bool, moving: bool, task: Task
) -> None:
    text = shown(task, mode, terminal)
    assert (CLEAR in text) == moving
    assert ("\x1b" in text) == moving


def test_off_shows_nothing(task: Task) -> None:
    assert shown(task, "off", terminal=True) == ""


def test_plain_is_one_line_per_seed_with_what_came_of_it(task: Task) -> None:
    lines = shown(task, "plain", terminal=False, seeds=3).splitlines()
    assert len(lines) == 3
    for part in (
        "hadamard seed 7 (1/3)",
        "epoch 2 of 4",
        "train 0.3500",
        "val 0.2500",
        "81.2 %",
        "2 s",
    ):
        assert part in lines[0]


def test_line_is_rewritten_at_each_epoch(task: Task) -> None:
    before, *moves = shown(task, "line", terminal=True).split(CLEAR)
    assert before == ""
    assert len(moves) == 5  # Four epochs, then the result.
    assert all("\n" not in move for move in moves[:4])
    assert moves[4].endswith("\n")


def test_line_tells_fusion_seed_epoch_losses_pace_and_time_left(task: Task) -> None:
    second = shown(task, "line", terminal=True).split(CLEAR)[2]
    for part in ("hadamard", "seed 7", "2/4", "0.350", "0.250", "52/s"):
        assert part in second  # 21 samples of train and 5 of val in half a second.
    assert re.search(r"\d+ s left", second)


def test_seeds_are_counted_and_no_time_is_left_at_the_end(task: Task) -> None:
    moves = shown(task, "line", terminal=True, seeds=2).split(CLEAR)[1:]
    assert "1/2" in moves[0]
    assert "2/2" in moves[5]
    assert " 0 s left" in moves[8]


def test_time_left_is_that_of_the_work_not_done(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0] + [110.0] * 20)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    moves = shown(task, "line", terminal=True, seeds=2).split(CLEAR)[1:]
    # 10 s for 1, 2, 3 of 8 epochs.
    assert [int(re.findall(r"(\d+) s left", move)[0]) for move in moves[:3]] == [70, 30, 17]


def test_line_fits_a_terminal_of_80_columns(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    # A line that wraps is no longer cleared: each epoch would leave its rest on the screen.
    monkeypatch.setenv("COLUMNS", "80")
    moves = shown(task, "line", terminal=True, seeds=10).split(CLEAR)[1:]
    assert max(len(move) for move in moves if not move.endswith("\n")) <= 80

import contextlib
import io
import re
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from fusebench import progress
from fusebench.progress import Progress

CONTROL = re.compile(r"\x1b\[(\?\d+[hl]|\d*[A-Za-z]|[\d;]*m)|[\r\n]")


class Screen(io.StringIO):
    """A stream that is a terminal, or says it is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def lines(self) -> list[str]:
        """Return what a terminal shows of all that was written."""
        lines, row, column, position = [""], 0, 0, 0
        text = self.getvalue()
        while position < len(text):
            control = CONTROL.match(text, position)
            letter = text[position]
            position = control.end() if control else position + 1
            if control is None:
                lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
                column += 1
            elif letter == "\r":
                column = 0
            elif letter == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif control[0] == "\x1b[2K":
                lines[row] = ""
            elif control[0].endswith("A"):
                row -= int(control[0][2:-1] or 1)
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture(autouse=True)
def terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def two_pieces(screen: Screen, mode: str) -> Screen:
    with Progress(mode, 2, screen) as shown:
        for piece in ("first", "second"):
            shown.update(0.5, f"{piece} half done")
            shown.finish_piece(f"{piece} done")
    return screen


@pytest.mark.parametrize(
    ("mode", "terminal", "moves"),
    [("auto", True, True), ("auto", False, False), ("line", False, True), ("plain", True, False)],
)
def test_line_moves_on_a_terminal_or_when_asked_to(mode: str, terminal: bool, moves: bool) -> None:
    text = two_pieces(Screen(terminal), mode).getvalue()
    assert ("half done" in text) == moves
    assert ("\x1b" in text) == moves


class Figures(NamedTuple):
    epoch: int
    train_loss: float = 0.35
    val_loss: float = 0.25
    balanced_accuracy: float = 91.04


def test_line_moves_within_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)
    screen = Screen(terminal=True)
    with Progress("line", 3, screen, place="fusion 2 of 7") as shown:
        shown.finish_piece("first")
        shown.batch("concat seed 1", 1, 15, 0.08)
        (_, line) = screen.lines()
        assert line.startswith("fusion 2 of 7: concat seed 1 (2/3) epoch 1/15   8 % ")
        shown.epoch("concat seed 1", 15, 1052.4, Figures(2))
        shown.batch("concat seed 1", 3, 15, 0.62)
        (_, line) = screen.lines()
        assert line.startswith(
            "fusion 2 of 7: concat seed 1 (2/3) epoch 3/15  62 % train 0.350 val 0.250 1,052/s "
        )
        # Of 3 seeds of 15 epochs, one is done, and of the next two and a bit.
        (task,) = shown._line.tasks
        assert task.completed == pytest.approx(1 + 2.62 / 15)
        shown.seed("concat seed 1", 15, 1000, Figures(9))
        shown.batch("concat seed 2", 1, 15, 0.5)
        assert screen.lines()[-1].startswith(
            "fusion 2 of 7: concat seed 2 (3/3) epoch 1/15  50 % ━"
        )


def test_line_is_drawn_a_few_times_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    # rich has a clock of its own; the decision is made by this one.
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    drawn = []
    with Progress("line", 1, Screen(terminal=True)) as shown:
        monkeypatch.setattr(shown._line, "refresh", lambda: drawn.append(now[0]))
        for number in range(1101):
            now[0] = 100 + number / 1000
            shown.batch("add seed 0", 1, 1, number / 1100)
        assert drawn == pytest.approx([100, 100.2, 100.4, 100.6, 100.8, 101], abs=0.01)
        # The end of an epoch is always shown.
        shown.epoch("add seed 0", 1, 10, Figures(1))
        assert len(drawn) == 7


@pytest.mark.parametrize("mode", ["plain", "off"])
def test_without_a_moving_line_a_batch_shows_nothing(mode: str) -> None:
    screen = Screen(terminal=True)
    with Progress(mode, 1, screen) as shown:
        shown.batch("add seed 0", 1, 1, 0.5)
    assert screen.getvalue() == ""


@pytest.mark.parametrize(("place", "where"), [("", ""), ("fusion 2 of 7", "; fusion 2 of 7")])
def test_a_seeds_line_says_which_training_it_is(place: str, where: str) -> None:
    screen = Screen(terminal=False)
    with Progress("auto", 3, screen, place) as shown:
        shown.seed("add seed 0", 15, 1052.4, Figures(9))
    assert screen.getvalue().startswith(
        f"add seed 0 (1/3{where}): best by val loss is epoch 9 of 15, train 0.3500, val 0.2500, "
        "val balanced accuracy 91.0 %; 1,052 samples/s, "
    )


def test_several_seeds_at_once_share_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)
    screen = Screen(terminal=True)
    with Progress("line", 4, screen, place="fusion 2 of 7") as shown:
        shown.batch("add seed 1", 1, 10, 0.5)
        shown.epoch("add seed 0", 10, 1052.4, Figures(2))
        shown.batch("add seed 1", 1, 10, 0.75)
        (line,) = screen.lines()
        assert line.startswith(
            "fusion 2 of 7: 0/4 done; epoch of add seed 1 1/10  75 %, add seed 0 2/10 100 %"
        )
        (task,) = shown._line.tasks
        assert task.completed == pytest.approx(0.075 + 0.2)
        shown.seed("add seed 0", 10, 1000, Figures(9))
        assert task.completed == pytest.approx(1.075), "the other goes on"
        shown.batch("add seed 1", 2, 10, 0.5)
        # Alone again, with its number of those done.
        (result, line) = screen.lines()
        assert result.startswith("add seed 0 (1/4; fusion 2 of 7): best by val loss is epoch 9")
        assert line.startswith("fusion 2 of 7: add seed 1 (2/4) epoch 2/10  50 %")
        shown.kept_seed("add seed 1", 10, Figures(9))
        assert task.completed == 2


def test_time_left_counts_what_others_have_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 130.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    screen = Screen(terminal=False)
    with Progress("plain", 3, screen) as shown:
        shown.batch("b", 1, 1, 0.5)
        shown.finish_piece("done")
    # One and a half in 30 s, and as much to do.
    assert screen.getvalue() == "done, 30 s left\n"


def test_plain_is_one_line_per_piece_and_nothing_else() -> None:
    lines = two_pieces(Screen(terminal=True), "plain").getvalue().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["first done", "second done"]


def test_off_shows_nothing() -> None:
    assert two_pieces(Screen(terminal=True), "off").getvalue() == ""


def test_moving_line_is_one_line_below_the_results_and_gone_at_the_end() -> None:
    screen = Screen(terminal=True)
    long = "late_matched seed 10 epoch 10/15 train 0.3500 val 0.2500 1,052/s " + "and more " * 9
    with Progress("line", 3, screen) as shown:
        shown.update(0.25, "a quarter")
        assert screen.lines()[0].startswith("a quarter")
        shown.finish_piece("done")
        shown.update(0.5, long)
        shown.finish_piece(long)
        shown.update(0.5, "half")
    first, second = screen.lines()
    assert first.startswith("done, ")
    assert second.startswith(f"{long}, "), "a result is not cut off"


def test_error_leaves_no_moving_line_behind() -> None:
    screen = Screen(terminal=True)
    with contextlib.suppress(KeyboardInterrupt), Progress("line", 2, screen) as shown:
        shown.update(0.5, "half")
        before = screen.lines()
        raise KeyboardInterrupt
    assert (len(before), screen.lines()) == (1, [])


@pytest.mark.parametrize("mode", ["line", "plain"])
def test_text_is_shown_as_it_is(mode: str) -> None:
    screen, text = Screen(terminal=True), "[bold]add[/bold] [1/2] :smile:"
    with Progress(mode, 2, screen) as shown:
        shown.update(0.5, f"moving {text}")
        assert mode == "plain" or screen.lines()[0].startswith(f"moving {text}")
        shown.finish_piece(text)
    assert screen.lines()[0].startswith(f"{text}, ")


def test_time_left_is_that_of_the_pieces_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 116.0, 130.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    screen = Screen(terminal=False)
    with Progress("plain", 3, screen) as shown:
        for _ in range(3):
            shown.finish_piece("done")
    # 10 s for one, 16 s for two.
    assert screen.getvalue().splitlines() == [f"done, {left} s left" for left in (20, 8, 0)]

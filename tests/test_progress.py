import contextlib
import io
import re
from types import SimpleNamespace

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

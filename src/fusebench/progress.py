"""What the screen shows of a long stage: a moving line on a terminal, few plain lines elsewhere."""

import sys
import time
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as MovingLine


class Progress:
    """Shows how far some pieces of work are, and how long the rest will take.

    Parameters
    ----------
    mode : {"auto", "line", "plain", "off"}
        "auto" takes "line" on a terminal and "plain" elsewhere.
    pieces : int
        How many there are.
    """

    def __init__(self, mode: str, pieces: int, stream: TextIO | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        if mode == "auto":
            mode = "line" if stream.isatty() else "plain"
        self.pieces, self.done = pieces, 0
        self._mode = mode
        self._began = time.monotonic()
        self._console = Console(
            file=stream, force_terminal=mode == "line", highlight=False, emoji=False, soft_wrap=True
        )
        # Drawn at each update: a thread that draws would run beside the training.
        self._line = MovingLine(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._line.add_task("", total=float(pieces))

    def update(self, share: float, text: str) -> None:
        """Show that `share` (0…1) of the present piece is done; only on a moving line."""
        if self._mode == "line":
            self._line.update(self._task, completed=self.done + share, description=text)
            self._line.start()
            self._line.refresh()

    def finish_piece(self, text: str) -> None:
        """Say what came of the present piece, on a line that stays, with the time left."""
        self.done += 1
        if self._mode == "off":
            return
        left = (time.monotonic() - self._began) / self.done * (self.pieces - self.done)
        self._line.update(self._task, completed=self.done)
        self._console.print(f"{text}, {left:.0f} s left", markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Also after an error, whose line is to stand alone. Off a terminal, rich would add a line.
        if self._mode == "line":
            self._line.stop()

"""What the screen shows of a long stage: a moving line on a terminal, few plain lines elsewhere."""

import math
import sys
import time
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as MovingLine
from rich.table import Column

# A text that is too long is cut, so that bar and time stay in sight.
_CUT = Column(no_wrap=True, ratio=1)
# Between two drawings within an epoch: what an eye follows, and no load beside the training.
_SECONDS_BETWEEN = 0.2


class EpochFigures(Protocol):
    """What is shown of an epoch; losses in nats per sample, the rate in percent."""

    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def train_loss(self) -> float: ...  # noqa: D102
    @property
    def val_loss(self) -> float: ...  # noqa: D102
    @property
    def balanced_accuracy(self) -> float: ...  # noqa: D102


class Shows(Protocol):
    """What is told of how far a training is: by `Progress`, or by what passes it on to one."""

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None: ...  # noqa: D102
    def epoch(  # noqa: D102
        self, label: str, epochs: int, rate: float, figures: EpochFigures
    ) -> None: ...
    def seed(  # noqa: D102
        self, label: str, epochs: int, rate: float, best: EpochFigures
    ) -> None: ...
    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None: ...  # noqa: D102
    def note(self, text: str) -> None: ...  # noqa: D102


class Progress:
    """Shows how far the training of some seeds is, and how long the rest will take.

    Several may be trained at the same time: each is known by its label.

    Parameters
    ----------
    mode : {"auto", "line", "plain", "off"}
        "auto" takes "line" on a terminal and "plain" elsewhere.
    pieces : int
        How many seeds there are.
    place : str
        Which training it is among those of a run, as `stages.place`; empty where that is not known.
    """

    def __init__(
        self, mode: str, pieces: int, stream: TextIO | None = None, place: str = ""
    ) -> None:
        stream = sys.stdout if stream is None else stream
        if mode == "auto":
            mode = "line" if stream.isatty() else "plain"
        self.pieces, self.done, self.place = pieces, 0, place
        self._at_once = 0
        self._mode = mode
        self._began = time.monotonic()
        self._drawn = -math.inf
        # Of the last epoch, shown until the next one is done; of each seed that is in training.
        self._figures: dict[str, str] = {}
        # How much of each such seed is done (0…1), and where it is.
        self._running: dict[str, tuple[float, str]] = {}
        self._console = Console(
            file=stream, force_terminal=mode == "line", highlight=False, emoji=False, soft_wrap=True
        )
        # Drawn at each update: a thread that draws would run beside the training.
        self._line = MovingLine(
            TextColumn("{task.description}", markup=False, table_column=_CUT),
            BarColumn(20),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._line.add_task("", total=float(pieces))

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None:
        """Show that a share (0…1) of an epoch's batches is done, a few times in a second."""
        self._place(label, epoch, epochs, share)
        if self._mode == "line" and time.monotonic() >= self._drawn + _SECONDS_BETWEEN:
            self._show_running(label)

    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None:
        """Show the epoch that has just ended; `rate` is in samples per second."""
        losses = f"train {figures.train_loss:.3f} val {figures.val_loss:.3f}"
        self._figures[label] = f" {losses} {rate:,.0f}/s"
        self._place(label, figures.epoch, epochs, 1)
        self._show_running(label)

    def _place(self, label: str, epoch: int, epochs: int, share: float) -> None:
        self._running[label] = (
            (epoch - 1 + share) / epochs,
            f"{epoch}/{epochs} {100 * share:3.0f} %",
        )

    def _show_running(self, label: str) -> None:
        """Show all seeds that are in training; of one that is alone, its figures, too."""
        place = f"{self.place}: " if self.place else ""
        if len(self._running) == 1:
            at = f"({self.done + 1}/{self.pieces}) epoch {self._running[label][1]}"
            text = f"{label} {at}{self._figures.get(label, '')}"
        else:
            several = (f"{name} {at}" for name, (_, at) in self._running.items())
            text = f"{self.done}/{self.pieces} done; epoch of {', '.join(several)}"
        self.update(self._under_way, f"{place}{text}")

    @property
    def _under_way(self) -> float:
        """How much of the seeds in training is done, in seeds."""
        return sum(share for share, _ in self._running.values())

    def seed(self, label: str, epochs: int, rate: float, best: EpochFigures) -> None:
        """Say what came of a seed: the epoch whose weights were kept."""
        self._figures.pop(label, None)
        self._running.pop(label, None)
        place = f"; {self.place}" if self.place else ""
        self.finish_piece(
            f"{label} ({self.done + 1}/{self.pieces}{place}): best by val loss is epoch "
            f"{best.epoch} of {epochs}, train {best.train_loss:.4f}, val {best.val_loss:.4f}, val "
            f"balanced accuracy {best.balanced_accuracy:.1f} %; {rate:,.0f} samples/s"
        )

    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None:
        """Say that a seed was trained by an earlier run, and what came of it."""
        self._running.pop(label, None)
        place = f"; {self.place}" if self.place else ""
        self._at_once += 1
        self.finish_piece(
            f"{label} ({self.done + 1}/{self.pieces}{place}): kept from an earlier run; best by "
            f"val loss is epoch {best.epoch} of {epochs}, val {best.val_loss:.4f}, val balanced "
            f"accuracy {best.balanced_accuracy:.1f} %"
        )

    def note(self, text: str) -> None:
        """Say something on a line of its own, beside the moving one."""
        if self._mode != "off":
            self._console.print(text, markup=False)

    def update(self, share: float, text: str) -> None:
        """Show how much of the present pieces is done, in pieces; only on a moving line."""
        if self._mode == "line":
            self._drawn = time.monotonic()
            self._line.update(self._task, completed=self.done + share, description=text)
            self._line.start()
            self._line.refresh()

    def finish_piece(self, text: str) -> None:
        """Say what came of a piece, on a line that stays, with the time left."""
        self.done += 1
        if self._mode == "off":
            return
        # What took no time tells nothing of what the others will take.
        timed = max(1, self.done - self._at_once + self._under_way)
        left = (
            (time.monotonic() - self._began) / timed * (self.pieces - self.done - self._under_way)
        )
        self._line.update(self._task, completed=self.done + self._under_way, description="")
        self._console.print(f"{text}, {left:.0f} s left", markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Also after an error, whose line is to stand alone. Off a terminal, rich would add a line.
        if self._mode == "line":
            self._line.stop()

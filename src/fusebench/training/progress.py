"""What the screen shows of a training: one moving line on a terminal, few plain lines elsewhere."""

import shutil
import sys
import time
from typing import TextIO

from fusebench.training.loop import Task, TrainingState


class Progress:
    """Shows where a fusion's training is and how long it will take.

    Parameters
    ----------
    mode : {"auto", "line", "plain", "off"}
        "auto" takes "line" on a terminal and "plain" elsewhere.
    seeds : int
        Number of seeds that will be trained.
    """

    def __init__(self, mode: str, seeds: int, stream: TextIO | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        if mode == "auto":
            mode = "line" if stream.isatty() else "plain"
        self._mode, self._seeds, self._stream = mode, seeds, stream
        self._done_seeds = 0
        self._began = time.monotonic()

    def epoch(self, task: Task, state: TrainingState) -> None:
        """Show the epoch that has just ended."""
        if self._mode != "line":
            return
        # A line that wraps cannot be taken back.
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[2K{self._line(task, state)[:width]}")
        self._stream.flush()

    def _line(self, task: Task, state: TrainingState) -> str:
        record, epochs = state.records[-1], task.settings.epochs
        return (
            f"{task.label} ({self._done_seeds + 1}/{self._seeds}) epoch {state.epoch}/{epochs} "
            f"train {record.train_loss:.3f} val {record.val_loss:.3f} "
            f"{_rate(task, state):.0f}/s {self._left(state.epoch / epochs)}"
        )

    def _left(self, begun: float) -> str:
        done = self._done_seeds + begun
        left = (time.monotonic() - self._began) / done * (self._seeds - done)
        return f"{left:.0f} s left"

    def seed(self, task: Task, state: TrainingState) -> None:
        """Show what came of a seed."""
        self._done_seeds += 1
        if self._mode == "off":
            return
        best = state.records[state.best_epoch - 1]
        begin = "\r\x1b[2K" if self._mode == "line" else ""
        self._stream.write(
            f"{begin}{task.label} ({self._done_seeds}/{self._seeds}): best by val "
            f"loss is epoch {best.epoch} of {task.settings.epochs}, train {best.train_loss:.4f}, "
            f"val {best.val_loss:.4f}, val balanced accuracy {best.balanced_accuracy:.1f} %; "
            f"{_rate(task, state):,.0f} samples/s, {sum(state.seconds):.0f} s, {self._left(0)}\n"
        )
        self._stream.flush()


def _rate(task: Task, state: TrainingState) -> float:
    """Return the samples per second of the last epoch, its train and val pass."""
    return (len(task.train) + len(task.val)) / state.seconds[-1]

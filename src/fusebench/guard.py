"""Ends a stage whose run of DVC is gone: `dvc` killed alone leaves its stage running.

Such a stage would write for nobody, since DVC records an output only after the stage that made it.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")
# Between two looks; a look reads one small file.
_SECONDS = 0.5
_gone = threading.Event()


@dataclass(frozen=True)
class Process:
    """A process of this machine.

    Attributes
    ----------
    number : int
    began : str
        When it began, in the system's clock ticks; a number is given again, this is not.
    words : list of str
        Its command line.
    """

    number: int
    began: str
    words: list[str]

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that was killed and not yet buried does not."""
        try:
            state, _, began = _status(self.number)
        except OSError:
            return False
        return began == self.began and state != "Z"


def ancestors() -> Iterator[Process]:
    """Return the processes above this one, the nearest first; none where there is no /proc."""
    number = os.getppid()
    while number > 1:
        try:
            _, parent, began = _status(number)
            words = (_PROCESSES / f"{number}/cmdline").read_text("utf-8", "replace").split("\0")
        except OSError:
            return
        yield Process(number, began, words)
        number = parent


def _status(number: int) -> tuple[str, int, str]:
    """Return the state of a process, its parent's number, and when it began (proc(5))."""
    text = (_PROCESSES / f"{number}/stat").read_text("utf-8", "replace")
    # After the name, which may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), fields[19]


def is_dvc(process: Process) -> bool:
    """Tell whether a process is DVC, started as `dvc` or as `python -m dvc`."""
    return any(Path(word).name == "dvc" for word in process.words)


def end_with_dvc() -> None:
    """From now on, end this process as Ctrl-C does when the DVC that started it is gone."""
    if "DVC_STAGE" not in os.environ:
        return
    started = next(filter(is_dvc, ancestors()), None)
    if started is not None:
        threading.Thread(target=_watch, args=(started,), daemon=True).start()


def _watch(started: Process) -> None:
    while started.alive:
        time.sleep(_SECONDS)
    _gone.set()
    os.kill(os.getpid(), signal.SIGTERM)


def dvc_is_gone() -> bool:
    """Tell whether this process is being ended because its DVC is gone."""
    return _gone.is_set()

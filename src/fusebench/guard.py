"""Ends a stage whose run of DVC is gone: `dvc` killed alone leaves its stage running.

Such a stage would write for nobody, since DVC records an output only after the stage that made it.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

# Between two looks.
_SECONDS = 0.5
_gone = threading.Event()


def dvc_above() -> Iterator[psutil.Process]:
    """Yield the processes of DVC above this one, the nearest first."""
    for process in psutil.Process().parents():
        try:
            if is_dvc(process.cmdline()):
                yield process
        except psutil.Error:
            # It has ended, or its command line is not to be read.
            continue


def is_dvc(words: list[str]) -> bool:
    """Tell whether a command line is DVC's: "dvc repro", or "python -m dvc repro"."""
    return any(Path(word).name == "dvc" for word in words[:3])


def end_with_dvc() -> None:
    """From now on, end this process as Ctrl-C does when the DVC that started it is gone."""
    if "DVC_STAGE" not in os.environ:
        return
    started = next(dvc_above(), None)
    if started is not None:
        threading.Thread(target=_watch, args=(started,), daemon=True).start()


def _watch(started: psutil.Process) -> None:
    while _alive(started):
        time.sleep(_SECONDS)
    _gone.set()
    os.kill(os.getpid(), signal.SIGTERM)


def _alive(process: psutil.Process) -> bool:
    """Tell whether a process still works; one that was killed and not yet buried does not."""
    try:
        status: str = process.status()
        return bool(process.is_running()) and status != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def dvc_is_gone() -> bool:
    """Tell whether this process is being ended because its DVC is gone."""
    return _gone.is_set()

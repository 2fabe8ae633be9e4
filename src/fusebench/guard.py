"""Ends a stage whose run of DVC is gone: `dvc` killed alone leaves its stage running.

What such a stage makes would be in vain: DVC records an output only after the stage has ended.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from fusebench import system

# Between two looks.
_SECONDS = 0.5
_gone = threading.Event()


def dvc_above() -> Iterator[psutil.Process]:
    """Yield the processes of DVC above this one, the nearest first, as far as they may be seen."""
    with suppress(psutil.Error):
        process = psutil.Process().parent()
        while process is not None:
            if is_dvc(process.cmdline()):
                yield process
            process = process.parent()


def dvc_commands() -> Iterator[list[str]]:
    """Yield what the processes of DVC above this one were told to do, the nearest first."""
    with suppress(psutil.Error):
        for process in dvc_above():
            yield told_dvc(process.cmdline()) or []


def is_dvc(words: list[str]) -> bool:
    """Tell whether a command line is DVC's: "dvc repro", "python -m dvc", "… tasks.py run dvc"."""
    return told_dvc(words) is not None


def told_dvc(words: list[str]) -> list[str] | None:
    """Return what comes after DVC's own name in a command line; None where it is not DVC's."""
    # On Windows "python.exe" and "dvc.exe".
    names = [Path(word).name.lower().removesuffix(".exe") for word in words[:4]]
    if not names or not names[0].startswith("python"):
        return words[1:] if names[:1] == ["dvc"] else None
    for called in (["dvc"], ["-m", "dvc"], ["tasks.py", "run", "dvc"]):
        if names[1 : 1 + len(called)] == called:
            return words[1 + len(called) :]
    return None


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
    system.end_politely()


def _alive(process: psutil.Process) -> bool:
    """Tell whether a process still works; a zombie does not."""
    try:
        status: str = process.status()
        return bool(process.is_running()) and status != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def dvc_is_gone() -> bool:
    """Tell whether this process is being ended because its DVC is gone."""
    return _gone.is_set()

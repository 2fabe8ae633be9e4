"""What Windows does otherwise than Linux and macOS with locks, files and signals.

Nothing that is decided here can change a result.
"""

import _thread
import errno
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

WINDOWS = os.name == "nt"
"""It opens no folder, and neither removes nor moves what is open, or a folder that holds such."""
KILL = "taskkill /f /pid" if WINDOWS else "kill"
"""What ends a process, by its number."""
MOST_PROCESSES = 61 if WINDOWS else sys.maxsize
"""How many processes one can wait for: Windows waits for 63 things, Python needs two."""
MOMENT = 0.01
"""Seconds between two looks at what another process just makes, removes or has open."""
# How many looks at a file that another program has open.
_LOOKS = 200

T = TypeVar("T")


def open_locked(path: Path, wait: Callable[[], None] | None = None) -> BinaryIO:
    """Return a file, made if it is not there, that this process has locked until it is closed.

    The system drops the lock with the process. On Windows nobody else can read the first byte.

    Parameters
    ----------
    wait : callable, optional
        Called before this waits for another process that has the lock.

    Raises
    ------
    BlockingIOError
        Another process has it, and there is no `wait`.
    FileNotFoundError
        There is no such folder.
    """
    # Takes a while to import, and what only reads needs none of it.
    from filelock import lock_descriptor

    file = patiently(lambda: path.open("a+b", buffering=0))
    try:
        held = lock_descriptor(file.fileno(), blocking=False)
        if not held and wait is not None:
            wait()
            held = lock_descriptor(file.fileno())
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        file.close()
        raise
    if not held:
        file.close()
        raise BlockingIOError(errno.EWOULDBLOCK, "another process has it", str(path))
    return file


def is_in_place(file: BinaryIO) -> bool:
    """Tell whether an open file is the one that has its name now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())
    except FileNotFoundError:
        return False


def move(source: Path, target: Path) -> None:
    """Move a file or a folder in one step; a file takes the place of another."""
    patiently(lambda: os.replace(source, target))


def patiently(act: Callable[[], T]) -> T:
    """Do something; on Windows again for two seconds, where another program has the file open."""
    for _ in range(_LOOKS if WINDOWS else 0):
        with suppress(PermissionError):
            return act()
        time.sleep(MOMENT)
    return act()


def make_removable(path: Path) -> None:
    """Let Windows remove or replace a file that is read-only, as links into DVC's cache are."""
    if WINDOWS and path.is_file() and not path.is_symlink():
        path.chmod(stat.S_IREAD | stat.S_IWRITE)


def sync(path: Path) -> None:
    """Have a file or a folder written to the disk now."""
    if WINDOWS:
        if not path.is_dir():
            _sync_on_windows(path)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot do so with a folder.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def _sync_on_windows(path: Path) -> None:
    # It writes out only what may be written to; a file that is read-only stays so.
    mode = path.stat().st_mode
    if not mode & stat.S_IWRITE:
        path.chmod(mode | stat.S_IWRITE)
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    finally:
        if not mode & stat.S_IWRITE:
            path.chmod(mode)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let Ctrl-C and a polite kill come after this."""
    numbers: set[int] = {signal.SIGINT, signal.SIGTERM}
    if hasattr(signal, "pthread_sigmask"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    elif threading.current_thread() is threading.main_thread():
        came: list[int] = []
        handlers = {n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for number in came:
                signal.raise_signal(number)
    else:
        # Signals come to the main thread alone.
        yield


def end_politely() -> None:
    """End this process, from any of its threads, as a polite kill does."""
    if WINDOWS:
        # There os.kill ends it at once, and nothing that it was writing is removed.
        _thread.interrupt_main(signal.SIGTERM)
    else:
        # To the process, so that the main thread hears it in whatever it waits for.
        os.kill(os.getpid(), signal.SIGTERM)

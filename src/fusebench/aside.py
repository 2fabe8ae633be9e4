"""Outputs are written aside and put in place in one step; no two processes write the same one.

Each output has a folder aside, beside it, locked by the process that writes there. So a second
run, or one beside a process that outlived the run that started it, is told so. What a killed
process left is removed by the next process that writes the same output.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from fusebench.errors import BusyError

# Named in .gitignore and .dvcignore, so that what a killed run leaves is never taken for a result.
_SUFFIX = ".partial"
_CLAIM = re.compile(r"\..+\.partial")
_OLD, _LOCK = "old", "lock"


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what is there takes the place of `path` on success only.

    Raises
    ------
    BusyError
        Another process that is alive is writing `path`.
    """
    with replace_outputs(files=[path]) as (aside,):
        yield aside


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder; it takes the place of `path` on success only.

    Raises
    ------
    BusyError
        Another process that is alive is writing `path`.
    """
    with replace_outputs(folders=[path]) as (aside,):
        yield aside


def _accept(_asides: tuple[Path, ...]) -> None:
    """Find nothing wrong with what was written."""


@contextmanager
def replace_outputs(
    folders: Sequence[Path] = (),
    files: Sequence[Path] = (),
    check: Callable[[tuple[Path, ...]], None] = _accept,
) -> Iterator[tuple[Path, ...]]:
    """Yield where several outputs are written; on success all of them take their places.

    Of several outputs, all old ones leave before the first new one comes: killed at any moment,
    what is in place is all of before, or of now, and nothing of one beside the other.

    Parameters
    ----------
    folders, files : sequence of Path
        The outputs. The paths aside come in this order; a folder is there and empty.
    check : callable
        Called with the paths aside when all is written; what it raises keeps the old outputs.

    Raises
    ------
    BusyError
        Another process that is alive is writing one of the outputs.
    """
    outputs = (*folders, *files)
    for path in folders:
        if path.exists() and not path.is_dir():
            raise _error(errno.ENOTDIR, "is a file; a folder is to be written", path)
    for path in files:
        if path.is_dir():
            raise _error(errno.EISDIR, "is a folder; a file is to be written", path)
    with ExitStack() as stack:
        asides = tuple(stack.enter_context(_claimed(path)) for path in outputs)
        for aside in asides[: len(folders)]:
            aside.mkdir()
        with _named_errors(outputs[0]):
            yield asides
            # What stands in a folder that is aside itself is put in place with that.
            moving = [pair for pair in zip(asides, outputs, strict=True) if pair[0] != pair[1]]
            for aside in asides:
                aside.stat()
            for aside, _ in moving:
                _sync_below(aside)
            check(asides)
            _put_in_place(moving)


def _error(number: int, text: str, path: Path) -> OSError:
    return OSError(number, text, str(path))


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """Yield where an output is written, in a folder that no other process takes."""
    outer = next((parent for parent in path.parents if _CLAIM.fullmatch(parent.name)), None)
    if outer is not None:
        # In a folder that is aside itself: nobody else writes there, and it moves as a whole. It
        # is not made again if it has gone: half an output would take the place of a whole one.
        if outer.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
    claim = path.with_name(f".{path.name}{_SUFFIX}")
    own.mkdir()
    try:
        with lock(own) as held:
            held.write(str(os.getpid()))
            held.flush()
            # In one step from nobody's to this process's: a folder moves over no other that holds
            # something, and this one has been locked before it came there.
            while not _moved(own, claim):
                _remove_remains(claim, path)
            try:
                yield claim / path.name
            finally:
                shutil.rmtree(claim, ignore_errors=True)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _moved(source: Path, target: Path) -> bool:
    """Move a folder, unless there is one that is not empty."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _remove_remains(claim: Path, output: Path) -> None:
    """Remove what a dead process left aside; raise BusyError if a live one writes the output."""
    try:
        with lock(claim):
            # First out of the way, in one step: a part of it would look like another claim.
            gone = claim.with_name(f".{output.name}.{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
            os.replace(claim, gone)
            shutil.rmtree(gone, ignore_errors=True)
    except FileNotFoundError:
        # Its process is just removing it.
        time.sleep(0.01)
    except BlockingIOError:
        holder = (claim / _LOCK).read_text("utf-8")
        raise BusyError(
            f"{output}: is being written by another run (process {holder}); wait for it, or end "
            f"it with 'kill {holder}'"
        ) from None


@contextmanager
def lock(folder: Path, wait: Callable[[], None] | None = None) -> Iterator[TextIO]:
    """Hold the lock of a folder: a file in it. The system drops it with this process.

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
    # A file, and one to write: on some network file systems a folder's lock is each machine's own.
    with (folder / _LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                raise
            wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            error.filename = str(folder / _LOCK)
            raise
        yield file


def _put_in_place(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Put what is aside in the places of the outputs, or leave the old ones where they were."""
    if len(pairs) == 1 and pairs[0][0].is_file():
        # A file takes the place of another in one step; a folder cannot.
        os.replace(*pairs[0])
    else:
        _exchange(pairs)
    for _, output in pairs:
        _sync(output.parent)


def _exchange(pairs: Sequence[tuple[Path, Path]]) -> None:
    # Old ones leave before the first new one comes. A link that leads nowhere leaves, too.
    moves = [
        *((output, aside.with_name(_OLD)) for aside, output in pairs if os.path.lexists(output)),
        *pairs,
    ]
    done: list[tuple[Path, Path]] = []
    with _undisturbed():
        try:
            for source, target in moves:
                os.replace(source, target)
                done.append((source, target))
        except BaseException:
            for source, target in reversed(done):
                os.replace(target, source)
            raise


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and a polite kill come after this, which takes no time."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sync_below(path: Path) -> None:
    for file in path.rglob("*"):
        _sync(file)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot do so with a folder.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Give an error of the disk the name of the output; write() itself does not know it."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise

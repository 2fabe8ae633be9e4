"""Outputs are written aside and put in place in one step; no two processes write the same one.

Each output has a folder aside, beside it, locked by the process that writes there. So a second
run, or one beside a process that outlived the run that started it, is told so. What a killed
process left is removed by the next process that writes the same output.
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fusebench import system
from fusebench.errors import BusyError

# Named in .gitignore and .dvcignore, so that what a killed run leaves is never taken for a result.
_SUFFIX = ".partial"
_CLAIM = re.compile(r"\..+\.partial")
_OLD, _LOCK = "old", "lock"
# How many looks at a folder that another process just makes or removes.
_LOOKS = 500


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
    claim = path.with_name(f".{path.name}{_SUFFIX}")
    with _owned(claim, path):
        yield claim / path.name


@contextmanager
def _owned(claim: Path, output: Path) -> Iterator[None]:
    """Have a folder aside alone: it is made, and empty; at the end it goes."""
    with _taken(claim, output) as held:
        try:
            with _named_errors(output):
                held.truncate(0)
                held.write(f" {os.getpid()}".encode())
            # What a dead process left.
            _clear(claim)
            yield
        finally:
            if system.is_in_place(held):
                _empty(claim)
                if system.WINDOWS:
                    # Another process that has the file by now keeps it: it is open.
                    held.close()
                _remove_emptied(claim)


def _taken(claim: Path, output: Path) -> BinaryIO:
    """Return the locked file of a folder aside; raise BusyError if a live process has it."""
    for _ in range(_LOOKS):
        holder = ""
        with suppress(FileExistsError):
            system.patiently(claim.mkdir)
        try:
            file = system.open_locked(claim / _LOCK)
        except FileNotFoundError:
            # Its process is just removing it, unless this leads nowhere.
            if claim.is_symlink():
                raise
        except BlockingIOError:
            import psutil  # Takes a while.

            holder = _holder(claim)
            # Who has just locked what a killed process left has not yet put its own number there.
            if holder and psutil.pid_exists(int(holder)):
                raise BusyError(
                    f"{output}: is being written by another run (process {holder}); wait for it, "
                    f"or end it with '{system.KILL} {holder}'"
                ) from None
        else:
            # Who had it may have removed the file: nobody else would find this lock.
            if system.is_in_place(file):
                return file
            file.close()
        time.sleep(system.MOMENT)
    # The disk may be shared, or one that refuses each lock as if another had it.
    named = f" (process {holder} of another machine or container)" if holder else ""
    raise BusyError(
        f"{output}: is being written by another run{named}; wait for it; if there is none, "
        f"{claim / _LOCK} cannot be locked here"
    )


def _holder(claim: Path) -> str:
    """Return the number in the lock of a folder aside; "" until its process has written it."""
    try:
        with (claim / _LOCK).open("rb", buffering=0) as file:
            # Windows lets nobody read what is locked, the first byte.
            file.seek(1)
            number = file.read().decode("ascii", "replace")
    except OSError:
        return ""
    return number if number.isdecimal() else ""


def remove(folder: Path) -> None:
    """Remove a folder that no process has locked, with all in it.

    Raises
    ------
    BlockingIOError
        Another process has its lock.
    """
    with lock(folder):
        if not system.WINDOWS:
            # In one step: nobody is to find half of it.
            gone = folder.with_name(f"{folder.name}.gone")
            os.replace(folder, gone)
            shutil.rmtree(gone)
            return
        _empty(folder)
    _remove_emptied(folder)


def _clear(folder: Path) -> None:
    """Free all names in a folder but its lock's, and remove what had them as far as possible."""
    for path in folder.iterdir():
        if path.name != _LOCK:
            # What cannot be removed is not to stand where an output is written.
            system.move(path, folder / f"{secrets.token_hex(8)}.gone")
    _empty(folder)


def _empty(folder: Path) -> None:
    """Remove all in a folder but its lock, as far as the system lets this process."""
    for path in folder.iterdir():
        if path.name == _LOCK:
            continue
        for file in (path, *path.rglob("*")) if system.WINDOWS else ():
            system.make_removable(file)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _remove_emptied(folder: Path) -> None:
    """Remove a folder that holds nothing but its lock, where the system lets this process."""
    with suppress(OSError):
        (folder / _LOCK).unlink()
        folder.rmdir()


@contextmanager
def lock(folder: Path, wait: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Hold the lock of a folder: a file in it; parameters and errors as `system.open_locked`."""
    # A file, and one to write: on some network file systems a folder's lock is each machine's own.
    with system.open_locked(folder / _LOCK, wait) as file:
        yield file


def _put_in_place(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Put what is aside in the places of the outputs, or leave the old ones where they were."""
    if len(pairs) == 1 and pairs[0][0].is_file():
        # A file takes the place of another in one step; a folder cannot.
        system.make_removable(pairs[0][1])
        system.move(*pairs[0])
    else:
        _exchange(pairs)
    for _, output in pairs:
        system.sync(output.parent)


def _exchange(pairs: Sequence[tuple[Path, Path]]) -> None:
    # Old ones leave before the first new one comes. A link that leads nowhere leaves, too.
    moves = [
        *((output, aside.with_name(_OLD)) for aside, output in pairs if os.path.lexists(output)),
        *pairs,
    ]
    done: list[tuple[Path, Path]] = []
    with system.undisturbed():
        try:
            for source, target in moves:
                system.move(source, target)
                done.append((source, target))
        except BaseException:
            for source, target in reversed(done):
                system.move(target, source)
            raise


def _sync_below(path: Path) -> None:
    for file in path.rglob("*"):
        system.sync(file)
    system.sync(path)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Give an error of the disk the name of the output; write() itself does not know it."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise

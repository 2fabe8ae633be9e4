"""Outputs are written aside and put in place in one step; no two processes write the same one.

Each output has a folder aside, beside it, locked by the process whose number it bears. So a second
run, or one beside a process that outlived the run that started it, is told so; and what a killed
process left is removed by the next one that writes the same output.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fusebench.errors import BusyError

# Named in .gitignore and .dvcignore, so that what a killed run leaves is never taken for a result.
_SUFFIX = ".partial"
_OLD = "old"


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
    around = next((parent for parent in path.parents if parent.name.endswith(_SUFFIX)), None)
    if around is not None:
        # In a folder that is aside itself: nobody else writes there, and it moves as a whole. It
        # is not made again if it has gone: half an output would take the place of a whole one.
        if around.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        _remove_remains(path)
        claim = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
        claim.mkdir()
        lock = _lock(claim)
    try:
        yield claim / path.name
    finally:
        shutil.rmtree(claim, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_remains(path: Path) -> None:
    """Remove what dead processes left of an output; raise BusyError if a live one writes it."""
    remains = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-[0-9a-f]{{8}}{re.escape(_SUFFIX)}")
    for claim in path.parent.iterdir():
        if named := remains.fullmatch(claim.name):
            lock = _lock(claim)
            if lock is None:
                raise BusyError(
                    f"{path}: is being written by another run (process {named[1]}); wait for it, "
                    f"or end it with 'kill {named[1]}'"
                )
            shutil.rmtree(claim, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> int | None:
    """Return a descriptor that holds the lock of a folder; None if another process has it.

    The system drops a lock with its process, however that ends.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; wait for it, since nobody keeps it for longer than a moment."""
    descriptor = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


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
    moved: list[tuple[Path, Path]] = []
    try:
        for aside, output in pairs:
            if output.exists():
                _move(output, aside.with_name(_OLD), moved)
        for aside, output in pairs:
            _move(aside, output, moved)
    except BaseException:
        for source, target in reversed(moved):
            os.replace(target, source)
        raise


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    os.replace(source, target)
    moved.append((source, target))


def _sync_below(path: Path) -> None:
    for file in path.rglob("*"):
        _sync(file)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
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

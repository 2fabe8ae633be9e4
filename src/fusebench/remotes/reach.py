"""Whether a remote answers: a small file is written and removed there, as DVC would do it.

In a process of its own, since nothing ends a connection that hangs but the end of its process.
"""

import multiprocessing
import secrets
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from fusebench.errors import one_line
from fusebench.remotes.held import Held, held
from fusebench.remotes.reasons import reason

Remotes = Mapping[str, Mapping[str, Any]]
_REACHED, _WRITTEN = "reached", b"written by 'make remote', and to be removed"


class UnreachableError(Exception):
    """Why a remote cannot be used, in one line."""


def ask(name: str, remotes: Remotes, seconds: float, *, write: bool) -> Held:
    """Return which outputs a remote holds, after it has answered.

    Parameters
    ----------
    name : str
        Of the remote.
    remotes : mapping
        All remotes with their options, as DVC's config has them.
    seconds : float
        How long to wait for its first answer.
    write : bool
        Whether a file is written there and removed. A folder need not be there, but the one that
        it is to be in; then the file is written in that one.

    Raises
    ------
    UnreachableError
        It does not answer in time, refuses, or lacks what it needs.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_answer, args=(theirs, name, _copied(remotes), write), daemon=True
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise UnreachableError(f"no answer in {seconds:g} s (WAIT=seconds waits longer)")
        answer = ours.recv()
        if answer == _REACHED:
            answer = ours.recv()
    except EOFError:
        raise UnreachableError("the process that asked it ended") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if not isinstance(answer, Held):
        raise UnreachableError(str(answer))
    return answer


def _copied(remotes: Remotes) -> dict[str, dict[str, Any]]:
    return {name: dict(options) for name, options in remotes.items()}


def _answer(pipe: Connection, name: str, remotes: Remotes, write: bool) -> None:
    """Send that a remote was reached, then what it holds; or why not."""
    from dvc.exceptions import DvcException

    # Ctrl-C is the other process's to hear, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _touch(name, remotes, write)
        pipe.send(_REACHED)
        pipe.send(held(name, remotes))
    except UnreachableError as error:
        pipe.send(str(error))
    except Exception as error:
        why = reason(error)
        if why is None and not isinstance(error, DvcException | OSError):
            raise
        pipe.send(why or one_line(str(error)))


def _touch(name: str, remotes: Remotes, write: bool) -> None:
    from dvc.fs import get_cloud_fs

    kind, config, folder = get_cloud_fs({"remote": remotes}, name=name)
    files = kind(**config)
    if not write:
        files.exists(folder)
        return
    inside = folder if kind.protocol == "s3" else _existing(files, folder)
    path = files.join(inside, f".fusebench-{secrets.token_hex(8)}")
    files.pipe_file(path, _WRITTEN)
    same = files.cat_file(path) == _WRITTEN
    files.remove(path)
    if not same:
        raise UnreachableError("what was written there was read back as something else")


def _existing(files: Any, folder: str) -> str:
    """Return a folder, or the one above it, in which DVC will make it."""
    if files.isdir(folder):
        return folder
    if files.exists(folder):
        raise UnreachableError(f"{folder}: is a file; must be a folder")
    above = str(files.parent(folder))
    if not files.isdir(above):
        raise UnreachableError(f"{above}: no such folder; make it first, or name another")
    return above

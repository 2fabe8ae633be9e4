"""Whether a remote answers: a small file is written and removed there, as DVC would do it.

In a process of its own, since nothing ends a connection that hangs but the end of its process.
"""

import errno
import getpass
import multiprocessing
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from fusebench.errors import one_line
from fusebench.remotes.held import Held, held
from fusebench.remotes.reasons import reason
from fusebench.remotes.settings import bounded

Remotes = Mapping[str, Mapping[str, Any]]
_READY, _REACHED = "ready", "reached"
_WRITTEN = b"written by 'make remote', and to be removed"
# How many times as long as for the first answer is waited for what a remote holds.
_PATIENCE = 20


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
        How long to wait for its first answer; for what it holds, 20 times as long.
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
        target=_answer, args=(theirs, name, bounded(remotes), write), daemon=True
    )
    process.start()
    theirs.close()
    try:
        # What starts Python and DVC is not to be hurried.
        answer = ours.recv()
        for step, wait, lacking in (
            (_READY, seconds, "no answer"),
            (_REACHED, _PATIENCE * seconds, "it answers, but does not say what it holds"),
        ):
            if answer == step:
                if not ours.poll(wait):
                    raise UnreachableError(f"{lacking} in {wait:g} s (WAIT=seconds waits longer)")
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


def _answer(pipe: Connection, name: str, remotes: Remotes, write: bool) -> None:
    """Send that a remote was reached, then what it holds; or why not."""
    from dvc.exceptions import DvcException

    # Ctrl-C is the other process's to hear, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ask_nobody()
    try:
        files, folder = _files(name, remotes)
        pipe.send(_READY)
        _touch(files, folder, write)
        pipe.send(_REACHED)
        pipe.send(held(name, remotes))
    except UnreachableError as error:
        pipe.send(str(error))
    except Exception as error:
        why = reason(error)
        if why is None and not isinstance(error, DvcException | OSError):
            raise
        pipe.send(why or one_line(str(error)))


def _ask_nobody() -> None:
    """Have no question of ssh reach the terminal: a process that is killed leaves it without echo.

    What runs ssh itself (ProxyCommand) finds no terminal; what asks in this process is refused.
    """
    if sys.platform != "win32":
        os.setsid()

    def refuse(*_: Any, **__: Any) -> str:
        raise OSError(
            errno.EACCES,
            "needs a passphrase or password, which is not asked for here; 'ssh-add' hands a key to "
            "ssh-agent (docs/remotes.md)",
        )

    getpass.getpass = refuse


def _files(name: str, remotes: Remotes) -> tuple[Any, str]:
    """Return the file system of a remote, to which nothing is connected yet, and its folder."""
    from dvc.fs import get_cloud_fs

    kind, config, folder = get_cloud_fs({"remote": remotes}, name=name)
    files = kind(**config)
    for module in kind.REQUIRES.values():
        import_module(module)
    return files, folder


def _touch(files: Any, folder: str, write: bool) -> None:
    if not write:
        files.exists(folder)
        return
    inside = folder if files.protocol == "s3" else _existing(files, folder)
    path = files.join(inside, f".fusebench-{secrets.token_hex(8)}")
    try:
        files.pipe_file(path, _WRITTEN)
        same = files.cat_file(path) == _WRITTEN
    except BaseException:
        with suppress(Exception):
            files.remove(path)
        raise
    try:
        files.remove(path)
    except Exception as error:
        why = reason(error) or str(error)
        raise UnreachableError(one_line(f"{path} cannot be removed again: {why}")) from error
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

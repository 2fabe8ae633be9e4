"""What every script shares: how text is shown, and one line for what the user can mend, exit 1."""

import argparse
import codecs
import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from fusebench import guard
from fusebench.errors import FusebenchError, one_line

# Words that are coloured on a terminal, as regular expressions; sentences may be broken anywhere.
_COLOURS = {
    r"^error:": "bold red",
    r"\bis\s+worse\s+than\b": "red",
    r"\bis\s+better\s+than\b": "green",
    r"^Shown\sto\sbe\s(?:better\sthan\s[^:;]+|the\sbest)(?=:)": "bold green",
    r"\bAs\s+good\s+as\s+the\s+best\b": "bold green",
    r"^No\s(?:recommendation|fusion)\b": "yellow",
    r"(?i:\bwarning:|\bstale:)": "yellow",
    r"\bCollapsed\b": "yellow",
}
# The second is Ctrl-Break, of Windows alone.
_POLITE = [number for number in signal.Signals if number.name in ("SIGTERM", "SIGBREAK")]
# What torch begins with where the main memory is full; it raises a RuntimeError.
_ALLOCATOR = "DefaultCPUAllocator"
# What DVC writes in the workspace and git tracks; an experiment's `-S` writes params.yaml, too.
_GO_BACK = "git restore {}dvc.lock metrics plots && dvc checkout"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser whose help is the script's own docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def show(text: str, stream: TextIO | None = None) -> None:
    """Print a text: as it is, but for colours on a terminal where NO_COLOR is not set.

    Parameters
    ----------
    stream : text stream, optional
        By default stdout.
    """
    stream = sys.stdout if stream is None else stream
    # An empty NO_COLOR counts as none (https://no-color.org).
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        print(text, file=stream, flush=True)
        return
    # Takes a while to import, and a pipe needs none of it.
    from rich.console import Console
    from rich.text import Text

    coloured = Text(text)
    for words, style in _COLOURS.items():
        coloured.highlight_regex(f"(?m){words}", style)
    Console(file=stream, soft_wrap=True).print(coloured)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(stage: Callable[[], None]) -> NoReturn:
    """Run a stage and exit: 0 when it is done, 1 after one line that says what is wrong.

    Where a reader has closed the pipe (`| head`), that line is left out. An error that is none of
    the user's keeps its traceback.
    """
    # A polite kill takes the same way out as Ctrl-C: what was written aside is removed.
    for number in _POLITE:
        signal.signal(number, _interrupt)
    _prepare_streams()
    guard.end_with_dvc()
    try:
        _check_recorded()
        stage()
        sys.stdout.flush()
    except SystemExit:
        _end_output()
        raise
    except KeyboardInterrupt:
        _fail(_interrupted())
    except BrokenPipeError:
        # Nobody reads on (`| head`); no other pipe is written to.
        _silence(sys.stdout)
        sys.exit(1)
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        if isinstance(error, OSError) and error.filename is None:
            message = _of_output(_end_output(), message)
        _fail(message)
    sys.exit(0)


def _of_output(stuck: OSError | None, message: str) -> str:
    """Return a message that names the output where that is what failed."""
    return message if stuck is None else f"standard output: {stuck.strerror}"


def _prepare_streams() -> None:
    """Let any text be printed: what an encoding lacks is shown as "?"."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by the shell (`>&-`).
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    # Python lets stderr show any text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _message(error: Exception) -> str | None:
    """Return the line for an error that the user can mend, or None."""
    if isinstance(error, FusebenchError):
        return str(error)
    if _is_memory(error):
        return _out_of_memory(error)
    if isinstance(error, OSError):
        name = f"{one_line(str(error.filename), 200)}: " if error.filename is not None else ""
        return f"{name}{one_line(error.strerror or str(error))}"
    if isinstance(error, ValueError) and str(error).startswith("embedded null"):
        return f"the name of a file holds a NUL character, which none may have ({error})"
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii" == _file_encoding():
        name = one_line(ascii(error.object), 200)
        return f"{name}: no name of a file in this locale; set PYTHONUTF8=1, or rename it"
    return None


def _is_memory(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # torch's own, told by name and words: importing torch here would slow every stage down.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or _ALLOCATOR in str(error))
    )


def _file_encoding() -> str:
    # ASCII has several names.
    return codecs.lookup(sys.getfilesystemencoding()).name


def _check_recorded() -> None:
    """Refuse to run a stage on what dvc.lock does not hold; where DVC runs it, DVC has looked."""
    if "DVC_STAGE" in os.environ or {"-h", "--help"} & set(sys.argv):
        return
    # Help is to come at once, without what this imports.
    from fusebench.recorded import check

    check(sys.argv)


def _interrupted() -> str:
    """Say what an interrupted script leaves behind, and how to go on and back."""
    if guard.dvc_is_gone():
        return "ended, since the dvc that started this is gone; 'dvc repro' goes on"
    root = os.environ.get("DVC_ROOT")
    if "DVC_STAGE" not in os.environ or root is None:
        return "interrupted; nothing half-written was left in place, run the same command again"
    if Path(root).resolve() != Path.cwd().resolve():
        # A queued experiment, or one with --temp.
        return "interrupted; this experiment has a folder of its own: the workspace is as it was"
    if "DVC_EXP_NAME" not in os.environ:
        return (
            "interrupted; DVC has removed this stage's old outputs and keeps what earlier stages "
            f"made\n  dvc repro goes on; back to HEAD: {_GO_BACK.format('')}"
        )
    return (
        "interrupted; params.yaml stays changed, and DVC has removed this stage's old outputs\n"
        f"  dvc exp run goes on; back to HEAD: {_GO_BACK.format('params.yaml ')}"
    )


def _out_of_memory(error: Exception) -> str:
    # Before the allocator's name stands where in torch's source, behind the line a stack of calls.
    _, found, after = str(error).partition(_ALLOCATOR)
    reason = f"{found}{after}".partition("\n")[0] if found else " ".join(str(error).split())
    detail = f" ({one_line(reason, 200)})" if reason else ""
    return f"out of memory{detail}; close other programs or use fewer or smaller samples"


def _fail(message: str) -> NoReturn:
    # A second Ctrl-C while this ends would be a traceback.
    for number in (signal.SIGINT, *_POLITE):
        signal.signal(number, signal.SIG_IGN)
    _end_output()
    try:
        show(f"error: {message}", sys.stderr)
    except OSError:
        # The screen is gone; the exit code still tells.
        _silence(sys.stderr)
    sys.exit(1)


def _end_output() -> OSError | None:
    """Write out what was printed; return the error if that is not possible."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _silence(sys.stdout)
        return error
    return None


def _silence(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: Python writes it out once more when it ends."""
    with contextlib.suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

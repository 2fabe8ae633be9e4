"""What every script shares: how text is shown, and one line for what the user can mend, exit 1."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from fusebench import guard
from fusebench.errors import FusebenchError

# Words that are coloured on a terminal, as regular expressions; sentences may be broken anywhere.
_COLOURS = {
    r"^error:": "bold red",
    r"\bis\s+worse\s+than\b": "red",
    r"\bis\s+better\s+than\b": "green",
    r"^Use\s[^:;]+(?=[:;])": "bold green",
    r"^No\s(?:recommendation|fusion)\b": "yellow",
    r"(?i:\bwarning:|\bstale:)": "yellow",
    r"\bCollapsed\b": "yellow",
}
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
    """Run a stage and exit: 0 when it is done, 1 after one line that says what is wrong."""
    # A polite kill takes the same way out as Ctrl-C: what was written aside is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    guard.end_with_dvc()
    try:
        stage()
        sys.stdout.flush()
    except FusebenchError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail(_interrupted())
    except MemoryError as error:
        _fail_memory(error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename is not None else ""
        _fail(f"{name}{error.strerror or error}")
    except RuntimeError as error:
        # torch's own, told by its name: importing torch here would slow every stage down.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        _fail_memory(error)
    sys.exit(0)


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


def _fail_memory(error: Exception) -> NoReturn:
    reason = " ".join(str(error).split())
    detail = f" ({reason})" if reason else ""
    _fail(f"out of memory{detail}; close other programs or use fewer or smaller samples")


def _fail(message: str) -> NoReturn:
    try:
        sys.stdout.flush()
        show(f"error: {message}", sys.stderr)
    except OSError:
        # The screen is gone (a closed pipe); the exit code still tells.
        os._exit(1)
    sys.exit(1)

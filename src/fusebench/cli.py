"""What every stage script shares: one line for what the user can mend, exit code 1."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from fusebench.errors import FusebenchError


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser whose help is the script's own docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(stage: Callable[[], None]) -> NoReturn:
    """Run a stage and exit: 0 when it is done, 1 after one line that says what is wrong."""
    # A polite kill takes the same way out as Ctrl-C: what was written aside is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        stage()
        sys.stdout.flush()
    except FusebenchError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; nothing half-written was left in place, run the same command again")
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


def _fail_memory(error: Exception) -> NoReturn:
    reason = " ".join(str(error).split())
    detail = f" ({reason})" if reason else ""
    _fail(f"out of memory{detail}; close other programs or use fewer or smaller samples")


def _fail(message: str) -> NoReturn:
    try:
        sys.stdout.flush()
        print(f"error: {message}", file=sys.stderr, flush=True)
    except OSError:
        # The screen is gone (a closed pipe); the exit code still tells.
        os._exit(1)
    sys.exit(1)

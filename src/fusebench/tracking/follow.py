"""The process that tells: python -m fusebench.tracking.follow <tracker> <folder> <main checkout>

It follows the journal in the folder until that says that there is no more, or until its standard
input ends, which is when the process that appends is gone. Its last line says why it failed, if so.
"""

import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

from fusebench.errors import one_line
from fusebench.system import open_locked
from fusebench.tracking.journal import follow
from fusebench.tracking.process import FAILED, JOURNAL, LOCK
from fusebench.tracking.run import CLOSE
from fusebench.tracking.teller import Teller
from fusebench.tracking.tracker import without_passwords

# After its input has ended; who waits for it gives up sooner.
_SECONDS_LEFT = 60


def main() -> None:
    """Tell what the journal says."""
    name, folder, root = sys.argv[1:]
    ended = threading.Event()
    threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    if hasattr(os, "nice"):
        # Training goes first.
        os.nice(5)
    try:
        teller = Teller(name, Path(root))
        held = open_locked(Path(folder) / LOCK)
        for event in follow(Path(folder) / JOURNAL, ended):
            if event == CLOSE:
                break
            teller.take(event)
        teller.close()
        held.close()
    except BaseException as error:
        _fail(error)


def _end_with_input(ended: threading.Event) -> None:
    # Not by way of sys.stdin, which Python, when it ends, would wait for.
    while os.read(0, 1):
        pass
    ended.set()
    time.sleep(_SECONDS_LEFT)
    print(f"{FAILED}did not come to an end", flush=True)
    os._exit(1)


def _fail(error: BaseException) -> NoReturn:
    told = "".join(traceback.format_exception(error))
    print(without_passwords(told), end="", file=sys.stderr, flush=True)
    # Before it is cut, which may leave a password without its end.
    reason = one_line(without_passwords(str(error)))
    print(f"{FAILED}{type(error).__name__}: {reason}", flush=True)
    # At once: what packages do at the end may be what has just failed.
    os._exit(1)


if __name__ == "__main__":
    main()

"""A file to which one process appends events, and which another follows."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Signal

from fusebench.tracking.run import Event

# Between two looks at the file.
_SECONDS = 0.2


def append(path: Path, event: Event) -> None:
    """Append an event, in one piece."""
    line = json.dumps(event, allow_nan=False, ensure_ascii=False)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{line}\n")


def follow(path: Path, ended: Signal) -> Iterator[Event]:
    """Yield the events that stand in a file, and those that come, until no more can come.

    Parameters
    ----------
    ended : threading.Event
        Set when nothing will be appended any more.
    """
    rest = b""
    with path.open("rb") as file:
        while True:
            last = ended.is_set()
            *lines, rest = (rest + file.read()).split(b"\n")
            yield from map(json.loads, lines)
            if last:
                return
            if not lines:
                ended.wait(_SECONDS)

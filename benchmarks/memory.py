"""Memory of a process and its children, as Linux counts it."""

from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """Return a process and all processes below it that are alive."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; the parent is the second field after it.
            parent = int(stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def own_kib(rollup: str) -> int:
    """Return the memory that no file stands behind, by proportional share, in KiB.

    Parameters
    ----------
    rollup : str
        Content of /proc/<pid>/smaps_rollup.
    """
    return _kib(rollup, "Pss_Anon") + _kib(rollup, "Pss_Shmem")


def mapped_kib(status: str) -> int:
    """Return the resident pages of files, libraries above all, in KiB.

    Parameters
    ----------
    status : str
        Content of /proc/<pid>/status.
    """
    return _kib(status, "RssFile")


def _kib(text: str, name: str) -> int:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def proportional_mb(pid: int) -> float | None:
    """Return the memory of a process and its children, in MB (10⁶ bytes); None if not to be had.

    Own memory is summed by proportional share (PSS), so that pages shared with a loader worker
    count once. Pages of files count once, and in full: their proportional share would depend on how
    many other processes happen to have the same libraries loaded.
    """
    own, mapped = 0, 0
    for each in descendants(pid):
        try:
            own += own_kib((PROC / str(each) / "smaps_rollup").read_text("utf-8"))
            mapped = max(mapped, mapped_kib((PROC / str(each) / "status").read_text("utf-8")))
        except (OSError, StopIteration):
            # It ended in between, or this system does not tell.
            continue
    return (own + mapped) * 1024 / 1e6 if own else None

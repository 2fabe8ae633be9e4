"""Main memory: how much is free, how much was used, and what becomes of what is freed."""

import ctypes
import platform
import sys
from pathlib import Path

import psutil

try:
    import resource
except ImportError:
    # On Windows psutil tells.
    resource = None  # type: ignore[assignment]

_CGROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Names and values of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Before 2.35, glibc refuses more than the second.
_MMAP_THRESHOLDS, _TRIM_THRESHOLD = (1 << 30, 32 << 20), 2**31 - 1


def keep_freed_memory() -> bool | None:
    """Let glibc keep what is freed, for the next request of this process.

    By default it gives large blocks back to the system at once, and each training step asks for the
    same ones again: 200,000 to 300,000 page faults per epoch.

    Returns
    -------
    bool or None
        Whether glibc does as it was told; None where there is no glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return None
    mallopt = ctypes.CDLL(None).mallopt
    large = any(mallopt(_M_MMAP_THRESHOLD, value) == 1 for value in _MMAP_THRESHOLDS)
    return mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD) == 1 and large


def free_memory() -> int:
    """Return the bytes that this process may still take without pushing others out of memory."""
    return min(int(psutil.virtual_memory().available), _left_in_cgroup())


def _left_in_cgroup() -> int:
    """Return what limits of containers and jobs leave (Linux, cgroup v2); without any, the most."""
    try:
        lines = _OWN.read_text("ascii").splitlines()
        # "0::/path", where it is not that of a version before.
        path = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
    except (OSError, ValueError, StopIteration):
        path = ""
    own = _CGROUPS / path
    # A limit holds for all groups below it.
    above = [group for group in (own, *own.parents) if group.is_relative_to(_CGROUPS)]
    return min(map(_left_in, above))


def _left_in(group: Path) -> int:
    """Return what one group may still take; files that are cached count as free, and go first."""
    try:
        limit = int((group / "memory.max").read_text("ascii"))
        used = int((group / "memory.current").read_text("ascii"))
        lines = (group / "memory.stat").read_text("ascii").splitlines()
        stat = {name: int(value) for name, value in (line.split() for line in lines)}
    except (OSError, ValueError):
        # None, or "max": no limit.
        return sys.maxsize
    cached = stat.get("active_file", 0) + stat.get("inactive_file", 0)
    return max(0, limit - used + cached)


def peak_resident() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    if resource is None:
        return int(psutil.Process().memory_info().peak_wset)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

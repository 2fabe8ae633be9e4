"""Main memory: how much is free, how much was used, and what becomes of what is freed."""

import ctypes
import platform
import resource
import sys
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
# Names and values of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1))


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
    return all(mallopt(name, value) == 1 for name, value in _KEEP)


def free_memory() -> int:
    """Return the bytes that this process may still take without pushing others out of memory."""
    return min(int(psutil.virtual_memory().available), _left_in_cgroup())


def _left_in_cgroup() -> int:
    """Return what the container's limit leaves (Linux, cgroup v2); where there is none, the most.

    What the kernel caches of files counts as free: it gives that up first.
    """
    try:
        limit = int((_CGROUP / "memory.max").read_text("ascii"))
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        lines = (_CGROUP / "memory.stat").read_text("ascii").splitlines()
        cached = dict(line.split() for line in lines).get("file", "0")
    except (OSError, ValueError):
        # No cgroup v2, or "max": no limit.
        return sys.maxsize
    return max(0, limit - used + int(cached))


def peak_resident() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

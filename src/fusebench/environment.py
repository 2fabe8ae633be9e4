"""The processor and what a program may use of it; without torch, so that any stage can ask."""

import os
import platform
from pathlib import Path
from typing import Literal


def usable_cores() -> int:
    """Return how many cores this process may use."""
    # A container or `taskset` may allow fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(wanted: Literal["auto"] | int) -> int:
    """Return the threads that `runtime.threads` comes to."""
    return usable_cores() if wanted == "auto" else wanted


def processor_name() -> str:
    """Return the model of the processor, as its maker calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

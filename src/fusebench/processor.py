"""The processor: its name and kind, its cores, and what makes all of them compute alike.

Nothing here imports numpy or torch: both read the environment once, when they are first imported.
docs/portable.md says what was tried and what follows which variable.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from fusebench.errors import DeviceError

PORTABLE_THREADS = 2
"""What `runtime.threads: auto` comes to in portable mode: sums are split by threads."""

PORTABLE_ENVIRONMENT: Mapping[str, str] = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # Of MKL's branches the only one that does not ask who made the processor.
    "MKL_CBWR": "COMPATIBLE",
    # numpy's own names, which it knows on every processor.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""What numpy, torch and its libraries are told before they are imported."""

# They change how MKL splits a product, and numpy takes no list of either sort beside the other.
_UNSET = ("MKL_NUM_STRIPES", "NPY_ENABLE_CPU_FEATURES")
_IMPORTED_LATER = ("numpy", "torch")
_CPUINFO = Path("/proc/cpuinfo")
# What libraries choose their code by.
_CHOSEN_BY = ("avx", "amx", "fma")


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor; empty where it says nothing."""
    try:
        text = _CPUINFO.read_text("utf-8")
    except OSError:
        return {}
    first = text.strip().partition("\n\n")[0]
    pairs = (line.partition(":") for line in reversed(first.splitlines()))
    return {key.strip(): value.strip() for key, _, value in pairs}


def processor_name() -> str:
    """Return the model of the processor, as its maker calls it."""
    name = _cpuinfo().get("model name") or _name_elsewhere()
    return name or platform.processor() or platform.machine()


@cache
def _name_elsewhere() -> str:
    """Return what macOS or Windows calls the processor; "" where they do not say."""
    try:
        if sys.platform == "darwin":
            asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(  # noqa: S603
                asked, check=True, capture_output=True, encoding="utf-8"
            ).stdout.strip()
        if sys.platform == "win32":
            import winreg

            place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except (OSError, subprocess.CalledProcessError):
        # The architecture is named in its place.
        pass
    return ""


def processor_kind() -> str:
    """Return what a processor's results depend on: maker, family, model and instruction sets.

    Clouds give many models one name, and may hide instruction sets of one. Where the system tells
    no family (it is Linux on x86-64 that does), the name takes its place.

    "x86_64 AuthenticAMD 25.1 avx avx2 fma"
    """
    facts = _cpuinfo()
    model = [facts.get(key, "") for key in ("cpu family", "model")]
    if not all(model):
        on_arm = [facts.get(f"CPU {key}", "") for key in ("implementer", "part", "variant")]
        parts = [platform.machine(), processor_name(), *on_arm, facts.get("Features", "")]
        return " ".join(filter(None, parts))
    sets = sorted(name for name in instruction_sets() if name.startswith(_CHOSEN_BY))
    return " ".join([platform.machine(), processor_maker(), ".".join(model), *sets])


def processor_maker() -> str:
    """Return who made the processor, in its own words ("AuthenticAMD"); "" where it has none."""
    return _cpuinfo().get("vendor_id", "")


def instruction_sets() -> frozenset[str]:
    """Return the processor's features as Linux names them; none where it is no x86-64 Linux."""
    return frozenset(_cpuinfo().get("flags", "").split())


def lacking_for_portable() -> list[str]:
    """Return which of the instruction sets that portable mode computes with are not known here."""
    return [name for name in ("avx2", "fma") if name not in instruction_sets()]


def make_portable() -> None:
    """Have numpy and torch, which are not imported yet, compute alike on every processor.

    Raises
    ------
    DeviceError
        The processor lacks AVX2 or FMA, the environment says otherwise, or it is too late.
    """
    if lacking := lacking_for_portable():
        raise DeviceError(
            "params.yaml: runtime.portable = true: needs an x86-64 processor with AVX2 and FMA; "
            f"{processor_name()} is not known to have {' and '.join(lacking)}: must be false here"
        )
    for name in _UNSET:
        if name in os.environ:
            raise _otherwise(name, "must not be set")
    missing = {}
    for name, value in PORTABLE_ENVIRONMENT.items():
        if os.environ.get(name, value).casefold() != value.casefold():
            raise _otherwise(name, f"must be '{value}' or not set")
        if name not in os.environ:
            missing[name] = value
    late = [module for module in _IMPORTED_LATER if module in sys.modules]
    if missing and late:
        raise DeviceError(
            f"params.yaml: runtime.portable = true: {' and '.join(late)} imported before "
            f"{', '.join(missing)} could be set; set it before Python starts"
        )
    os.environ.update(missing)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    # A container or `taskset` may allow fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(wanted: Literal["auto"] | int) -> int:
    """Return the threads that `runtime.threads` comes to.

    "auto" is the number of usable cores, or OMP_NUM_THREADS where that is less.

    Raises
    ------
    DeviceError
        It is "auto", and OMP_NUM_THREADS is set to what OpenMP does not allow.
    """
    if wanted != "auto":
        return wanted
    limit = _openmp_threads()
    return usable_cores() if limit is None else min(usable_cores(), limit)


def _openmp_threads() -> int | None:
    """Return the threads that OMP_NUM_THREADS allows; None where it is not set, or empty.

    A list holds the threads of each level of nested loops (OpenMP API 5.2, section 21.1.2). torch
    has one level.
    """
    text = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not text:
        return None
    number = "0*[1-9][0-9]{0,17}"
    if not re.fullmatch(rf"{number}(\s*,\s*{number})*", text):
        raise DeviceError(
            f"environment: OMP_NUM_THREADS = '{text}': must be a whole number of 1 or more, or a "
            "list such as 4,2 whose first is taken"
        )
    return int(text.partition(",")[0])


def check_team(threads: int) -> None:
    """Refuse an environment in which OpenMP may give fewer threads than it was asked for.

    oneDNN counts on those it asked for: with fewer, gradients of weights are sums over memory that
    nobody wrote, and nothing says so.

    Raises
    ------
    DeviceError
        OMP_DYNAMIC, OMP_THREAD_LIMIT or OMP_MAX_ACTIVE_LEVELS allow fewer than `threads`.
    """
    if threads == 1:
        return
    for name, fewer, allowed in (
        ("OMP_DYNAMIC", lambda text: text.lower() == "true", "must be false"),
        ("OMP_THREAD_LIMIT", lambda text: _below(text, threads), f"must be {threads} or more"),
        ("OMP_MAX_ACTIVE_LEVELS", lambda text: _below(text, 1), "must be 1 or more"),
    ):
        if fewer(os.environ.get(name, "").strip()):
            raise DeviceError(
                f"environment: {name} = '{os.environ[name]}': {allowed} or not set, or "
                f"runtime.threads 1; with fewer than {threads} threads gradients would be wrong"
            )


def _below(text: str, least: int) -> bool:
    return text.isdecimal() and int(text) < least


def _otherwise(name: str, allowed: str) -> DeviceError:
    return DeviceError(
        f"environment: {name} = '{os.environ[name]}': {allowed} while runtime.portable is true"
    )

"""Which device does the work, with how many threads, and what the environment is."""

import os
import platform
import resource
import sys
from dataclasses import dataclass

import numpy as np
import torch

from fusebench.environment import processor_name, thread_count
from fusebench.errors import DeviceError
from fusebench.models.precision import Precision
from fusebench.runtime import RuntimeParams
from fusebench.training.settings import WantedPrecision


@dataclass(frozen=True)
class Device:
    """The device in use and why it was taken."""

    device: torch.device
    reason: str
    threads: int

    @property
    def name(self) -> str:
        """The model of the processor or GPU, as its maker calls it."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return processor_name()


def prepare(params: RuntimeParams) -> Device:
    """Choose the device, set the thread count, and make torch deterministic.

    Raises
    ------
    DeviceError
        The device that was asked for is not there.
    """
    device, reason = _choose(params.device)
    threads = thread_count(params.threads)
    torch.set_num_threads(threads)
    # cuBLAS repeats to the bit only with a workspace of fixed size; it is read at first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As torch.use_deterministic_algorithms(True), which imports torch's compiler on the way.
    torch.set_deterministic_debug_mode("error")
    # Nothing here reads memory before writing it, and filling it first takes a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # By default cuDNN's convolutions round fp32 inputs to TF32; here fp32 means fp32.
    torch.backends.cudnn.allow_tf32 = False
    return Device(device, reason, threads)


def resolve_precision(wanted: WantedPrecision, device: Device) -> Precision:
    """Return the format that models are trained in: for "auto", bf16 where it is the faster one."""
    if wanted != "auto":
        return wanted
    return "bf16" if _has_bf16(device.device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    """Tell whether the processor or GPU multiplies in bf16 by itself."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _choose(wanted: str) -> tuple[torch.device, str]:
    available = torch.cuda.is_available()
    if wanted == "auto":
        if available:
            return torch.device("cuda", 0), "runtime.device is auto and there is a GPU"
        return torch.device("cpu"), "runtime.device is auto and torch finds no GPU"
    device = torch.device(wanted)
    count = torch.cuda.device_count() if available else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceError(
            f"params.yaml: runtime.device = '{wanted}': torch finds {count} GPU(s); "
            "must be 'auto', 'cpu' or one that is there"
        )
    return device, f"runtime.device is {wanted}"


def environment(device: Device, precision: str) -> dict[str, str | int]:
    """Return what a result's last bits and its speed depend on."""
    return {
        "device": device.device.type,
        "processor": device.name,
        "threads": device.threads,
        "precision": precision,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def peak_memory(device: Device) -> dict[str, float | str]:
    """Return the largest memory use so far, in MB (10⁶ bytes), and what was measured."""
    if device.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device.device)
        return {"peak_mb": round(peak / 1e6, 1), "measured": "GPU allocator peak"}
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"peak_mb": round(peak / 1e6, 1), "measured": "peak resident set of the process"}

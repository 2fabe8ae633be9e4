"""How a run is executed: section `runtime`, the device, its precision, and what is recorded.

torch is imported by the functions that need it, so that a stage without torch can ask for the
processor and the versions.
"""

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from fusebench.config import Section
from fusebench.errors import DeviceError
from fusebench.memory import free_memory, keep_freed_memory, peak_resident
from fusebench.processor import (
    PORTABLE_THREADS,
    check_team,
    make_portable,
    processor_maker,
    processor_name,
    thread_count,
)
from fusebench.registry import Registry

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]
"""The number format of convolutions and linear layers; weights, optimiser and logits are fp32."""
WantedPrecision = Literal["auto", "fp32", "bf16"]

TRACKERS = Registry("trackers", "tracker", none="none")
"""Who may be told of runs; what each of them is, is in tracking/tracker.py."""

# Of free memory, what maps of samples may take where params.yaml says "auto".
_MOST_OF_FREE = 0.7


class RuntimeParams(Section):
    """Section `runtime`. Device and thread count enter the last bits of results; with
    `train.precision: auto` the device decides the number format.

    Attributes
    ----------
    save_every : float
        Seconds of training that an end at the worst moment may cost, or an epoch if that is longer.
    work_limit : float
        GB (10⁹ bytes) that kept work in .work/ may take.
    memory_budget : "auto" or float
        GB that the maps of the samples may take; beyond it they are made batch by batch.
    stacked : bool
        Train all seeds of a fusion in one pass; see training/stacked.py.
    """

    device: str
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]
    portable: bool
    progress: Literal["auto", "line", "plain", "off"]
    save_every: float = Field(ge=0, le=86400)
    work_limit: float = Field(ge=0, le=1e6)
    memory_budget: Literal["auto"] | Annotated[float, Field(ge=0, le=1e6)]
    stacked: bool
    tracker: Annotated[str, AfterValidator(TRACKERS.checked)]

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:(0|[1-9]\d{0,2}))?", device):
            raise ValueError(f"'{device}': must be 'auto', 'cpu', 'cuda' or 'cuda:<number>'")
        return device

    @model_validator(mode="after")
    def _portable_is_on_the_cpu(self) -> Self:
        if self.portable and self.device.startswith("cuda"):
            raise ValueError(
                f"device = '{self.device}': must be 'auto' or 'cpu' while portable is true"
            )
        return self

    @model_validator(mode="after")
    def _portable_is_not_stacked(self) -> Self:
        # The same bits elsewhere were tried of seeds trained alone.
        if self.portable and self.stacked:
            raise ValueError("stacked = true: must be false while portable is true")
        return self

    @property
    def wanted_threads(self) -> Literal["auto"] | int:
        """`threads`, or where that is "auto" in portable mode, what it comes to everywhere."""
        return PORTABLE_THREADS if self.portable and self.threads == "auto" else self.threads

    def before_torch(self) -> None:
        """Set what numpy and torch read when they are imported: nothing but in portable mode.

        Raises
        ------
        DeviceError
            As `processor.make_portable`.
        """
        if self.portable:
            make_portable()


@dataclass(frozen=True)
class Device:
    """The device in use and why it was taken.

    Attributes
    ----------
    memory_budget : int
        Bytes that the maps of the samples may take.
    """

    device: "torch.device"
    reason: str
    threads: int
    portable: bool = False
    memory_budget: int = sys.maxsize

    @property
    def name(self) -> str:
        """The model of the processor or GPU, as its maker calls it."""
        import torch

        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return processor_name()


def prepare(params: RuntimeParams) -> Device:
    """Choose the device, set the thread count, and make torch deterministic.

    Raises
    ------
    DeviceError
        The device that was asked for is not there; OpenMP may give fewer threads than were asked
        for; or portable mode was, and `before_torch` was not called in time.
    """
    params.before_torch()
    import torch

    device, reason = _choose("cpu" if params.portable else params.device)
    if params.portable:
        reason = "runtime.portable is true"
    threads = thread_count(params.wanted_threads)
    if device.type == "cpu":
        check_team(threads)
    if keep_freed_memory() is False:
        print("warning: glibc does not keep freed memory here; training is slower", file=sys.stderr)
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
    budget = _memory_budget(params.memory_budget, device)
    return Device(device, reason, threads, params.portable, budget)


def _memory_budget(wanted: Literal["auto"] | float, device: "torch.device") -> int:
    """Return the bytes that maps of samples may take: for "auto", most of what is free."""
    if wanted != "auto":
        return round(wanted * 1e9)
    if device.type == "cuda":
        import torch

        free, _total = torch.cuda.mem_get_info(device)
    else:
        free = free_memory()
    return int(_MOST_OF_FREE * free)


def resolve_precision(wanted: WantedPrecision, device: Device) -> Precision:
    """Return the format that models are trained in: for "auto", bf16 or fp32 by the device.

    A rule, not a timing, which would give other results from one run to the next.

    Raises
    ------
    DeviceError
        It is bf16, and the device is to compute as every other.
    """
    if device.portable and wanted == "bf16":
        raise DeviceError(
            "params.yaml: train.precision = 'bf16': must be 'auto' or 'fp32' while "
            "runtime.portable is true"
        )
    if wanted != "auto":
        return wanted
    return "bf16" if not device.portable and _is_faster_in_bf16(device.device) else "fp32"


# With AVX-512's bf16 instructions alone an epoch is faster than in fp32 on AMD and slower on Intel:
# docs/speed.md has the times.
_BF16_UNITS = ("amx_bf16", "amx_tile")
_BF16_UNITS_OF_MAKER = {"AuthenticAMD": ("avx512_bf16",)}


def _is_faster_in_bf16(device: "torch.device") -> bool:
    """Tell whether the processor is known to be the faster in bf16, or the GPU has it."""
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    units = _BF16_UNITS_OF_MAKER.get(processor_maker(), _BF16_UNITS)
    return all(capabilities.get(name, False) for name in units)


def _choose(wanted: str) -> "tuple[torch.device, str]":
    import torch

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
    """Return what a result's last bits and its speed depend on; in portable mode not on all."""
    import torch

    return {
        "device": device.device.type,
        "processor": device.name,
        "threads": device.threads,
        "portable": device.portable,
        "precision": precision,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": version("numpy"),
    }


def present_environment(threads: Literal["auto"] | int) -> dict[str, str | int]:
    """Return the environment of this machine, as far as it is known without importing torch.

    torch's version is that of its package, without what torch itself appends ("+cu132").

    Parameters
    ----------
    threads : "auto" or int
        As `RuntimeParams.wanted_threads`.
    """
    return {
        "processor": processor_name(),
        "threads": thread_count(threads),
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
    }


def peak_memory(device: Device) -> dict[str, float | str]:
    """Return the largest memory use so far, in MB (10⁶ bytes), and what was measured."""
    if device.device.type == "cuda":
        import torch

        peak = torch.cuda.max_memory_allocated(device.device)
        return {"peak_mb": round(peak / 1e6, 1), "measured": "GPU allocator peak"}
    return {
        "peak_mb": round(peak_resident() / 1e6, 1),
        "measured": "peak resident set of the process",
    }


def arithmetic(precision: Precision, device: "torch.device") -> "torch.autocast":
    """Return the context in which convolutions and linear layers compute in `precision`.

    bf16 keeps eight significant bits of their inputs and outputs; sums are made in fp32
    (Micikevicius et al., "Mixed precision training", ICLR 2018, with bf16 in place of fp16).
    """
    import torch

    # Each weight is rounded once per pass, so there is nothing to keep; and a kept copy would
    # outlive the optimiser's step if somebody called the model inside a context of their own.
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=precision == "bf16", cache_enabled=False
    )

"""How new samples are predicted where no params.yaml says it."""

from collections.abc import Iterator
from contextlib import contextmanager

from fusebench.device import Device, RuntimeParams, prepare

DEFAULT = RuntimeParams(
    device="auto", threads="auto", workers="auto", portable=False, progress="auto", save_every=10,
    work_limit=5, memory_budget="auto", stacked=False, tracker="none",
)  # fmt: skip
"""Section `runtime` as params.yaml comes."""


@contextmanager
def prepared(device: Device | None) -> Iterator[Device]:
    """Yield the device; without one that of `DEFAULT`, and torch is set as it was when this ends.

    Raises
    ------
    DeviceError
        As `device.prepare`.
    """
    if device is not None:
        yield device
        return
    import torch

    cudnn = torch.backends.cudnn
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    flags = cudnn.benchmark, cudnn.allow_tf32
    try:
        yield prepare(DEFAULT)
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        cudnn.benchmark, cudnn.allow_tf32 = flags

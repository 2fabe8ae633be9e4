import contextlib
import json
import os
import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fusebench.config import validate
from fusebench.device import (
    Device,
    RuntimeParams,
    WantedPrecision,
    environment,
    peak_memory,
    prepare,
    resolve_precision,
)
from fusebench.errors import DeviceError, FusebenchError


@pytest.fixture(autouse=True)
def torch_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def machine_with(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")


def params(device: str = "cpu", threads: int | str = 1) -> RuntimeParams:
    content = {"device": device, "threads": threads, "progress": "off"}
    return validate(RuntimeParams, content, "params.yaml", ("runtime",))


@pytest.mark.parametrize(
    ("gpus", "wanted", "taken", "reason"),
    [
        (0, "auto", "cpu", "no GPU"),
        (2, "auto", "cuda:0", "there is a GPU"),
        (0, "cpu", "cpu", "runtime.device is cpu"),
        (1, "cpu", "cpu", "runtime.device is cpu"),
        (1, "cuda", "cuda", "runtime.device is cuda"),
        (2, "cuda:1", "cuda:1", "runtime.device is cuda:1"),
    ],
)
def test_device_is_taken_with_a_reason(
    gpus: int, wanted: str, taken: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(gpus, monkeypatch)
    device = prepare(params(wanted))
    assert str(device.device) == taken
    assert reason in device.reason


@pytest.mark.parametrize(
    ("gpus", "wanted"),
    [(0, "cuda"), (0, "cuda:7"), (1, "cuda:1"), (2, "cuda:99999999999"), (2, "cuda:07")],
)
def test_device_that_is_not_there_is_refused_in_one_line(
    gpus: int, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(gpus, monkeypatch)
    with pytest.raises(FusebenchError) as caught:
        prepare(params(wanted))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in ("params.yaml", "runtime.device", f"'{wanted}'", "'cpu'"):
        assert part in message


def test_missing_gpu_is_told_with_the_number_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(2, monkeypatch)
    with pytest.raises(DeviceError, match=r"finds 2 GPU\(s\)"):
        prepare(params("cuda:7"))


def test_threads_are_those_asked_for() -> None:
    assert prepare(params(threads=3)).threads == 3
    assert torch.get_num_threads() == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_auto_takes_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert prepare(params(threads="auto")).threads == 2
    assert torch.get_num_threads() == 2


def test_torch_is_made_deterministic() -> None:
    torch.use_deterministic_algorithms(False)
    prepare(params())
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def capable_of(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
@pytest.mark.parametrize("able", [True, False])
def test_precision_asked_for_is_taken(
    wanted: WantedPrecision, able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    capable_of(monkeypatch, avx512_bf16=able, amx_bf16=able)
    assert resolve_precision(wanted, prepare(params())) == wanted


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, "fp32"),
        ({"neon": True, "bf16": True}, "fp32"),
    ],
)
def test_auto_is_bf16_where_the_processor_multiplies_in_it(
    capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    capable_of(monkeypatch, **capabilities)
    assert resolve_precision("auto", prepare(params())) == expected


@pytest.mark.parametrize("able", [True, False])
def test_auto_on_a_gpu_is_bf16_where_it_needs_no_emulation(
    able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(1, monkeypatch)
    capable_of(monkeypatch, avx512_bf16=not able, amx_bf16=not able)
    monkeypatch.setattr(torch.cuda, "device", lambda _device: contextlib.nullcontext())
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation: able if not including_emulation else True,
    )
    assert resolve_precision("auto", prepare(params("cuda"))) == ("bf16" if able else "fp32")


def test_environment_names_all_that_last_bits_depend_on() -> None:
    found = environment(prepare(params(threads=2)), "fp32")
    assert found["device"] == "cpu"
    assert found["threads"] == 2
    assert found["precision"] == "fp32"
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["processor"]
    assert json.loads(json.dumps(found)) == found


def test_environment_names_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(2, monkeypatch)
    found = environment(prepare(params("cuda:1")), "fp32")
    assert (found["device"], found["processor"]) == ("cuda", "GPU 1")


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="not Linux")
def test_processor_is_named_though_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(*_: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", unreadable)
    assert Device(torch.device("cpu"), "", 1).name


@pytest.mark.parametrize(("system", "megabytes"), [("linux", 204.8), ("darwin", 0.2)])
def test_cpu_memory_is_the_peak_of_the_process_in_megabytes(
    system: str, megabytes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Linux counts in KiB, macOS in bytes.
    usage = SimpleNamespace(ru_maxrss=200_000)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage if who == 0 else None)
    monkeypatch.setattr(sys, "platform", system)
    found = peak_memory(Device(torch.device("cpu"), "", 1))
    assert found == {"peak_mb": megabytes, "measured": "peak resident set of the process"}


def test_gpu_memory_is_the_allocators_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(1, monkeypatch)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 162_930_000)
    found = peak_memory(prepare(params("cuda")))
    assert found == {"peak_mb": 162.9, "measured": "GPU allocator peak"}

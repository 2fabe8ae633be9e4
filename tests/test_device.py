import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import RUNTIME

from fusebench.config import validate
from fusebench.device import (
    Device,
    RuntimeParams,
    WantedPrecision,
    environment,
    peak_memory,
    prepare,
    present_environment,
    resolve_precision,
)
from fusebench.errors import DeviceError, FusebenchError
from fusebench.processor import (
    PORTABLE_ENVIRONMENT,
    processor_kind,
    processor_maker,
    processor_name,
    thread_count,
    usable_cores,
)

CPU = Device(torch.device("cpu"), "", 1)
with_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system has no affinity"
)


@pytest.fixture(autouse=True)
def torch_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def machine_with(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (40_000, 80_000))


def capable_of(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


def params(device: str = "cpu", threads: int | str = 1, *, portable: bool = False) -> RuntimeParams:
    content = RUNTIME | {"device": device, "threads": threads, "portable": portable}
    return validate(RuntimeParams, content, "params.yaml", ("runtime",))


# --- The device ---


@pytest.mark.parametrize(
    ("gpus", "wanted", "taken", "reason"),
    [
        (0, "auto", "cpu", "no GPU"),
        (2, "auto", "cuda:0", "there is a GPU"),
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
    [
        (0, "cuda"),
        (0, "cuda:7"),
        (1, "cuda:1"),
        (2, "cuda:99999999999"),
        (2, "cuda:07"),
        (2, "tpu"),
    ],
)
def test_device_that_is_not_there_is_refused_in_one_line(
    gpus: int, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(gpus, monkeypatch)
    with pytest.raises(FusebenchError) as caught:
        prepare(params(wanted))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for part in ("params.yaml: runtime.device", f"'{wanted}'", "'cpu'"):
        assert part in message
    if isinstance(caught.value, DeviceError):
        assert f"finds {gpus} GPU(s)" in message


def test_threads_are_those_asked_for() -> None:
    assert prepare(params(threads=3)).threads == 3
    assert torch.get_num_threads() == 3


@with_affinity
def test_auto_takes_the_cores_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == thread_count("auto") == prepare(params(threads="auto")).threads == 2
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("counted", "cores"), [(6, 6), (None, 1)])
def test_without_affinity_all_cores_are_usable(
    counted: int | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("text", "threads"),
    [("1", 1), ("3", 3), ("8", 4), ("2,1", 2), (" 2 , 8 ", 2), ("07", 4), ("", 4), ("  ", 4)],
)
def test_auto_takes_no_more_than_omp_num_threads(
    text: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusebench.processor.usable_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    device = prepare(params(threads="auto"))
    assert device.threads == torch.get_num_threads() == threads
    assert environment(device, "fp32")["threads"] == threads
    assert present_environment("auto")["threads"] == threads
    assert prepare(params(threads=3)).threads == 3, "a number in params.yaml is that number"


@given(cores=st.integers(1, 300), limits=st.lists(st.integers(1, 10**12), min_size=1, max_size=3))
def test_auto_is_the_least_of_cores_and_omp_num_threads(cores: int, limits: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fusebench.processor.usable_cores", lambda: cores)
        patch.setenv("OMP_NUM_THREADS", ",".join(map(str, limits)))
        assert thread_count("auto") == min(cores, limits[0])


@pytest.mark.parametrize("text", ["0", "-1", "four", "2.0", "1e3", "4,", ",4", "4,0", "4 2", "٤"])
def test_omp_num_threads_that_openmp_does_not_allow_is_one_line(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    for ask in (lambda: prepare(params(threads="auto")), lambda: present_environment("auto")):
        with pytest.raises(DeviceError) as caught:
            ask()
        assert str(caught.value) == (
            f"environment: OMP_NUM_THREADS = '{text}': must be a whole number of 1 or more, or a "
            "list such as 4,2 whose first is taken"
        )
    assert thread_count(2) == 2


def test_torch_is_made_deterministic_and_rounds_nothing_to_tf32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_deterministic_debug_mode("default")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    prepare(params())
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("OMP_DYNAMIC", "true", "must be false"),
        ("OMP_DYNAMIC", " TRUE ", "must be false"),
        ("OMP_THREAD_LIMIT", "2", "must be 3 or more"),
        ("OMP_MAX_ACTIVE_LEVELS", "0", "must be 1 or more"),
    ],
)
def test_fewer_threads_than_asked_for_are_refused(
    name: str, text: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(DeviceError) as caught:
        prepare(params(threads=3))
    assert str(caught.value) == (
        f"environment: {name} = '{text}': {allowed} or not set, or runtime.threads 1; with fewer "
        "than 3 threads gradients would be wrong"
    )
    assert prepare(params(threads=1)).threads == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [("OMP_DYNAMIC", "false"), ("OMP_THREAD_LIMIT", "3"), ("OMP_THREAD_LIMIT", ""),
     ("OMP_MAX_ACTIVE_LEVELS", "1")],
)  # fmt: skip
def test_as_many_threads_as_asked_for_are_taken(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert prepare(params(threads=3)).threads == 3


# --- Precision ---


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
@pytest.mark.parametrize("able", [True, False])
def test_precision_asked_for_is_taken(
    wanted: WantedPrecision, able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    capable_of(monkeypatch, amx_bf16=able, amx_tile=able)
    assert resolve_precision(wanted, CPU) == wanted


@pytest.mark.parametrize(
    ("maker", "capabilities", "expected"),
    [
        ("GenuineIntel", {"avx512_bf16": True, "amx_bf16": True, "amx_tile": True}, "bf16"),
        ("GenuineIntel", {"avx512_bf16": False, "amx_bf16": True, "amx_tile": True}, "bf16"),
        # Instructions for bf16, but no units: slower than fp32.
        ("GenuineIntel", {"avx512_bf16": True, "amx_bf16": False, "amx_tile": False}, "fp32"),
        # A system may hide the tiles, without which AMX cannot be used.
        ("GenuineIntel", {"avx512_bf16": True, "amx_bf16": True, "amx_tile": False}, "fp32"),
        ("GenuineIntel", {"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, "fp32"),
        # On AMD the same instructions are the faster ones.
        ("AuthenticAMD", {"avx512_bf16": True, "amx_bf16": False, "amx_tile": False}, "bf16"),
        ("AuthenticAMD", {"avx512_bf16": False, "avx512_f": True}, "fp32"),
        ("AuthenticAMD", {"avx2": True}, "fp32"),
        ("", {"avx512_bf16": True}, "fp32"),
        ("", {"neon": True, "bf16": True}, "fp32"),
    ],
)
def test_auto_is_bf16_where_the_processor_is_the_faster_for_it(
    maker: str, capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusebench.device.processor_maker", lambda: maker)
    capable_of(monkeypatch, **capabilities)
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize("able", [True, False])
def test_auto_on_a_gpu_is_bf16_where_it_needs_no_emulation(
    able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(1, monkeypatch)
    capable_of(monkeypatch, amx_bf16=not able, amx_tile=not able)
    monkeypatch.setattr(torch.cuda, "device", lambda _device: contextlib.nullcontext())
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: able or including_emulation
    )
    assert resolve_precision("auto", prepare(params("cuda"))) == ("bf16" if able else "fp32")


# --- Memory ---


def budget(wanted: float | str, device: str = "cpu") -> int:
    of_params = params(device).model_copy(update={"memory_budget": wanted})
    return prepare(of_params).memory_budget


def test_the_memory_budget_is_most_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusebench.device.free_memory", lambda: 1000)
    assert budget("auto") == 700
    assert budget(2.5) == 2_500_000_000
    assert budget(0) == 0


def test_on_a_gpu_the_memory_budget_is_most_of_what_is_free_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine_with(1, monkeypatch)
    assert budget("auto", "cuda") == 28_000


@pytest.mark.parametrize(("kept", "warned"), [(True, False), (None, False), (False, True)])
def test_where_freed_memory_is_given_back_all_the_same_a_line_says_so(
    kept: bool | None,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("fusebench.device.keep_freed_memory", lambda: kept)
    prepare(params())
    assert ("warning: glibc does not keep freed memory" in capsys.readouterr().err) == warned


# --- What is recorded ---


def test_environment_names_all_that_last_bits_depend_on() -> None:
    recorded = environment(prepare(params(threads=2)), "fp32")
    assert recorded == {
        "device": "cpu",
        "processor": processor_name(),
        "threads": 2,
        "portable": False,
        "precision": "fp32",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    assert json.loads(json.dumps(recorded)) == recorded


def test_present_environment_is_that_of_a_cpu_run_without_torch() -> None:
    recorded = environment(prepare(params(threads=2)), "fp32")
    present = present_environment(2)
    # torch calls itself "2.15.0+cu132", its package "2.15.0".
    assert str(recorded["torch"]).startswith(str(present["torch"]))
    assert present == {key: recorded[key] for key in present} | {"torch": present["torch"]}
    assert recorded.keys() - present.keys() == {"device", "portable", "precision"}


def test_environment_names_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(2, monkeypatch)
    recorded = environment(prepare(params("cuda:1")), "fp32")
    assert (recorded["device"], recorded["processor"]) == ("cuda", "GPU 1")


def test_processor_is_named_as_its_maker_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nmodel name\t: Maker X: 9\nflags\t: a b\nmodel name\t: Other\n"
    monkeypatch.setattr(Path, "read_text", lambda *_: text)
    assert processor_name() == "Maker X: 9"


@pytest.mark.parametrize(("told", "name"), [("arm", "arm"), ("", "aarch64")])
@pytest.mark.parametrize("readable", [True, False])
def test_processor_is_named_where_the_file_does_not_tell(
    told: str, name: str, readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_text(*_: object) -> str:
        if not readable:
            raise PermissionError
        return "flags : a b\n"

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(platform, "processor", lambda: told)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert processor_name() == name


@pytest.mark.parametrize(("system", "megabytes"), [("linux", 204.8), ("darwin", 0.2)])
def test_cpu_memory_is_the_peak_of_the_process_in_megabytes(
    system: str, megabytes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Linux counts in KiB, macOS in bytes.
    usage = SimpleNamespace(ru_maxrss=200_000)
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrusage", lambda who: usage if who == 0 else None)
    monkeypatch.setattr(sys, "platform", system)
    measured = peak_memory(CPU)
    assert measured == {"peak_mb": megabytes, "measured": "peak resident set of the process"}


def test_gpu_memory_is_the_allocators_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(1, monkeypatch)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 162_930_000)
    measured = peak_memory(prepare(params("cuda")))
    assert measured == {"peak_mb": 162.9, "measured": "GPU allocator peak"}


# --- Portable mode ---


@pytest.fixture
def portable_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment in which torch is portable, as if it had been set before Python started."""
    for name, value in PORTABLE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("MKL_NUM_STRIPES", "NPY_ENABLE_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    processor_with(monkeypatch, tmp_path, "fpu avx avx2 fma")


def processor_with(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str) -> None:
    (folder / "cpuinfo").write_text(
        "processor\t: 0\nvendor_id\t: Maker\ncpu family\t: 6\nmodel\t\t: 143\n"
        f"model name\t: Chip 9\nflags\t\t: {flags}\n\nprocessor\t: 1\nmodel\t\t: 7\n",
        "utf-8",
    )
    monkeypatch.setattr("fusebench.processor._CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.usefixtures("portable_environment")
@pytest.mark.parametrize(("threads", "taken"), [("auto", 2), (3, 3)])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_portable_mode_is_fp32_on_the_cpu_with_threads_that_no_machine_decides(
    threads: int | str, taken: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(1, monkeypatch)
    capable_of(monkeypatch, avx512_bf16=True, amx_bf16=True, amx_tile=True)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("fusebench.processor.usable_cores", lambda: 64)
    wanted = params(device, threads, portable=True)
    prepared = prepare(wanted)
    assert (prepared.device.type, prepared.reason) == ("cpu", "runtime.portable is true")
    assert prepared.threads == torch.get_num_threads() == thread_count(wanted.wanted_threads)
    assert prepared.threads == taken
    assert resolve_precision("auto", replace(prepared, portable=False)) == "bf16"
    assert resolve_precision("auto", prepared) == resolve_precision("fp32", prepared) == "fp32"
    assert environment(prepared, "fp32")["portable"] is True
    with pytest.raises(DeviceError) as caught:
        resolve_precision("bf16", prepared)
    assert str(caught.value) == (
        "params.yaml: train.precision = 'bf16': must be 'auto' or 'fp32' while runtime.portable is "
        "true"
    )


def test_portable_mode_refuses_a_gpu() -> None:
    with pytest.raises(FusebenchError) as caught:
        params("cuda:1", portable=True)
    assert "params.yaml: runtime" in str(caught.value)
    assert "device = 'cuda:1': must be 'auto' or 'cpu' while portable is true" in str(caught.value)


def test_portable_mode_refuses_seeds_in_one_pass() -> None:
    allowed = params(portable=True).model_dump()
    with pytest.raises(FusebenchError) as caught:
        validate(RuntimeParams, {**allowed, "stacked": True}, "params.yaml", ("runtime",))
    assert str(caught.value) == (
        "params.yaml: runtime.stacked = true: must be false while portable is true"
    )
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("portable_environment")
@pytest.mark.parametrize("name", PORTABLE_ENVIRONMENT)
def test_portable_mode_after_torch_needs_the_environment_from_before(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(DeviceError) as caught:
        prepare(params(portable=True))
    assert str(caught.value) == (
        "params.yaml: runtime.portable = true: numpy and torch imported before "
        f"{name} could be set; set it before Python starts"
    )
    assert name not in os.environ


@pytest.mark.usefixtures("portable_environment")
@pytest.mark.parametrize("name", PORTABLE_ENVIRONMENT)
def test_portable_mode_refuses_what_the_environment_says_otherwise(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "AVX512_CORE")
    with pytest.raises(DeviceError) as caught:
        params(portable=True).before_torch()
    assert str(caught.value) == (
        f"environment: {name} = 'AVX512_CORE': must be '{PORTABLE_ENVIRONMENT[name]}' or not set "
        "while runtime.portable is true"
    )


@pytest.mark.usefixtures("portable_environment")
def test_portable_mode_refuses_what_splits_products_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MKL_NUM_STRIPES", "1")
    with pytest.raises(DeviceError) as caught:
        params(portable=True).before_torch()
    assert str(caught.value) == (
        "environment: MKL_NUM_STRIPES = '1': must not be set while runtime.portable is true"
    )


@pytest.mark.usefixtures("portable_environment")
@pytest.mark.parametrize(("flags", "lacking"), [("fma avx", "avx2"), ("sse2", "avx2 and fma")])
def test_portable_mode_needs_avx2_and_fma(
    flags: str, lacking: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    processor_with(monkeypatch, tmp_path, flags)
    with pytest.raises(DeviceError) as caught:
        params(portable=True).before_torch()
    assert str(caught.value) == (
        "params.yaml: runtime.portable = true: needs an x86-64 processor with AVX2 and FMA; Chip 9 "
        f"is not known to have {lacking}: must be false here"
    )


def test_the_usual_mode_sets_nothing_and_minds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    before = dict(os.environ)
    params().before_torch()
    assert dict(os.environ) == before


def test_kind_of_a_processor_is_its_maker_model_and_instruction_sets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    processor_with(monkeypatch, tmp_path, "fpu sse2 amx_tile avx512f fma avx2 avx")
    assert processor_maker() == "Maker"
    assert processor_kind() == "x86_64 Maker 6.143 amx_tile avx avx2 avx512f fma"


def test_kind_of_a_processor_without_family_is_its_name_and_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "CPU implementer : 0x41\nCPU part : 0xd40\nFeatures : fp\n"
    monkeypatch.setattr(Path, "read_text", lambda *_: text)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert processor_kind() == "aarch64 aarch64 0x41 0xd40 fp"

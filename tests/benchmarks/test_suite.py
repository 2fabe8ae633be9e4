"""The benchmark as a whole, once, as small as can be."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.project import ROOT

from benchmarks.implementations.spec import Spec, calibrations, implementations
from benchmarks.machine import probe, slug
from benchmarks.markdown import tables
from benchmarks.stages import WITH_TORCH, WITHOUT_TORCH
from benchmarks.suite import measure, measure_side_by_side, summarize
from benchmarks.timing import EpochTiming, Plan
from fusebench.processor import lacking_for_portable

SMALLEST = Plan(seeds=(0,), rounds=1, epochs=1, stage_repeats=1, start_repeats=1)


def test_figures_are_made_of_the_timings() -> None:
    specs = implementations("cpu", "bf16", 2)[:2]
    seconds = {"project-bf16": [1.0, 2.0, 4.0], "project-fp32": [2.0, 6.0]}
    timings = [
        EpochTiming(name, 0, epoch, time, 0.1)
        for name, times in seconds.items()
        for epoch, time in enumerate(times, start=1)
    ]
    timings += [
        EpochTiming("matmul-bf16", 0, 1, 0.5, None), EpochTiming("matmul-fp32", 0, 1, 8.0, None),
        EpochTiming("convolution-bf16", 0, 1, 2.0, None),
        EpochTiming("convolution-fp32", 0, 1, 4.0, None),
        EpochTiming("copy-fp32", 0, 1, 0.5, None), EpochTiming("copy-fp32", 0, 2, 0.5, None),
    ]  # fmt: skip
    counts = {
        "project-bf16": {"flops": 300 * 10**9, "bytes": 8 * 10**9},
        "project-fp32": {"flops": 300 * 10**9, "bytes": 16 * 10**9},
        "matmul-bf16": {"flops": 500 * 10**9, "bytes": 1},
        "matmul-fp32": {"flops": 800 * 10**9, "bytes": 1},
        "convolution-bf16": {"flops": 800 * 10**9, "bytes": 1},
        "convolution-fp32": {"flops": 800 * 10**9, "bytes": 1},
        "copy-fp32": {"flops": 0, "bytes": 10 * 10**9},
    }
    memory: dict[str, dict[str, float | str]] = {name: {"peak_mb": 1.0} for name in seconds}
    training = summarize(specs, timings, counts, memory, Plan(seeds=(0,), rounds=1))
    bf16, fp32 = training["implementations"].values()
    # The faster product of each.
    peaks = training["peak_gigaflops"].items()
    assert {precision: (peak["of"], peak["median"]) for precision, peak in peaks} == {
        "bf16": ("matmul", 1000.0), "fp32": ("convolution", 200.0),
    }  # fmt: skip
    assert training["product_gigaflops"] == {
        "matmul-bf16": 1000.0, "convolution-bf16": 400.0,
        "matmul-fp32": 100.0, "convolution-fp32": 200.0,
    }  # fmt: skip
    # The third epoch was run by one alone: it counts for the time to the loss, not here.
    assert bf16["seconds_per_epoch"]["values"] == [1.0, 2.0]
    assert bf16["time_to_loss"][0]["seconds"] == 7.0
    assert fp32["ratio"]["values"] == [2.0, 3.0]
    assert (bf16["gigaflops"], bf16["share_of_peak"]) == (200.0, 20.0)
    assert (fp32["gigaflops"], fp32["share_of_peak"]) == (75.0, 37.5)
    assert training["copy_gigabytes"]["values"] == [20.0, 20.0]
    # The larger of two times: bf16 waits for its bytes, fp32 for its operations.
    assert bf16["floor_seconds"] == {"operations": 0.3, "bytes": 0.4}
    assert bf16["over_floor"] == 1.5 / 0.4
    assert fp32["floor_seconds"] == {"operations": 1.5, "bytes": 0.8}
    assert fp32["over_floor"] == round(4.0 / 1.5, 3)
    assert bf16["epochs"]["0"] == {"seconds": [1.0, 2.0, 4.0], "val_loss": [0.1, 0.1, 0.1]}


@pytest.mark.parametrize(("lacking", "rows"), [([], 1), (["avx2"], 0)])
def test_portable_mode_is_measured_where_there_is_one(
    lacking: list[str], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.implementations.spec.lacking_for_portable", lambda: lacking)
    specs = [spec for spec in implementations("cpu", "bf16", 2) if spec.portable]
    assert [spec.name for spec in specs] == ["project-portable"] * rows
    assert {(spec.precision, spec.threads) for spec in specs} <= {("fp32", 2)}
    assert not [spec for spec in implementations("cuda", "bf16", 2) if spec.portable]


def test_seeds_side_by_side_take_turns_with_one_and_their_first_round_warms_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs: list[Spec] = []
    log: list[str] = []
    # Of one, and of three seeds at once; in the warming round both take long.
    seconds = {1: [9.0, 1.0, 2.0], 3: [9.0, 1.5, 8.0]}

    class Fake:
        def start(self, seed: int) -> None:
            log.append(f"start {seed}")

    @contextmanager
    def workers(started: Sequence[Spec]) -> Iterator[list[Fake]]:
        specs.extend(started)
        yield [Fake() for _ in started]

    def together(running: Sequence[Fake]) -> float:
        log.append(f"{len(running)} at once")
        return seconds[len(running)].pop(0)

    monkeypatch.setattr("benchmarks.suite.workers", workers)
    monkeypatch.setattr("benchmarks.suite.epochs_together", together)
    spec = Spec("project", "bf16", "cpu", 3)
    measured = measure_side_by_side(spec, Plan(rounds=2), lambda _line: None)
    assert specs == [spec, *[replace(spec, threads=1)] * 3]
    assert log == [*(f"start {seed}" for seed in range(4)), *["1 at once", "3 at once"] * 3]
    # Three epochs in 1.5 s against one in 1 s; three in 8 s against one in 2 s.
    assert measured["ratio"]["values"] == [2.0, 0.75]
    assert (measured["seeds"], measured["one"]["values"]) == (3, [1.0, 2.0])


def small_calibrations(specs: Sequence[Spec]) -> list[Spec]:
    sizes = {"matmul": 512, "convolution": 8, "copy": 1}
    return [replace(spec, size=sizes[spec.kind]) for spec in calibrations(specs)]


@pytest.fixture(scope="module")
def result(tiny_root: Path) -> dict[str, Any]:
    """What the smallest plan measures on the small project."""
    assert tiny_root
    lines: list[str] = []
    # One thread: two that wait for each other are slow where something else is running.
    facts = probe() | {"threads": 1, "precision": "fp32", "gpu": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.suite.probe", lambda: facts)
        patch.setattr("benchmarks.suite.calibrations", small_calibrations)
        # A start of each sort; all of them take as long as the rest.
        patch.setattr("benchmarks.stages.WITHOUT_TORCH", {"split": WITHOUT_TORCH["split"]})
        patch.setattr("benchmarks.stages.WITH_TORCH", {"train": WITH_TORCH["train"]})
        measured = measure(SMALLEST, lines.append)
    assert lines[0].startswith(facts["machine"])
    return measured


def bytes_of_epoch() -> int:
    """Return what convolutions and the linear layer move: 30 samples in batches of 8, and 20."""
    # Values of a sample in and out of each, and weights with biases: two of each in the stems.
    layers = [
        *2 * [(4 * 64**2, 32 * 64**2, 4 * 9 * 32, 32)],
        *2 * [(32 * 32**2, 64 * 32**2, 32 * 9 * 64, 64)],
        (128 * 8**2, 128 * 8**2, 128 * 9 * 128, 128), (2048, 2, 2048 * 2, 2),
    ]  # fmt: skip
    train, val = 4, 3
    values = 0
    for position, (read, written, weights, biases) in enumerate(layers):
        values += 50 * (read + written) + (train + val) * (weights + biases)
        # Back: the output's gradient and the input are read, the input's gradient is written, but
        # none of the maps; weights are read, their gradients and the biases' written.
        values += 30 * (written + read + (read if position > 1 else 0))
        values += train * (2 * weights + biases)
    # The linear layer is taken apart: its gradients are two products, each of which reads the
    # output's, and the biases' is a sum.
    values += 30 * 2 - train * 2
    return 4 * values


@pytest.mark.slow
def test_everything_is_measured(result: dict[str, Any]) -> None:
    assert result["samples"] == {"train": 30, "val": 20}
    figures = result["training"]["cpu"]["implementations"]
    portable = [] if lacking_for_portable() else ["project-portable"]
    assert list(figures) == ["project-fp32", *portable, "notebook-fp32", "fabric-fp32"]
    # Per sample: two stems, the head, the classifier; a product of a and b counts 2ab.
    first = 2 * 2 * (64 * 64 * 4 * 9 * 32)
    forward = first + 2 * (2 * (32 * 32 * 32 * 9 * 64) + 8 * 8 * 128 * 9 * 128 + 2048 * 2)
    # Backward, for inputs and for weights, but no gradient is made of the maps themselves.
    flops = 30 * (forward + 2 * forward - first) + 20 * forward
    moved = bytes_of_epoch()
    for name, values in figures.items():
        assert values["flops"] == flops, name
        assert values["bytes"] == moved, name
        assert values["over_floor"] > 0
        assert values["memory"]["peak_mb"] > 100
        assert values["memory"]["measured"] == "process and its loader workers (PSS)"
        assert len(values["epochs"]["0"]["val_loss"]) == 1
    assert result["side_by_side"] == {"not_measured": "one thread"}
    assert result["data"].keys() == {"synthesize", "extract"}
    assert result["startup"]["ratio"].keys() == {"train"}
    scripts = result["startup"]["help"].keys()
    assert {"check", *WITH_TORCH, *WITHOUT_TORCH} <= scripts
    # Those of stages: what a user calls may have a name that is alike.
    pipeline = (ROOT / "dvc.yaml").read_text("utf-8")
    for name in [*WITH_TORCH, *WITHOUT_TORCH]:
        assert f"python src/{name}.py" in pipeline, name
    # The small project is no DVC repository.
    assert "not_measured" in result["no_op"]


@pytest.mark.slow
def test_a_result_is_stored_and_printed_as_tables(result: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(result, allow_nan=False), "utf-8")
    command = [sys.executable, str(ROOT / "benchmarks/table.py"), "mine.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == tables([result]) + "\n"
    assert "| fabric, fp32 | " in done.stdout


def test_without_samples_one_line_names_what_makes_them(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/bench.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: data/samples: no such file; 'dvc repro split' makes it\n"


def test_a_machine_has_a_name_that_files_may_have() -> None:
    sets = {"amx_bf16": False, "avx512_bf16": True, "avx512_f": True}
    assert slug("Intel(R) Xeon(R) Föö/../bar", 2, sets) == "intel-xeon-f-bar-2-cores-avx512-bf16"
    assert slug("EPYC", 2, {}) == "epyc-2-cores-none"

"""The benchmark as a whole, with small numbers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.project import ROOT

from benchmarks.conductor import environment
from benchmarks.contestants.spec import field
from benchmarks.figures import ratios
from benchmarks.machine import probe
from benchmarks.markdown import tables
from benchmarks.memory import descendants
from benchmarks.plan import Plan
from benchmarks.rounds import Turn
from benchmarks.suite import measure, summary

SMALLEST = Plan(seeds=(0,), rounds=1, epochs=2, stage_repeats=1, start_repeats=1)


@pytest.fixture(scope="module")
def result(in_tiny_root: Path) -> tuple[dict[str, Any], list[str]]:
    """What the smallest plan comes to on the small project, and what it showed."""
    assert in_tiny_root
    lines: list[str] = []
    # One thread: two that wait for each other are slow where something else is running.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.suite.probe", lambda: probe() | {"threads": 1})
        return measure(SMALLEST, lines.append), lines


def test_everything_is_measured(result: tuple[dict[str, Any], list[str]]) -> None:
    found, _ = result
    assert found["samples"] == {"train": 30, "val": 20}
    precision, training = found["environment"]["precision"], found["training"]["cpu"]
    names = [spec.name for spec in field("cpu", precision, 1)]
    assert list(training["contestants"]) == names
    assert training["reference"] == names[0] == f"project-{precision}"
    for measured in training["contestants"].values():
        assert measured["seconds_per_epoch"]["repeats"] >= SMALLEST.rounds
        assert measured["flops"] > 1e9
        assert measured["memory"]["peak_mb"] > 100
        assert 0 < measured["share_of_peak"] < 200
        assert len(measured["turns"]["0"]["seconds"]) == len(measured["turns"]["0"]["val_loss"])
    assert {"synthesize", "extract"} == found["data"].keys()
    assert found["startup"]["ratio"].keys() == {"train", "evaluate"}
    # The small project is no DVC repository.
    assert "not_measured" in found["no_op"]


def test_the_gpu_is_measured_where_there_is_one(
    result: tuple[dict[str, Any], list[str]],
) -> None:
    found, _ = result
    held = "not_measured" not in found["training"]["cuda"]
    assert held is (found["environment"]["gpu"] is not None)


def test_it_can_be_stored_and_shown(result: tuple[dict[str, Any], list[str]]) -> None:
    found, _ = result
    stored = json.loads(json.dumps(found, allow_nan=False))
    assert tables([stored]) == tables([found])


def test_what_happens_is_shown(result: tuple[dict[str, Any], list[str]]) -> None:
    found, lines = result
    assert lines[0].startswith(found["environment"]["machine"])
    assert sum(line.startswith("seed 0 epoch 1: project-") for line in lines) >= 1


def test_ratios_and_shares_are_made_of_the_turns() -> None:
    specs = field("cpu", "bf16", 2)[:2]
    seconds = {"project-bf16": [1.0, 2.0, 4.0], "project-fp32": [2.0, 6.0]}
    turns = [
        Turn(name, 0, epoch, each, 0.1)
        for name, times in seconds.items()
        for epoch, each in enumerate(times, start=1)
    ]
    turns += [Turn("product-bf16", 0, 1, 0.5, None), Turn("product-fp32", 0, 1, 4.0, None)]
    flops = dict.fromkeys(seconds, 300_000_000_000) | {
        "product-bf16": 500_000_000_000, "product-fp32": 800_000_000_000,
    }  # fmt: skip
    memory: dict[str, dict[str, float | str]] = {name: {"peak_mb": 1.0} for name in seconds}
    found = summary(specs, turns, flops, memory, Plan(seeds=(0,), rounds=1))
    bf16, fp32 = found["contestants"].values()
    assert found["peak_gigaflops"]["bf16"]["median"] == 1000.0
    assert found["peak_gigaflops"]["fp32"]["median"] == 200.0
    # The third epoch was made by one alone: it counts for the time to the loss, not here.
    assert bf16["seconds_per_epoch"]["values"] == [1.0, 2.0]
    assert bf16["time_to_loss"][0]["seconds"] == 7.0
    assert fp32["ratio"]["values"] == ratios([2.0, 6.0], [1.0, 2.0])
    assert (bf16["gigaflops"], bf16["share_of_peak"]) == (200.0, 20.0)
    assert (fp32["gigaflops"], fp32["share_of_peak"]) == (75.0, 37.5)
    assert bf16["turns"]["0"] == {"seconds": [1.0, 2.0, 4.0], "val_loss": [0.1, 0.1, 0.1]}


# --- The scripts ---


def script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / f"benchmarks/{name}.py"), *arguments]


def test_without_samples_one_line_says_what_makes_them(tmp_path: Path) -> None:
    done = subprocess.run(script("bench"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: data/samples: no such file; 'dvc repro split' makes it\n"
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["bench", "table"])
def test_a_script_has_help(name: str, tmp_path: Path) -> None:
    done = subprocess.run(script(name, "--help"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert f"python benchmarks/{name}.py" in done.stdout


def test_the_table_of_a_file_is_printed(
    result: tuple[dict[str, Any], list[str]], tmp_path: Path
) -> None:
    found, _ = result
    (tmp_path / "mine.json").write_text(json.dumps(found), "utf-8")
    done = subprocess.run(
        script("table", "mine.json"), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == tables([found]) + "\n"


def test_results_are_written_under_the_machines_name_and_printed(
    result: tuple[dict[str, Any], list[str]], tmp_path: Path
) -> None:
    found, _ = result
    (tmp_path / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks/bench.py", tmp_path / "benchmarks")
    (tmp_path / "measured.json").write_text(json.dumps(found), "utf-8")
    code = (
        "import json, pathlib, runpy, benchmarks.suite\n"
        "found = json.loads(pathlib.Path('measured.json').read_text('utf-8'))\n"
        "benchmarks.suite.measure = lambda plan, show: found\n"
        "runpy.run_path('benchmarks/bench.py', run_name='__main__')"
    )
    command, env = [sys.executable, "-c", code], environment()
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    path = f"benchmarks/results/{found['environment']['machine']}.json"
    assert json.loads((tmp_path / path).read_text("utf-8")) == json.loads(json.dumps(found))
    assert done.stdout == f"\n{tables([found])}\n\nwritten to {path}\n"


def test_who_measures_imports_no_torch(tmp_path: Path) -> None:
    code = "import benchmarks.suite, sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "False\n"


def test_an_interrupted_benchmark_leaves_nothing_running(tiny_root: Path) -> None:
    before = sorted((ROOT / "benchmarks").rglob("*.json"))
    with subprocess.Popen(
        script("bench"), cwd=tiny_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # The machine, then the first contestant: all have started.
        assert process.stdout.readline()
        assert "GFLOP per turn" in process.stdout.readline()
        pids = descendants(process.pid)
        assert len(pids) > 4
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("error: interrupted")
    assert errors.count("\n") == 1
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert sorted((ROOT / "benchmarks").rglob("*.json")) == before
    assert os.getpid() not in pids

import copy
from pathlib import Path
from typing import Any

import pytest
from tests.project import ROOT

from benchmarks.figures import spread
from benchmarks.markdown import committed, read_results, tables
from benchmarks.plan import LIMITS
from fusebench.errors import ArtifactError
from fusebench.files import write_json


def contestant(
    seconds: list[float], ratio: list[float], *reached: dict[str, Any]
) -> dict[str, Any]:
    return {
        "seconds_per_epoch": spread(seconds),
        "ratio": spread(ratio),
        "memory": {"peak_mb": 1234.5, "measured": "process"},
        "flops": 300_314_091_520,
        "gigaflops": 199.6,
        "share_of_peak": 19.6,
        "time_to_loss": list(reached),
    }


def training(seed: int, reached: bool, lowest: float = 0.04) -> dict[str, Any]:
    return {"seed": seed, "reached": reached, "epochs": 8, "seconds": 12.34, "lowest": lowest}


RESULT: dict[str, Any] = {
    "environment": {
        "machine": "some-processor-2-cores-amx", "processor": "Some Processor",
        "threads": 2, "cores": 2,
        "instruction_sets": {"amx_bf16": True, "avx512_bf16": True, "avx512_f": False},
        "python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6", "os": "Linux", "commit": "abc1234",
        "gpu": None,
    },
    "plan": {"seeds": [0, 1], "val_loss": 0.05},
    "samples": {"train": 860, "val": 215},
    "limits": LIMITS,
    "training": {
        "cpu": {
            "reference": "project-bf16",
            "contestants": {
                "project-bf16": contestant([1.5, 1.4], [1.0, 1.0], training(0, True)),
                "notebook-fp32": contestant(
                    [4.5, 4.6], [3.0, 3.2], training(0, True), training(1, False, 0.0614)
                ),
            },
            "peak_gigaflops": {"bf16": spread([1000.0, 1100.0]), "fp32": spread([400.0, 400.0])},
        },
        "cuda": {"not_measured": "torch finds no GPU"},
    },
    "data": {
        "synthesize": {"seconds": spread([8.5, 8.1]), "peak_mb": spread([80.0], digits=1)},
        "extract": {"seconds": spread([10.0]), "peak_mb": spread([80.0], digits=1)},
    },
    "startup": {
        "import_torch": spread([1.0]),
        "help": {"train": spread([0.1]), "split": spread([0.2])},
        "start": {"split": spread([0.3]), "compare": spread([0.7]), "train": spread([9.9])},
        "ratio": {"train": spread([1.251])},
    },
    "no_op": {"not_measured": "dvc repro would run stages"},
}  # fmt: skip


def lines_of(result: dict[str, Any]) -> list[str]:
    return tables([result]).splitlines()


def test_the_machine_is_named_first() -> None:
    assert lines_of(RESULT)[0] == (
        "**Some Processor**, 2 threads on 2 cores, amx_bf16, avx512_bf16; Python 3.11.7, "
        "torch 2.15.0, numpy 2.4.6, Linux; commit abc1234."
    )


def test_each_contestant_has_a_row() -> None:
    assert lines_of(RESULT)[2:6] == [
        "| training `concat` | s per epoch | ratio | peak MB | GFLOP/s | of peak | "
        "s to val loss 0.05 (epochs), seeds 0, 1 |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        "| project, bf16 | 1.45 (1.40–1.50) | 1 | 1234 | 200 | 20 % | 12.3 (8) |",
        "| notebook, fp32 | 4.55 (4.50–4.60) | 3.10 (3.00–3.20) | 1234 | 200 | 20 % | "
        "12.3 (8) · not reached in 8 epochs (lowest 0.061) |",
    ]


def test_notes_say_what_was_measured_and_against_what() -> None:
    notes = lines_of(RESULT)[7]
    assert "860 train + 215 val samples, 300 GFLOP per epoch; 2 rounds" in notes
    assert "GFLOP/s: bf16 1,050 (best 1,100), fp32 400 (best 400)." in notes
    assert notes.endswith("Memory: process.")


def test_limits_stand_beside_what_was_measured() -> None:
    assert lines_of(RESULT)[11:] == [
        "| promised | median (min–max) | limit | held |",
        "| --- | --: | --: | --: |",
        "| `notebook` ÷ `project` | 3.10 (3.00–3.20) × | at least 2.5 × | yes |",
        "| share of peak, bf16 | 20 % | at least 72 % | no |",
        "| synthesize | 8.30 (8.10–8.50) s | 10 s | yes |",
        "| synthesize: peak memory | 80.00 (80.00–80.00) MB |  |  |",
        "| extract | 10.00 (10.00–10.00) s | 8 s | no |",
        "| extract: peak memory | 80.00 (80.00–80.00) MB | 600 MB | yes |",
        "| `import torch` | 1.00 (1.00–1.00) s |  |  |",
        "| `--help`, slowest: split | 0.20 (0.20–0.20) s | 0.5 s | yes |",
        "| start without torch, slowest: compare | 0.70 (0.70–0.70) s | 1.5 s | yes |",
        "| start of train ÷ `import torch` | 1.25 (1.25–1.25) × | 1.25 × | no |",
        "| `dvc repro`, nothing to do | not measured: dvc repro would run stages | 2 s |  |",
    ]


def test_a_gpu_has_a_table_of_its_own() -> None:
    assert lines_of(RESULT)[9] == "GPU: not measured: torch finds no GPU."
    result = copy.deepcopy(RESULT)
    result["training"]["cuda"] = result["training"]["cpu"]
    result["environment"]["gpu"] = "NVIDIA H200"
    lines = lines_of(result)
    assert "GPU: not measured" not in "\n".join(lines)
    assert lines[9].startswith("| training `concat` on NVIDIA H200 | s per epoch |")


def test_machines_follow_each_other() -> None:
    other = copy.deepcopy(RESULT)
    other["environment"]["processor"] = "Other Processor"
    shown = tables([RESULT, other])
    assert shown.count("training `concat`") == 2
    assert shown.index("Some Processor") < shown.index("Other Processor")


# --- Files ---


def test_results_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a", "precision-a"):
        write_json(tmp_path / f"{name}.json", RESULT)
    paths = committed(tmp_path)
    assert [path.name for path in paths] == ["a.json", "b.json"]
    assert tables(read_results(paths)) == tables([RESULT, RESULT])


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    write_json(path, {"arms": {}})
    with pytest.raises(ArtifactError, match=r"holds no results of bench\.py"):
        read_results([path])
    with pytest.raises(ArtifactError, match="no such file"):
        read_results([tmp_path / "missing.json"])


def test_committed_results_can_be_shown() -> None:
    for path in committed(ROOT / "benchmarks/results"):
        (result,) = read_results([path])
        assert result["environment"]["machine"] == path.stem
        assert result["environment"]["processor"] in tables([result])

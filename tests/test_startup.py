"""What a stage imports before it begins: a library that it does not need costs every run."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.project import ROOT

# Runs a stage up to its first missing file, then says which of the heavy modules it has loaded.
PROBE = """
import runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
sys.path.insert(0, str(__import__("pathlib").Path(script).parent))
sys.argv[0] = script
try:
    runpy.run_path(script, run_name="__main__")
except SystemExit as ended:
    print("code", ended.code)
print("loaded", *[name for name in HEAVY if name in sys.modules])
"""
HEAVY = (
    "torch", "torch._dynamo", "torch._inductor", "matplotlib", "sklearn", "scipy.stats", "pandas",
    "dvc", "rich", "numpy", "pydantic",
)  # fmt: skip


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with params and what stage check makes of them, and nothing else."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text("utf-8"), "utf-8")
    subprocess.run([sys.executable, ROOT / "src/check.py", "checked"], cwd=tmp_path, check=True)
    return tmp_path


def probe(folder: Path, script: str, *arguments: str) -> tuple[set[str], str]:
    """Return which heavy modules a stage had loaded when it ended, and its last words."""
    text = PROBE.replace("HEAVY", repr(HEAVY))
    command = [sys.executable, "-c", text, str(ROOT / "src" / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded"
    return set(loaded[1:]), done.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "allowed"),
    [
        ("extract.py", ["data/none.zip", "data/samples"], {"numpy", "pydantic"}),
        ("split.py", ["data/samples", "data/split.csv"], {"numpy", "pydantic"}),
        ("baseline.py", [], {"numpy", "pydantic"}),
        ("compare.py", [], {"numpy", "pydantic", "matplotlib", "rich"}),
        ("headline.py", [], {"numpy", "pydantic"}),
        ("gallery.py", ["data/samples", "plots/samples.png"], {"numpy", "pydantic", "matplotlib"}),
        ("train.py", ["concat"], {"numpy", "pydantic", "torch"}),
        ("evaluate.py", ["concat"], {"numpy", "pydantic", "torch"}),
    ],
)
def test_a_stage_loads_only_what_it_needs(
    script: str, arguments: list[str], allowed: set[str], bare: Path
) -> None:
    loaded, errors = probe(bare, script, *arguments)
    assert "no such file" in errors
    assert loaded <= allowed


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "src").glob("*.py")))
def test_help_loads_nothing_heavy(script: str, tmp_path: Path) -> None:
    loaded, _ = probe(tmp_path, script, "--help")
    assert loaded == set()


def test_an_epoch_needs_no_compiler() -> None:
    text = f"""
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
import torch
from fusebench.inputs.inputs import Inputs
from fusebench.models.base import ModelSpec
from fusebench.device import RuntimeParams
from fusebench.device import prepare
from fusebench.training.loop import Task, start, train_epoch
from fusebench.training.settings import TrainParams
device = prepare(RuntimeParams(device="cpu", threads=1, progress="off"))
settings = TrainParams(seeds=(0,), epochs=1, batch_size=2, lr=0.1, weight_decay=0.0,
    schedule="constant", class_weights="none", pooling="max", precision="fp32")
maps = {{name: torch.rand(4, 4, 16, 16) for name in ("rgb", "lidar")}}
inputs = Inputs(maps, torch.tensor([0, 1, 0, 1]))
spec = ModelSpec("add", 2, (16, 16), "max", "fp32")
task = Task(spec, settings, 0, inputs, inputs, 1, device.device)
train_epoch(task, start(task))
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

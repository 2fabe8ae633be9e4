import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.project import ROOT

from benchmarks.conductor import BenchmarkError
from benchmarks.machine import INSTRUCTION_SETS, commit, probe, slug, strongest

NONE = dict.fromkeys(INSTRUCTION_SETS, False)


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ("Intel(R) Xeon(R) Processor", "intel-xeon-processor-2-cores-amx"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "intel-core-i7-8550u-cpu-1-80ghz-2-cores-amx"),
        ("AMD EPYC 9654 96-Core Processor", "amd-epyc-9654-96-core-processor-2-cores-amx"),
        ("Föö/../bar", "f-bar-2-cores-amx"),
    ],
)
def test_a_machine_has_a_name_that_files_may_have(processor: str, name: str) -> None:
    assert slug(processor, 2, NONE | {"amx_bf16": True}) == name


@pytest.mark.parametrize(
    ("held", "name"),
    [
        (["amx_bf16", "avx512_bf16", "avx512_f"], "amx"),
        (["avx512_bf16", "avx512_f"], "avx512-bf16"),
        (["avx512_f"], "avx512"),
        ([], "none"),
    ],
)
def test_the_strongest_instruction_set_counts(held: list[str], name: str) -> None:
    assert strongest(NONE | dict.fromkeys(held, True)) == name


def test_the_environment_is_that_of_this_process() -> None:
    found = probe()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["gpu"] is None or torch.cuda.is_available()
    assert found["precision"] in ("fp32", "bf16")
    assert found["instruction_sets"].keys() == INSTRUCTION_SETS.keys()
    assert found["machine"] == slug(found["processor"], found["threads"], found["instruction_sets"])
    assert found["commit"] == commit(ROOT)


def test_a_torch_that_cannot_be_asked_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('broken torch')\n", "utf-8")
    path = os.pathsep.join(map(str, (ROOT, tmp_path, ROOT / "src")))
    monkeypatch.setattr("benchmarks.machine.environment", lambda: {"PYTHONPATH": path})
    with pytest.raises(BenchmarkError, match=r"^environment: ImportError: broken torch$"):
        probe()


def test_a_commit_is_called_dirty_when_something_differs(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("one", "utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    assert commit(tmp_path) == git("rev-parse", "--short", "HEAD")
    (tmp_path / "file").write_text("two", "utf-8")
    assert commit(tmp_path).endswith("-dirty")

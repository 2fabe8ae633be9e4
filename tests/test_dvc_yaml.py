"""dvc.yaml against the code: a stage depends on what it imports, and on nothing else."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import ROOT

from fusebench.models import registry

SRC = ROOT / "src"
FUSIONS = "fusebench/fusions"
# How values are read, written and shown, not what they are: a change here is no reason to train
# for ten minutes. What these modules give to the stages is held by tests of their own.
MECHANISM = {
    "fusebench/cli.py",
    "fusebench/config.py",
    "fusebench/data/archive.py",
    "fusebench/data/samples.py",
    "fusebench/data/split.py",
    "fusebench/environment.py",
    "fusebench/errors.py",
    "fusebench/files.py",
    "fusebench/models/registry.py",
    "fusebench/models/strategies.py",
    "fusebench/runtime.py",
    "fusebench/training/device.py",
    "fusebench/training/progress.py",
    "fusebench/training/settings.py",
}


def _stages() -> dict[str, Any]:
    stages: dict[str, Any] = {}
    for file in (ROOT / "dvc.yaml", ROOT / "data/dvc.yaml"):
        stages |= yaml.safe_load(file.read_text("utf-8"))["stages"]
    return stages


def _imports(path: Path) -> set[Path]:
    """Return the project's modules that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fusebench"):
            base = SRC / str(node.module).replace(".", "/")
            candidates = [base.with_suffix(".py")]
            candidates += [base / f"{alias.name}.py" for alias in node.names]
            found |= {each for each in candidates if each.is_file()}
    return found


def _reached(script: Path) -> set[str]:
    """Return all modules that a script reaches, by their paths below src."""
    reached, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            # The registry reaches every fusion; which one a stage uses, its item says.
            waiting += set() if path.name == "registry.py" else _imports(path)
    return {path.relative_to(SRC).as_posix() for path in reached}


def _code_dependencies(stage: dict[str, Any]) -> set[str]:
    named = [str(dep).removeprefix("src/") for dep in stage["deps"] if str(dep).startswith("src/")]
    return {name for name in named if not name.startswith(FUSIONS)}


def _files(names: set[str]) -> set[str]:
    files = set()
    for name in names:
        path = SRC / name
        found = path.rglob("*.py") if path.is_dir() else [path]
        files |= {each.relative_to(SRC).as_posix() for each in found}
    return files


@pytest.mark.parametrize("name", sorted(set(_stages()) - {"check"}))
def test_a_stage_depends_on_the_code_that_it_uses(name: str) -> None:
    stage = _stages()[name]
    script = SRC / str(stage["cmd"]).split()[1].removeprefix("src/")
    assert _reached(script) - MECHANISM <= _files(_code_dependencies(stage))


@pytest.mark.parametrize("name", sorted(_stages()))
def test_a_stage_names_no_code_that_it_does_not_use(name: str) -> None:
    stage = _stages()[name]
    script = SRC / str(stage["cmd"]).split()[1].removeprefix("src/")
    single = {dep for dep in _code_dependencies(stage) if dep.endswith(".py")}
    assert single <= _reached(script)


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_a_fusion_depends_on_its_own_file_alone(stage: str) -> None:
    dependencies = [dep for dep in _stages()[stage]["deps"] if FUSIONS in dep]
    assert dependencies == [f"src/{FUSIONS}/${{item.fusion}}.py"]
    for name in registry.names():
        others = {each for each in registry.names() if each != name}
        imported = {path.stem for path in _imports(SRC / FUSIONS / f"{name}.py")}
        assert not imported & others


def test_only_extract_reads_params_data() -> None:
    readers = [name for name, stage in _stages().items() if "data" in stage.get("params", [])]
    assert readers == ["extract"]


def test_no_stage_depends_on_runtime() -> None:
    for name, stage in _stages().items():
        assert not [key for key in stage.get("params", []) if str(key).startswith("runtime")], name


def test_every_kept_output_is_ignored_by_git_where_the_root_says_so() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    for stage in _stages().values():
        for out in stage.get("outs", []):
            assert any(f"/{out}".startswith(rule.rstrip("/")) for rule in ignored if rule[0] == "/")

"""The same again through the real DVC: a fresh clone, an experiment in its folder, the queue."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project import Project, stages_run

pytestmark = pytest.mark.thorough

# Times and memory, the folders of them as stage compare reads them, and what is drawn or told of
# them.
MEASURED = (
    "metrics/training", "metrics/cost", "metrics/comparison", "plots/curves/pareto.csv",
    "plots/pareto.png", "metrics/analysis.md", "metrics/recommendation.json",
    "plots/report.html",
)  # fmt: skip
CHANGE = ("-S", "train.lr=0.002", "-S", "split.seed=5")


def entries(lock: str) -> dict[str, Any]:
    """Return what a dvc.lock says, by stage and path, but for what is measured."""
    said: dict[str, Any] = {}
    for name, stage in yaml.safe_load(lock)["stages"].items():
        said[name] = {key: stage[key] for key in stage.keys() - {"deps", "outs"}}
        for entry in (*stage["deps"], *stage["outs"]):
            if not entry["path"].startswith(MEASURED):
                said[f"{name}: {entry['path']}"] = entry
    return said


def test_a_fresh_clone_comes_to_the_same_lock(clean: Project, tmp_path: Path) -> None:
    clean.run("git", "clone", "--quiet", str(clean.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    (clone.root / "dvc.lock").unlink()
    shutil.rmtree(clone.root / "metrics")
    # No stage makes it.
    clone.git("restore", "metrics/interactions")
    shutil.rmtree(clone.root / "plots")
    assert "train@hadamard" in stages_run(clone.dvc("repro"))
    first, second = (
        entries((project.root / "dvc.lock").read_text("utf-8")) for project in (clean, clone)
    )
    assert {"train@add: models/add", "compare: plots/vector", "compare: plots/roc.png"} <= set(
        first
    )
    assert second == first


@pytest.fixture(scope="module")
def copied(reproduced: tuple[Project, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the small project, of which kept work may be removed."""
    reproduced[0].restore()
    root = tmp_path_factory.mktemp("copied")
    subprocess.run(["cp", "-a", f"{reproduced[0].root}/.", str(root)], check=True)
    shutil.rmtree(root / ".dvc/tmp")
    return Project(root)


def _run(project: Project, name: str, *way: str) -> dict[str, Any]:
    """Run an experiment with nothing kept of others; return what its dvc.lock says."""
    for kept in (".work", ".dvc/cache/runs"):
        shutil.rmtree(project.root / kept, ignore_errors=True)
    project.dvc("exp", "run", "--name", name, *CHANGE, *way)
    if "--queue" in way:
        project.dvc("queue", "start", "--jobs", "1")
        while any(word in project.dvc("queue", "status") for word in ("Queued", "Running")):
            time.sleep(2)
    assert len(list((project.root / ".work/seeds").iterdir())) == 4, "it did train"
    project.restore()
    refs = project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    (ref,) = [ref for ref in refs if ref.endswith(f"/{name}")]
    return entries(project.git("show", f"{ref}:dvc.lock"))


@pytest.fixture(scope="module")
def in_workspace(copied: Project) -> dict[str, Any]:
    """What dvc.lock says after an experiment in the workspace."""
    return _run(copied, "workspace")


@pytest.mark.parametrize("way", ["--temp", "--queue"])
def test_an_experiment_out_of_the_way_comes_to_the_same_lock(
    way: str, copied: Project, in_workspace: dict[str, Any]
) -> None:
    said = _run(copied, way.strip("-"), way)
    assert said["train@add: models/add"] != entries((copied.root / "dvc.lock").read_text("utf-8"))[
        "train@add: models/add"
    ], "the change made a difference"  # fmt: skip
    assert said == in_workspace

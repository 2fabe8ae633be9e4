"""What DVC cannot mend by itself, through the real DVC: in its cache, in the outputs, its lock."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project import ROOT, Project

from fusebench.errors import ArtifactError
from fusebench.mend import mend

pytestmark = pytest.mark.slow

PIPELINE = """
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    outs: [models, split.csv]
    plots: [metrics.json: {cache: false}]
"""
SCRIPT = """
from pathlib import Path
Path("models").mkdir(exist_ok=True)
for name in ("model.json", "seed_0", "seed_1"):
    Path("models", name).write_text(f"what {name} holds")
Path("split.csv").write_text("row,part")
Path("metrics.json").write_text("{}")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one stage after `dvc repro`. Read-only: copy it."""
    root = tmp_path_factory.mktemp("made")
    (root / "dvc.yaml").write_text(PIPELINE, "utf-8")
    (root / "make.py").write_text(SCRIPT, "utf-8")
    (root / ".gitignore").write_text("/models/\n/split.csv\n", "utf-8")
    project = Project(root)
    project.git("init", "--quiet", "--initial-branch=main")
    project.dvc("init", "--quiet")
    project.dvc("config", "core.analytics", "false")
    project.dvc("repro", "--quiet")
    project.commit("made")
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy that a test may spoil; the working directory."""
    root = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(root)
    return Project(root)


def link(project: Project) -> None:
    """Make the outputs hard links to DVC's cache, as they are where a checkout made them."""
    project.dvc("config", "--local", "cache.type", "hardlink")
    project.dvc("checkout", "--quiet", "--relink")
    assert Path("models/seed_0").stat().st_nlink == 2


def said() -> list[str]:
    lines: list[str] = []
    mend(lines.append)
    return lines


def damage(path: Path, *, protected: bool = False) -> None:
    """Change one letter; in place, so that a hard link's other end has it, too."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"W")
    if protected:
        path.chmod(0o444)


def cached(name: str) -> Path:
    """Return the object of DVC's cache that holds what a file of the models holds."""
    content = f"what {name} holds"
    objects = [path for path in Path(".dvc/cache/files/md5").rglob("*") if path.is_file()]
    (path,) = (path for path in objects if path.read_text("utf-8") == content)
    return path


def names() -> list[str]:
    return sorted(path.name for path in Path("models").iterdir()) if Path("models").exists() else []


ALL = ["model.json", "seed_0", "seed_1"]


def test_where_all_is_well_nothing_is_done(project: Project) -> None:
    assert said() == ["nothing to mend"]
    assert "up to date" in project.dvc("status")


def test_damage_that_dvc_takes_for_whole_is_removed_and_made_anew(project: Project) -> None:
    link(project)
    broken = cached("seed_0")
    damage(Path("models/seed_0"), protected=True)
    project.dvc("repro", "--force")
    assert Path("models/seed_0").read_text("utf-8").startswith("What"), "so DVC needs this"
    assert "up to date" in project.dvc("status")
    name = f"{broken.parent.name}/{broken.name}"
    assert said() == [
        f"removed from DVC's cache, damaged: {name} (models/seed_0)",
        "not as dvc.lock says, moved to .work/removed/1/models: models/seed_0",
        "left to do: 'dvc repro', which makes models",
    ]
    assert not broken.exists()
    project.dvc("repro")
    assert Path("models/seed_0").read_text("utf-8") == "what seed_0 holds"


def test_what_the_cache_has_is_brought_back(project: Project) -> None:
    damage(Path("models/seed_1"))
    Path("split.csv").unlink()
    assert said() == [
        "not as dvc.lock says, moved to .work/removed/1/models: models/seed_1",
        "brought back from DVC's cache: models, split.csv",
    ]
    assert names() == ALL
    assert "up to date" in project.dvc("status")


@pytest.mark.usefixtures("project")
def test_a_file_too_many_is_removed() -> None:
    Path("models/seed_9").write_text("of another run", "utf-8")
    assert said()[-1] == "brought back from DVC's cache: models"
    assert names() == ALL


@pytest.mark.usefixtures("project")
def test_the_cache_is_mended_from_a_copy_that_is_whole() -> None:
    broken = cached("seed_0")
    damage(broken)
    name = f"{broken.parent.name}/{broken.name}"
    assert said() == [f"made anew in DVC's cache, from the output: {name} (models/seed_0)"]
    assert broken.read_text("utf-8") == "what seed_0 holds"
    assert names() == ALL


@pytest.mark.thorough
def test_a_damaged_list_of_a_folder_is_removed(project: Project) -> None:
    (listing,) = Path(".dvc/cache/files/md5").rglob("*.dir")
    damage(listing)
    lines = said()
    assert lines[0].startswith("removed from DVC's cache, damaged: ")
    assert not listing.exists()
    project.dvc("repro")
    assert listing.exists()
    assert names() == ALL


@pytest.mark.usefixtures("project")
def test_what_git_keeps_comes_from_git() -> None:
    Path("metrics.json").write_text("[]", "utf-8")
    assert said() == [
        "not as dvc.lock says, moved to .work/removed/1/metrics.json, brought back from git: "
        "metrics.json"
    ]
    assert Path(".work/removed/1/metrics.json").read_text("utf-8") == "[]", "it may be of use"
    assert Path("metrics.json").read_text("utf-8") == "{}"


@pytest.mark.thorough
def test_where_there_is_a_remote_it_is_asked_first(project: Project, tmp_path: Path) -> None:
    project.dvc("remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    project.dvc("push", "--quiet")
    link(project)
    damage(Path("models/seed_0"), protected=True)
    assert said()[-1] == "left to do: 'dvc pull', then 'dvc repro', which makes models"
    project.dvc("pull", "--quiet")
    assert Path("models/seed_0").read_text("utf-8") == "what seed_0 holds"


# --- DVC's list of busy files ---

BUSY = Path(".dvc/tmp/rwlock")


@pytest.mark.parametrize(
    "content", ["", *(pytest.param(text, marks=pytest.mark.thorough) for text in ("{", "[]"))]
)
def test_a_broken_list_of_busy_files_is_removed(project: Project, content: str) -> None:
    BUSY.write_text(content, "utf-8")
    assert "rwlock" in project.dvc("repro", "--force", ok=False), "so DVC needs this"
    assert said() == ["removed .dvc/tmp/rwlock, which a killed DVC left broken"]
    project.dvc("repro", "--force")


def test_nothing_is_done_while_dvc_works_here(project: Project, tmp_path: Path) -> None:
    BUSY.write_text("", "utf-8")
    (tmp_path / "dvc").write_text("print(flush=True)\ninput()\n", "utf-8")
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "dvc"), "repro"], cwd=project.root,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as working:  # fmt: skip
        assert working.stdout is not None
        working.stdout.readline()
        with pytest.raises(
            ArtifactError, match=rf"DVC works in this folder \(process {working.pid}\)"
        ):
            said()
        working.communicate(b"\n")
    assert BUSY.exists()
    assert said() == ["removed .dvc/tmp/rwlock, which a killed DVC left broken"]


@pytest.mark.usefixtures("project")
def test_a_broken_lock_is_named() -> None:
    Path("dvc.lock").write_text("stages: [", "utf-8")
    with pytest.raises(ArtifactError, match=r"dvc\.lock: broken; 'git restore dvc\.lock' mends it"):
        said()


# --- The project's own targets ---


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, whose tools are there and only note that they ran."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-setup.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    (tmp_path / "src").mkdir()
    shutil.copy(ROOT / "src/tasks.py", tmp_path / "src")
    # What looks at the folder first does run.
    looks = f'case $1 in *src/tasks.py) exec "{sys.executable}" "$@";; esac\n'
    for name, first in (("python", looks), ("dvc", "")):
        (tools / name).write_text(f"#!/bin/sh\n{first}echo {name} ran\n", "utf-8")
        (tools / name).chmod(0o755)
    (tools / ".runs").touch()
    (tools / ".develops").touch()
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path


Make = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make(checkout: Path) -> Make:
    def run(target: str) -> "subprocess.CompletedProcess[str]":
        identity = {
            f"GIT_CONFIG_{key}_0": value
            for key, value in (("KEY", "user.email"), ("VALUE", "test@example.org"))
        } | {"GIT_CONFIG_COUNT": "1"}
        return subprocess.run(
            ["make", target],
            cwd=checkout,
            capture_output=True,
            text=True,
            env=os.environ | identity,
        )

    return run


@pytest.mark.parametrize(
    "target", ["repro", "verdict", "notebook", "bench", "bench-scale", "study"]
)
def test_a_target_notices_an_empty_list_of_busy_files(
    target: str, checkout: Path, make: Make
) -> None:
    (checkout / BUSY).write_text("{}", "utf-8")
    done = make(target)
    assert (done.returncode, "dvc ran" in done.stdout) == (0, True), done.stderr
    (checkout / BUSY).write_text("", "utf-8")
    done = make(target)
    assert done.returncode == 2
    assert "error: .dvc/tmp/rwlock: left empty by a DVC that was killed" in done.stdout
    assert "ran" not in done.stdout.splitlines()[0]

"""A copy of this project in a temporary folder, with a small archive, for runs of the real DVC."""

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fusebench.system import open_locked

ROOT = Path(__file__).parent.parent

# A whole params.yaml of its own: tests do not read the user's.
PARAMS = (ROOT / "tests/small_params.yaml").read_text("utf-8")
SENSORS = (ROOT / "tests/sensors.yaml").read_text("utf-8")
FUSIONS = tuple(yaml.safe_load(PARAMS)["fusions"])
KEPT_PREDICTIONS = (*FUSIONS, "majority_class", "threshold")


@dataclass(frozen=True)
class Project:
    """A checkout that commands are run in as a user would."""

    root: Path

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the root; fail with its output unless it exits as expected."""
        done = subprocess.run(
            command, cwd=self.root, env=environment(), capture_output=True, text=True, timeout=600
        )
        assert (done.returncode == 0) is ok, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def dvc(self, *arguments: str, ok: bool = True) -> str:
        """Run dvc; return what it and the stages printed."""
        done = self.run(sys.executable, "-m", "dvc", *arguments, ok=ok)
        return done.stdout + done.stderr

    def git(self, *arguments: str) -> str:
        """Run git; return what it printed."""
        return self.run("git", *arguments).stdout

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def set_params(self, changes: dict[str, Any]) -> None:
        """Change values of params.yaml, addressed by dotted keys."""
        path = self.root / "params.yaml"
        content = yaml.safe_load(path.read_text("utf-8"))
        for key, value in changes.items():
            *parents, last = key.split(".")
            section = content
            for parent in parents:
                section = section[parent]
            assert last in section, key
            section[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")

    def restore(self) -> None:
        """Bring the folder back to its last commit: what git tracks, and what DVC keeps."""
        self.git("reset", "--quiet", "--hard")
        self.git("clean", "--force", "-d", "--quiet")
        for folder in ("models", "predictions"):
            for path in (self.root / folder).iterdir():
                if path.name not in KEPT_PREDICTIONS:
                    shutil.rmtree(path)
        with self._repo() as repo:
            repo.checkout(force=True)

    @contextmanager
    def _repo(self) -> Iterator[Any]:
        """Open DVC in this process: to start one takes two seconds each time."""
        from dvc.repo import Repo

        with warnings.catch_warnings(action="ignore"), Repo(str(self.root)) as repo:
            yield repo
            # What DVC leaves open of git is closed while warnings of it are not errors.
            repo.close()
            gc.collect()

    def changed_stages(self) -> set[str]:
        """Return the stages of which something changed since they ran."""
        with self._repo() as repo:
            # Stages of this very file come with its path if the working directory is another.
            return {name.rpartition(":")[2] for name in repo.status()}

    def json(self, path: str) -> Any:
        """Return the content of a JSON file."""
        return json.loads((self.root / path).read_text("utf-8"))

    def lock(self) -> dict[str, Any]:
        """Return dvc.lock's stages."""
        content = yaml.safe_load((self.root / "dvc.lock").read_text("utf-8"))
        stages: dict[str, Any] = content["stages"]
        return stages


@contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """Start processes that hear Ctrl-C, which is ignored where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def started(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start DVC as a terminal does, in a session of its own, with stderr in stdout."""
    with hearing_ctrl_c():
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments], cwd=project.root, env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    with process:
        yield process


def stages_run(output: str) -> list[str]:
    """Return the names of the stages that dvc ran, in their order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def write_no_studies(root: Path) -> None:
    """Write the tables of long studies as they are where none was run."""
    # pandas takes long to import, and few tests need a project.
    from fusebench.report import declared, learning, robust, suite, tuning

    suite.write_suite(root / suite.SUMMARY, [])
    learning.write_learning(root / learning.SUMMARY, [])
    robust.write_robust([], [], root / robust.SUMMARY.parent)
    tuning.write_tuning(root / tuning.SUMMARY, [])
    for study in (learning, robust, tuning):
        declared.write_origin((root / study.SUMMARY).parent, {}, [], [], [])


def make_project(root: Path) -> Project:
    """Copy the working tree (what git tracks or would), with `PARAMS`, to `root`; commit there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        # Neither results nor the user's own archive and its sensors.
        if source.is_file() and Path(name).parts[0] not in ("metrics", "plots", "data"):
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (root / "dvc.lock").unlink(missing_ok=True)
    _forget_remotes(root / ".dvc/config")
    project = Project(root)
    project.git("init", "--quiet", "--initial-branch=main")
    (root / "params.yaml").write_text(PARAMS, "utf-8")
    (root / "data").mkdir()
    (root / "data/sensors.yaml").write_text(SENSORS, "utf-8")
    write_no_studies(root)
    project.commit("a small project")
    return project


def _forget_remotes(config: Path) -> None:
    """Leave out the remotes that the user has set: no test is to ask one, or to write there."""
    text = config.read_text("utf-8")
    config.write_text(re.sub(r"(?m)^ *remote = .*\n|^\['remote .*\n(?: .*\n?)*", "", text), "utf-8")


def reproduced_project(shared: Path, root: Path) -> tuple[Project, str]:
    """Copy a project after its first `dvc repro`, committed, to `root`; return what that printed.

    It is made once in the folder `shared`, by the first process that asks for it; others wait.
    """
    shared.mkdir(exist_ok=True)
    printed, made = shared / "printed.txt", shared / "made"
    with open_locked(shared / "lock", wait=lambda: None):
        if not printed.exists():
            shutil.rmtree(made, ignore_errors=True)
            project = make_project(made)
            output = project.dvc("repro")
            project.commit("results")
            # DVC's own notes of this very folder: locks, and what runs.
            shutil.rmtree(made / ".dvc/tmp")
            printed.write_text(output, "utf-8")
    # With links to the cache as they are.
    subprocess.run(["cp", "-a", f"{made}/.", str(root)], check=True)
    return Project(root), printed.read_text("utf-8")


def environment() -> dict[str, str]:
    """Return the variables that commands of a checkout run with."""
    # dvc runs `python` from the PATH; git needs somebody to commit as.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org",
        "DVC_NO_ANALYTICS": "1",
    }  # fmt: skip

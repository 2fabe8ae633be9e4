"""Results in a team, through the real DVC: pushed by one, pulled and compared by others."""

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.project import FUSIONS, Project, stages_run
from tests.remotes import servers
from tests.remotes.servers import BUCKET

from fusebench import load_results
from fusebench.errors import ArtifactError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def first(reproduced: tuple[Project, str], folder: Path) -> Project:
    """A copy of the small project, of which a bare repository of git is the origin."""
    reproduced[0].restore()
    subprocess.run(["cp", "-a", str(reproduced[0].root), str(folder / "first")], check=True)
    project = Project(folder / "first")
    # DVC's own notes of the other folder.
    shutil.rmtree(project.root / ".dvc/tmp", ignore_errors=True)
    project.git("init", "--quiet", "--bare", "--initial-branch=main", str(folder / "hub.git"))
    project.git("remote", "add", "origin", str(folder / "hub.git"))
    project.git("push", "--quiet", "--set-upstream", "origin", "main")
    return project


def _remote(project: Project, *named: str, ok: bool = True) -> list[str]:
    """Run `make remote`; return the lines that it printed."""
    done = project.run("make", "-o", "setup", "-o", "setup-extras", "remote", *named, ok=ok)
    return (done.stdout if ok else done.stderr).splitlines()


def _clone(project: Project, root: Path) -> Project:
    """Clone what was pushed to git; the cache of the clone is empty."""
    project.git("clone", "--quiet", str(project.root.parent / "hub.git"), str(root))
    assert not (root / ".dvc/cache").exists()
    return Project(root)


def _count(lines: list[str]) -> tuple[int, int]:
    """Return how many outputs the remote holds, and of how many."""
    line = next(line for line in lines if line.startswith("it holds "))
    return int(line.split()[2]), int(line.split()[4])


@pytest.fixture(scope="module")
def shared(first: Project, s3: str) -> Project:
    """The first project, whose results are in a bucket, as the config says that it has in git."""
    said = _remote(first, f"URL=s3://{BUCKET}/team", f"ENDPOINT={s3}")
    assert said[0] == f"default remote 'storage': s3://{BUCKET}/team at {s3} (.dvc/config)"
    there, total = _count(said)
    assert there == 0
    assert total > len(FUSIONS)
    assert said[-1] == "next: git add .dvc/config and commit; dvc push"
    first.git("commit", "--quiet", "--all", "--message", "a remote")
    first.dvc("push", "--quiet")
    first.git("push", "--quiet")
    assert servers.objects(s3)
    return first


@pytest.fixture(scope="module")
def second(shared: Project) -> Project:
    """Somebody else's clone, into which the results were pulled."""
    clone = _clone(shared, shared.root.parent / "second")
    clone.dvc("pull", "--quiet")
    return clone


def test_a_clone_has_all_results_and_runs_nothing(shared: Project, second: Project) -> None:
    output = second.dvc("repro")
    assert "Data and pipelines are up to date." in output
    assert stages_run(output) == []
    assert second.git("status", "--porcelain") == ""
    path = "predictions/add/seed_0.npz"
    assert (second.root / path).read_bytes() == (shared.root / path).read_bytes()
    # Without URL it is said what is set.
    said = _remote(second)
    there, total = _count(said)
    assert there == total
    assert len(said) == 2, "nothing is left to do"


@pytest.fixture(scope="module")
def drawn(shared: Project) -> bytes:
    """The split that an experiment drew; the experiment and the run cache are pushed."""
    shared.dvc("exp", "run", "--quiet", "--name", "drawn", "-S", "split.seed=1", "split")
    split = (shared.root / "data/split.csv").read_bytes()
    shared.dvc("exp", "push", "origin", "drawn")
    shared.dvc("push", "--quiet", "--run-cache", "split")
    return split


def test_an_experiment_is_pulled_and_shown(drawn: bytes, second: Project) -> None:
    assert (second.root / "data/split.csv").read_bytes() != drawn
    second.dvc("exp", "pull", "origin", "drawn")
    table = second.run("python", "src/show.py", "table", "drawn").stdout
    assert all(name in table for name in FUSIONS)
    second.dvc("exp", "apply", "drawn")
    assert (second.root / "data/split.csv").read_bytes() == drawn


def test_other_params_come_out_of_the_run_cache(drawn: bytes, third: Project) -> None:
    third.set_params({"split.seed": 1})
    output = third.dvc("repro", "--pull", "split")
    assert "Stage 'split' is cached - skipping run" in output
    assert stages_run(output) == []
    assert (third.root / "data/split.csv").read_bytes() == drawn
    third.git("reset", "--quiet", "--hard")


@pytest.fixture(scope="module")
def third(shared: Project) -> Project:
    """A clone whose cache is empty."""
    return _clone(shared, shared.root.parent / "third")


def test_predictions_that_only_the_remote_has_are_compared(third: Project) -> None:
    # HEAD~1 was committed before there was a remote.
    assert "remote" not in third.git("show", "HEAD~1:.dvc/config")
    said = third.run("python", "src/show.py", "diff", "HEAD~1", "HEAD").stdout
    assert f"The same predictions before and after: {', '.join(FUSIONS)}." in said


@pytest.fixture
def fresh(shared: Project, tmp_path: Path) -> Project:
    """Another clone whose cache is empty."""
    return _clone(shared, tmp_path / "fresh")


def test_a_remote_that_gives_nothing_is_named_in_one_line(
    fresh: Project, s3: str, tmp_path: Path
) -> None:
    config = fresh.root / ".dvc/config"
    config.write_text(config.read_text("utf-8").replace(s3, "http://127.0.0.1:9"), "utf-8")
    expected = (
        "predictions/add of 'HEAD~1': not in DVC's cache, and remote 'storage' "
        f"(s3://{BUCKET}/team at http://127.0.0.1:9) does not give it: Could not connect to the "
        "endpoint URL"
    )
    said = fresh.run("python", "src/show.py", "diff", ok=False).stderr
    assert said.startswith(f"error: {expected}")
    assert len(said.splitlines()) == 1
    lines = _remote(fresh, f"URL={tmp_path}/empty", "LOCAL=1", "NAME=empty")
    there, total = _count(lines)
    assert there == 0
    assert lines[-1].startswith(f"{total} are neither there nor in DVC's cache: checked, data/")


def test_without_keys_or_the_package_it_is_said_so(
    fresh: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in servers.KEYS:
        monkeypatch.delenv(name)
    # What git keeps is there all the same.
    results = load_results(fresh.root, "HEAD~1")
    assert results.fusions == list(FUSIONS)
    with pytest.raises(
        ArtifactError, match=r"remote 'storage' \(s3:.*\) does not .*: no credentials"
    ):
        _ = results.predictions
    (tmp_path / "dvc_s3.py").write_text("raise ModuleNotFoundError('dvc_s3')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{fresh.root / 'src'}")
    code = "import fusebench as f; r = f.load_results(rev='HEAD~1'); print(r); r.predictions"
    done = fresh.run("python", "-c", code, ok=False)
    assert done.stdout.startswith("<Results ")
    assert done.stderr.endswith("needs dvc-s3 (extra s3); 'make setup-extras' installs it\n")


@pytest.mark.parametrize("kind", ["folder", "ssh"])
def test_a_folder_here_or_on_a_server_does_the_same(
    kind: str, first: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    first.git("reset", "--quiet", "--hard")
    first.dvc("checkout", "--quiet", "--force")
    with ExitStack() as stack:
        address = stack.enter_context(servers.ssh(tmp_path / "home")) if kind == "ssh" else ""
        _remote(first, f"URL={address}{tmp_path}/shelf", f"NAME={kind}")
        first.git("commit", "--quiet", "--all", "--message", kind)
        first.dvc("push", "--quiet")
        first.git("push", "--quiet")
        clone = _clone(first, tmp_path / "clone")
        clone.dvc("pull", "--quiet")
    assert clone.changed_stages() == set()
    assert clone.git("status", "--porcelain") == ""


def test_nothing_but_pushing_and_pulling_asks_a_default_remote(first: Project) -> None:
    first.git("reset", "--quiet", "--hard")
    with servers.mute() as (address, taken):
        first.dvc("remote", "add", "--local", "--default", "mute", f"ssh://me@{address}/srv")
        first.dvc("checkout", "--quiet", "--force")
        shutil.rmtree(first.root / "checked")
        # A missing output comes out of the cache.
        output = first.dvc("repro")
        assert "Stage 'check' is cached - skipping run" in output
        assert stages_run(output) == []
        assert first.run("python", "src/mend.py").stdout == "nothing to mend\n"
        first.dvc("exp", "run", "--name", "mute", "-S", "split.seed=5", "check")
        assert not taken

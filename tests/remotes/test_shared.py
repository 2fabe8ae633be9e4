"""Results in a team, through the real DVC: pushed by one, pulled and compared by others."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.project import FUSIONS, Project, stages_run
from tests.remotes import servers
from tests.remotes.servers import BUCKET

from fusebench import load_results
from fusebench.errors import ArtifactError

pytestmark = pytest.mark.slow

UP_TO_DATE = "Data and pipelines are up to date."


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
    done = project.run("make", "-o", "setup", "remote", *named, ok=ok)
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
    assert said[0] == f"default remote 'storage': s3://{BUCKET}/team (.dvc/config)"
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
    assert UP_TO_DATE in output
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
def faster(shared: Project) -> str:
    """The table of an experiment with another learning rate for `add`, which is pushed."""
    shared.dvc("exp", "run", "--name", "faster", "-S", "override.add.lr=0.01", "predict@add")
    shared.dvc("exp", "push", "origin", "faster")
    return shared.run("python", "src/show.py", "table", "faster").stdout


@pytest.fixture(scope="module")
def third(shared: Project, faster: str) -> Project:
    """A clone that knows of the experiment, and whose cache is empty."""
    assert faster
    clone = _clone(shared, shared.root.parent / "third")
    clone.dvc("exp", "pull", "--no-cache", "origin", "faster")
    return clone


def test_an_experiment_is_pulled_and_shown(faster: str, second: Project) -> None:
    second.dvc("exp", "pull", "origin", "faster")
    assert second.run("python", "src/show.py", "table", "faster").stdout == faster
    pulled = second.dvc("exp", "apply", "faster")
    assert "missing" not in pulled
    assert stages_run(second.dvc("repro", "--dry", "predict@add")) == []
    second.git("reset", "--quiet", "--hard")
    second.dvc("checkout", "--quiet")


def test_predictions_that_only_the_remote_has_are_compared(shared: Project, third: Project) -> None:
    # Nothing was pulled, and HEAD~1 was committed before there was a remote.
    assert "remote" not in third.git("show", "HEAD~1:.dvc/config")
    said = third.run("python", "src/show.py", "diff", "HEAD~1", "faster").stdout
    assert said == shared.run("python", "src/show.py", "diff", "HEAD~1", "faster").stdout
    assert "add" in said
    assert "The same predictions before and after: hadamard." in said


def test_other_params_come_out_of_the_run_cache(shared: Project, second: Project) -> None:
    shared.git("reset", "--quiet", "--hard")
    shared.set_params({"split.seed": 1})
    assert stages_run(shared.dvc("repro", "split")) == ["check", "split"]
    shared.dvc("push", "--quiet", "--run-cache", "split")
    second.set_params({"split.seed": 1})
    output = second.dvc("repro", "--pull", "split")
    assert "Stage 'split' is cached - skipping run" in output
    assert stages_run(output) == []


@pytest.fixture
def away(third: Project, s3: str) -> Iterator[Project]:
    """The clone with an empty cache, whose remote is where nothing listens."""
    config = third.root / ".dvc/config"
    text = config.read_text("utf-8")
    config.write_text(text.replace(s3, "http://127.0.0.1:9"), "utf-8")
    yield third
    config.write_text(text, "utf-8")
    (third.root / ".dvc/config.local").unlink(missing_ok=True)


def test_a_remote_that_gives_nothing_is_named_in_one_line(away: Project, tmp_path: Path) -> None:
    expected = (
        "predictions/add of 'HEAD~1': not in DVC's cache, and remote 'storage' "
        f"(s3://{BUCKET}/team) does not give it: Could not connect to the endpoint URL"
    )
    said = away.run("python", "src/show.py", "diff", ok=False).stderr
    assert said.startswith(f"error: {expected}")
    assert len(said.splitlines()) == 1
    lines = _remote(away, f"URL={tmp_path}/empty", "LOCAL=1", "NAME=empty")
    there, total = _count(lines)
    assert there == 0
    assert lines[-1].startswith(f"{total} are neither there nor in DVC's cache: checked, data/")


def test_without_keys_or_the_package_it_is_said_so(
    third: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in servers.KEYS:
        monkeypatch.delenv(name)
    # What git keeps is there all the same.
    results = load_results(third.root, "HEAD~1")
    assert results.fusions == list(FUSIONS)
    with pytest.raises(
        ArtifactError, match=r"remote 'storage' \(s3:.*\) does not .*: no credentials"
    ):
        _ = results.predictions
    (tmp_path / "dvc_s3.py").write_text("raise ModuleNotFoundError('dvc_s3')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = third.run("python", "src/show.py", "diff", ok=False).stderr
    assert said.endswith("needs dvc-s3 (extra s3); 'make setup-extras' installs it\n")
    third.run("python", "src/show.py", "table", "HEAD~1")


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
    assert stages_run(clone.dvc("repro")) == []
    assert clone.git("status", "--porcelain") == ""


def test_nothing_but_pushing_and_pulling_asks_a_default_remote(first: Project) -> None:
    first.git("reset", "--quiet", "--hard")
    with servers.mute() as (address, taken):
        first.dvc("remote", "add", "--local", "--default", "mute", f"ssh://me@{address}/srv")
        first.dvc("checkout", "--quiet", "--force")
        shutil.rmtree(first.root / "checked")
        # A missing output comes out of the cache.
        assert UP_TO_DATE in first.dvc("repro")
        assert first.run("python", "src/mend.py").stdout == "nothing to mend\n"
        first.dvc("exp", "run", "--name", "mute", "-S", "split.seed=5", "check")
        assert not taken

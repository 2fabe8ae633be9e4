"""A server of S3 for the tests of remotes, and a project of DVC without a pipeline."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.project import Project
from tests.remotes import servers

CONFIG = "[core]\n    analytics = false\n"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server, with keys for it in the environment."""
    with servers.s3() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in servers.KEYS.items():
            patch.setenv(name, value)
        # No file of the user's says who to be.
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, str(tmp_path_factory.mktemp("none") / "none"))
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        yield address


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project with a config of DVC and nothing else."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".dvc/config").write_text(CONFIG, "utf-8")
    # What the user has set for all projects does not count.
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def kept(checkout: Path) -> Project:
    """The same project with an output of two files, committed, in DVC's cache."""
    project = Project(checkout)
    (checkout / "predictions/add").mkdir(parents=True)
    for name in ("one", "two"):
        (checkout / "predictions/add" / name).write_text(name, "utf-8")
    project.dvc("add", "--quiet", "predictions/add")
    project.commit("an output")
    return project

"""A git repository of its own, with what names an opening."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Run git in a new repository with one commit, which is the working directory."""
    for name in ("AUTHOR", "COMMITTER"):
        for key in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{name}_{key}", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    for key, value in (("user.name", "test"), ("user.email", "test@example.org")):
        run("config", key, value)
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "src/code.py", "README.md"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"{name}\n", "utf-8")
    run("add", "--all")
    run("commit", "--quiet", "--message", "results")
    return run

"""A repository of git as the working directory, for tests of studies."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

SAMPLES = Path("data/samples/dataset.json")
WITH_SAMPLES = {str(SAMPLES): "row\n0\n", ".gitignore": "/data/\n__pycache__/\n"}
"""Files of a checkout that has samples, which git does not track."""


def git(*arguments: str) -> str:
    """Run git; return what it printed."""
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commits() -> list[str]:
    """Return the messages of all commits, the first first."""
    return git("log", "--format=%s", "--reverse").splitlines()


def change_samples() -> None:
    """Have other samples in the working directory."""
    SAMPLES.write_text("row\n0\n1\n", "utf-8")


def make_checkout(root: Path, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a repository with some files, committed, the working directory."""
    monkeypatch.chdir(root)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    git("init", "--quiet")
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "begun")

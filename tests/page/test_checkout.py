"""Which commit the page says it was made from."""

import subprocess
from pathlib import Path

import pytest
from tests.project import environment

from fusebench.page.checkout import Commit, commit_of


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=environment(), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("a")
    _git(tmp_path, "add", "--all")
    _git(tmp_path, "commit", "--quiet", "--message", "a")
    return tmp_path


def test_names_the_commit(repository: Path) -> None:
    head = _git(repository, "rev-parse", "HEAD")
    assert commit_of(repository) == Commit(head, changed=False)
    assert commit_of(repository).words == head


def test_says_where_a_file_is_not_as_committed(repository: Path) -> None:
    (repository / "a.txt").write_text("b")
    assert commit_of(repository).words.endswith(", with changes that are not committed")


@pytest.mark.parametrize(
    ("name", "changed"),
    [("b.txt", False), ("notes/src/b.py", False), ("src/b.py", True), ("src/fusions/b.py", True)],
)
def test_a_file_that_git_does_not_track_is_a_change_in_the_code_alone(
    name: str, changed: bool, repository: Path
) -> None:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("b")
    assert commit_of(repository).changed is changed


def test_a_file_that_git_ignores_is_no_change(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.pyc\n")
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", "b")
    (repository / "src").mkdir()
    (repository / "src/b.pyc").write_text("b")
    assert not commit_of(repository).changed


@pytest.mark.parametrize("name", ["dvc.lock", "metrics/a.csv", "plots/a.png"])
def test_what_a_run_writes_is_no_change(repository: Path, name: str) -> None:
    path = repository / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a")
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", "b")
    path.write_text("b")
    assert not commit_of(repository).changed


def test_a_folder_in_another_repository_has_no_commit(repository: Path) -> None:
    (repository / "inner").mkdir()
    assert commit_of(repository / "inner") == Commit()


def test_says_where_there_is_no_repository_and_no_commit(tmp_path: Path) -> None:
    words = "not in a git repository with a commit"
    assert commit_of(tmp_path).words == words
    _git(tmp_path, "init", "--quiet")
    assert commit_of(tmp_path).words == words


def test_says_where_there_is_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(repository) == Commit()

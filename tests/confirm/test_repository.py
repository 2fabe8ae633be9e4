"""What is asked of git before the holdout is opened, and the commit that records it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.confirm.conftest import Git

from fusebench.confirm.repository import check_committed, commit_file, is_shallow, versions
from fusebench.errors import HoldoutError

FILE = Path("metrics/holdout/opened.csv")


def refusal() -> str:
    with pytest.raises(HoldoutError) as caught:
        check_committed()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_head_is_named_where_all_is_committed(git: Git) -> None:
    Path("notes.txt").write_text("not tracked, and no code")
    assert check_committed() == git("rev-parse", "HEAD")


def test_a_folder_without_repository_or_commit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert refusal().startswith("git: this folder is in no git repository; 'git init' and commit")


def test_a_repository_without_a_commit_is_refused(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "--quiet", str(tmp_path / "new"))
    monkeypatch.chdir(tmp_path / "new")
    assert refusal().startswith("git: the repository has no commit; commit params.yaml")


@pytest.mark.usefixtures("git")
def test_a_machine_without_git_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert refusal().startswith("git: no such program")


def test_nobody_to_commit_as_is_refused(git: Git) -> None:
    git("config", "--unset", "user.email")
    git("config", "user.useConfigOnly", "true")
    assert "first 'git config user.name …' and 'git config user.email …'" in refusal()


def test_a_head_on_no_branch_is_refused(git: Git) -> None:
    git("checkout", "--quiet", "--detach")
    assert refusal().startswith("git: HEAD is on no branch")


def change(path: str) -> None:
    Path(path).write_text("another text\n")


@pytest.mark.parametrize("path", ["params.yaml", "dvc.lock", "src/code.py", "README.md"])
@pytest.mark.parametrize("staged", [False, True])
def test_a_tracked_file_that_differs_from_head_is_named(path: str, staged: bool, git: Git) -> None:
    change(path)
    if staged:
        git("add", path)
    assert refusal() == (
        f"{path}: not as in HEAD, so no commit says what is opened; commit it, or 'git restore "
        f"--staged --worktree {path}'"
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _: Path("README.md").unlink(), "README.md: not as in HEAD"),
        (lambda git: git("mv", "README.md", "other.md"), "README.md and 1 more: not as in HEAD"),
        (lambda _: [*map(change, ("dvc.lock", "params.yaml"))], "dvc.lock and 1 more: not as"),
        (lambda _: change("src/new.py"), "src/new.py: not as in HEAD"),
    ],
)
def test_what_no_commit_holds_is_named(
    spoil: Callable[[Git], object], words: str, git: Git
) -> None:
    spoil(git)
    assert refusal().startswith(words)


def test_a_lock_that_git_does_not_track_is_refused(git: Git) -> None:
    git("rm", "--quiet", "--cached", "dvc.lock")
    git("commit", "--quiet", "--message", "without")
    Path(".gitignore").write_text("dvc.lock\n")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message", "ignored")
    assert refusal().startswith("dvc.lock: git does not track it")


def test_a_commit_of_one_file_leaves_what_else_is_staged(git: Git) -> None:
    change("README.md")
    git("add", "README.md")
    commit = commit_file(FILE, "first\n", "Holdout opened")
    assert commit == git("rev-parse", "HEAD")
    assert git("show", "--name-only", "--format=%s", "HEAD").split("\n\n") == [
        "Holdout opened", str(FILE),
    ]  # fmt: skip
    assert git("diff", "--cached", "--name-only") == "README.md"
    commit_file(FILE, "first\nsecond\n", "Holdout opened")
    assert git("show", "--numstat", "--format=", "HEAD").split() == ["1", "0", str(FILE)]


@pytest.mark.parametrize("before", [None, "first\n"])
def test_a_hook_that_refuses_leaves_all_as_it_was(before: str | None, git: Git) -> None:
    if before:
        commit_file(FILE, before, "Holdout opened")
    head = git("rev-parse", "HEAD")
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(HoldoutError, match=r"'git commit' failed: not on a Friday; nothing was"):
        commit_file(FILE, "another\n", "Holdout opened")
    assert git("rev-parse", "HEAD") == head
    assert git("status", "--porcelain") == ""
    assert FILE.exists() is (before is not None)


def test_every_text_that_a_file_had_anywhere_is_found(git: Git) -> None:
    assert versions(FILE) == []
    commit_file(FILE, "first\n", "one")
    git("switch", "--quiet", "--create", "side")
    commit_file(FILE, "on a branch\n", "two")
    git("switch", "--quiet", "main")
    commit_file(FILE, "second\n", "three")
    git("rm", "--quiet", str(FILE))
    git("commit", "--quiet", "--message", "forget it")
    assert sorted(versions(FILE)) == ["first\n", "on a branch\n", "second\n"]
    FILE.parent.mkdir(parents=True)
    FILE.write_text("not committed\n")
    assert "not committed\n" in versions(FILE)


def reset(git: Git) -> None:
    git("reset", "--quiet", "--hard", "HEAD~1")


def forget_a_branch(git: Git) -> None:
    git("switch", "--quiet", "--create", "other", "HEAD~1")
    git("branch", "--quiet", "--delete", "--force", "main")


def amend(git: Git) -> None:
    git("rm", "--quiet", str(FILE))
    git("commit", "--quiet", "--amend", "--allow-empty", "--message", "amended")


@pytest.mark.parametrize("hide", [reset, forget_a_branch, amend])
def test_a_commit_that_no_branch_holds_any_more_is_found(
    hide: Callable[[Git], None], git: Git
) -> None:
    commit_file(FILE, "first\n", "one")
    hide(git)
    assert not FILE.exists()
    assert git("log", "--all", "--format=%H", "--", str(FILE)) == ""
    assert versions(FILE) == ["first\n"]


def test_a_commit_on_no_branch_of_another_worktree_is_found(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path.cwd()
    git("worktree", "add", "--quiet", "--detach", str(tmp_path / "beside"))
    monkeypatch.chdir(tmp_path / "beside")
    commit_file(FILE, "beside\n", "one")
    assert versions(FILE) == ["beside\n"]
    reset(git)
    assert versions(FILE) == ["beside\n"]
    monkeypatch.chdir(root)
    assert versions(FILE) == ["beside\n"]
    commit_file(FILE, "here\n", "two")
    reset(git)
    monkeypatch.chdir(tmp_path / "beside")
    assert sorted(versions(FILE)) == ["beside\n", "here\n"]


def test_a_file_that_is_no_utf_8_is_refused_in_one_line(git: Git) -> None:
    commit_file(FILE, "Würfel\n", "one")
    FILE.write_bytes("Würfel\n".encode("latin-1"))
    git("commit", "--quiet", "--all", "--message", "saved by another program")
    for read in (lambda: versions(FILE), lambda: commit_file(FILE, "more\n", "two")):
        with pytest.raises(HoldoutError) as caught:
            read()
        assert str(caught.value) == (
            f"{FILE}: byte 1 is no UTF-8, so its openings cannot be read; save it as UTF-8 and "
            f"commit it, or 'git log -- {FILE}' finds a version that is"
        )
    # Mended, the commit that holds it is no obstacle.
    FILE.write_text("Würfel, mended\n", "utf-8")
    assert sorted(versions(FILE)) == ["Würfel\n", "Würfel, mended\n", "W\ufffdrfel\n"]


def test_a_shallow_clone_is_known(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change("README.md")
    git("commit", "--quiet", "--all", "--message", "more")
    assert not is_shallow()
    git("clone", "--quiet", "--depth=1", f"file://{Path.cwd()}", str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    assert is_shallow()

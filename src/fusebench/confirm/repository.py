"""What is asked of git: that HEAD names what is opened, and a commit that holds one file."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from fusebench.errors import HoldoutError, one_line
from fusebench.files import write_text

# A commit names what was opened by these: params, and the digests of all that was made.
_NAMING = ("params.yaml", "dvc.yaml", "dvc.lock")
_CODE = "src"


def check_committed() -> str:
    """Return the full hash of HEAD, which holds all that git tracks as it is now.

    Raises
    ------
    HoldoutError
        There is no repository, no commit, no branch or nobody to commit as; or a file differs.
    """
    _git("rev-parse", "--is-inside-work-tree", otherwise="this folder is in no git repository; "
         "'git init' and commit, since the opening is recorded in a commit")  # fmt: skip
    head = _git("rev-parse", "--verify", "--quiet", "HEAD", otherwise="the repository has no "
                "commit; commit params.yaml, dvc.lock and the rest first").strip()  # fmt: skip
    _git("symbolic-ref", "--quiet", "HEAD", otherwise="HEAD is on no branch, and a record of the "
         "opening would be lost there; 'git switch -c NAME' makes one")  # fmt: skip
    for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        _git("var", who, otherwise="does not know you, and the opening is recorded in a commit; "
             "first 'git config user.name …' and 'git config user.email …'")  # fmt: skip
    _check_tracked()
    return head


def _check_tracked() -> None:
    tracked = _git("ls-files", "-z", "--", *_NAMING).split("\0")
    if unknown := [name for name in _NAMING if name not in tracked]:
        raise HoldoutError(
            f"{unknown[0]}: git does not track it, so no commit says what is opened; 'git add' "
            "and commit it"
        )
    changed = _status("--untracked-files=no", "--", ":/")
    if changed:
        raise _differs(changed, f"commit it, or 'git restore --staged --worktree {changed[0]}'")
    if new := _status("--untracked-files=all", "--", _CODE):
        raise _differs(new, "commit it, or remove it")


def _status(*arguments: str) -> list[str]:
    """Return the paths that differ from HEAD; of a renamed file also its old one."""
    entries = _git("status", "--porcelain=v1", "--no-renames", "-z", *arguments).split("\0")
    return [entry[3:] for entry in entries if entry]


def _differs(paths: Sequence[str], remedy: str) -> HoldoutError:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return HoldoutError(
        f"{one_line(paths[0], 200)}{more}: not as in HEAD, so no commit says what is opened; "
        f"{one_line(remedy, 250)}"
    )


def is_shallow() -> bool:
    """Tell whether this clone lacks the beginning of the history."""
    return _git("rev-parse", "--is-shallow-repository").strip() == "true"


def versions(path: Path) -> list[str]:
    """Return each text that a file has had in any branch, tag, stash or reflog, and has now.

    The reflogs, of this and of other worktrees, still name a commit that 'git reset' took out of
    its branch. Bytes of those versions that are no UTF-8 are replaced; commits cannot be mended.

    Raises
    ------
    HoldoutError
        The file in the workspace is no UTF-8.
    """
    commits = _git(
        "log", "--all", "--reflog", "--full-history", "--format=%H", "--", str(path)
    ).split()
    texts: dict[str, None] = {}
    for commit in commits:
        # It is not in a commit that removed it.
        if _git("ls-tree", "--name-only", commit, "--", str(path)).strip():
            texts[_git("show", f"{commit}:./{path.as_posix()}", errors="replace")] = None
    if path.is_file():
        texts[_text(path)] = None
    return list(texts)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise HoldoutError(
            f"{path}: byte {error.start} is no UTF-8, so its openings cannot be read; save it as "
            f"UTF-8 and commit it, or 'git log -- {path}' finds a version that is"
        ) from None


def commit_file(path: Path, text: str, message: str) -> str:
    """Write a file and commit it, and nothing else, whatever is staged; return the commit.

    Raises
    ------
    HoldoutError
        Git, or a hook of the repository, refused; the file is as it was before.
    """
    head = _git("rev-parse", "HEAD")
    before = _text(path) if path.is_file() else None
    try:
        write_text(path, text)
        # Only a file that git knows can be committed by its name.
        _git("add", "--", str(path))
        _git("commit", "--quiet", "--only", f"--message={message}", "--", str(path))
    except BaseException:
        # Ended just after the commit, the record stays.
        if _git("rev-parse", "HEAD") == head:
            _take_back(path, before)
        raise
    return _git("rev-parse", "HEAD").strip()


def _take_back(path: Path, before: str | None) -> None:
    _git("reset", "--quiet", "--", str(path))
    if before is not None:
        write_text(path, before)
        return
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _git(*arguments: str, otherwise: str = "", errors: str = "surrogateescape") -> str:
    """Return what git printed.

    Parameters
    ----------
    otherwise : str
        What is said where git fails; by default, the command and git's own words.
    errors : str
        What becomes of bytes that are no UTF-8; by default they are kept, since paths may be such.
    """
    command = ["git", *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command, check=False, capture_output=True, encoding="utf-8", errors=errors
        )
    except FileNotFoundError:
        raise HoldoutError(
            "git: no such program; the opening of the holdout is recorded with it"
        ) from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = one_line(lines[-1]) if lines else f"exit code {done.returncode}"
        raise HoldoutError(
            f"git: {otherwise}"
            if otherwise
            else f"'git {arguments[0]}' failed: {reason}; nothing was opened"
        )
    return done.stdout

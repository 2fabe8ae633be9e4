"""What is asked of git: a checkout whose commit names what is run, and a commit of results."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fusebench.errors import one_line
from studies.common.errors import StudyError

_LOCK = Path(".dvc/tmp/rwlock")
_CODE = ("src", "studies")


@dataclass(frozen=True)
class Own:
    """What a study writes.

    Attributes
    ----------
    folder : Path
        Of results, all of it.
    documents : sequence of Path
        Parts of them.
    unmarked : callable
        Returns a document's text without those parts.
    """

    folder: Path
    documents: Sequence[Path]
    unmarked: Callable[[str], str]


def check_ready() -> None:
    """Refuse a checkout in which DVC could not run an experiment.

    Raises
    ------
    StudyError
        There is no repository, nobody to commit as, or a lock that a killed DVC left empty.
    """
    _git("rev-parse", "--verify", "--quiet", "HEAD",
         otherwise="this folder is in no git repository with a commit")  # fmt: skip
    for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        _git("var", who, otherwise="does not know you, and DVC keeps experiments as commits: first "
             "'git config user.name …' and 'git config user.email …'")  # fmt: skip
    if _LOCK.is_file() and not _LOCK.stat().st_size:
        raise StudyError(
            f"{_LOCK}: left empty by a DVC that was killed, and stops every other; if none works "
            f"in this folder, 'rm {_LOCK}', or 'make mend'"
        )


def check_committed(own: Own) -> None:
    """Refuse a checkout that differs from HEAD in anything but what a study writes.

    Raises
    ------
    StudyError
        Something else is staged or changed, so that no commit would say what was run.
    """
    for state, path in _foreign(own):
        how = {" ": "changed", "?": "new"}.get(state[0], "staged")
        # Without -u, git leaves what it does not track where it is.
        away = "git stash -u" if how == "new" else "git stash"
        raise StudyError(
            f"{one_line(str(path), 200)}: {how} and not committed, so that no commit says what is "
            f"run; commit it, '{away}', or --no-commit"
        )


def head(own: Own) -> str:
    """Return the hash of HEAD, "-dirty" after it where a file that is not `own` differs."""
    return _git("rev-parse", "HEAD").strip() + ("-dirty" if _foreign(own) else "")


def _foreign(own: Own) -> list[tuple[str, Path]]:
    return [(state, path) for state, path in _changed() if not _is_own(path, own)]


def _is_own(path: Path, own: Own) -> bool:
    if own.folder in path.parents:
        return True
    if path not in own.documents or not path.is_file():
        return False
    before = _git("show", f"HEAD:./{path.as_posix()}")
    return own.unmarked(before) == own.unmarked(path.read_text("utf-8"))


def _changed() -> list[tuple[str, Path]]:
    """Return the files that differ from HEAD, each after git's two letters for how.

    Those that git does not track only where they are code: a new corruption is found by its file.
    """
    ask = ("status", "--porcelain=v1", "--no-renames", "-z")
    listed = _git(*ask, "--untracked-files=no", "--", ".")
    listed += _git(*ask, "--untracked-files=all", "--", *_CODE)
    prefix = _git("rev-parse", "--show-prefix").strip()
    found = {
        Path(entry[3:].removeprefix(prefix)): entry[:2] for entry in listed.split("\0") if entry
    }
    return [(state, path) for path, state in found.items()]


def commit(paths: Sequence[Path], message: str) -> bool:
    """Commit some files and folders, and nothing else; return whether they differed from HEAD.

    Raises
    ------
    StudyError
        Git, or a hook of the repository, refused.
    """
    names = [str(path) for path in paths]
    if not _git("status", "--porcelain=v1", "--untracked-files=all", "--", *names):
        return False
    # Only a file that git knows can be committed by its name.
    _git("add", "--", *names)
    _git("commit", "--quiet", "--only", f"--message={message}", "--", *names)
    return True


def _git(*arguments: str, otherwise: str = "") -> str:
    """Return what git printed; where it fails, raise StudyError with `otherwise` or its words."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments], check=False, capture_output=True, encoding="utf-8",  # noqa: S607
            errors="surrogateescape",
        )  # fmt: skip
    except FileNotFoundError:
        raise StudyError("git: no such program; DVC keeps experiments as commits") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = one_line(lines[-1]) if lines else f"exit code {done.returncode}"
        raise StudyError(f"git: {otherwise or f'{arguments[0]} failed: {reason}'}")
    return done.stdout

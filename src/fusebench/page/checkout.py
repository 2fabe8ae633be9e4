"""Which commit the page was made from, as far as git tells."""

import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

_STATUS = ("status", "--porcelain")
# What a run writes differs from HEAD while it runs, and says nothing.
_CHANGED = (
    *_STATUS, "--untracked-files=no", "--", ".", ":!metrics", ":!plots", ":!dvc.lock",
)  # fmt: skip
# A new file is found by its name, as a fusion or a corruption.
_NEW = (*_STATUS, "--untracked-files=all", "--", "src")


class Commit(NamedTuple):
    """What git says of a checkout.

    Attributes
    ----------
    name : str
        Hash of HEAD, 40 hexadecimal digits; "": there is no commit, no repository or no git.
    changed : bool
        Whether a file that git tracks is not as in HEAD, what a run writes left out, or one that
        it does not track stands in src/.
    """

    name: str = ""
    changed: bool = False

    @property
    def words(self) -> str:
        """The commit in a few words."""
        if not self.name:
            return "not in a git repository with a commit"
        return f"{self.name}{', with changes that are not committed' if self.changed else ''}"


def commit_of(root: Path, seconds: float | None = None) -> Commit:
    """Return the commit of the checkout in a folder; without a name where there is none.

    Parameters
    ----------
    seconds : float, optional
        The longest that git may take for all its answers.

    Raises
    ------
    subprocess.TimeoutExpired
        It has taken longer.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    top, name = (
        _git(root, "rev-parse", "--show-toplevel", ends=ends),
        _git(root, "rev-parse", "--verify", "--quiet", "HEAD", ends=ends),
    )
    # A folder in another project's repository is none of its commits.
    if not name or not top or Path(top).resolve() != root.resolve():
        return Commit()
    return Commit(name, any(_git(root, *asked, ends=ends) for asked in (_CHANGED, _NEW)))


def _git(root: Path, *arguments: str, ends: float | None) -> str:
    """Return what git printed; "" where it failed or is not there."""
    seconds = None if ends is None else max(0.0, ends - time.monotonic())
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            check=False, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds,
            # A look takes no lock from who works here.
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

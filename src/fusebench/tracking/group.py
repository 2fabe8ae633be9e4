"""Which runs belong together: those of an experiment of DVC, or of a commit."""

import os
from pathlib import Path

from fusebench.page.checkout import commit_of

# Of git, for all that is asked: training waits for it.
_SECONDS = 20.0


def group_and_tags() -> tuple[str, dict[str, str]]:
    """Return the name of the group, and tags that say which code it was.

    Raises
    ------
    subprocess.TimeoutExpired
        Git has not said so in 20 seconds.
    """
    commit = commit_of(Path(), _SECONDS)
    group = os.environ.get("DVC_EXP_NAME") or commit.name[:7] or "no-commit"
    tags = {"commit": commit.name or commit.words}
    return group, tags | ({"changed": "not all was committed"} if commit.changed else {})

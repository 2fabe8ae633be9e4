"""Which runs belong together: those of an experiment of DVC, or of a commit."""

import os
import re
from pathlib import Path

from fusebench.page.checkout import commit_of

# Of git, for an answer: training waits for it.
_SECONDS = 20.0


def group_and_tags() -> tuple[str, dict[str, str]]:
    """Return the name of the group, and tags that say which code it was."""
    commit = commit_of(Path(), _SECONDS)
    group = os.environ.get("DVC_EXP_NAME") or commit.name[:7] or "no-commit"
    return group, {"commit": commit.words}


def as_folder(group: str) -> str:
    """Return the name of a folder for a group, whose name may hold a slash."""
    name = re.sub(r"[^\w.-]", "-", group)
    return f"_{name}" if name.startswith(".") else name

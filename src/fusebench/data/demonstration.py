"""How an archive says of itself that stage synthesize made it: the comment of the zip."""

import re

SHAPE = "shape"
"""The task of the first version, whose archives do not name it: their bytes never change."""

SYNTHETIC_COMMENT = b"fusebench: rendered demonstration archive"
_COMMENT = re.compile(re.escape(SYNTHETIC_COMMENT) + rb"(?:, task ([a-z][a-z_]*))?")


def comment_of(task: str) -> bytes:
    """Return the comment of a demonstration archive of a task."""
    return SYNTHETIC_COMMENT + (b"" if task == SHAPE else f", task {task}".encode())


def task_in(comment: bytes) -> str | None:
    """Return the task of the archive with this comment; None: it is no demonstration."""
    found = _COMMENT.fullmatch(comment)
    if found is None:
        return None
    return SHAPE if found[1] is None else found[1].decode()

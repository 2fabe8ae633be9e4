"""The pictures that are worth a look beside a change, as Markdown images."""

import re
from collections.abc import Iterator
from pathlib import Path

from fusebench.comment.results import View
from fusebench.comment.sections import Section
from fusebench.errors import ArtifactError, ParamsError

FOLDER = Path("plots")
PICTURES = {
    "best.png": "How far each fusion is below the best",
    "pairs.png": "Differences between fusions, with intervals",
    "metrics.png": "Each metric on test, mean and deviation over seeds",
    "training.png": "Val loss of each epoch",
}
"""By its file in plots/, what a picture shows; others are in plots/ and in the report."""
# What an address is made of, but for what Markdown reads as its own.
_PREFIX = re.compile(r"[A-Za-z0-9.~:/%@+-][A-Za-z0-9._~:/%@+-]*")


def checked_prefix(prefix: str) -> str:
    """Return what stands before a picture's name, without a slash at its end.

    Raises
    ------
    ParamsError
        It holds what an address does not, or what Markdown reads as its own.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ParamsError(
            f"--pictures = {prefix!r}: must be an address or a folder of letters, digits and "
            "._~:/%@+- alone"
        )
    return prefix.rstrip("/")


def picture_sections(view: View, prefix: str) -> Iterator[Section]:
    """Yield the first picture, and the others folded; of results that are or may be stale, none.

    Parameters
    ----------
    prefix : str
        What stands before a picture's name: the address of plots/ of this very commit on the host,
        or that folder as seen from the comment.
    """
    if view.findings is None:
        return
    if view.doubtful:
        are = "may be" if view.state.unknown else "are"
        yield Section("pictures", f"Pictures are not shown: they {are} stale, too.")
        return
    there = [f"![{PICTURES[name]}]({prefix}/{name})" for name in PICTURES if _has(view, name)]
    yield Section("a picture", "\n\n".join(there[:1]))
    yield Section("More pictures", "\n\n".join(there[1:]), folded=True)


def _has(view: View, name: str) -> bool:
    try:
        view.revision.read(FOLDER / name)
    except ArtifactError:
        return False
    return True

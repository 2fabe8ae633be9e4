"""What was found in the workspace, a commit or an experiment, and what is said where it is not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fusebench.errors import ArtifactError
from fusebench.report.findings import Findings
from fusebench.revisions.revisions import WORKSPACE


def read_findings(rev: str, read: Callable[[Path], bytes]) -> Findings:
    """Return what was found in the workspace, or in a revision.

    Parameters
    ----------
    read : callable
        Gives the content of a file of that revision by its path.

    Raises
    ------
    ArtifactError
        A file is missing, broken, or of another version of fusebench.
    """
    with named_after(rev):
        return Findings.read(read)


@contextmanager
def named_after(rev: str) -> Iterator[None]:
    """Let an ArtifactError name the revision that it speaks of, without advice."""
    try:
        yield
    except ArtifactError as error:
        if rev == WORKSPACE:
            raise
        # Its advice is for the workspace; what is committed stays as it is.
        reason = str(error).partition(";")[0]
        named = reason if f"'{rev}'" in reason else f"'{rev}': {reason}"
        raise ArtifactError(f"{named}: of another version of fusebench") from None


def remedy(rev: str) -> str:
    """Return what is to be done where results are of another state than what is beside them."""
    if rev == WORKSPACE:
        return "'dvc repro' brings table, pairs, verdict and pictures up to date."
    return (
        f"'{rev}' was committed so; 'dvc exp apply' or 'git checkout', then 'dvc repro' mends it."
    )

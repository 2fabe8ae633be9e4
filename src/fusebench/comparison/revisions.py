"""Files as they were in a commit or in an experiment, through DVC."""

from pathlib import Path

from fusebench.errors import ArtifactError


def read_text(path: Path, rev: str) -> str:
    """Return a tracked text file of a git revision or of an experiment; see `read_bytes`."""
    return read_bytes(path, rev).decode()


def read_bytes(path: Path, rev: str) -> bytes:
    """Return the content of a tracked file of a git revision or of an experiment, by its name.

    Raises
    ------
    ArtifactError
        There is no such revision, or it does not hold the file.
    """
    # DVC is slow to import, and only this function needs it.
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc.scm import RevError, SCMError

    try:
        return bytes(dvc.api.read(str(path), rev=rev, mode="rb"))
    except (RevError, SCMError):
        raise ArtifactError(
            f"'{rev}' is no git revision and no experiment; 'dvc exp list' names the experiments"
        ) from None
    except (DvcException, FileNotFoundError) as error:
        raise ArtifactError(f"{path}: not in '{rev}' ({error})") from None

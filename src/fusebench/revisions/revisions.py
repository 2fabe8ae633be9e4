"""Files and predictions as they were in a commit or in an experiment, through DVC."""

import errno
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fusebench import yaml12
from fusebench.config import PARAMS_FILE, load_keys
from fusebench.errors import ArtifactError
from fusebench.files import reader as reader_of
from fusebench.models.registry import FusionParams
from fusebench.prediction.predictions import FusionPredictions, read_predictions
from fusebench.remotes.attempts import few_attempts
from fusebench.remotes.reasons import reason
from fusebench.remotes.settings import FOLDER, Remote, Settings, bounded

# DVC, too, calls the folder as it is so.
WORKSPACE = "workspace"
PREDICTIONS = Path("predictions")
_NAME = "default-of-the-workspace"


def read_text(path: Path, rev: str, root: Path = Path()) -> str:
    """Return a tracked text file of a git revision or of an experiment; see `reader`."""
    return reader(rev, root)(path).decode()


def reader(rev: str, root: Path = Path()) -> Callable[[Path], bytes]:
    """Return what gives the content of a tracked file by its path.

    Parameters
    ----------
    rev : str
        The workspace, a git revision, or an experiment by its name.
    root : Path
        The root of the project.

    Raises
    ------
    ArtifactError
        There is no such revision; or, from the returned function, it does not hold the file.
    """
    if rev == WORKSPACE:
        return reader_of(root)
    commit = _commit(rev, root)

    def read(path: Path) -> bytes:
        try:
            with _opened(root, commit) as files:
                return bytes(files.read_bytes(path.as_posix()))
        except FileNotFoundError:
            raise ArtifactError(f"{path}: not in '{rev}'") from None

    return read


def _commit(rev: str, root: Path) -> str:
    """Return the commit of a revision or experiment; raise ArtifactError if there is none."""
    if not rev.strip():
        # DVC would take it for HEAD.
        raise ArtifactError("a revision is empty; must be a git revision or an experiment")
    # DVC is slow to import, and only what reads revisions needs it.
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import SCM, RevError, SCMError, resolve_rev
    from scmrepo.exceptions import SCMError as GitError

    try:
        # Not by DVCFileSystem: where it finds no such revision, it leaves files of git open.
        with closing(SCM(Repo.find_root(str(root)))) as git:
            return str(resolve_rev(git, rev))
    except NotDvcRepoError:
        raise ArtifactError(f"{root.resolve()}: no repository of git and DVC") from None
    except (RevError, SCMError, GitError):
        raise ArtifactError(
            f"'{rev}' is no git revision and no experiment; 'dvc exp list' names the experiments"
        ) from None


def _opened(root: Path, commit: str, remote: Remote | None = None) -> closing[Any]:
    """Open the files of a commit; what is left open holds files of git until it is collected.

    The commit's own remote, which may have been another or none, is not asked. What git keeps is
    read without any: DVC would want the package that the remote needs.
    """
    from dvc.api import DVCFileSystem

    # Under a name that is no other remote's: DVC mixes the options of those that share one.
    remotes: dict[str, Any] = {_NAME: {"url": str((root / FOLDER / "cache").resolve())}}
    if remote is not None:
        refers = remote.url.startswith("remote://")
        remotes = {**(remote.remotes if refers else {}), _NAME: remote.remotes[remote.name]}
    config = {"core": {"remote": _NAME}, "remote": bounded(remotes)}
    return closing(DVCFileSystem(str(root), rev=commit, config=config))


def read_fusions(
    rev: str, root: Path = Path(), names: Sequence[str] | None = None
) -> dict[str, FusionPredictions]:
    """Return the predictions of a revision, an experiment or the workspace.

    Parameters
    ----------
    names : sequence of str, optional
        Of fusions and baselines; by default all `fusions` of its params.

    Raises
    ------
    ArtifactError
        There is no such revision, it was committed without results, its predictions are not kept
        any more (the message says how to make them), or they are of another format.
    """
    if rev == WORKSPACE:
        names = names or load_keys(root / PARAMS_FILE, FusionParams).fusions
        return {name: read_predictions(root / PREDICTIONS / name) for name in names}
    names = names or _fusions(rev, root)
    with TemporaryDirectory() as folder:
        _copy([PREDICTIONS / name for name in names], rev, root, Path(folder))
        try:
            return {name: read_predictions(Path(folder) / PREDICTIONS / name) for name in names}
        except ArtifactError as error:
            # 'make mend', which it advises, would mend the workspace, not the revision.
            reason = str(error).partition(";")[0].replace(f"{folder}/", "")
            raise ArtifactError(f"'{rev}': {reason}") from None


def _fusions(rev: str, root: Path) -> list[str]:
    """Return `fusions` of a revision; some that are not known any more may be among them."""
    try:
        content = yaml12.load(read_text(PARAMS_FILE, rev, root))
    except ValueError:
        content = None
    params = content if isinstance(content, dict) else {}
    if "fusions" not in params and "strategies" in params:
        raise ArtifactError(
            f"'{rev}' was made by an earlier version of fusebench, whose predictions this one "
            f"cannot read; 'git checkout {rev} && dvc checkout', then its own 'python src/diff.py'"
        )
    names = params.get("fusions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ArtifactError(f"{PARAMS_FILE} of '{rev}': no list 'fusions'")
    return names


def _copy(folders: Sequence[Path], rev: str, root: Path, target: Path) -> None:
    """Copy folders out of DVC's cache, or the remote, to the same paths in `target`."""
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    missing = []
    commit = _commit(rev, root)
    with _opened(root, commit) as kept:
        for path in folders:
            # An output that was never made is known too, but as no folder.
            if not kept.isdir(path.as_posix()):
                raise ArtifactError(
                    f"{path}: not in dvc.lock of '{rev}', committed without 'dvc repro'"
                )
            try:
                kept.get(path.as_posix(), str(target / path), recursive=True)
            except (DataIndexDirError, DvcException, FileNotFoundError):
                missing.append(path)
                # DVC copies into a folder that is there, and not to its place.
                shutil.rmtree(target / path, ignore_errors=True)
        remote = Settings(root).remote() if missing else None
        if missing and remote is None:
            raise ArtifactError(_remedy(missing[0], rev, kept.repo))
    if remote is None:
        return
    with few_attempts(remote), _opened(root, commit, remote) as asked:
        for path in missing:
            try:
                asked.get(path.as_posix(), str(target / path), recursive=True)
            except Exception as error:
                said = _not_given(path, rev, remote, error)
                if said is None and not isinstance(
                    error, DataIndexDirError | DvcException | FileNotFoundError
                ):
                    raise
                raise ArtifactError(said or _remedy(path, rev, asked.repo)) from None


def _not_given(path: Path, rev: str, remote: Remote, error: Exception) -> str | None:
    """Say why a remote does not give an output; None if it has been asked and does not have it."""
    why = None if _of_disk(error, remote) else reason(error)
    if why is None:
        return None
    place = f"'{remote.name}' ({remote.shown})"
    return f"{path} of '{rev}': not in DVC's cache, and remote {place} does not give it: {why}"


def _of_disk(error: Exception, remote: Remote) -> bool:
    """Tell whether an error is of this machine's disk, where that is not the remote's."""
    if not isinstance(error, OSError):
        return False
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or not str(error.filename or remote.url).startswith(remote.url)


def _remedy(path: Path, rev: str, repo: Any) -> str:
    """Say in two lines that a revision's predictions are missing, and how to get them."""
    commit = repo.get_rev()[:7]
    name = rev if len(rev) <= len(commit) else commit
    return (
        f"{path} of '{name}': in no cache or remote; 'dvc push' where they are, or:\n"
        f"git worktree add ../v0 {commit} && cd ../v0 && "
        f"dvc cache dir --local {_shared_cache(repo.cache.local_cache_dir)} && dvc repro"
    )


def _shared_cache(cache: str) -> str:
    """Return the path of this folder's cache for a shell that has gone on to another folder."""
    root = Path.cwd().resolve()
    if Path(cache).resolve() != root / ".dvc/cache":
        return shlex.quote(cache)
    # The path from the root of the disk may be long. Quoted where it holds a space.
    plain = shlex.quote(str(root)) == str(root)
    return "$OLDPWD/.dvc/cache" if plain else '"$OLDPWD/.dvc/cache"'

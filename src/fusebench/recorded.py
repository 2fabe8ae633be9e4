"""Whether what a script reads is what the stages before made, by dvc.lock.

DVC looks at that before it starts a stage. A script that is run directly looks here: a changed cell
of data/split.csv is as good a split as any, and nothing in the file tells. No result can change by
it.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fusebench import yaml12
from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest
from fusebench.stages import LockedFile, LockedStage, ignored_names, read_lock

_PIPELINE, _LOCK, _PARAMS = Path("dvc.yaml"), Path("dvc.lock"), Path("params.yaml")
OBJECTS = Path(".dvc/cache/files/md5")
"""Where DVC keeps outputs, unless it was told of another place."""


def check(arguments: Sequence[str]) -> None:
    """Refuse to run a stage's script on what dvc.lock does not hold.

    What is missing, or not in dvc.lock, is not looked at; nor is anything without a dvc.lock.

    Parameters
    ----------
    arguments : sequence of str
        The script's path and its arguments, as sys.argv.

    Raises
    ------
    ArtifactError
        A file that the stage depends on is not the one that its stage made.
    """
    if _LOCK.is_file():
        check_files(list(_dependencies(*arguments)))


def check_files(paths: Sequence[Path]) -> None:
    """Refuse files and folders that are not what dvc.lock holds; raise ArtifactError as `check`.

    A path may be spelled in any way.
    """
    if not paths or not _LOCK.is_file():
        return
    ignored = ignored_names()
    for stage, out in made(_LOCK):
        if any(_overlap(Path(out.path), path) for path in paths):
            for file in changed(Path(out.path), out.md5, ignored):
                if any(_overlap(file, path) for path in paths):
                    raise ArtifactError(
                        f"{file}: is not what {_LOCK} says stage {stage} made; 'make mend' repairs "
                        f"it, 'dvc commit {stage}' takes it as it is"
                    )


def used_by(path: Path) -> str:
    """Return a stage that reads or made a path or a folder that it is in, by dvc.lock, or "".

    Raises
    ------
    ArtifactError
        dvc.lock is broken.
    """
    if not _LOCK.is_file():
        return ""
    for name, stage in _stages(_LOCK).items():
        if any(_overlap(Path(each.path), path) for each in (*stage.outs, *stage.deps)):
            return name
    return ""


def made(lock: Path) -> Iterator[tuple[str, LockedFile]]:
    """Yield each output that a dvc.lock names, after the name of its stage.

    Raises
    ------
    ArtifactError
        The file is broken.
    """
    for name, stage in _stages(lock).items():
        yield from ((name, out) for out in stage.outs if out.md5)


def _stages(lock: Path) -> dict[str, LockedStage]:
    try:
        return read_lock(lock.read_text("utf-8"))
    except ValueError:
        raise ArtifactError(f"{lock}: broken; 'git restore {lock}' mends it") from None


def _dependencies(script: str, *arguments: str) -> Iterator[Path]:
    """Yield the paths that a stage depends on, as dvc.yaml has them; none for other scripts."""
    try:
        stages = yaml12.load(_PIPELINE.read_text("utf-8"))["stages"].values()
        (stage,) = [of for of in stages if _called(of) == Path(script).resolve()]
        words, paths = stage["cmd"].split()[2:], stage["deps"]
        params = yaml12.load(_PARAMS.read_text("utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # What is wrong with them, or that it is none of the stages, is not to be said here.
        return
    # The argument that the stage is called with for an item of its matrix.
    items = dict(zip(words, arguments, strict=False))
    for path in paths:
        filled = re.sub(r"\$\{([^}]+)\}", lambda m: _value(m[0], m[1], items, params), str(path))
        if "${" not in filled:
            yield Path(filled)


def _called(stage: Any) -> Path | None:
    """Return the script that a stage calls, if its command is one of Python."""
    match str(stage["cmd"]).split():
        case ["python", script, *_]:
            return Path(script).resolve()
    return None


def _value(word: str, key: str, items: dict[str, str], params: Any) -> str:
    """Return what DVC fills in for a key; the word itself where that is not known."""
    if word in items:
        return items[word]
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params if isinstance(params, str) else word


def _overlap(one: Path, other: Path) -> bool:
    """Tell whether two paths are the same, or one is in the other, however they are spelled."""
    return any(
        a == b or a in b.parents or b in a.parents
        for a in _spellings(one)
        for b in _spellings(other)
    )


def _spellings(path: Path) -> set[Path]:
    """Return a path as it stands, and behind links; DVC may make a file a link into its cache."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links)
    return {whole, whole.parent.resolve() / whole.name, whole.resolve()}


def changed(path: Path, md5: str, ignored: Sequence[str], objects: Path = OBJECTS) -> list[Path]:
    """Return which files of an output are not as recorded; the output, where that is not known.

    Missing ones are left out: who reads them says so.

    Parameters
    ----------
    ignored : sequence of str
        Patterns of names that .dvcignore leaves out of folders.
    objects : Path
        The folder of DVC's cache whose files are named by their digests.
    """
    if not path.exists() or dvc_digest(path, ignored) == md5:
        return []
    names = listed(objects, md5)
    if not path.is_dir() or names is None:
        return [path]
    files = {path / name: digest for name, digest in names.items()}
    return [file for file, digest in files.items() if file.is_file() and dvc_digest(file) != digest]


def listed(objects: Path, md5: str) -> dict[str, str] | None:
    """Return the digests of a folder's files, by DVC's cache; None where it does not say."""
    path = objects / md5[:2] / md5[2:]
    try:
        if f"{dvc_digest(path)}.dir" != md5:
            return None
        return {str(file["relpath"]): str(file["md5"]) for file in json.loads(path.read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return None

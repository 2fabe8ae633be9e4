"""Where a stage stands in a run of DVC: what dvc.lock holds, hashed as DVC hashes it.

DVC tells a stage nothing but its own name, so this looks at what DVC decides by: dvc.yaml, dvc.lock
and the files. Nothing here can change a result.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from fusebench import yaml12
from fusebench.files import dvc_digest
from fusebench.guard import dvc_commands

_PIPELINE, _LOCK, _IGNORE = Path("dvc.yaml"), Path("dvc.lock"), Path(".dvcignore")
_OBJECTS = Path(".dvc/cache/files/md5")


class _Locked(BaseModel):
    # DVC writes more, and other versions other keys.
    model_config = ConfigDict(frozen=True, strict=True)


class LockedFile(_Locked):
    """A dependency or an output in dvc.lock; what DVC did not hash has no digest."""

    path: str
    md5: str = ""
    size: int = 0
    nfiles: int = 1


class LockedStage(_Locked):
    """What a stage last ran with, and what it made.

    Attributes
    ----------
    params : dict of str to dict
        Values by their keys, by the file that they stand in.
    """

    cmd: str | list[str] = ""
    deps: list[LockedFile] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[LockedFile] = []


_STAGES = TypeAdapter(dict[str, LockedStage])


def read_lock(text: str) -> dict[str, LockedStage]:
    """Return the stages that the text of a dvc.lock holds, by their names.

    Raises
    ------
    ValueError
        It is no YAML, or holds something else than stages.
    """
    content = yaml12.load(text)
    if not isinstance(content, dict):
        raise ValueError("dvc.lock: no mapping")  # noqa: TRY004
    return _STAGES.validate_python(content.get("stages"))


def ignored_names(root: Path = Path()) -> list[str]:
    """Return the patterns of names in .dvcignore; patterns of whole paths are not understood."""
    if not (root / _IGNORE).is_file():
        return []
    lines = (line.strip() for line in (root / _IGNORE).read_text("utf-8").splitlines())
    names = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    # What stands in the root alone, "/tracking", is in no folder that is hashed.
    return [name for name in names if not re.fullmatch(r"/[^/]+", name)]


def place(fusion: str) -> str:
    """Say which training of how many a stage of DVC is: "fusion 3 of 7, at most 4 to come".

    Those before are of fusions whose models are up to date by dvc.lock. The others need not all
    come: DVC may have been asked for some of them, or find them in its run cache. Where DVC would
    run what is up to date, or did not start this, there is less to say or nothing (empty text).
    """
    if "DVC_STAGE" not in os.environ:
        return ""
    try:
        fusions = yaml12.load(Path("params.yaml").read_text("utf-8"))["fusions"]
        position = fusions.index(fusion) + 1
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ""
    try:
        left = None if _forced() else _left(fusion, fusions)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        left = None
    if left is None:
        return f"fusion {position} of {len(fusions)} in params.yaml"
    more = f", at most {left} to come" if left else ""
    return f"fusion {len(fusions) - left} of {len(fusions)}{more}"


def _left(fusion: str, fusions: Sequence[str]) -> int:
    """Return how many of the other fusions would have to be trained."""
    template = yaml12.load(_PIPELINE.read_text("utf-8"))["stages"]["train"]
    lock = read_lock(_LOCK.read_text("utf-8"))
    # What a stage before has made was hashed by DVC, and may be large.
    made = {out.path: out.md5 for stage in lock.values() for out in stage.outs}
    ignored = ignored_names()

    @cache
    def present(path: str) -> str:
        if path in made:
            return made[path]
        return dvc_digest(Path(path), ignored)

    others = [name for name in fusions if name != fusion]
    return sum(not _trained(name, template, lock, present) for name in others)


def _trained(
    fusion: str,
    template: dict[str, Any],
    lock: Mapping[str, LockedStage],
    present: Callable[[str], str],
) -> bool:
    """Tell whether a fusion's stage is up to date: its command, dependencies and outputs."""
    stage = lock.get(f"train@{fusion}")
    if stage is None or stage.cmd != template["cmd"].replace("${item.fusion}", fusion):
        return False
    paths = {path.replace("${item.fusion}", fusion) for path in template["deps"]}
    recorded = {dep.path: dep.md5 for dep in stage.deps}
    if paths != recorded.keys():
        return False
    return all(present(path) == md5 for path, md5 in recorded.items()) and all(
        _there(out) for out in stage.outs
    )


def _there(out: LockedFile) -> bool:
    """Tell whether an output is as recorded; of a folder, which may be large, by its size."""
    path = Path(out.path)
    if not out.md5.endswith(".dir"):
        return path.is_file() and dvc_digest(path) == out.md5
    # DVC runs a stage again whose output is there, but not in its cache.
    kept = not _OBJECTS.is_dir() or (_OBJECTS / out.md5[:2] / out.md5[2:]).is_file()
    sizes = [file.stat().st_size for file in path.rglob("*")] if path.is_dir() else []
    return kept and len(sizes) == out.nfiles and sum(sizes) == out.size


def _forced() -> bool:
    """Tell whether DVC was told to run what is up to date, too; True where that is not known."""
    for words in dvc_commands():
        if {"repro", "run"} & set(words):
            options = [word for word in words if word.startswith("-")]
            return any(re.match(r"--force|-(?![SnCj])[a-zA-Z]*f", option) for option in options)
    return True

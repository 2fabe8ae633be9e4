"""Where a stage stands in a run of DVC: what dvc.lock holds, hashed as DVC hashes it.

DVC tells a stage nothing but its own name, so this looks at what DVC decides by: dvc.yaml, dvc.lock
and the files. Nothing here can change a result.
"""

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fusebench.files import dvc_digest
from fusebench.guard import ancestors, is_dvc

_PIPELINE, _LOCK, _IGNORE = Path("dvc.yaml"), Path("dvc.lock"), Path(".dvcignore")
_OBJECTS = Path(".dvc/cache/files/md5")


def read_lock(text: str) -> dict[str, Any]:
    """Return the stages that the text of a dvc.lock holds, by their names.

    Raises
    ------
    ValueError
        It is no YAML, or holds no stages.
    """
    content = _parse(text)
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise ValueError("dvc.lock: no mapping 'stages'")  # noqa: TRY004
    return stages


def _parse(text: str) -> Any:
    # libyaml reads this project's lock in 0.03 s, Python alone in 0.25 s.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise ValueError(f"no YAML: {error}") from None


def ignored_names(root: Path = Path()) -> list[str]:
    """Return the patterns of names in .dvcignore; patterns of whole paths are not understood."""
    if not (root / _IGNORE).is_file():
        return []
    lines = (line.strip() for line in (root / _IGNORE).read_text("utf-8").splitlines())
    return [line.rstrip("/") for line in lines if line and not line.startswith("#")]


def place(fusion: str) -> str:
    """Say which training of how many a stage of DVC is: "fusion 3 of 7, at most 4 to come".

    Those before are of fusions whose models are up to date by dvc.lock. The others need not all
    come: DVC may have been asked for some of them, or find them in its run cache. Where DVC would
    run what is up to date, or did not start this, there is less to say or nothing (empty text).
    """
    if "DVC_STAGE" not in os.environ:
        return ""
    try:
        fusions = _parse(Path("params.yaml").read_text("utf-8"))["fusions"]
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
    template = _parse(_PIPELINE.read_text("utf-8"))["stages"]["train"]
    lock = read_lock(_LOCK.read_text("utf-8"))
    # What a stage before has made was hashed by DVC, and may be large.
    made = {out["path"]: out["md5"] for entry in lock.values() for out in entry.get("outs", ())}
    ignored = ignored_names()

    @cache
    def present(path: str) -> str:
        if path in made:
            return str(made[path])
        return dvc_digest(Path(path), ignored)

    others = [name for name in fusions if name != fusion]
    return sum(not _trained(name, template, lock, present) for name in others)


def _trained(
    fusion: str, template: dict[str, Any], lock: dict[str, Any], present: Callable[[str], str]
) -> bool:
    """Tell whether a fusion's stage is up to date: its command, dependencies and outputs."""
    entry = lock.get(f"train@{fusion}")
    if entry is None or entry["cmd"] != template["cmd"].replace("${item.fusion}", fusion):
        return False
    paths = {path.replace("${item.fusion}", fusion) for path in template["deps"]}
    recorded = {dep["path"]: dep["md5"] for dep in entry["deps"]}
    if paths != recorded.keys():
        return False
    return all(present(path) == md5 for path, md5 in recorded.items()) and all(
        _there(out) for out in entry["outs"]
    )


def _there(out: dict[str, Any]) -> bool:
    """Tell whether an output is as recorded; of a folder, which may be large, by its size."""
    path, md5 = Path(out["path"]), str(out["md5"])
    if not md5.endswith(".dir"):
        return path.is_file() and dvc_digest(path) == md5
    # DVC runs a stage again whose output is there, but not in its cache.
    kept = not _OBJECTS.is_dir() or (_OBJECTS / md5[:2] / md5[2:]).is_file()
    sizes = [file.stat().st_size for file in path.rglob("*")] if path.is_dir() else []
    return kept and len(sizes) == out["nfiles"] and sum(sizes) == out["size"]


def _forced() -> bool:
    """Tell whether DVC was told to run what is up to date, too; True where that is not known."""
    for process in filter(is_dvc, ancestors()):
        if {"repro", "run"} & set(process.words):
            options = [word for word in process.words if word.startswith("-")]
            return any(re.match(r"--force|-(?![SnCj])[a-zA-Z]*f", option) for option in options)
    return True

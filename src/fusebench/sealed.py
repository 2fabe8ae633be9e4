"""JSON that tells whether it is as it was written, and digests of the files beside it.

A flipped bit may leave a file that is valid and says something else. So what describes a folder
holds a digest of itself, and one of each file that it speaks of.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fusebench.config import Section, validate
from fusebench.errors import REMEDY, ArtifactError, ParamsError, one_line
from fusebench.files import json_text, read_json, write_json

_KEY = "digest"

Loaded = TypeVar("Loaded", bound=Section)


def digest_of(content: bytes) -> str:
    """Return what names a content: 32 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Return what names a file by its content, as `digest_of`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step, with a digest of its content as the last key."""
    write_json(path, _sealed(content))


def _sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, _KEY: digest_of(json_text(content).encode())}


def read_sealed(path: Path, schema: int, other_version: str) -> dict[str, Any]:
    """Return what `write_sealed` was given, without its key `schema`.

    Parameters
    ----------
    schema : int
        Version of the format that is read here.
    other_version : str
        What is said of another; "{}" stands for the version that was found.

    Raises
    ------
    ArtifactError
        The file is missing, no JSON, of another version, or not as it was written.
    """
    content = read_json(path)
    digest, found = content.pop(_KEY, None), content.get("schema", 1)
    # Formats before this one had no digest.
    if digest is not None and path.read_bytes() != _sealed_text(content):
        raise ArtifactError(f"{path}: is not as it was written; {REMEDY}")
    if found != schema:
        raise ArtifactError(f"{path}: {other_version.format(one_line(str(found), 40))}")
    if digest is None:
        raise ArtifactError(f"{path}: key '{_KEY}' is missing; {REMEDY}")
    del content["schema"]
    return content


def _sealed_text(content: Mapping[str, Any]) -> bytes | None:
    """Return the file that `write_sealed` makes of a content; None: it makes none of it."""
    try:
        return json_text(_sealed(content)).encode()
    except ValueError:
        # NaN, infinity, or half of a surrogate pair.
        return None


def checked(section: type[Loaded], content: object, path: Path, remedy: str = REMEDY) -> Loaded:
    """Return what a stage wrote as a `section`; raise ArtifactError if a value is not allowed."""
    try:
        return validate(section, content, str(path))
    except ParamsError as error:
        raise ArtifactError(f"{error}; {remedy}") from None


def check_file(path: Path, digest: str, record: Path) -> None:
    """Raise ArtifactError if a file is missing, or not the one that `record` was written for."""
    try:
        found = file_digest(path)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    if found != digest:
        raise ArtifactError(f"{path}: is not the file that {record} was written for; {REMEDY}")


def check_names(folder: Path, pattern: str, promised: Collection[str], record: str) -> None:
    """Raise ArtifactError unless the files of a pattern are those that `record` names."""
    present = {path.name for path in folder.glob(pattern)}
    for name in promised:
        if name not in present:
            raise ArtifactError(f"{folder / name}: no such file; 'dvc repro' makes it")
    for name in sorted(present - set(promised)):
        raise ArtifactError(f"{folder / name}: {record} does not name it; {REMEDY}")

"""Writing that never leaves half a file in place: write aside, fsync, rename."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError

# Named in .gitignore and .dvcignore, so that what a killed run leaves is never taken for a result.
_ASIDE = ".{}.partial"
_OLD = ".{}.old.partial"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` on success only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(_ASIDE.format(path.name))
    with _named_errors(path):
        try:
            yield aside
            _sync(aside)
            os.replace(aside, path)
            _sync(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it takes the place of `path` on success only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file; a folder is to be written", str(path))
    aside, old = (path.with_name(form.format(path.name)) for form in (_ASIDE, _OLD))
    shutil.rmtree(aside, ignore_errors=True)
    with _named_errors(path):
        aside.mkdir()
        try:
            yield aside
            for file in aside.rglob("*"):
                _sync(file)
            _swap(aside, path, old)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _swap(aside: Path, path: Path, old: Path) -> None:
    """Put `aside` in the place of `path`; at every moment one of the two is there."""
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(aside, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    _sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Give an error of the disk the name of the file; write() itself does not know it."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with replace_file(path) as aside:
        aside.write_text(text, "utf-8", newline="\n")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step; NaN and infinity are refused, being no JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object that a stage wrote.

    Raises
    ------
    ArtifactError
        The file is missing or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; 'dvc repro' makes it") from None
    except ValueError as error:
        raise ArtifactError(f"{path}: not valid JSON: {error}; 'dvc repro -f' remakes it") from None
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: must be a JSON object, not {type(content).__name__}")
    return content

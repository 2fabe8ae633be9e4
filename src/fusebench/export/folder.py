"""The folder of an exported model: what is in it, and whether it may be written anew."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError, ParamsError
from fusebench.export.about import SCHEMA
from fusebench.files import write_text
from fusebench.sealed import file_digest, read_sealed, write_sealed

ABOUT, CARD, LICENCE = "export.json", "README.md", "LICENSE"


def finish(folder: Path, content: Mapping[str, Any], card: str, licence: Path) -> None:
    """Write card, licence and export.json beside the exported files that a folder holds."""
    write_text(folder / CARD, card)
    shutil.copyfile(licence, folder / LICENCE)
    write_sealed(folder / ABOUT, {**content, "files": digests(folder)})


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a folder, by its name."""
    return {path.name: file_digest(path) for path in sorted(folder.iterdir())}


def check_own(folder: Path) -> None:
    """Refuse to replace a folder that holds anything but an export as it was written.

    Raises
    ------
    ParamsError
        A file is in it that is of no export, or that was changed since.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    remedy = "move it away, or name another folder (OUT=…)"
    try:
        content = read_sealed(folder / ABOUT, SCHEMA, "of another version of fusebench")
        files = dict(content["files"])
    except (ArtifactError, KeyError, TypeError, ValueError):
        raise ParamsError(
            f"{folder}: holds files, and no {ABOUT} that make export wrote; {remedy}"
        ) from None
    for path in sorted(folder.iterdir()):
        if path.name != ABOUT and path.name not in files:
            raise ParamsError(f"{path}: make export did not write it; {remedy}")
        if path.name != ABOUT and (path.is_dir() or file_digest(path) != files[path.name]):
            raise ParamsError(f"{path}: changed since make export wrote it; {remedy}")

"""Folders that stand for those of the library, so that a test may put files of its own there."""

from importlib import import_module
from pathlib import Path, PurePosixPath

import pytest

from fusebench import registry
from fusebench.registry import Registry


def elsewhere(known: Registry, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a registry find its files in an empty folder below `root`; return that folder.

    All others find theirs where they are.
    """
    source, target = Path(registry.__file__).parent, root
    for part in PurePosixPath(known.folder).parts:
        target.mkdir(exist_ok=True)
        for path in source.iterdir():
            if path.name != part:
                (target / path.name).symlink_to(path)
        source, target = source / part, target / part
    target.mkdir()
    package = import_module(f"fusebench.{known.folder.replace('/', '.')}")
    monkeypatch.setattr(registry, "_LIBRARY", root)
    monkeypatch.setattr(package, "__path__", [str(target)])
    return target

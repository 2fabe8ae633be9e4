"""What `make remote` counts, and that it only looks."""

from pathlib import Path

import pytest
from tests.project import Project

from fusebench.remotes.remote import set_remote, show_remote

HOLDS = "it holds {} of 1 outputs that dvc.lock and .dvc files name"


@pytest.fixture
def shelf(kept: Project, tmp_path: Path) -> Path:
    """A folder to which the project's output was pushed."""
    shelf = tmp_path / "shelf"
    assert kept.root.is_dir()
    said = set_remote(str(shelf), "storage", seconds=60)
    assert any(line.startswith(HOLDS.format(0)) for line in said)
    kept.dvc("push", "--quiet")
    return shelf


def test_what_is_in_a_folder_is_left_as_it_is(shelf: Path) -> None:
    damaged, writable, *others = sorted(path for path in shelf.rglob("*") if path.is_file())
    assert others
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")
    writable.chmod(0o664)
    before = {path: path.stat() for path in shelf.rglob("*")}
    said = show_remote(None, 60)
    assert said[1:] == [HOLDS.format(1)]
    assert damaged.read_bytes() == b"damaged"
    assert {path: path.stat().st_mode for path in shelf.rglob("*")} == {
        path: stat.st_mode for path, stat in before.items()
    }


def test_what_a_folder_lacks_is_not_counted(shelf: Path) -> None:
    next(path for path in shelf.rglob("*") if path.is_file() and path.suffix != ".dir").unlink()
    assert show_remote(None, 60)[1].startswith(f"{HOLDS.format(0)}; 'dvc push' sends 1 ")

"""Roots of projects that the page is made from, and the page of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fusebench.page.sources import Sources


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's root after stage compare; no study was run. Read-only."""
    from tests.page.made_up import write_compared

    root = tmp_path_factory.mktemp("page") / "root"
    write_compared(root)
    return root


@pytest.fixture(scope="session")
def complete(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's root in which all was run. Read-only."""
    from tests.page.made_up import write_all

    root = shutil.copytree(compared, tmp_path_factory.mktemp("complete") / "root")
    write_all(root)
    return root


@pytest.fixture
def root(compared: Path, tmp_path: Path) -> Path:
    """A copy of `compared` that a test may spoil."""
    return shutil.copytree(compared, tmp_path / "root")


@pytest.fixture(scope="session")
def sources(compared: Path) -> Sources:
    """What `compared` holds."""
    from tests.page.made_up import NAMES

    from fusebench.page.sources import read_sources

    return read_sources(compared, NAMES)


@pytest.fixture(scope="session")
def all_sources(complete: Path) -> Sources:
    """What `complete` holds."""
    from tests.page.made_up import NAMES

    from fusebench.page.sources import read_sources

    return read_sources(complete, NAMES)


@pytest.fixture(scope="session")
def page_file(complete: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `complete`. Read-only."""
    from tests.page.made_up import NAMES

    from fusebench.page.page import write_page

    path = tmp_path_factory.mktemp("written") / "report.html"
    write_page(complete, NAMES, path)
    return path

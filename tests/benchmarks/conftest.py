"""A project as small as can be, in which benchmarks are run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from benchmarks.contestants.material import Material


@pytest.fixture(scope="session")
def tiny_root(
    samples_folder: Path,
    manifest_file: Path,
    params_text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A project's root: 30 train and 20 val samples, batches of 8. Read-only."""
    root = tmp_path_factory.mktemp("benchmarked")
    params = yaml.safe_load(params_text)
    params["train"]["batch_size"] = 8
    params["synthesize"]["counts"] = {"cubes": 20, "spheres": 10}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (root / "data").mkdir()
    shutil.copytree(samples_folder, root / "data/samples")
    shutil.copy(manifest_file, root / "data/split.csv")
    return root


@pytest.fixture(scope="session")
def in_tiny_root(tiny_root: Path) -> Iterator[Path]:
    """The same, as the working directory, for fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tiny_root)
        yield tiny_root


@pytest.fixture
def here(tiny_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project as the working directory."""
    monkeypatch.chdir(tiny_root)
    return tiny_root


@pytest.fixture
def material(here: Path) -> Material:
    """What contestants work on in the small project."""
    assert here == Path.cwd()
    from benchmarks.contestants.material import read_material

    return read_material()

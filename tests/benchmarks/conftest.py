"""A project as small as can be, in which benchmarks are run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from benchmarks.library import TrainingData


@pytest.fixture(scope="package")
def tiny_root(
    samples_folder: Path,
    manifest_file: Path,
    params_text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """A project's root, the working directory: 30 train and 20 val samples. Read-only."""
    root = tmp_path_factory.mktemp("benchmarked")
    params = yaml.safe_load(params_text)
    params["train"] |= {"batch_size": 8, "lr": 0.001, "pooling": "max", "weight_decay": 0.0}
    params["synthesize"]["counts"] = {"cubes": 20, "spheres": 10}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (root / "data").mkdir()
    shutil.copy(Path(__file__).parents[1] / "sensors.yaml", root / "data")
    shutil.copytree(samples_folder, root / "data/samples")
    shutil.copy(manifest_file, root / "data/split.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


@pytest.fixture
def data(tiny_root: Path) -> TrainingData:
    """What every implementation trains on in the small project."""
    assert tiny_root == Path.cwd()
    from benchmarks.library import TrainingData

    return TrainingData.read()

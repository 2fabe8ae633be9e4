"""Test samples of the small archive as files of their own, and models that know them."""

import shutil
from pathlib import Path

import pytest
import yaml
from tests.in_process import run
from tests.inference.made_up import write_files

from fusebench.device import Device
from fusebench.samples.manifest import Manifest


@pytest.fixture(scope="session")
def answered(
    trained: Path, cpu: Device, samples_folder: Path, manifest: Manifest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A project with models of `add`, its predictions, and test samples in new/. Read-only.

    new/test.csv lists them as the predictions do; what it names was taken out of the archive.
    """
    root = shutil.copytree(trained, tmp_path_factory.mktemp("answered") / "project")
    params = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    params["runtime"] |= {"device": "cpu", "threads": cpu.threads, "progress": "off"}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run("predict", "add") == 0
    write_files(samples_folder.parent / "small.zip", manifest.part(0, "test"), root / "new")
    return root


@pytest.fixture
def root(answered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil; the working directory."""
    shutil.copytree(answered, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"

"""A project with trained models of one fusion and their predictions, for exports."""

import shutil
from pathlib import Path

import pytest
import yaml
from tests.in_process import run
from tests.project import ROOT

from fusebench.device import Device


@pytest.fixture(scope="session")
def predicted(trained: Path, cpu: Device, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with models of `add`, seeds 0 and 1, and their predictions. Read-only."""
    root = shutil.copytree(trained, tmp_path_factory.mktemp("predicted") / "project")
    params = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    params["runtime"] |= {"device": "cpu", "threads": cpu.threads, "progress": "off"}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    for name in ("LICENSE", "CITATION.cff"):
        (root / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run("predict", "add") == 0
    return root


@pytest.fixture
def root(predicted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil; the working directory."""
    shutil.copytree(predicted, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"

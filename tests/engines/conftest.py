"""A project of fusion `add` and two seeds, as the stages before train leave it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import SEEDS, TRAIN
from tests.project import ROOT

from fusebench.config import validate
from fusebench.files import write_json
from fusebench.params import Params


@pytest.fixture
def make_root(
    samples_folder: Path,
    manifest_file: Path,
    params_text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Params]:
    """Make the project in a new folder, enter it, return its params; keywords change `runtime`."""

    def make_root(**runtime: Any) -> Params:
        root = tmp_path / "root"
        content = yaml.safe_load(params_text)
        content["fusions"], content["fusion"] = ["add"], "add"
        content["train"] |= {**TRAIN, "seeds": list(SEEDS)}
        content["runtime"] |= {
            "device": "cpu",
            "threads": 1,
            "workers": 1,
            "progress": "plain",
        } | runtime
        params = validate(Params, content, "params.yaml")
        for name, settings in params.checked_files().items():
            write_json(root / "checked" / name, settings)
        (root / "params.yaml").write_text(yaml.safe_dump(content), "utf-8")
        for name in ("src", "dvc.yaml", "requirements.txt"):
            (root / name).symlink_to(ROOT / name)
        shutil.copytree(samples_folder, root / "data/samples")
        shutil.copy(manifest_file, root / "data/split.csv")
        write_json(root / "data/inputs.json", {})
        monkeypatch.delenv("DVC_ROOT", raising=False)
        monkeypatch.chdir(root)
        return params

    return make_root

"""How the process of an implementation is set up."""

from pathlib import Path

import pytest

from benchmarks import worker
from benchmarks.implementations.spec import Spec
from fusebench.config import PARAMS_FILE, load_section
from fusebench.device import Device, RuntimeParams


def test_only_the_project_is_prepared_as_a_stage_is(
    cpu: Device, tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a stage does to the process is in `prepare`, and that is what is called."""
    assert tiny_root
    prepared: list[RuntimeParams] = []

    def prepare(params: RuntimeParams) -> Device:
        prepared.append(params)
        return cpu

    monkeypatch.setattr(worker, "prepare", prepare)
    _, device = worker.build(Spec("project", "fp32", "cpu", 1), tmp_path)
    stored = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    wanted = stored.model_copy(update={"device": "cpu", "threads": 1, "portable": False})
    assert (prepared, device) == ([wanted], cpu)
    for spec in (
        Spec("matmul", "fp32", "cpu", 1, size=8),
        Spec("convolution", "fp32", "cpu", 1, size=8),
        Spec("copy", "fp32", "cpu", 1, size=1),
        Spec("fabric", "fp32", "cpu", 1),
    ):
        worker.build(spec, tmp_path)
    assert prepared == [wanted]

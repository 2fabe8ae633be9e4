"""What stage cost writes: of the kept models, from their description, one line on the screen."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.sealing import rewrite

import cost as stage
from fusebench import cli
from fusebench.cost import measure
from fusebench.cost.measure import line, measure_cost
from fusebench.device import Device, environment
from fusebench.errors import ArtifactError
from fusebench.files import read_json, write_json
from fusebench.models.description import Description
from fusebench.report.stored import _Cost
from fusebench.sealed import checked

pytestmark = pytest.mark.usefixtures("quick")
TRAINING = Path("metrics/training/add.json")


def _measure(root: Path, cpu: Device, fusion: str = "add") -> dict[str, Any]:
    return measure_cost(fusion, root / "models/add", root / TRAINING, cpu)


def test_cost_is_whole_and_of_the_kept_model(trained: Path, cpu: Device, tmp_path: Path) -> None:
    cost = _measure(trained, cpu)
    checked(_Cost, cost, tmp_path)
    assert list(cost) == [
        "parameters", "mflops_per_sample", "latency_ms", "samples_per_second", "step_mb",
        "train_seconds", "environment",
    ]  # fmt: skip
    assert cost["parameters"] == 117_314
    assert cost["latency_ms"]["median"] <= cost["latency_ms"]["p95"]
    assert (cost["latency_ms"]["runs"], cost["samples_per_second"]["batch"]) == (3, 4)
    assert cost["environment"] == environment(cpu, "fp32")
    epochs = Description.read(trained / "models/add").settings["epochs"]
    of_epoch = read_json(trained / TRAINING)["seconds_per_epoch"]["median"]
    assert cost["train_seconds"] == pytest.approx(epochs * of_epoch, abs=1e-3)
    assert cost["step_mb"] * 1e6 > 16 * cost["parameters"]


def test_step_is_of_the_batch_size_that_the_model_was_trained_with(
    trained: Path, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        measure, "step_bytes", lambda _spec, settings, _device: settings.batch_size * 100_000
    )
    assert _measure(trained, cpu)["step_mb"] == 1.6


def test_times_are_told_by_median_and_percentile(
    trained: Path, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(_model: object, _spec: object, _device: object, size: int, _runs: object) -> Any:
        return [n / 1000 for n in range(1, 102)] if size == 1 else [0.5, 4.0, 0.25]

    monkeypatch.setattr(measure, "forward_seconds", seconds)
    cost = _measure(trained, cpu)
    assert cost["latency_ms"] == {"median": 51.0, "p95": 96.0, "runs": 101}
    assert cost["samples_per_second"] == {"median": 8.0, "batch": 4}


def test_models_of_another_fusion_are_refused(trained: Path, cpu: Device) -> None:
    with pytest.raises(ArtifactError, match=r"model\.json: models of fusion 'add', not of 'late'"):
        _measure(trained, cpu, "late")


def test_weights_that_are_not_there_are_named(project: Path, cpu: Device) -> None:
    (project / "models/add/seed_1.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"seed_1\.safetensors: no such file"):
        _measure(project, cpu)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content.pop("seconds_per_epoch"), "key 'seconds_per_epoch' is missing"),
        (lambda content: content["seconds_per_epoch"].update(median=0), "median = 0: must be"),
    ],
)
def test_measurements_of_training_that_are_wrong_are_named(
    spoil: Any, said: str, project: Path, cpu: Device
) -> None:
    content = read_json(project / TRAINING)
    spoil(content)
    write_json(project / TRAINING, content)
    with pytest.raises(ArtifactError) as caught:
        _measure(project, cpu)
    assert str(caught.value).startswith(f"{project / TRAINING}: ")
    assert said in str(caught.value)


def test_settings_that_are_not_all_there_are_named(project: Path, cpu: Device) -> None:
    path = project / "models/add/model.json"
    rewrite(path, lambda content: content["settings"].pop("batch_size"))
    with pytest.raises(ArtifactError, match=r"model\.json: settings.*batch_size.* is missing"):
        _measure(project, cpu)


def test_stage_writes_the_file_and_says_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    params["runtime"] |= {"device": "cpu", "threads": 1}
    (project / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    shutil.rmtree(project / "metrics/cost", ignore_errors=True)
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["cost.py", "add"])
    stage.main()
    written = read_json(project / "metrics/cost/add.json")
    assert capsys.readouterr().out == f"{line('add', written)}\n"


def test_line_holds_what_was_measured() -> None:
    cost = {
        "mflops_per_sample": 103.817216, "latency_ms": {"median": 1.4542},
        "samples_per_second": {"median": 1635.8}, "step_mb": 69.956,
    }  # fmt: skip
    assert line("add", cost) == (
        "add: 103.8 MFLOPs per sample, 1.45 ms latency, 1,636 samples per second, "
        "70 MB in a training step"
    )


def test_what_is_no_fusion_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["cost.py", "ad"])
    with pytest.raises(SystemExit) as ended:
        cli.run(stage.main)
    assert ended.value.code == 1
    assert "'ad' is no fusion (did you mean 'add'?)" in capsys.readouterr().err

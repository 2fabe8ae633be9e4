"""Stage compare on made-up results: what it writes and says."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pandas.testing import assert_frame_equal
from tests.conftest import RUNTIME
from tests.report import made_up
from tests.report.made_up import NAMES
from tests.sealing import rewrite

import compare as stage
from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest
from fusebench.prediction.predictions import BASELINES
from fusebench.report import robustness_files
from fusebench.report.best import BEST, read_best
from fusebench.report.chance import chance_remarks, with_chance
from fusebench.report.findings import Findings
from fusebench.report.interaction import INTERACTION, read_interaction
from fusebench.report.pairs import PAIRS, primary_pairs, read_pairs
from fusebench.report.probabilities import read_probabilities
from fusebench.report.results import SOURCES, read_comparison
from fusebench.report.settings import CompareParams
from fusebench.report.suite import SUMMARY, SuiteRow, write_suite
from fusebench.report.table import (
    SCREEN_WIDTH,
    TABLE,
    comparison_table,
    parse_comparison_table,
    screen_table,
)
from fusebench.report.verdict import on_screen
from fusebench.stale import stale

PARAMS: dict[str, Any] = {
    "fusion": "late",
    "fusions": list(NAMES),
    "compare": {
        "primary": "nll",
        "margin": {"balanced_accuracy": 2.0, "nll": None},
        "contrasts": ["late/hadamard"],
        "temperature": True,
    },
    "runtime": RUNTIME,
}


def _trained(root: Path, name: str, rate: float) -> None:
    path = root / "predictions" / name / "info.json"
    rewrite(path, lambda info: info.update(settings={"lr": rate}))


@pytest.mark.parametrize("temperature", [True, False])
def test_temperature_changes_nothing_but_what_stands_beside(
    temperature: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = PARAMS | {"compare": PARAMS["compare"] | {"temperature": temperature}}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    monkeypatch.setattr("fusebench.report.figures.write_plots", lambda *_: None)
    stage.main()
    table = read_probabilities(Path.read_bytes)
    assert table is not None
    assert bool(table["temperature"].notna().all()) is temperature
    findings = Findings.of(read_comparison(root, NAMES), CompareParams.model_validate(
        PARAMS["compare"]))  # fmt: skip
    assert_frame_equal(read_best(BEST), findings.best)
    assert_frame_equal(read_pairs(PAIRS), findings.pairs)
    declared = json.loads(SOURCES.read_text("utf-8"))["compare"]
    assert "temperature" not in declared


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_stage_writes_what_it_shows_and_tells_of_unlike_trainings(
    rate: float, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    _trained(root, "late", 0.001)
    _trained(root, "hadamard", rate)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    stage.main()
    shown = capsys.readouterr().out
    table, pairs = parse_comparison_table(TABLE.read_text("utf-8")), read_pairs(PAIRS)
    assert [(pair.metric, pair.role) for pair in primary_pairs(pairs)] == [("nll", "planned")]
    assert shown.startswith(screen_table(table, pairs))
    comparison = read_comparison(root, NAMES)
    findings = Findings.of(comparison, CompareParams.model_validate(PARAMS["compare"]))
    assert_frame_equal(pairs, findings.pairs)
    assert_frame_equal(read_best(BEST), findings.best)
    assert on_screen([findings.answer, *findings.remarks], SCREEN_WIDTH) in shown
    # The threshold is another fusion's partner, not tested.
    assert pairs.loc[pairs["role"] == "baseline", "second"].tolist() == ["threshold"] * 2
    assert_frame_equal(table, with_chance(comparison_table(comparison), comparison))
    (said,) = chance_remarks(table, pairs)
    assert said.startswith("hadamard: test NLL")
    assert said in " ".join(shown.split())
    declared = PARAMS["compare"] | {"margin": {"balanced_accuracy": 2.0}}
    del declared["temperature"]
    sources = comparison.sources(declared, *map(dvc_digest, (SUMMARY, robustness_files.SUMMARY)))
    assert json.loads(SOURCES.read_text("utf-8")) == sources
    assert sources["compare"]["primary"] == "nll"
    assert list(sources["predictions"]) == [*NAMES, *BASELINES]
    unlike = [line for line in shown.splitlines() if "trained with" in line]
    assert unlike == ["late was trained with lr 0.001, hadamard with 0.1"] * (rate == 0.1)
    assert Path("plots/metrics.png").exists()
    reason = "no fusion among these sees RGB alone"
    assert read_interaction(Path.read_bytes) == findings.interaction
    assert findings.interaction is not None
    assert findings.interaction.not_estimated == reason
    assert f"What your data are like was not estimated: {reason}." in " ".join(shown.split())


def test_what_the_data_are_like_is_written_with_the_advice_of_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of the usual 60 samples a fifth is of one class: too few to show anything.
    monkeypatch.setattr(made_up, "SIZES", {"val": 50, "test": 400})
    root = made_up.write_results(tmp_path)
    for name, sensor in (("rgb_only", "rgb"), ("lidar_only", "lidar")):
        made_up.write_fusion(root, name, 12.0, (0, 1), inputs=[sensor])
    names = [*NAMES, "rgb_only", "lidar_only"]
    made_up.write_robustness(root, names)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"fusions": names}), "utf-8")
    row = SuiteRow(
        "shape", "none", "concat", 10, 10, 0.6915, 1.0, 4.0, 99.0, 60, 500, 32, "shape", ""
    )  # fmt: skip
    write_suite(root / SUMMARY, [row])
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    stage.main()
    shown = " ".join(capsys.readouterr().out.split())
    content = json.loads(INTERACTION.read_text("utf-8"))
    assert content["looks_like"] == {"kind": "redundant", "tasks": ["shape"]}
    assert "Your data look like `shape` (redundant): of the class's 1 bit, " in shown
    assert "1 solved the task in all 10 seeds" in content["advice"]
    assert content["advice"] in shown
    assert json.loads(SOURCES.read_text("utf-8"))["fingerprint"] == content["results"]


@pytest.mark.parametrize("text", [None, "task\n"])
def test_without_the_suites_results_nothing_is_written(
    text: str | None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    (root / SUMMARY).unlink()
    if text:
        (root / SUMMARY).write_text(text, "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    with pytest.raises(ArtifactError, match=f"^{SUMMARY}: .*'git restore"):
        stage.main()
    assert not TABLE.exists()


def test_ended_between_its_files_it_leaves_none_that_says_where_they_come_from(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["compare.py"])
    stage.main()
    assert SOURCES.exists()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "plots/roc.png")

    monkeypatch.setattr("fusebench.report.figures.write_plots", full)
    with pytest.raises(OSError, match="No space left"):
        stage.main()
    assert not SOURCES.exists()
    (line,) = stale(read_tracked).lines()
    assert line.startswith("Cannot tell whether this belongs to the params beside it")


def read_tracked(path: Path) -> bytes:
    if not path.exists():
        raise ArtifactError(f"{path}: no such file")
    return path.read_bytes()

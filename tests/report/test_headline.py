"""The figures of the fusion under study."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from tests.report.made_up import NAMES

import headline as stage
from fusebench.evaluation.compared import headline_figures
from fusebench.evaluation.metrics import METRICS
from fusebench.files import read_json
from fusebench.report.headline import headline_text


def test_headline_on_the_screen_says_what_to_choose_by(results: Path) -> None:
    metrics = read_json(results / "metrics/fusions/late.json")
    text = headline_text("late", metrics, 100)
    assert max(map(len, text.splitlines())) <= 100
    assert text.isascii() or "\N{NO-BREAK SPACE}" not in text
    val, test = text.index("val (choose by these)"), text.index("test (never choose by these)")
    assert 0 < val < test
    for start, part in ((val, "val"), (test, "test")):
        for metric in METRICS.values():
            mean, deviation = metrics[part][metric.name].values()
            figure = f"{metric.label} {mean:.{metric.digits}f} ± {deviation:.{metric.digits}f}"
            assert figure in " ".join(text[start:].split())


def test_stage_measures_the_predictions_of_that_fusion_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = headline_figures(read_json(root / "metrics/fusions/hadamard.json"))
    for path in (*(root / "metrics").rglob("*.json"), root / "predictions/late/info.json"):
        path.unlink()
    params = {"fusion": "hadamard", "fusions": list(NAMES)}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["headline.py"])
    stage.main()
    assert json.loads((root / "metrics/headline.json").read_text("utf-8")) == expected
    assert capsys.readouterr().out.startswith(
        "hadamard: 3.337 M parameters, 0 of 2 seeds collapsed\n"
    )

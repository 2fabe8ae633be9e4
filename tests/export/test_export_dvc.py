"""An export of a whole project, through the real DVC: all is known, and then some is stale."""

from pathlib import Path

import pytest
from tests.project import Project

from fusebench.export.folder import digests
from fusebench.files import read_table
from fusebench.prediction.predictions import read_predictions
from fusebench.report.probabilities import PROBABILITIES, PROBABILITY_KINDS
from fusebench.sealed import read_sealed

pytestmark = pytest.mark.slow


def test_all_is_known_of_a_project_that_is_up_to_date_and_nothing_stale_is_shown(
    clean: Project,
) -> None:
    said = clean.run("python", "src/export.py", "add", "--format", "onnx").stdout
    assert "not calibrated" not in said
    assert "not in the card" not in said
    folder = clean.root / "exports/add-onnx"
    content = read_sealed(folder / "export.json", 1, "other")
    assert content["unknown"] == {}
    table = read_table(clean.root / PROBABILITIES, PROBABILITY_KINDS)
    fitted = table[table["fusion"] == "add"].set_index("seed")["temperature"]
    assert content["temperatures"] == {str(seed): fitted[seed] for seed in content["seeds"]}
    check = content["check"]
    kept = read_predictions(clean.root / "predictions/add").seeds[0]["test"]
    assert check["samples"] == len(kept.labels)
    # Trained in fp32, so kept predictions are those of the same arithmetic.
    assert check["from_kept_predictions"]["largest"] < 1e-5
    assert content["metrics"]["balanced_accuracy"] == pytest.approx(
        clean.json("metrics/fusions/add.json")["test"]["balanced_accuracy"], abs=1e-6
    )
    assert content["commit"] == clean.git("rev-parse", "HEAD").strip()
    card = (folder / "README.md").read_text("utf-8")
    assert "not shown:" not in card
    assert "not known:" not in card
    # Git does not see it.
    assert clean.git("status", "--porcelain") == ""

    before = digests(folder)
    clean.set_params({"train.lr": 0.01})
    said = clean.run("python", "src/export.py", "add", "--format", "onnx", "--output", "now").stdout
    reason = "trained with other train, override, lidar or model than those of params.yaml"
    for key in ("exported", "metrics", "best", "robustness"):
        assert f"not in the card: {key}: {reason}" in said
    stale = (clean.root / "now/README.md").read_text("utf-8")
    assert f"Metrics over seeds are not shown: {reason}." in stale
    assert "| accuracy |" not in stale
    # What the file does stays, and what was measured of it does not.
    assert "Each model's logits are divided by a temperature" in stale
    assert "Not calibrated" not in stale
    assert f"Figures with and without temperatures are not shown: {reason}." in stale
    assert "| test |" not in stale
    assert f"Commit of fusebench: {content['commit']}-dirty." in stale
    # The models are the same, and so is what was fitted to them.
    assert digests(clean.root / "now")["model.onnx"] == before["model.onnx"]
    assert digests(Path(folder)) == before

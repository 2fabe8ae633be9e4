"""Nothing stale on the screen: runs of one target, through the real DVC."""

import pytest
from tests.project import Project, stages_run

pytestmark = pytest.mark.slow

RETRAINED = "Stale: hadamard: predicted anew since the table was made."


def _show(project: Project, *arguments: str, ok: bool = True) -> str:
    done = project.run("python", "src/show.py", *arguments, ok=ok)
    return " ".join((done.stdout + done.stderr).split())


def _refused(project: Project, said: str) -> None:
    for view in (["verdict"], ["export", "workspace", "exported"]):
        assert _show(project, *view, ok=False).startswith(f"error: {said}")
    assert not (project.root / "exported").exists()


def test_an_experiment_of_one_target_trains_one_fusion_and_each_view_says_so(
    clean: Project,
) -> None:
    before = clean.json("metrics/fusions/hadamard.json")
    output = clean.dvc("exp", "run", "--name", "partial", "-S", "train.lr=3e-4",
                       "-S", "fusion=hadamard", "headline")  # fmt: skip
    assert stages_run(output) == ["check", "train@hadamard", "predict@hadamard", "headline"]
    # Measured by the headline itself: metrics/fusions belongs to the last full run.
    assert clean.json("metrics/fusions/hadamard.json") == before
    assert clean.json("metrics/headline.json")["val_nll"] != before["val"]["nll"]["mean"]
    others = (
        "Stale: add: trained with other train, override, lidar or model than those of params.yaml."
    )
    shown = _show(clean, "table")
    assert others in shown
    assert RETRAINED in shown
    assert "No recommendation" not in shown
    _refused(clean, "Stale: ")
    # DVC's own answer is the same.
    assert clean.changed_stages() >= {"train@add", "evaluate", "compare"}
    clean.restore()
    assert "Stale" not in _show(clean, "table")
    assert "git checkout" in _show(clean, "verdict", "partial", ok=False)
    clean.dvc("exp", "apply", "partial")
    for shown in (_show(clean, "table"), _show(clean, "table", "partial")):
        assert others in shown
        assert RETRAINED in shown


@pytest.mark.thorough
def test_what_a_stale_view_advises_mends_it(clean: Project) -> None:
    clean.dvc("exp", "run", "-S", "override.hadamard.lr=0.02", "-S", "fusion=hadamard", "headline")
    assert RETRAINED in _show(clean, "table")
    assert "No recommendation" not in _show(clean, "table")
    _refused(clean, RETRAINED)
    assert clean.changed_stages() >= {"evaluate", "compare"}
    clean.dvc("repro", "compare")
    assert "Stale" not in _show(clean, "table")
    assert _show(clean, "verdict")


def test_params_that_were_edited_and_not_run_make_rows_stale(clean: Project) -> None:
    clean.set_params({"split.seed": 3})
    said = _show(clean, "table")
    rows = "add, hadamard, majority_class, threshold, metrics/headline.json"
    assert f"Stale: {rows}: made with other split.seed than those of params.yaml." in said

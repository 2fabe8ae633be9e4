"""Trackers in runs of the real DVC, in the workspace and out of it."""

import pytest
from tests.project import Project, stages_run
from tests.tracking.readers import read_dvclive


def test_an_experiment_out_of_the_way_is_told_where_the_project_is(
    clean: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests run beside this one.
    monkeypatch.setenv("FUSEBENCH_TRACKER_SECONDS", "300")
    told = ("-S", "runtime.tracker=dvclive", "-S", "train.lr=0.002")
    output = clean.dvc("exp", "run", "--temp", "--name", "told", *told, "train@add")
    assert stages_run(output) == ["check", "train@add"]
    assert "tracker dvclive: tracking/dvclive" in output
    assert "warning" not in output
    # Its group is named by the experiment; the folder is the project's, which git and DVC ignore.
    (group,) = (clean.root / "tracking/dvclive").iterdir()
    assert group.name == "told"
    runs = read_dvclive(clean.root)
    assert sorted(runs) == ["add seed 0", "add seed 1"]
    assert [step for step, _ in runs["add seed 0"].epochs["loss"]] == [1, 2]
    assert runs["add seed 0"].params["lr"] == "0.002"
    assert clean.git("status", "--porcelain") == ""


def test_another_tracker_trains_nothing_again(clean: Project) -> None:
    clean.set_params({"runtime.tracker": "tensorboard"})
    # As `wandb offline` leaves it.
    for name in ("wandb", ".wandb"):
        (clean.root / name).mkdir()
        (clean.root / name / "settings").touch()
    output = clean.dvc("repro")
    assert stages_run(output) == ["check"]
    # So nobody was told of these, which is said; now the tracker is.
    assert "tracker tensorboard: is told of what is trained from now on; 'python " in output
    output = clean.run("python", "src/track.py").stdout
    assert output.count("told: ") == 5
    assert "Not told: " not in output
    (page,) = (clean.root / "tracking/tensorboard").rglob("report.html")
    assert page.read_bytes() == (clean.root / "plots/report.html").read_bytes()
    assert clean.git("status", "--porcelain", "--", ":!params.yaml", ":!dvc.lock") == ""

"""The study of tuning through the real DVC: two trials of each fusion, then the experiment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.project import Project, environment

from fusebench.report.declared import deciding_in, read_origin
from fusebench.report.export import export, exported
from fusebench.report.tuning import SUMMARY, read_tuning, write_tuning
from fusebench.revisions.revisions import WORKSPACE, reader
from studies.common.experiments import Experiment, Read
from studies.tuning.page import PAGE
from studies.tuning.run import NAME, Tuning
from studies.tuning.tables import VERDICT, Results
from studies.tuning.trials import FOLDER, read_kept

SEEDS = (0, 1)


@pytest.fixture
def small_project(clean: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The small project with a verdict, as the working directory; its commits go with the test."""
    head = clean.git("rev-parse", "HEAD").strip()
    monkeypatch.chdir(clean.root)
    for name in ("NAME", "EMAIL"):
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_{name}", environment()[f"GIT_{who}_{name}"])
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    export(reader(WORKSPACE), VERDICT)
    write_tuning(SUMMARY, [])
    clean.commit("a verdict")
    yield clean
    clean.git("reset", "--quiet", "--hard", head)


def test_chosen_values_are_trained_compared_kept_and_committed(small_project: Project) -> None:
    before = small_project.json("metrics/fusions/add.json")
    lines: list[str] = []
    Tuning(trials=2, seeds=SEEDS, say=lines.append).run()
    kept = read_kept()
    assert {trial.fusion: trial.best_epoch > 0 for trial in kept.trials} == {
        "add": True, "hadamard": True,
    }  # fmt: skip
    assert kept.is_whole
    # The first trial is what the pipeline trained: the same val loss, to the table's digits.
    for fusion in kept.fusions:
        curve = Path(f"plots/training/{fusion}.csv").read_text("utf-8").splitlines()
        losses = [float(line.split(",")[3]) for line in curve[1:] if line.startswith("0,")]
        assert kept.of(fusion)[0].val_nll == min(losses)
    # The experiment has the chosen values, and its comparison is what is kept.
    assert kept.overrides, "the default was chosen for both: nothing was set"
    params = yaml.safe_load(reader(NAME)(Path("params.yaml")))
    assert params["train"]["seeds"] == list(SEEDS)
    for fusion in kept.fusions:
        chosen, default = kept.chosen(fusion).choice._asdict(), kept.of(fusion)[0].choice._asdict()
        override = params["override"][fusion]
        assert {**default, **{key: of for key, of in override.items() if of is not None}} == chosen
    assert (FOLDER / "pairs.csv").read_bytes() == reader(NAME)(Path("metrics/pairs.csv"))
    means = exported(FOLDER).table.set_index("Model")["Test Balanced Accuracy"]
    for row in read_tuning():
        assert row.tuned_balanced_accuracy == pytest.approx(means[row.fusion])
    assert "2 seed(s) are too few" in PAGE.path.read_text("utf-8")
    # The verdict tells with what it was made, and that is what the trials were made with.
    assert Results.read(kept).others == []
    assert read_origin(FOLDER).declared == deciding_in(Path())
    # The workspace is as it was, but for what the study writes.
    assert small_project.json("metrics/fusions/add.json") == before
    assert small_project.git("status", "--porcelain") == ""
    assert small_project.git("log", "-1", "--format=%s").strip() == (
        "Tuning: all seeds with the chosen values"
    )
    # All of it is kept: nothing is run again.
    Tuning(trials=2, seeds=SEEDS, say=lines.append, runner=_never).run()
    assert lines[-2].startswith("0 trials to run, 4 kept: about 0 minutes")


def _never(experiment: Experiment, of: str) -> Read:
    raise AssertionError(experiment.name, of)

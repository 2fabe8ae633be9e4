"""Studies that use DVC's queue through the real DVC: run, read, kept, committed; interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.project import Project, environment, hearing_ctrl_c

from fusebench.files import write_text
from fusebench.report.declared import read_origin
from fusebench.report.learning import read_learning
from fusebench.report.robust import read_by_corruption, read_robust
from fusebench.revisions.revisions import reader
from studies.common.experiments import Experiment, Read, run_queued
from studies.common.kept import read_kept
from studies.learning_curve import run as learning
from studies.learning_curve.tables import FOLDER as LEARNING
from studies.robust import run as robust
from studies.robust.tables import FOLDER as ROBUST

# A process of its own, which can be interrupted.
_STUDY = """
import sys
sys.path[:0] = ["src", "."]
from fusebench.revisions.revisions import reader
from studies.common.experiments import Experiment, run_queued
from fusebench import cli
overrides = ("train.epochs=2000",)
cli.run(lambda: run_queued([Experiment(name, overrides, ("train@add",)) for name in ("a", "b")]))
"""


@pytest.fixture
def small_project(clean: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The small project as the working directory; what is committed there goes with the test."""
    head = clean.git("rev-parse", "HEAD").strip()
    monkeypatch.chdir(clean.root)
    for name in ("NAME", "EMAIL"):
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_{name}", environment()[f"GIT_{who}_{name}"])
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    yield clean
    clean.git("reset", "--quiet", "--hard", head)


def _never(asked: list[Experiment]) -> dict[str, Read]:
    raise AssertionError(asked)


def test_sizes_are_experiments_of_the_queue_that_are_read_kept_and_committed(
    small_project: Project,
) -> None:
    before = small_project.json("metrics/fusions/add.json")
    units = learning.planned()[1:3]
    assert [unit.name for unit in units] == ["0.1", "0.2"]
    learning.study().run(units)
    rows = read_learning()
    assert [(row.fusion, row.share) for row in rows] == [
        ("add", 0.1), ("add", 0.2), ("hadamard", 0.1), ("hadamard", 0.2),
    ]  # fmt: skip
    kept = [read_kept(LEARNING / f"{unit.name}.json") for unit in units]
    assert kept[0]["samples"]["train"] * 2 == kept[1]["samples"]["train"] == rows[1].train_samples
    assert kept[0]["samples"]["test"] == kept[1]["samples"]["test"]
    origin = read_origin(LEARNING)
    assert origin.planned == tuple(unit.name for unit in learning.planned())
    assert (origin.done, origin.declared) == (("0.1", "0.2"), units[0].params)
    # The workspace is as it was, but for what the study writes.
    assert small_project.json("metrics/fusions/add.json") == before
    assert small_project.git("status", "--porcelain") == ""
    assert small_project.git("log", "-1", "--format=%s").strip() == "Learning curve: 0.1, 0.2"
    # What is kept is not run again.
    learning.study(runner=_never).run(units)  # type: ignore[arg-type]


def test_a_recipe_is_compared_with_the_plain_models_of_head(small_project: Project) -> None:
    units = robust.planned()[:1]
    robust.study().run(units)
    rows = read_robust()
    assert [(row.fusion, row.recipe) for row in rows] == [
        ("add", "dropout"),
        ("hadamard", "dropout"),
    ]
    assert {row.corruption for row in read_by_corruption()} == {"range_noise", "rgb_off"}
    kept = read_kept(ROBUST / "dropout.json")
    assert list(kept["plain"]) == list(kept["trained"]) == ["add", "hadamard"]
    assert read_origin(ROBUST).left == ["dropout-noise", "camera"]
    # What was trained on corrupted samples answers otherwise.
    figures = Path("metrics/stress/add.csv")
    assert reader("robust-dropout")(figures) != figures.read_bytes()
    assert small_project.git("status", "--porcelain") == ""


def test_an_experiment_of_the_queue_that_fails_is_not_read_and_the_next_one_is_run(
    small_project: Project,
) -> None:
    stage = small_project.root / "src/check.py"
    text = stage.read_text("utf-8")
    write_text(stage, text.replace("def main() -> None:", "def main() -> None:\n    _ended()\n", 1)
               + "\n\ndef _ended() -> None:\n    from fusebench import config\n\n"
               "    if 'batch_size: 7' in config.PARAMS_FILE.read_text():\n"
               "        raise SystemExit(3)\n")  # fmt: skip
    text = stage.read_text("utf-8")
    # The function stands above what calls main.
    begin, _, rest = text.partition("\n\nif __name__")
    run, _, added = rest.partition("\n\ndef _ended")
    write_text(stage, f"{begin}\n\ndef _ended{added}\n\nif __name__{run}")
    small_project.commit("a check that fails")
    experiments = [
        Experiment("fails", ("train.batch_size=7",), ("check",)),
        Experiment("runs", ("train.batch_size=8",), ("check",)),
    ]
    readers = run_queued(experiments)
    assert list(readers) == ["runs"]


def test_an_interrupt_ends_what_the_queue_runs(small_project: Project) -> None:
    with hearing_ctrl_c():
        process = subprocess.Popen(
            [sys.executable, "-c", _STUDY], env=environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "python src/train.py add" in line:
                break
        time.sleep(3)
        os.killpg(process.pid, signal.SIGINT)
        told = process.stdout.read()
    assert process.returncode != 0
    assert "Traceback" not in told
    status = small_project.dvc("queue", "status")
    assert "Running" not in status
    assert "Queued" not in status
    # It can go on at once.
    assert list(run_queued([Experiment("c", (), ("check",))])) == ["c"]

"""The study of interactions through the real DVC, and what becomes of a DVC that fails."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.project import PARAMS, Project, environment

from fusebench import yaml12
from fusebench.files import read_json
from studies.common.errors import StudyError
from studies.common.experiments import Read
from studies.interactions import experiment
from studies.interactions.outcomes import FOLDER, read_kept
from studies.interactions.plan import Cell
from studies.interactions.run import Study


@dataclass(frozen=True, kw_only=True)
class TinyCell(Cell):
    """A cell of the small project, on its own samples."""

    @property
    def overrides(self) -> tuple[str, ...]:
        """Only what every version of the small params has."""
        known = yaml12.load(PARAMS)
        return tuple(
            override
            for override in super().overrides
            if override.partition(".")[0] in ("split", "train", "lidar")
            or override.partition("=")[0] in known
        )


CELL = TinyCell(
    task="shape", seeds=2, epochs=1, train=0.4, val=0.2, test=0.3, fusions=("hadamard", "add")
)


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


def test_a_cell_is_an_experiment_that_is_read_kept_and_committed(small_project: Project) -> None:
    before = small_project.json("metrics/fusions/add.json")
    head = small_project.git("rev-parse", "HEAD").strip()
    Study((CELL,), check=lambda: None).run()
    kept = read_kept(CELL)
    assert kept is not None
    assert [(row.fusion, row.seed) for row in kept.outcomes] == [
        ("hadamard", 0), ("hadamard", 1), ("add", 0), ("add", 1),
    ]  # fmt: skip
    assert kept.about["commit"] == head
    # 150 samples of at most 90 ids: 40, 20 and 30 % of the pairs.
    assert kept.about["samples"]["train"] > kept.about["samples"]["val"] > 0
    # The study asks for auto, whatever the project's params say.
    assert kept.about["precision"] in ("fp32", "bf16")
    assert (FOLDER / "interactions.png").is_file()
    # The workspace is as it was, but for what the study writes.
    assert small_project.json("metrics/fusions/add.json") == before
    assert small_project.git("status", "--porcelain") == ""
    assert small_project.git("log", "-1", "--format=%s").strip() == "Interactions: shape"
    # What is kept is what the experiment's revision says.
    told = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "list", "--all-commits", "--name-only"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "interactions-shape" in told.split()
    # On another commit now, of which there is no experiment: nothing is run.
    Study((CELL,), runner=_never, check=lambda: None).run()
    assert read_json(FOLDER / "shape.json") == kept.about


def _never(cell: Cell) -> Read:
    raise AssertionError(cell.name)


def test_a_dvc_that_fails_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # No project of DVC.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError) as caught:
        experiment.run_experiment(CELL)
    assert str(caught.value).startswith("shape: 'dvc exp run' failed, as it says above; seeds that")
    assert "ERROR" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["", "SIGTERM"])
def test_dvc_ends_before_the_study_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Started:
        """A DVC that is interrupted while it is waited for, and then ends."""

        def __init__(self, *_: object, **__: object) -> None:
            self.interrupts = [KeyboardInterrupt(name) if name else KeyboardInterrupt()]

        def __enter__(self) -> "Started":
            return self

        def __exit__(self, *_: object) -> None:
            told.append("gone")

        def wait(self) -> int:
            if self.interrupts:
                raise self.interrupts.pop()
            told.append("waited")
            return 1

        def terminate(self) -> None:
            told.append("terminated")

    monkeypatch.setattr(subprocess, "Popen", Started)
    with pytest.raises(KeyboardInterrupt):
        experiment.run_experiment(CELL)
    # Ctrl-C reaches DVC itself; a polite kill is passed on.
    assert told == [*(["terminated"] if name else []), "waited", "gone"]

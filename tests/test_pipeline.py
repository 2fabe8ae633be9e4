"""The pipeline through the real DVC, as a user runs it, on a small rendered archive."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tests.project import SMALL, Project, make_project, stages_run

from fusebench.models import registry

FUSIONS = ("late", "concat", "add", "hadamard")
TIMED = "metrics/training/"
TRAIN_STAGES = [f"train@{name}" for name in FUSIONS]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after its first `dvc repro`, committed, and what that printed."""
    project = make_project(tmp_path_factory.mktemp("project"), SMALL)
    output = project.dvc("repro")
    project.commit("results")
    return project, output


@pytest.fixture
def clean(reproduced: tuple[Project, str]) -> Project:
    """The same project as it was after the first run."""
    project, _ = reproduced
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout", "--quiet")
    return project


def test_runs_every_stage_once_params_first(reproduced: tuple[Project, str]) -> None:
    stages = stages_run(reproduced[1])
    expected = {"check", "data/dvc.yaml:synthesize", "extract", "split", "compare"}
    expected |= {f"{stage}@{name}" for stage in ("train", "evaluate") for name in FUSIONS}
    assert set(stages) >= expected
    assert len(stages) == len(set(stages))
    assert stages[0] == "check"


def test_leaves_what_the_design_promises(reproduced: tuple[Project, str]) -> None:
    root = reproduced[0].root
    for name in FUSIONS:
        assert {path.name for path in (root / "models" / name).iterdir()} == {
            "model.json", "seed_0.safetensors", "seed_1.safetensors",
        }  # fmt: skip
        assert {path.name for path in (root / "predictions" / name).iterdir()} == {
            "info.json", "seed_0.npz", "seed_1.npz",
        }  # fmt: skip
        with (root / f"plots/training/{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == 2 * 2
        test = json.loads((root / f"metrics/fusions/{name}.json").read_text("utf-8"))["test"]
        assert 0 <= test["balanced_accuracy"]["mean"] <= 100
    assert json.loads((root / "metrics/data.json").read_text("utf-8"))["rendered"] is True


def test_git_sees_no_file_that_dvc_keeps(reproduced: tuple[Project, str]) -> None:
    tracked = reproduced[0].git("ls-files").splitlines()
    cached = ("models/", "predictions/", "data/samples/", "checked/", "data/demo.zip")
    assert [name for name in tracked if name.startswith(cached)] == []
    assert [name for name in tracked if Path(name).name == ".gitignore"] == [
        ".dvc/.gitignore",
        ".gitignore",
    ]


def test_shows_a_table_of_all_fusions(clean: Project) -> None:
    table = clean.run("python", "src/table.py").stdout
    assert max(map(len, table.splitlines())) <= 100
    for name in FUSIONS:
        assert any(line.startswith(name) for line in table.splitlines())
    assert "Rendered samples" in table


def test_runs_nothing_the_second_time(clean: Project) -> None:
    output = clean.dvc("repro")
    assert "up to date" in output
    assert stages_run(output) == []


def test_trains_nothing_for_the_same_archive_under_another_name(clean: Project) -> None:
    shutil.copy(clean.root / "data/demo.zip", clean.root / "data/mine.zip")
    try:
        clean.set_params({"data.archive": "data/mine.zip"})
        assert stages_run(clean.dvc("repro")) == ["check", "extract"]
    finally:
        (clean.root / "data/mine.zip").unlink()


def test_runtime_params_are_no_reason_to_run_again(clean: Project) -> None:
    clean.set_params({"runtime.progress": "off", "runtime.threads": 1})
    assert stages_run(clean.dvc("repro")) == ["check"]


def test_override_trains_one_fusion_again(clean: Project) -> None:
    output = clean.dvc("exp", "run", "--set-param", "override.hadamard.lr=3e-4")
    trained = [stage for stage in stages_run(output) if stage.startswith("train@")]
    assert trained == ["train@hadamard"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("train.lr=abc", ("train.lr", "'abc'", "a number above 0")),
        ("+train.lrr=0.1", ("train.lrr", "did you mean 'train.lr'")),
        ("split.train=0.9", ("split", "sum to at most 1")),
        ("fusion=film", ("fusion", "film", "late, concat, add, hadamard")),
    ],
)
def test_refuses_a_wrong_param_before_any_work(
    clean: Project, change: str, words: tuple[str, ...]
) -> None:
    output = clean.dvc("exp", "run", "--set-param", change, ok=False)
    lines = [line for line in output.splitlines() if line.startswith("error: params.yaml")]
    assert len(lines) == 1
    assert all(word in lines[0] for word in words)
    assert stages_run(output) == ["check"]
    assert "Traceback" not in output


def test_a_fresh_clone_repeats_to_the_bit(clean: Project, tmp_path: Path) -> None:
    clean.run("git", "clone", "--quiet", str(clean.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    (clone.root / "dvc.lock").unlink()
    (clone.root / "data/dvc.lock").unlink()
    clone.dvc("repro")
    first, second = (
        {
            out["path"]: out["md5"]
            for name, stage in project.lock().items()
            for out in stage["outs"]
            if not out["path"].startswith(TIMED) and out["path"] != "metrics/comparison.csv"
        }
        for project in (clean, clone)
    )
    assert len(first) > 4 * len(FUSIONS)
    assert first == second


def test_the_project_registers_what_it_trains() -> None:
    assert set(FUSIONS) <= set(registry.names())

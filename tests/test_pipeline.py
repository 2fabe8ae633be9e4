"""The pipeline through the real DVC, as a user runs it, on a small rendered archive."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.data.archives import npy, png
from tests.project import FUSIONS, Project, stages_run

from fusebench.models import registry

TIMED = "metrics/training/"
TRAIN_STAGES = [f"train@{name}" for name in FUSIONS]


def test_runs_every_stage_once_params_first(reproduced: tuple[Project, str]) -> None:
    stages = stages_run(reproduced[1])
    expected = {"check", "data/dvc.yaml:synthesize", "extract", "split", "baseline", "compare"}
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
        with (root / f"plots/training/{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == 2 * 2
    for name in (*FUSIONS, "threshold"):
        assert {path.name for path in (root / "predictions" / name).iterdir()} == {
            "info.json", "seed_0.npz", "seed_1.npz",
        }  # fmt: skip
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
    for name in (*FUSIONS, *registry.BASELINES):
        assert any(line.startswith(name.replace("_", " ")) for line in table.splitlines())
    assert "Rendered samples" in table


def test_runs_nothing_the_second_time(clean: Project) -> None:
    output = clean.dvc("repro")
    assert "up to date" in output
    assert stages_run(output) == []


def test_trains_nothing_for_the_same_archive_under_another_name(clean: Project) -> None:
    shutil.copy(clean.root / "data/demo.zip", clean.root / "data/my own.zip")
    clean.set_params({"data.archive": "data/my own.zip"})
    assert stages_run(clean.dvc("repro")) == ["check", "extract"]


def test_runtime_params_are_no_reason_to_run_again(clean: Project) -> None:
    clean.set_params({"runtime.progress": "off", "runtime.threads": 1})
    assert stages_run(clean.dvc("repro")) == ["check"]


def test_override_trains_one_fusion_again(clean: Project) -> None:
    output = clean.dvc("exp", "run", "--set-param", "override.hadamard.lr=3e-4")
    trained = [stage for stage in stages_run(output) if stage.startswith("train@")]
    assert trained == ["train@hadamard"]


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        ("train.lr=abc", [], ("train.lr", "'abc'", "a number above 0")),
        ("+train.lrr=0.1", [], ("train.lrr", "did you mean 'train.lr'")),
        ("split.train=0.9", ["train@add"], ("split", "sum to at most 1")),
        ("fusion=film", [], ("fusion", "film", "late, concat, add, hadamard")),
        ("fusion=film", ["headline"], ("fusion", "film", "late, concat, add, hadamard")),
    ],
)
def test_refuses_a_wrong_param_before_any_work(
    clean: Project, change: str, target: list[str], words: tuple[str, ...]
) -> None:
    output = clean.dvc("exp", "run", "--set-param", change, *target, ok=False)
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


def _own_archive(path: Path) -> None:
    """Three classes, deep in the zip, of sizes that no demonstration archive has."""
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for label, name in enumerate(("bikes", "cars", "signs")):
            folder = f"export/2031/run one/{name}"
            archive.writestr(f"{folder}/azimuth.npy", npy(np.linspace(-0.4, 0.4, 20, dtype="f4")))
            archive.writestr(f"{folder}/zenith.npy", npy(np.linspace(-0.3, 0.3, 28, dtype="f4")))
            for number in range(40 - 5 * label):
                image = generator.integers(0, 80, (50, 70, 3), np.uint8)
                image[10 : 30 + 8 * label, 20:50] = (60 * (label + 1),) * 3
                ranges = np.full((20, 28), 80, np.float32)
                ranges[5 : 8 + 4 * label, 5:20] = generator.uniform(5, 20)
                archive.writestr(f"{folder}/rgb/frame-{number}.png", png(image))
                archive.writestr(f"{folder}/lidar/frame-{number}.npy", npy(ranges))
            archive.writestr(f"{folder}/lidar/frame-unpaired.npy", npy(ranges))
            archive.writestr(f"{folder}/rgb/notes.txt", "not a sample")


def test_an_archive_of_ones_own_runs_by_editing_params_alone(clean: Project) -> None:
    _own_archive(clean.root / "data/own.zip")
    clean.set_params(
        {
            "data.archive": "data/own.zip", "data.classes": ["bikes", "cars", "signs"],
            "data.positive": "signs", "data.image_size": [50, 35], "data.lidar_size": [20, 28],
            "data.max_range": 80.0, "lidar.align": "camera", "strategies": ["late", "add"],
            "fusion": "add", "train.pooling": "strided", "split.train": 0.5,
        }
    )  # fmt: skip
    output = clean.dvc("repro")
    assert "data/dvc.yaml:synthesize" not in stages_run(output)
    data = json.loads((clean.root / "metrics/data.json").read_text("utf-8"))
    assert data["pairs"] == {"bikes": 40, "cars": 35, "signs": 30}
    assert data["unmatched"]["cars"] == {"rgb": 0, "lidar": 1}
    assert data["rendered"] is False
    metrics = json.loads((clean.root / "metrics/fusions/add.json").read_text("utf-8"))
    assert np.shape(metrics["test"]["seeds"]["0"]["confusion"]) == (3, 3)
    table = clean.run("python", "src/table.py").stdout
    assert "Recorded samples" in table
    # Three classes, and one cut: the positive class against the rest.
    assert "threshold" in table


def test_bad_samples_of_ones_own_archive_stop_the_run_or_are_left_out(clean: Project) -> None:
    with (
        zipfile.ZipFile(clean.root / "data/demo.zip") as good,
        zipfile.ZipFile(clean.root / "data/own.zip", "w") as bad,
    ):
        for name in good.namelist():
            broken = name.endswith(("cubes/rgb/0003.png", "spheres/lidar/0005.npy"))
            bad.writestr(name, b"broken" if broken else good.read(name))
    clean.set_params({"data.archive": "data/own.zip"})
    output = clean.dvc("repro", ok=False)
    for member in ("cubes/rgb/0003.png", "spheres/lidar/0005.npy"):
        assert f"assessment/{member}: " in output
    assert "Traceback" not in output
    clean.set_params({"data.on_bad_sample": "skip"})
    clean.dvc("repro", "extract")
    data = json.loads((clean.root / "metrics/data.json").read_text("utf-8"))
    assert data["bad_samples"] == 2
    assert data["pairs"] == {"cubes": 89, "spheres": 59}


def test_the_project_registers_what_it_trains() -> None:
    assert set(FUSIONS) <= set(registry.names())

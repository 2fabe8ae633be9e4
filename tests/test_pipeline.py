"""The pipeline through the real DVC, as a user runs it, on a small synthetic archive."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.project import FUSIONS, KEPT_PREDICTIONS, Project, stages_run
from tests.sealing import reseal

pytestmark = pytest.mark.slow

TRAIN = {f"train@{name}" for name in FUSIONS}
PREDICT = {f"predict@{name}" for name in FUSIONS}
COST = {f"cost@{name}" for name in FUSIONS}
STRESS = {f"stress@{name}" for name in FUSIONS}
# What sets fusions side by side, and what tells of that.
VIEWS = {"robustness", "compare", "analysis", "report"}
LIBRARY = "src/fusebench"


def test_runs_every_stage_once_params_first(reproduced: tuple[Project, str]) -> None:
    stages = stages_run(reproduced[1])
    assert set(stages) == TRAIN | PREDICT | COST | STRESS | {
        "check", "synthesize@demo", "extract", "check_inputs", "split", "baseline", "evaluate",
        "robustness", "compare", "headline", "gallery", "analysis", "report",
    }  # fmt: skip
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
    for name in KEPT_PREDICTIONS:
        assert {path.name for path in (root / "predictions" / name).iterdir()} == {
            "info.json", "seed_0.npz", "seed_1.npz",
        }  # fmt: skip
        test = json.loads((root / f"metrics/fusions/{name}.json").read_text("utf-8"))["test"]
        assert 0 <= test["balanced_accuracy"]["mean"] <= 100
        row = json.loads((root / f"metrics/test/{name}.json").read_text("utf-8"))
        assert row["bal_acc"] == test["balanced_accuracy"]["mean"]
    assert json.loads((root / "metrics/data.json").read_text("utf-8"))["synthetic"] is True
    samples = (root / "data/samples/samples.csv").read_text("utf-8").splitlines()
    assert samples[1].startswith("0,0000,0000,cubes,0,")


def test_git_sees_no_file_that_dvc_keeps(reproduced: tuple[Project, str]) -> None:
    tracked = reproduced[0].git("ls-files").splitlines()
    cached = (
        "models/",
        "predictions/",
        "stress/",
        "plots/report.html",
        "data/samples/",
        "checked/",
        "data/demo.zip",
    )
    assert [name for name in tracked if name.startswith(cached)] == []
    assert [name for name in tracked if Path(name).name == ".gitignore"] == [
        ".dvc/.gitignore",
        ".gitignore",
    ]


def test_no_stage_trains_on_the_holdout_or_answers_for_it(
    reproduced: tuple[Project, str],
) -> None:
    root = reproduced[0].root
    with (root / "data/split.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    held_out = {(row["id"], row["class"]) for row in rows if row["seed_0"] == "holdout"}
    assert Counter(name for _, name in held_out) == {"cubes": 9, "spheres": 6}
    for seed in (0, 1):
        assert held_out == {
            (row["id"], row["class"]) for row in rows if row[f"seed_{seed}"] == "holdout"
        }
        trained = Counter(row["class"] for row in rows if row[f"seed_{seed}"] == "train")
        for name in KEPT_PREDICTIONS:
            info = json.loads((root / f"predictions/{name}/info.json").read_text("utf-8"))
            assert info["train_counts"][str(seed)] == trained
            with np.load(root / f"predictions/{name}/seed_{seed}.npz") as kept:
                answered = set(zip(kept["id"].tolist(), kept["class"].tolist(), strict=True))
            assert answered
            assert not answered & held_out, name


def test_shows_a_table_of_all_fusions(clean: Project) -> None:
    table = clean.run("python", "src/show.py", "table").stdout
    assert max(map(len, table.splitlines())) <= 100
    for name in KEPT_PREDICTIONS:
        assert any(line.startswith(name.replace("_", " ")) for line in table.splitlines())
    assert "Synthetic samples" in table


def test_a_model_that_answers_the_smaller_class_always_is_seen(clean: Project) -> None:
    for seed in (0, 1):
        path = clean.root / f"predictions/hadamard/seed_{seed}.npz"
        arrays = dict(np.load(path))
        arrays["logits"] = np.tile(np.array([0, 2], np.float32), (len(arrays["label"]), 1))
        path.unlink()
        np.savez_compressed(path, allow_pickle=False, **arrays)
    info = clean.root / "predictions/hadamard/info.json"
    # Neither is to be written through a link into DVC's cache.
    content = info.read_bytes()
    info.unlink()
    info.write_bytes(content)
    reseal(info.parent)
    output = " ".join(clean.dvc("repro", "--single-item", "evaluate", "compare").split())
    assert "hadamard: 2 of 2 seeds answer spheres for every sample; test balanced" in output
    assert "answer one class for every test sample:" in output
    assert "hadamard: test balanced accuracy 50.00 % is at chance (50.00 %)" in output
    with (clean.root / "metrics/comparison.csv").open(encoding="utf-8") as file:
        rows = {row["Model"]: row for row in csv.DictReader(file)}
    assert rows["hadamard"]["Collapsed To"] == "2 × spheres"
    assert "balanced_accuracy" in rows["hadamard"]["At Chance"].split()
    assert rows["majority_class"]["Collapsed To"] == "2 × cubes"
    # Predictions that no stage made: the table says so, and gives no verdict.
    shown = clean.run("python", "src/show.py", "table").stdout
    assert "Stale: hadamard: predicted anew since the table was made." in shown
    assert "is at chance" not in shown


def test_runs_nothing_the_second_time(clean: Project) -> None:
    output = clean.dvc("repro")
    assert "up to date" in output
    assert stages_run(output) == []


# --- Folder = dependency: which stages a change of code or params reaches ---


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (f"{LIBRARY}/evaluation/metrics.py", {"check", "evaluate", "headline"} | VIEWS),
        (f"{LIBRARY}/report/verdict.py", {"check", "headline", "gallery"} | VIEWS),
        (f"{LIBRARY}/statistics/estimates.py", {"check"} | VIEWS),
        (f"{LIBRARY}/device.py", {"check", "compare"} | TRAIN | PREDICT | COST | STRESS),
        (f"{LIBRARY}/samples/samples.py", {"check", "extract", "check_inputs", "split", "baseline",
                                            "gallery"}
         | VIEWS | TRAIN | PREDICT | COST | STRESS),
        (f"{LIBRARY}/training/loop.py", {"check"} | TRAIN | COST),
        (f"{LIBRARY}/prediction/predict.py", {"check", "baseline", "evaluate", "headline"}
         | VIEWS | PREDICT | STRESS),
        (f"{LIBRARY}/corruptions/rgb_off.py", {"check"} | VIEWS | STRESS),
        (f"{LIBRARY}/fusions/hadamard.py", {"check", "train@hadamard", "predict@hadamard",
                                                 "cost@hadamard", "stress@hadamard"}),
        (f"{LIBRARY}/page/page.py", {"check", "report"}),
        (f"{LIBRARY}/page/style.css", {"check", "report"}),
        (f"{LIBRARY}/revisions/diff.py", {"check"}),
    ],
)  # fmt: skip
def test_a_change_of_code_reaches_the_stages_that_use_it(
    clean: Project, path: str, changed: set[str]
) -> None:
    file = clean.root / path
    file.write_text(file.read_text("utf-8") + "\n# changed\n", "utf-8")
    assert clean.changed_stages() == changed


@pytest.mark.parametrize("path", ["studies/calibration/page.py", "docs/statistics.md",
                                  "benchmarks/bench.py", "README.md"])  # fmt: skip
def test_a_change_of_a_study_or_a_page_reaches_no_stage(clean: Project, path: str) -> None:
    file = clean.root / path
    file.write_text(file.read_text("utf-8") + "\n# changed\n", "utf-8")
    assert clean.changed_stages() == set()


@pytest.mark.thorough
def test_editing_a_metric_infers_and_trains_nothing(clean: Project) -> None:
    path = clean.root / LIBRARY / "evaluation/metrics.py"
    source = path.read_text("utf-8")
    path.write_text(
        source.replace('"accuracy", "accuracy", "%", 2,', '"accuracy", "hits", "%", 2,')
    )
    assert path.read_text("utf-8") != source
    ran = stages_run(clean.dvc("repro", "compare"))
    assert set(ran) == {"check", "evaluate", "robustness", "compare"}
    assert "Test Hits" in (clean.root / "metrics/comparison.csv").read_text("utf-8")


def test_params_that_leave_the_settings_as_they_are_train_nothing(clean: Project) -> None:
    # Written out, or the same as in `train`: the effective settings are equal.
    clean.set_params(
        {"override.hadamard.lr": 0.001, "runtime.progress": "off", "runtime.threads": 2}
    )
    # The page sets params beside those of studies.
    assert stages_run(clean.dvc("repro")) == ["check", "report"]


def test_override_trains_one_fusion_again(clean: Project) -> None:
    clean.set_params({"override.hadamard.lr": 3e-4})
    clean.dvc("repro", "check")
    assert clean.changed_stages() == {"train@hadamard", "report"}


def test_the_same_archive_under_another_name_trains_nothing(clean: Project) -> None:
    shutil.copy(clean.root / "data/demo.zip", clean.root / "data/my own.zip")
    clean.set_params({"data.archive": "data/my own.zip"})
    assert stages_run(clean.dvc("repro")) == ["check", "extract"]


@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        ("+strategies=[add]", [], ("unknown key 'strategies'", "did you mean 'fusions'")),
        ("fusion=film", ["headline"], ("fusion", "film", "must be one of fusions: add, hadamard")),
    ],
)
def test_refuses_a_wrong_param_before_any_work(
    clean: Project, change: str, target: list[str], words: tuple[str, ...]
) -> None:
    output = clean.dvc("exp", "run", "--set-param", change, *target, ok=False)
    lines = [line for line in output.splitlines() if line.startswith("error: params.yaml")]
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines
    assert stages_run(output) == ["check"]
    assert "Traceback" not in output

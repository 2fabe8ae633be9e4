"""What people use the project for day by day: experiments, comparisons across commits, plots."""

import json
import re
import shlex
import time
from pathlib import Path

import pytest
from tests.project import KEPT_PREDICTIONS, ROOT, Project, stages_run

from fusebench.models.registry import FUSIONS

pytestmark = pytest.mark.slow

SCALED = '''"""A fusion for a test."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class Scaled(IntermediateFusion):
    """f = r ⊙ (1 + l). References: none."""

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the maps of the first input, scaled by those of the second."""
        first, second = maps_bchw
        return first * (1 + second)
'''


@pytest.fixture(scope="module")
def candidate(reproduced: tuple[Project, str]) -> str:
    """What an experiment of that name printed; the workspace is as before. There are no others."""
    project, _ = reproduced
    project.restore()
    # Those of other files changed other params: each would be a column.
    project.dvc("exp", "remove", "--all-commits")
    return project.dvc("exp", "run", "--name", "candidate", "-S", "fusion=hadamard",
                       "-S", "override.add.lr=0.001")  # fmt: skip


def test_another_fusion_runs_the_headline_alone(candidate: str) -> None:
    # And the page, which sets an override beside the params of studies.
    assert stages_run(candidate) == ["check", "headline", "report"]


def test_the_documented_table_of_experiments_fits_a_screen(candidate: str, clean: Project) -> None:
    assert candidate
    page = (ROOT / "README.md").read_text("utf-8")
    command = next(line for line in page.splitlines() if line.startswith("dvc exp show"))
    output = clean.run("sh", "-c", f"COLUMNS=120 python -m {command}").stdout
    assert "candidate" in output
    for column in ("override.add.lr", "fusion", "val_nll", "test_nll"):
        assert column in output
    assert "…" not in output
    assert max(map(len, output.splitlines())) <= 120
    # Without --only-changed: all params, within what DVC draws in its pager.
    whole = command.replace("--only-changed ", "")
    assert whole != command
    output = clean.run("sh", "-c", f"COLUMNS=1024 python -m {whole}").stdout
    assert "…" not in output
    for column in ("train.lr", "split.train", "synthesize.task", "compare.primary", "val_nll"):
        assert column in output


def test_an_experiment_is_shown_and_becomes_the_workspace_or_a_branch(
    candidate: str, clean: Project
) -> None:
    assert candidate
    assert "candidate" in clean.dvc("exp", "list", "--name-only").split()
    clean.dvc("exp", "branch", "candidate", "add-it")
    assert "add-it" in clean.git("branch", "--list", "add-it")
    assert "hadamard" in clean.run("python", "src/show.py", "table", "candidate").stdout
    refused = clean.run("python", "src/show.py", "table", "nonsense", ok=False)
    assert refused.stderr.startswith("error: 'nonsense' is no git revision and no experiment")
    clean.dvc("exp", "apply", "candidate")
    headline, hadamard = map(clean.json, ("metrics/headline.json", "metrics/fusions/hadamard.json"))
    for part in ("val", "test"):
        assert headline[f"{part}_nll"] == hadamard[part]["nll"]["mean"]


def test_the_page_on_experiments_shows_what_dvc_shows(clean: Project) -> None:
    page = (ROOT / "docs/experiments.md").read_text("utf-8")
    assert "@@" not in page
    head = clean.dvc("metrics", "show").splitlines()[0]
    assert any(line.split() == head.split() for line in page.splitlines())


def test_commits_are_compared_by_metrics_params_and_plots(candidate: str, clean: Project) -> None:
    assert candidate
    clean.dvc("exp", "apply", "candidate")
    clean.commit("another fusion under study")
    try:
        metrics = clean.dvc("metrics", "diff", "HEAD~1")
        assert "test_nll" in metrics
        params = clean.dvc("params", "diff", "HEAD~1")
        for shown in (metrics, params, clean.dvc("exp", "diff", "HEAD~1", "HEAD")):
            lines = shown.splitlines()
            assert max(map(len, lines)) <= 120
            assert len(lines) <= 40
        assert "override.add.lr" in params
        assert "0.001" in params
        clean.dvc("plots", "diff", "HEAD~1", "--out", "page")
        _check_page(clean.root / "page/index.html", ["HEAD~1"])
    finally:
        clean.git("reset", "--quiet", "--hard", "HEAD~1")


def test_plots_are_shown_on_a_page_that_needs_no_network(clean: Project) -> None:
    clean.dvc("plots", "show", "--out", "page")
    _check_page(clean.root / "page/index.html", ["samples.png", "training.png"])


def _check_page(path: Path, words: list[str]) -> None:
    page = path.read_text("utf-8")
    assert "<script src" not in page
    titles = ["ROC on test", "Val loss, mean", "Each metric on test", "test samples, mean over"]
    for word in [*titles, *words]:
        assert word in page, word


def test_dvcs_metrics_are_the_comparison_and_the_headline(clean: Project) -> None:
    shown = clean.dvc("metrics", "show")
    head, *rows = shown.splitlines()
    assert rows[0].startswith("metrics/headline.json"), "first of the columns of dvc exp show"
    assert head.split() == ["Path", "bal_acc", "deviation", "nll", "test_bal_acc", "test_nll",
                            "val_bal_acc", "val_nll"]  # fmt: skip
    assert sorted(row.split()[0] for row in rows if row) == sorted(
        ["metrics/headline.json", *(f"metrics/test/{name}.json" for name in KEPT_PREDICTIONS)]
    )
    figures = clean.json("metrics/fusions/add.json")["test"]
    (row,) = (row.split() for row in rows if "test/add.json" in row)
    assert float(row[1]) == pytest.approx(figures["balanced_accuracy"]["mean"], abs=1e-4)
    # The longest names of today would fit beside the figures.
    assert max(map(len, shown.splitlines())) <= 120


@pytest.mark.thorough
def test_the_notebooks_way_is_an_experiment(clean: Project) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    command = re.search(r"@dvc (exp run --temp --name notebook .*)", makefile)
    assert command is not None
    output = clean.dvc(*command[1].split(), "split")
    assert stages_run(output) == ["check", "split"]
    shown = clean.dvc("params", "diff", "HEAD", "notebook")
    for key in ("lidar.projection", "lidar.normalize", "split.group", "split.draws"):
        assert key in shown


@pytest.mark.thorough
def test_every_fusion_is_an_experiment(clean: Project) -> None:
    shown = clean.run("make", "--dry-run", f"--file={ROOT / 'Makefile'}", "zoo").stdout
    (command,) = re.findall(r"^dvc (exp run .*)$", shown, re.MULTILINE)
    output = clean.dvc(*shlex.split(command), "check")
    assert stages_run(output) == ["check"]
    changed = clean.dvc("params", "diff", "HEAD", "zoo")
    assert all(name in changed for name in FUSIONS.names())


@pytest.mark.thorough
def test_an_encoder_with_stored_weights_is_an_experiment(clean: Project) -> None:
    import torch
    from safetensors.torch import save_file
    from torchvision import models

    path = clean.root / "weights/resnet18.safetensors"
    path.parent.mkdir()
    torch.manual_seed(0)
    save_file(models.resnet18(weights=None).state_dict(), path)
    # In a folder of its own, where that file, which neither git nor DVC knows, is not.
    output = clean.dvc(
        "exp", "run", "--temp", "--name", "encoder", "-S", "model.stem=resnet18", "-S",
        "model.weights=weights/resnet18.safetensors", "train@add", "predict@add",
    )  # fmt: skip
    assert [name for name in stages_run(output) if "@" in name] == ["train@add", "predict@add"]
    assert "model.stem" in clean.dvc("params", "diff", "HEAD", "encoder")


def test_a_fresh_clone_without_cache_is_up_to_date_and_readable(
    clean: Project, tmp_path: Path
) -> None:
    clean.run("git", "clone", "--quiet", str(clean.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert "up to date" in clone.dvc("repro", "--allow-missing", "--dry")
    assert "hadamard" in clone.run("python", "src/show.py", "table").stdout
    assert clone.json("metrics/headline.json") == clean.json("metrics/headline.json")


def test_a_new_fusion_is_one_file_and_one_word_and_one_taken_away_leaves_the_others(
    clean: Project,
) -> None:
    path = clean.root / "src/fusebench/fusions/scaled.py"
    path.write_text(SCALED, "utf-8")
    params = clean.root / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("- hadamard\n", "- scaled\n", 1))
    output = clean.dvc("repro")
    assert set(stages_run(output)) == {
        "check", "train@scaled", "predict@scaled", "stress@scaled", "cost@scaled", "evaluate",
        "robustness", "compare", "analysis", "report",
    }  # fmt: skip
    table = clean.run("python", "src/show.py", "table").stdout
    assert "add" in table
    assert "scaled" in table
    assert "hadamard" not in table


@pytest.mark.parametrize("picture", ["metrics", "confusion", "pairs", "pareto", "precision_recall",
                                     "reliability", "roc", "samples", "stress/robustness",
                                     "stress/rgb_off", "training"])  # fmt: skip
def test_pictures_are_there_for_git(clean: Project, picture: str) -> None:
    assert f"plots/{picture}.png" in clean.git("ls-files").split()


# --- Out of the way ---


def _finished_queue(project: Project) -> str:
    """Wait until the queue is worked off; return its status."""
    deadline = time.monotonic() + 300
    while True:
        status = project.dvc("queue", "status")
        if not any(word in status for word in ("Queued", "Running")):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(2)


@pytest.mark.thorough
def test_queued_experiments_use_their_own_code_and_find_the_archive(clean: Project) -> None:
    # Code that only the queued commit has: what it measures must show in the workers' results.
    path = clean.root / "src/fusebench/evaluation/compared.py"
    source = path.read_text("utf-8")
    path.write_text(
        source.replace('metrics[part][name]["mean"]\n', '1000 + metrics[part][name]["mean"]\n')
    )
    assert path.read_text("utf-8") != source
    clean.dvc("exp", "run", "--queue", "-S", "fusion=hadamard", "headline")
    clean.git("checkout", "--", "src")
    clean.dvc("queue", "start", "--jobs", "1")
    assert "Failed" not in _finished_queue(clean)
    shown = json.loads(clean.dvc("exp", "show", "--json"))
    rates = [
        experiment["revs"][0]["data"]["metrics"]["metrics/headline.json"]["data"]["test_bal_acc"]
        for experiment in shown[1]["experiments"] or []
    ]
    assert sum(rate >= 1000 for rate in rates) == 1


def test_another_task_makes_another_archive_with_its_own_classes(clean: Project) -> None:
    counts = {"both_or_neither": 12, "exactly_one": 12}
    clean.set_params(
        {"synthesize.counts": counts, "synthesize.task": "xor", "data.classes": "auto",
         "data.positive": "auto"}
    )  # fmt: skip
    output = clean.dvc("repro", "extract")
    assert stages_run(output) == ["check", "synthesize@demo", "extract"]
    assert "data/demo.zip: task xor: 12 both_or_neither and 12 exactly_one" in output
    assert clean.json("metrics/data.json")["pairs"] == counts
    assert clean.json("data/samples/dataset.json")["positive"] == "exactly_one"


@pytest.mark.thorough
def test_a_temp_experiment_trains_from_its_own_archive(clean: Project) -> None:
    # Another seed of the synthetic archive: it must be made, read and trained on out there.
    output = clean.dvc("exp", "run", "--temp", "-S", "synthesize.seed=7", "train@add")
    first, *others, last = stages_run(output)
    assert (first, last) == ("check", "train@add")
    assert set(others) == {"synthesize@demo", "extract", "split", "check_inputs"}
    assert clean.git("status", "--porcelain") == ""

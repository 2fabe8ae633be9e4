"""What people use the project for day by day: experiments, comparisons across commits, plots."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.project import KEPT_PREDICTIONS, ROOT, Project, stages_run

pytestmark = pytest.mark.slow

FILM = '''"""A fusion for a test."""

from torch import Tensor

from fusebench.models.base import IntermediateFusion


class Film(IntermediateFusion):
    """f = r ⊙ (1 + l). References: none."""

    def fuse(self, *maps_bchw: Tensor) -> Tensor:
        """Return the maps of the first input, scaled by those of the second."""
        first, second = maps_bchw
        return first * (1 + second)
'''


def _headline(project: Project) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (project.root / "metrics/headline.json").read_text("utf-8")
    )
    return content


def _fusion(project: Project, name: str) -> dict[str, Any]:
    path = project.root / f"metrics/fusions/{name}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _finished_queue(project: Project) -> str:
    """Wait until the queue is worked off; return its status."""
    deadline = time.monotonic() + 300
    while True:
        status = project.dvc("queue", "status")
        if not any(word in status for word in ("Queued", "Running")):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(2)


def _names(project: Project) -> list[str]:
    return project.dvc("exp", "list", "--name-only").split()


def test_another_fusion_runs_the_headline_alone(clean: Project) -> None:
    output = clean.dvc("exp", "run", "--set-param", "fusion=hadamard")
    assert stages_run(output) == ["check", "headline"]
    assert _headline(clean)["test_nll"] == _fusion(clean, "hadamard")["test"]["nll"]["mean"]


def test_another_fusion_with_another_rate_trains_that_fusion_alone(clean: Project) -> None:
    before = _fusion(clean, "hadamard")
    output = clean.dvc("exp", "run", "-S", "fusion=hadamard", "-S", "train.lr=3e-4", "headline")
    assert stages_run(output) == ["check", "train@hadamard", "predict@hadamard", "headline"]
    # Measured by the headline itself: metrics/fusions belongs to the last full run.
    assert _fusion(clean, "hadamard") == before
    assert _headline(clean)["val_nll"] != before["val"]["nll"]["mean"]


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


def test_a_temp_experiment_trains_from_its_own_archive(clean: Project) -> None:
    # Another seed of the synthetic archive: it must be made, read and trained on out there.
    output = clean.dvc("exp", "run", "--temp", "-S", "synthesize.seed=7", "train@add")
    first, *others, last = stages_run(output)
    assert (first, last) == ("check", "train@add")
    assert set(others) == {"synthesize@demo", "extract", "split", "check_inputs"}
    assert clean.git("status", "--porcelain") == ""


def test_an_experiment_is_shown_and_becomes_the_workspace_or_a_branch(clean: Project) -> None:
    clean.dvc("exp", "run", "--name", "candidate", "-S", "fusion=hadamard")
    clean.git("reset", "--quiet", "--hard")
    assert "candidate" in _names(clean)
    clean.dvc("exp", "branch", "candidate", "add-it")
    assert "add-it" in clean.git("branch", "--list", "add-it")
    assert "hadamard" in clean.run("python", "src/show.py", "table", "candidate").stdout
    refused = clean.run("python", "src/show.py", "table", "nonsense", ok=False)
    assert refused.stderr.startswith("error: 'nonsense' is no git revision and no experiment")
    clean.dvc("exp", "apply", "candidate")
    assert _headline(clean)["val_nll"] == _fusion(clean, "hadamard")["val"]["nll"]["mean"]


def test_the_documented_table_of_experiments_fits_a_screen(clean: Project) -> None:
    # Those of other tests changed other params: each would be a column.
    clean.dvc("exp", "remove", "--all-commits")
    clean.dvc(
        "exp", "run", "--name", "shown", "-S", "fusion=hadamard", "-S", "override.add.lr=0.001"
    )
    clean.restore()
    page = (ROOT / "README.md").read_text("utf-8")
    command = next(line for line in page.splitlines() if line.startswith("dvc exp show"))
    output = clean.run("sh", "-c", f"COLUMNS=120 python -m {command}").stdout
    assert "shown" in output
    for column in ("override.add.lr", "fusion", "val_nll", "test_nll"):
        assert column in output
    assert "…" not in output
    assert max(map(len, output.splitlines())) <= 120
    # Without --only-changed: all params, within what DVC draws in its pager.
    whole = command.replace("--only-changed ", "")
    assert whole != command
    output = clean.run("sh", "-c", f"COLUMNS=1024 python -m {whole}").stdout
    assert "…" not in output
    for column in ("train.lr", "split.train", "runtime.device", "compare.primary", "val_nll"):
        assert column in output


def test_the_page_on_experiments_shows_what_dvc_shows(clean: Project) -> None:
    page = (ROOT / "docs/experiments.md").read_text("utf-8")
    assert "@@" not in page
    head = clean.dvc("metrics", "show").splitlines()[0]
    assert any(line.split() == head.split() for line in page.splitlines())


def test_commits_are_compared_by_metrics_params_and_plots(clean: Project) -> None:
    clean.dvc("exp", "run", "-S", "fusion=hadamard", "-S", "override.add.lr=0.001")
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
    figures = _fusion(clean, "add")["test"]
    (row,) = (row.split() for row in rows if "test/add.json" in row)
    assert float(row[1]) == pytest.approx(figures["balanced_accuracy"]["mean"], abs=1e-4)
    # The longest names of today would fit beside the figures.
    assert max(map(len, shown.splitlines())) <= 120


# --- Nothing stale on the screen ---


def _show(project: Project, *arguments: str, ok: bool = True) -> str:
    done = project.run("python", "src/show.py", *arguments, ok=ok)
    return " ".join((done.stdout + done.stderr).split())


def test_after_a_run_of_one_target_each_view_says_what_is_stale(clean: Project) -> None:
    assert "Stale" not in _show(clean, "table")
    clean.dvc("exp", "run", "-S", "override.hadamard.lr=0.02", "-S", "fusion=hadamard", "headline")
    said = "Stale: hadamard: predicted anew since the table was made."
    assert said in _show(clean, "table")
    assert "No recommendation" not in _show(clean, "table")
    for view in (["verdict"], ["export", "workspace", "exported"]):
        assert _show(clean, *view, ok=False).startswith(f"error: {said}")
    assert not (clean.root / "exported").exists()
    # DVC's own answer is the same, and what it advises mends it.
    assert clean.changed_stages() >= {"evaluate", "compare"}
    clean.dvc("repro", "compare")
    assert "Stale" not in _show(clean, "table")
    assert _show(clean, "verdict")


def test_an_experiment_of_one_target_is_stale_by_its_name_and_when_applied(clean: Project) -> None:
    clean.dvc("exp", "run", "--name", "partial", "-S", "train.lr=0.02", "-S", "fusion=hadamard",
              "headline")  # fmt: skip
    clean.restore()
    assert "Stale" not in _show(clean, "table")
    others = "Stale: add: trained with other train, override or lidar than those of params.yaml."
    retrained = "Stale: hadamard: predicted anew since the table was made."
    assert "git checkout" in _show(clean, "verdict", "partial", ok=False)
    clean.dvc("exp", "apply", "partial")
    for shown in (_show(clean, "table"), _show(clean, "table", "partial")):
        assert others in shown
        assert retrained in shown


def test_params_that_were_edited_and_not_run_make_rows_stale(clean: Project) -> None:
    clean.set_params({"split.seed": 3})
    said = _show(clean, "table")
    rows = "add, hadamard, majority_class, threshold, metrics/headline.json"
    assert f"Stale: {rows}: made with other split.seed than those of params.yaml." in said


def test_the_notebooks_way_is_an_experiment(clean: Project) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    command = re.search(r"@dvc (exp run --temp --name notebook .*)", makefile)
    assert command is not None
    output = clean.dvc(*command[1].split(), "split")
    assert stages_run(output) == ["check", "split"]
    shown = clean.dvc("params", "diff", "HEAD", "notebook")
    for key in ("lidar.projection", "lidar.normalize", "split.group", "split.draws"):
        assert key in shown


def test_a_fresh_clone_without_cache_is_up_to_date_and_readable(
    clean: Project, tmp_path: Path
) -> None:
    clean.run("git", "clone", "--quiet", str(clean.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert "up to date" in clone.dvc("repro", "--allow-missing", "--dry")
    assert "hadamard" in clone.run("python", "src/show.py", "table").stdout
    assert _headline(clone) == _headline(clean)


def test_a_new_fusion_is_one_file_and_one_word(clean: Project) -> None:
    path = clean.root / "src/fusebench/fusions/film.py"
    path.write_text(FILM, "utf-8")
    params = clean.root / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("- hadamard\n", "- hadamard\n- film\n"))
    output = clean.dvc("repro")
    assert stages_run(output) == ["check", "train@film", "predict@film", "evaluate", "compare"]
    assert "film" in clean.run("python", "src/show.py", "table").stdout


def test_a_fusion_taken_away_leaves_the_others_as_they_are(clean: Project) -> None:
    params = clean.root / "params.yaml"
    params.write_text(params.read_text("utf-8").replace("- hadamard\n", "", 1))
    assert stages_run(clean.dvc("repro")) == ["check", "evaluate", "compare"]
    table = clean.run("python", "src/show.py", "table").stdout
    assert "add" in table
    assert "hadamard" not in table


@pytest.mark.parametrize("picture", ["metrics", "confusion", "pairs", "precision_recall", "roc",
                                     "samples", "training"])  # fmt: skip
def test_pictures_are_there_for_git(clean: Project, picture: str) -> None:
    assert f"plots/{picture}.png" in clean.git("ls-files").split()

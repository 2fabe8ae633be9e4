"""The holdout opened through the real git, after the real DVC, in a small project."""

import builtins
import csv
import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from tests.project import FUSIONS, Project

import confirm as script
from fusebench.baselines.threshold import fit_threshold, sizes
from fusebench.confirm import confirm as module
from fusebench.confirm.record import OPENED, Opening, parse
from fusebench.errors import HoldoutError
from fusebench.inputs.inputs import Inputs
from fusebench.models import weights
from fusebench.models.base import build
from fusebench.models.description import Description
from fusebench.report.best import read_best
from fusebench.report.pairs import pair_rows, read_pairs
from fusebench.report.recommendation import recommendation, remarks
from fusebench.report.roles import BASELINE
from fusebench.samples.manifest import HOLDOUT, read_manifest
from fusebench.samples.samples import open_samples
from fusebench.sealed import file_digest

COMMAND = ("python", "src/confirm.py")
NAMES = ("pairs.csv", "best.csv", "metrics.csv", "confirmed.md")
CONFIRMED = OPENED.parent


@pytest.fixture
def project(clean: Project) -> Iterator[Project]:
    """The small project; commits that a test adds go again, and the reflog forgets them."""
    head = clean.git("rev-parse", "HEAD").strip()
    yield clean
    clean.git("reset", "--quiet", "--hard", head)
    clean.git("reflog", "expire", "--expire=now", "--all")
    clean.restore()


def head(project: Project) -> str:
    return project.git("rev-parse", "HEAD").strip()


def openings(project: Project) -> list[Opening]:
    return parse((project.root / OPENED).read_text("utf-8"))


def refusal(project: Project, *arguments: str) -> str:
    """Return the line that says why the holdout is not opened; nothing may have changed."""
    before = head(project), project.git("status", "--porcelain")
    done = project.run(*COMMAND, *arguments, ok=False)
    assert (head(project), project.git("status", "--porcelain")) == before
    assert not (project.root / OPENED).exists()
    assert len(done.stderr.splitlines()) == 1
    return done.stderr.removeprefix("error: ").strip()


# --- Opened ---


def test_opening_is_recorded_in_a_commit_of_its_own(project: Project) -> None:
    before, status = head(project), project.git("status", "--porcelain")
    said = project.run(*COMMAND, "--yes").stdout
    assert max(map(len, said.splitlines())) <= 100
    assert said.startswith("Holdout: 9 cubes, 6 spheres; one of spheres is worth 8.33 points of")
    assert "\nWhat size of difference it can show cannot be said from 2 seed(s); from 10" in said
    assert "It was not opened before" in said
    assert project.git("rev-parse", "HEAD~1").strip() == before
    assert project.git("show", "--name-only", "--format=%s").split("\n\n") == [
        f"Holdout opened on {before[:7]}", f"{OPENED}\n",
    ]  # fmt: skip
    (opening,) = openings(project)
    assert opening.commit == before
    assert opening.samples == file_digest(project.root / "data/samples/samples.csv")
    assert (opening.counts, opening.seeds, opening.fusions) == (
        "9 cubes; 6 spheres", "0 1", " ".join(FUSIONS),
    )  # fmt: skip
    # DVC and what it made are as they were.
    untracked = {f"?? {CONFIRMED / name}" for name in NAMES}
    now = project.git("status", "--porcelain", "--untracked-files=all")
    assert set(now.splitlines()) - set(status.splitlines()) == untracked
    assert project.changed_stages() == set()
    page = (project.root / CONFIRMED / "confirmed.md").read_text("utf-8")
    assert f"on commit {before}, for the 1st time" in page


def test_results_are_those_of_the_kept_models_on_the_held_out_samples(project: Project) -> None:
    project.run(*COMMAND, "--yes")
    with (project.root / CONFIRMED / "metrics.csv").open(encoding="utf-8") as file:
        rows = {(row["fusion"], row["metric"]): row for row in csv.DictReader(file)}
    samples = open_samples(project.root / "data/samples")
    manifest = read_manifest(project.root / "data/split.csv")
    for name in FUSIONS:
        folder = project.root / "models" / name
        described = Description.read(folder)
        model = build(described.spec).eval()
        losses, areas = [], []
        for seed in (0, 1):
            weights.load(folder / f"seed_{seed}.safetensors", model)
            held_out = manifest.part(seed, HOLDOUT)
            inputs = Inputs.load(
                samples, held_out, described.lidar, model.inputs, torch.device("cpu")
            )
            maps, _ = inputs.batch(torch.arange(len(held_out)))
            labels = held_out["label"].to_numpy()
            likely = log_softmax(model(maps).detach().numpy().astype(np.float64), axis=1)
            losses.append(-likely[np.arange(len(labels)), labels].mean())
            areas.append(100 * roc_auc_score(labels, likely[:, 1] - likely[:, 0]))
        kept = project.json(f"metrics/fusions/{name}.json")["test"]
        for metric, values, close in (("nll", losses, 1e-4), ("auroc", areas, 1e-2)):
            row = rows[name, metric]
            assert float(row["holdout_mean"]) == pytest.approx(np.mean(values), abs=close)
            assert float(row["holdout_deviation"]) == pytest.approx(
                np.std(values, ddof=1), abs=close
            )
            assert float(row["test_mean"]) == kept[metric]["mean"]
    with (project.root / CONFIRMED / "pairs.csv").open(encoding="utf-8") as file:
        pair = next(row for row in csv.DictReader(file) if row["metric"] == "nll")
    assert int(pair["ids"]) == manifest.part(0, HOLDOUT)["id"].nunique()
    means = [float(rows[pair[side], "nll"]["holdout_mean"]) for side in ("first", "second")]
    assert float(pair["difference"]) == pytest.approx(means[0] - means[1], abs=2e-6)


def test_the_threshold_is_compared_on_both_parts_as_make_compare_does(project: Project) -> None:
    project.run(*COMMAND, "--yes")
    page = (project.root / CONFIRMED / "confirmed.md").read_text("utf-8")
    pairs = read_pairs(project.root / "metrics/pairs.csv")
    best = read_best(project.root / "metrics/best.csv")
    said = " ".join([recommendation(pairs, best), *remarks(pairs, best)])
    assert "A threshold on LiDAR hits" in said
    assert f"\nOn test: {said}\n" in page
    samples = open_samples(project.root / "data/samples")
    manifest = read_manifest(project.root / "data/split.csv")
    dataset, rows = samples.dataset, np.arange(len(samples.table))
    values, positive = (
        sizes(samples.ranges(rows), dataset.max_range),
        dataset.classes.index("spheres"),
    )
    reached = []
    for seed in (0, 1):
        train, held_out = (manifest.part(seed, part) for part in ("train", HOLDOUT))
        fitted = fit_threshold(values[train["row"]], train["label"].to_numpy(), positive, 2)
        answers = fitted.predict(values[held_out["row"]]).argmax(axis=1)
        reached.append(100 * balanced_accuracy_score(held_out["label"], answers))
    kept = pair_rows(read_pairs(project.root / CONFIRMED / "pairs.csv"), BASELINE)
    assert [(pair.metric, pair.first) for pair in kept] == [
        ("balanced_accuracy", name) for name in FUSIONS
    ]
    assert [pair.second_mean for pair in kept] == pytest.approx(len(FUSIONS) * [np.mean(reached)])


def test_another_look_is_told_from_the_first_even_if_its_record_was_removed(
    project: Project,
) -> None:
    project.run(*COMMAND, "--yes")
    (first,) = openings(project)
    project.commit("confirmed")
    project.git("rm", "-r", "--quiet", str(CONFIRMED))
    project.git("commit", "--quiet", "--message", "as if nothing had been")
    said = " ".join(project.run(*COMMAND, "--yes").stdout.split())
    warning = (
        f"Warning: this is the 2nd time (before: {first.words}); a result chosen after an earlier "
        "look is no confirmation."
    )
    assert said.count(warning) == 2
    assert warning in (project.root / CONFIRMED / "confirmed.md").read_text("utf-8")
    # The record is whole again.
    assert [opening.commit for opening in openings(project)] == [first.commit, head_before(project)]


def head_before(project: Project) -> str:
    return project.git("rev-parse", "HEAD~1").strip()


# --- Not opened ---


def test_without_a_terminal_or_a_yes_nothing_is_opened(project: Project) -> None:
    assert refusal(project) == (
        "not opened: there is no terminal to ask on; 'make confirm YES=1' (or --yes) opens it"
    )


def test_what_head_does_not_hold_is_refused(project: Project) -> None:
    project.set_params({"runtime.progress": "off"})
    assert refusal(project, "--yes").startswith("params.yaml: not as in HEAD, so no commit says")
    project.git("add", "params.yaml")
    assert refusal(project, "--yes").startswith("params.yaml: not as in HEAD, so no commit says")


def test_stale_results_are_refused(project: Project) -> None:
    project.set_params({"train.lr": 0.002})
    project.commit("another rate, and no run")
    said = refusal(project, "--yes")
    assert said.startswith("Stale: add, hadamard, metrics/headline.json: trained with other train,")
    assert said.endswith("'dvc repro' and commit before the holdout is opened.")


def test_models_that_are_not_those_of_the_lock_are_refused(project: Project) -> None:
    path = project.root / "models/add/seed_0.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)
    assert refusal(project, "--yes").startswith(f"{path.relative_to(project.root)}: is not what")


def test_models_that_are_not_there_are_refused(project: Project) -> None:
    (project.root / "models/hadamard/seed_1.safetensors").unlink()
    assert "models/hadamard" in refusal(project, "--yes")


def test_a_project_without_a_holdout_is_refused(project: Project) -> None:
    project.set_params({"split.holdout": 0})
    assert refusal(project, "--yes").startswith("params.yaml: split.holdout = 0: no sample is held")


# --- Asked, and ended, in this process ---


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project as the working directory, with a terminal and somebody to commit as."""
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "argv", ["confirm.py"])
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    return project


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize("answer", ["", "n", "yes please", "N", None])
def test_any_answer_but_y_leaves_all_as_it_was(
    answer: str | None, here: Project, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def reply(question: str) -> str:
        assert question == "Open it? [y/N] "
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr(builtins, "input", reply)
    before = head(here)
    script.main()
    assert capsys.readouterr().out.endswith("Not opened; all is as it was.\n")
    assert head(here) == before
    assert not (here.root / CONFIRMED).exists()


@pytest.mark.usefixtures("cpu")
def test_ended_after_the_record_the_record_stays(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ended(_models: Any) -> None:
        # Nothing has answered yet, and the record is in git.
        asked.append(here.git("show", "--name-only", "--format=", "HEAD").strip())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "held_out", ended)
    monkeypatch.setattr(builtins, "input", lambda _: "y")
    before = head(here)
    with pytest.raises(KeyboardInterrupt):
        script.main()
    assert asked == [str(OPENED)]
    assert head_before(here) == before
    assert [opening.commit for opening in openings(here)] == [before]
    assert [path.name for path in (here.root / CONFIRMED).iterdir()] == [OPENED.name]


@pytest.mark.usefixtures("cpu")
def test_a_head_that_moved_while_the_question_stood_is_refused(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_question: str) -> str:
        here.git("commit", "--quiet", "--allow-empty", "--message", "meanwhile")
        return "y"

    monkeypatch.setattr(builtins, "input", meanwhile)
    with pytest.raises(HoldoutError, match="HEAD is another since the question was asked"):
        script.main()
    assert not (here.root / CONFIRMED).exists()

"""The comment of a real project, and the commands of both hosts' workflows, without a host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.comment.rendered import rendered
from tests.comment.workflows import GITHUB, step
from tests.project import Project

from fusebench.comment.markup import BREAK
from fusebench.comment.sections import MARKER

pytestmark = pytest.mark.slow
# Not the project's own setting, and as a browser's field of several lines gives it.
SMALL = "train.epochs=1\r\nsplit.seed=1 stress.corruptions=[]\r\n"


@pytest.fixture(scope="module")
def changed(reproduced: tuple[Project, str]) -> Iterator[Project]:
    """The small project; in the commit before, `add` had another learning rate and predictions.

    The one before that is as the last, and the first has no results.
    """
    project, _ = reproduced
    project.restore()
    before = project.git("rev-parse", "HEAD").strip()
    project.dvc("exp", "run", "--name", "faster", "-S", "override.add.lr=0.01", "predict@add")
    project.commit("another rate")
    project.git("checkout", "--quiet", before, "--", ".")
    project.dvc("checkout", "--quiet", "--force")
    project.commit("the rate of before")
    yield project
    project.git("reset", "--quiet", "--hard", before)
    for ref in project.git("for-each-ref", "--format=%(refname)", "refs/exps").split():
        project.git("update-ref", "-d", ref)


def _comment(project: Project, *arguments: str) -> str:
    """Write a comment of the workspace, or of `--of`; return its text as a reader has it."""
    path = project.root / ".work/comment.md"
    project.run("python", "src/comment.py", "--output", str(path), *arguments)
    return _shown(path)


def _shown(path: Path) -> str:
    text = path.read_text("utf-8")
    assert text.startswith(f"{MARKER}\n")
    assert len(text) <= 65_536
    return " ".join(rendered(text).text.replace(BREAK, "").split())


def _run(
    project: Project, folder: Path, small: str, *, ok: bool = True, worktrees: int = 1
) -> str:  # fmt: skip
    """Run what the workflow runs for the comment; return what it printed."""
    of = step(yaml.safe_load(GITHUB.read_text("utf-8")), "results", "small run and comment")
    given = {
        "BASE": project.git("rev-parse", "HEAD~1").strip(), "FOLDER": str(folder / "comment"),
        "PICTURES": "https://host/somebody/project/raw/1f2e/plots", "SMALL": small,
        "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
    }  # fmt: skip
    assert {*of["env"]} == {*given}
    variables = [f"{name}={value}" for name, value in given.items()]
    summary = f"GITHUB_STEP_SUMMARY={folder / 'summary.md'}"
    done = project.run("env", *variables, summary, "bash", "-e", "-c", of["run"], ok=ok)
    assert project.git("status", "--porcelain") == ""
    assert len(project.git("worktree", "list").splitlines()) == worktrees
    return done.stdout + done.stderr


def test_the_workflows_command_runs_base_and_change_small_and_compares_them(
    changed: Project, tmp_path: Path
) -> None:
    _run(changed, tmp_path, SMALL)
    said = _shown(tmp_path / "comment/comment.md")
    assert (tmp_path / "summary.md").read_text("utf-8") == (
        tmp_path / "comment/comment.md"
    ).read_text("utf-8")
    results, small = said.split("A small run")
    before, after = changed.git("log", "-2", "--format=%h", "--reverse").split()
    for part, old, new in ((results, before, after), (small, "ci-small-base", "ci-small")):
        assert f"Against {old}" in part
        assert f"add ({new}) against add ({old}): " in part
        assert "2 seed(s) are too few" in part
        assert "The same predictions before and after: hadamard." in part
    assert f"of {after}. Synthetic samples, 2 seed(s). They belong" in results
    # The base was run up to its predictions alone, and committed so.
    assert f"{before}: Stale" not in results
    seen = rendered((tmp_path / "comment/comment.md").read_text("utf-8"))
    assert ["override.add.lr", "0.01", "empty"] in seen.rows
    assert ["train.epochs", "2", "1"] in seen.rows
    assert ["split.seed", "0", "1"] in seen.rows
    assert ["stress.corruptions", "['range_noise', 'rgb_off']", "[]"] in seen.rows
    assert seen.tags.count("img") == 4
    assert (tmp_path / "comment/fusebench-small/verdict.md").is_file()
    assert (tmp_path / "comment/fusebench-small/pairs.png").is_file()


def test_a_change_of_words_alone_changes_no_result_in_either_part(
    changed: Project, tmp_path: Path
) -> None:
    # The last commit and one after it, for which all is in DVC's cache by now.
    (changed.root / "README.md").write_text("Other words.\n", "utf-8")
    changed.commit("other words")
    # It holds what somebody has put there.
    (tmp_path / "comment/small").mkdir(parents=True)
    try:
        _run(changed, tmp_path, SMALL)
    finally:
        changed.git("reset", "--quiet", "--hard", "HEAD~1")
    said = _shown(tmp_path / "comment/comment.md")
    alike = "No prediction changed: what both sides have was predicted alike on test, to the bit. "
    for part in said.split("A small run"):
        assert alike in part
        assert "The same predictions before and after: add, hadamard." in part
    assert "is another" not in said
    assert (tmp_path / "comment/small").is_dir()


def test_a_small_run_that_fails_fails_the_job_and_the_comment_says_so(
    changed: Project, tmp_path: Path
) -> None:
    # What is no experiment of that name, a small run of before, a worktree on a disk that is away.
    changed.git("tag", "ci-small")
    (tmp_path / "comment/fusebench-small").mkdir(parents=True)
    changed.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "away"))
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    printed = _run(changed, tmp_path, "train.nothing=0", ok=False, worktrees=2)
    changed.git("tag", "--delete", "ci-small")
    changed.git("worktree", "prune")
    assert "train.nothing" in printed
    assert printed.splitlines()[-1] == "error: the small run did not finish"
    said = _shown(tmp_path / "comment/comment.md")
    assert said.endswith("It did not finish; its log says why.")
    assert "add (" in said
    assert not (tmp_path / "comment/fusebench-small").exists()


def test_a_base_without_results_is_said(changed: Project) -> None:
    said = _comment(changed, "--base", "HEAD~3")
    assert (
        "Not compared with HEAD~3: predictions/add: not in dvc.lock of 'HEAD~3', committed without "
        "'dvc repro'." in said
    )
    assert "No recommendation" in said


def test_params_that_were_not_run_make_it_stale_and_nothing_is_recommended(
    changed: Project,
) -> None:
    changed.set_params({"train.lr": 0.5})
    try:
        said = _comment(changed, "--base", "HEAD", "--pictures", "plots")
    finally:
        changed.git("checkout", "--quiet", "--", "params.yaml")
    assert "Stale: add, hadamard, metrics/headline.json: trained with other train" in said
    assert "was predicted alike on test, to the bit, but that is stale." in said
    assert "train.lr" in said
    assert "No recommendation" not in said
    assert "Pictures are not shown" in said


def test_predictions_in_no_cache_are_said_and_the_rest_is_written(
    changed: Project, tmp_path: Path
) -> None:
    changed.git("clone", "--quiet", str(changed.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    said = _comment(clone, "--base", "HEAD~1", "--of", "HEAD")
    assert "Not compared with HEAD~1: predictions/add of 'HEAD~1': in no cache or remote." in said
    assert "override.add.lr" in said
    assert "No recommendation" in said


def test_a_revision_that_is_not_there_is_one_line_and_nothing_is_written(
    changed: Project, tmp_path: Path
) -> None:
    path = tmp_path / "comment.md"
    done = changed.run(
        "python", "src/comment.py", "--base", "nonsense", "--output", str(path), ok=False
    )
    assert done.stderr.startswith("error: 'nonsense' is no git revision and no experiment")
    assert len(done.stderr.splitlines()) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense", "out"], "error: 'nonsense': no revision of git that HEAD comes from\n"),
        (["HEAD"], "error: .ci/comment BASE FOLDER: must name a revision of git and a folder\n"),
    ],
)
def test_the_script_of_both_hosts_refuses_what_it_cannot_begin_with(
    arguments: list[str], said: str, changed: Project
) -> None:
    assert changed.run("bash", ".ci/comment", *arguments, ok=False).stderr == said
    assert not (changed.root / "out").exists()

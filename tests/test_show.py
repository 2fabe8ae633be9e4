"""show.py diff through the real DVC: commits, experiments, the workspace, what is not kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.project import FUSIONS, Project, stages_run
from tests.sealing import reseal

pytestmark = pytest.mark.slow


def _diff(project: Project, *revisions: str) -> str:
    text = project.run("python", "src/show.py", "diff", *revisions).stdout
    assert max(map(len, text.splitlines())) <= 100
    return " ".join(text.split())


def _refusal(project: Project, *revisions: str) -> str:
    line = project.run("python", "src/show.py", "diff", *revisions, ok=False).stderr
    assert len(line.splitlines()) == 1
    return line


@contextmanager
def _tidied_cache(project: Project) -> Iterator[None]:
    """Leave in the cache what the workspace needs, as `dvc gc` does."""
    cache = project.root / ".dvc/cache"
    aside = cache.rename(project.root / ".dvc/aside")
    shutil.copytree(aside, cache)
    try:
        project.dvc("gc", "--workspace", "--force")
        yield
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        aside.rename(cache)


@pytest.fixture(scope="module")
def changed(reproduced: tuple[Project, str]) -> Iterator[Project]:
    """The small project, with another learning rate for `add` in a further commit.

    It came out of an experiment, `faster`.
    """
    project, _ = reproduced
    project.restore()
    project.dvc("exp", "run", "--name", "faster", "-S", "train.lr=0.01", "predict@add")
    project.commit("another rate")
    yield project
    project.git("reset", "--quiet", "--hard", "HEAD~1")
    project.dvc("checkout", "--quiet", "--force")


def test_the_workspace_is_compared_with_the_commit_before(changed: Project) -> None:
    said = _diff(changed)
    assert said.startswith("Test part, before: HEAD~1, after: workspace.")
    assert "add: 2 seed(s), " in said
    assert "add (workspace) against add (HEAD~1): " in said
    assert "2 seed(s) are too few" in said
    others = [name for name in FUSIONS if name != "add"]
    assert f"The same predictions before and after: {', '.join(others)}." in said
    # The commit holds what the workspace does.
    assert _diff(changed, "HEAD~1", "HEAD") == said.replace("workspace", "HEAD")
    assert "The same predictions" in _diff(changed, "HEAD")
    assert "against" not in _diff(changed, "HEAD")


def test_an_experiment_goes_by_its_name(changed: Project) -> None:
    expected = _diff(changed, "HEAD~1", "HEAD")
    for words in ("HEAD)", "after: HEAD.", "HEAD: Stale: "):
        assert words in expected
        expected = expected.replace(words, words.replace("HEAD", "faster"))
    assert _diff(changed, "HEAD~1", "faster") == expected


def test_a_fusion_that_one_side_has_not_is_named(changed: Project) -> None:
    path = changed.root / "params.yaml"
    before = path.read_text("utf-8")
    content = yaml.safe_load(before)
    content["fusions"].remove("hadamard")
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    try:
        assert "Only in HEAD~1, without a partner: fusions hadamard." in _diff(changed)
    finally:
        path.write_text(before, "utf-8")


def test_other_samples_are_refused(changed: Project) -> None:
    # The workspace has other predictions than HEAD~1: by hand, of a sample that is not the same.
    import numpy as np

    folder = changed.root / "predictions/add"
    kept = folder.rename(folder.with_name("kept"))
    try:
        # Without the modes, which forbid writing.
        shutil.copytree(kept, folder, copy_function=shutil.copyfile)
        with np.load(folder / "seed_0.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        arrays["digest"] = np.array([digest[::-1] for digest in arrays["digest"].tolist()])
        np.savez_compressed(folder / "seed_0.npz", allow_pickle=False, **arrays)
        reseal(folder)
        assert "HEAD~1 was made from other samples than workspace" in _refusal(changed)
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


@pytest.mark.thorough
def test_what_is_not_kept_any_more_is_made_again_by_the_printed_command(changed: Project) -> None:
    expected = _diff(changed)
    with _tidied_cache(changed):
        error = changed.run("python", "src/show.py", "diff", ok=False).stderr
        said, command = error.splitlines()
        assert said == (
            "error: predictions/add of 'HEAD~1': in no cache or remote; "
            "'dvc push' where they are, or:"
        )
        assert max(len(said), len(command)) <= 100
        try:
            made = changed.run("sh", "-c", command).stdout
            assert {"train@add", "predict@add"} <= set(stages_run(made))
            assert _diff(changed) == expected
        finally:
            changed.git("worktree", "remove", "--force", "../v0")


@pytest.mark.thorough
def test_what_a_remote_holds_is_found_there(changed: Project, tmp_path: Path) -> None:
    expected = _diff(changed)
    changed.dvc("remote", "add", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    try:
        changed.dvc("push", "--all-commits")
        with _tidied_cache(changed):
            assert _diff(changed) == expected
    finally:
        changed.dvc("remote", "remove", "--local", "shelf")


def test_a_commit_without_results_is_refused(changed: Project) -> None:
    # The first commit of the small project was made before `dvc repro`.
    line = _refusal(changed, "HEAD~2")
    assert "not in dvc.lock of 'HEAD~2', committed without 'dvc repro'" in line


def test_what_is_no_revision_is_refused(changed: Project) -> None:
    line = _refusal(changed, "nonsense")
    assert line.startswith("error: 'nonsense' is no git revision and no experiment")

"""src/diff.py on real commits and experiments of the small project."""

import sys
from pathlib import Path

from tests.project import FUSIONS, Project


def diff(project: Project, *revisions: str, ok: bool = True) -> str:
    done = project.run(sys.executable, "src/diff.py", *revisions, ok=ok)
    return done.stdout if ok else done.stderr


def only_line(errors: str) -> str:
    (line,) = [each for each in errors.splitlines() if each]
    assert line.startswith("error: ")
    return line


def test_a_changed_fusion_is_compared_with_itself_before(clean: Project) -> None:
    clean.dvc("exp", "run", "--name", "fast", "--set-param", "override.add.lr=0.01")
    text = diff(clean, "HEAD")
    assert text.startswith("Test part, before: HEAD, after: workspace.")
    assert "\nadd: 2 seed(s), " in text
    unchanged = [name for name in FUSIONS if name != "add"]
    same = " ".join(text.split("\n\n")[0].split())
    assert f"The same predictions before and after: {', '.join(unchanged)}." in same
    assert not [name for name in unchanged if f"\n{name}: " in text]
    assert max(map(len, text.splitlines())) <= 100
    by_name = diff(clean, "HEAD", "fast")
    assert by_name.split("\n\n")[1].replace("fast", "workspace") == text.split("\n\n")[1]
    back = diff(clean, "fast", "HEAD")
    assert "\nadd: 2 seed(s), " in back
    clean.dvc("exp", "remove", "fast")


def test_what_has_no_partner_is_said(clean: Project) -> None:
    clean.dvc("exp", "run", "--set-param", "strategies=[add,late]", "--set-param", "fusion=add")
    text = " ".join(diff(clean, "HEAD").split())
    lost = [name for name in FUSIONS if name not in ("add", "late")]
    assert f"Only in HEAD, without a partner: fusions {', '.join(lost)}." in text


def test_a_commit_without_results_and_an_unknown_name_are_refused(clean: Project) -> None:
    line = only_line(diff(clean, "HEAD~1", ok=False))
    assert "committed without 'dvc repro'" in line
    assert "'HEAD~1'" in line
    assert "'nonesuch' is no git revision and no experiment" in only_line(
        diff(clean, "nonesuch", ok=False)
    )


def test_predictions_that_are_not_kept_come_with_the_way_to_get_them(
    clean: Project, tmp_path: Path
) -> None:
    cache, aside = clean.root / ".dvc/cache", tmp_path / "cache"
    cache.rename(aside)
    try:
        line = only_line(diff(clean, "HEAD", ok=False))
    finally:
        if cache.exists():
            cache.rename(tmp_path / "leftover")
        aside.rename(cache)
    assert "predictions/late of 'HEAD' is neither in DVC's cache nor in its remote" in line
    assert "git worktree add" in line
    assert "dvc repro" in line

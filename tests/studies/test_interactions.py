"""The loop over cells: what is done is not run again, and what was ended goes on."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tests.project import ROOT
from tests.studies.made_up_interactions import Experiment, small

from fusebench.errors import ArtifactError
from studies import interact as script
from studies.common.errors import StudyError
from studies.common.experiments import Read
from studies.interactions import run as running
from studies.interactions.outcomes import FOLDER, read_all, read_kept
from studies.interactions.page import PAGE, README, documents, filled, unmarked
from studies.interactions.plan import CELLS, SOLVED, Cell
from studies.interactions.run import Study
from studies.interactions.tables import Results

XOR, MATCH = small(Cell(task="xor")), small(Cell(task="match"))
PLAN = (XOR, MATCH)
PAGE_TEXT = """# Page

<!-- interactions -->
<!-- /interactions -->
<!-- interactions-shares -->
<!-- /interactions-shares -->
<!-- interactions-cells -->
<!-- /interactions-cells -->
<!-- interactions-likeness -->
<!-- /interactions-likeness -->
"""
SUMMARIES = ["contrasts.csv", "interactions.png", "summary.csv", "tasks.png", "verdict.md"]


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a page, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    # It takes a second to draw, and has tests of its own.
    monkeypatch.setattr("studies.interactions.page.interactions_picture", lambda _: Figure((1, 1)))
    monkeypatch.setattr("studies.interactions.page.tasks_picture", lambda: Figure((1, 1)))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    _git("init", "--quiet")
    PAGE.parent.mkdir()
    PAGE.write_text(PAGE_TEXT, "utf-8")
    README.write_text("# Read me\n", "utf-8")
    Path("params.yaml").write_text("fusion: add\n", "utf-8")
    _git("add", "--all")
    _git("commit", "--quiet", "--message", "begun")


class FakeRunner:
    """Runs nothing; notes which cells it was asked for, and may fail or be ended in some."""

    def __init__(self, **failing: BaseException) -> None:
        self.ran: list[str] = []
        self.failing = failing

    def __call__(self, cell: Cell) -> Read:
        self.ran.append(cell.name)
        if cell.name in self.failing:
            raise self.failing[cell.name]
        return Experiment(cell, {"concat": 2}).read


def _study(runner: Callable[[Cell], Read], plan: tuple[Cell, ...] = PLAN, **more: object) -> Study:
    lines: list[str] = []
    return Study(plan, runner, say=lines.append, check=lambda: None, **more)  # type: ignore[arg-type]


def _commits() -> list[str]:
    return _git("log", "--format=%s", "--reverse").splitlines()


# --- What is run ---


def test_each_cell_is_run_kept_shown_and_committed() -> None:
    runner = FakeRunner()
    _study(runner).run()
    assert runner.ran == ["xor", "match"]
    assert _commits() == ["begun", "Interactions: xor", "Interactions: match"]
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(
        [*SUMMARIES, "xor.csv", "xor.json", "match.csv", "match.json"]
    )
    assert not _git("status", "--porcelain")
    changed = _git("show", "--format=", "--name-only", "HEAD").splitlines()
    assert "docs/interactions.md" in changed
    assert all(name.startswith(("metrics/interactions/", "docs/")) for name in changed)


def test_a_cell_that_is_done_is_not_run_again_unless_asked() -> None:
    _study(FakeRunner()).run()
    runner = FakeRunner()
    _study(runner).run()
    assert runner.ran == []
    _study(runner).run(["match"], again=True)
    assert runner.ran == ["match"]


def test_only_cells_that_are_named_are_run() -> None:
    runner = FakeRunner()
    _study(runner).run(["match"])
    assert runner.ran == ["match"]
    assert "Not run yet: xor." in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    "changed",
    [replace(MATCH, epochs=4), replace(MATCH, lr=0.01), replace(MATCH, count=50)],
    ids=["epochs", "rate", "samples"],
)
def test_a_cell_with_other_params_is_run_again_and_not_shown_before(changed: Cell) -> None:
    _study(FakeRunner()).run()
    study = _study(FakeRunner(match=KeyboardInterrupt()), (XOR, changed))
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert "match,none" not in (FOLDER / "summary.csv").read_text("utf-8")
    runner = FakeRunner()
    _study(runner, (XOR, changed)).run()
    assert runner.ran == ["match"]


def test_another_threshold_makes_every_cell_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    _study(FakeRunner()).run()
    monkeypatch.setattr("studies.interactions.outcomes.SOLVED", SOLVED + 5)
    runner = FakeRunner()
    _study(runner).run()
    assert runner.ran == ["xor", "match"]


def test_what_is_kept_of_cells_that_the_plan_lacks_is_said() -> None:
    _study(FakeRunner()).run()
    lines: list[str] = []
    Study((XOR,), FakeRunner(), say=lines.append, check=lambda: None).run()
    assert any("match.json: of a cell that is not in the plan" in line for line in lines)
    lines.clear()
    Study((replace(XOR, epochs=9), MATCH), FakeRunner(), say=lines.append, check=lambda: None).run()
    assert any("xor.json: of other params than the plan has now" in line for line in lines)


# --- Ended and started again ---


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StudyError("DVC failed")])
def test_ended_in_a_cell_it_goes_on_with_that_cell(error: BaseException) -> None:
    with pytest.raises(type(error)):
        _study(FakeRunner(match=error)).run()
    assert _commits() == ["begun", "Interactions: xor"]
    runner = FakeRunner()
    _study(runner).run()
    assert runner.ran == ["match"]
    assert _commits()[-1] == "Interactions: match"


@pytest.mark.parametrize("step", ["write_results", "repository.commit"])
def test_ended_after_a_cell_was_kept_it_is_shown_and_committed_and_not_run_again(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"studies.interactions.run.{step}", end)
        with pytest.raises(KeyboardInterrupt):
            _study(FakeRunner()).run()
    assert _commits() == ["begun"]
    assert read_kept(XOR) is not None
    runner = FakeRunner()
    _study(runner).run()
    assert runner.ran == ["match"]
    assert _commits() == ["begun", "Interactions: what is kept, shown anew", "Interactions: match"]
    assert not _git("status", "--porcelain")


def test_what_was_staged_for_a_commit_that_was_ended_is_no_obstacle() -> None:
    with pytest.raises(KeyboardInterrupt):
        _study(FakeRunner(match=KeyboardInterrupt()), commits=False).run()
    _git("add", "metrics", "docs")
    _study(FakeRunner()).run()
    assert not _git("status", "--porcelain")


def test_without_commits_nothing_is_committed_and_the_next_run_goes_on() -> None:
    runner = FakeRunner()
    _study(runner, commits=False).run()
    assert _commits() == ["begun"]
    assert json.loads((FOLDER / "match.json").read_text("utf-8"))["commit"] == _git(
        "rev-parse", "HEAD"
    )
    _study(runner, commits=False).run()
    assert runner.ran == ["xor", "match"]


# --- What is kept ---


def test_what_is_kept_says_what_was_run() -> None:
    before = _git("rev-parse", "HEAD")
    _study(FakeRunner()).run(["xor"])
    kept = read_kept(XOR)
    assert kept is not None
    assert kept.about["overrides"] == list(XOR.overrides)
    assert kept.about["commit"] == before
    assert kept.about["samples"] == {"train": 6, "val": 2, "test": 4}
    assert kept.about["processor"] == "a processor"
    assert kept.about["precision"] == "bf16, fp32"
    assert kept.about["training_seconds"] == round(3 * 0.5 * XOR.seeds * XOR.epochs)
    assert kept.about["seconds"] >= 0
    assert kept.about["interaction"]["looks_like"] == {"kind": "synergistic", "tasks": ["xor"]}
    assert "models" in kept.about["interaction"]
    row = next(line for line in PAGE.read_text("utf-8").splitlines() if "0.97" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "xor", "synergistic", "synergistic", "0.01", "0.00", "0.00", "0.97",
    ]  # fmt: skip
    first, second, third = kept.of("concat").outcomes[:3]
    assert (first.solved, first.epoch, first.accuracy) == (1, 2.0, 97.5)
    assert (second.solved, second.epoch) == (1, 2.0)
    assert third.solved == 0
    assert third.epoch != third.epoch
    assert {row.parameters for row in kept.outcomes} == {1000}


def test_changed_files_are_named_in_the_commit_that_is_kept() -> None:
    Path("params.yaml").write_text("fusion: concat\n", "utf-8")
    _study(FakeRunner(), commits=False).run(["xor"])
    kept = read_kept(XOR)
    assert kept is not None
    assert kept.about["commit"].endswith("-dirty")


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("metrics/fusions/concat.json", b"{", "concat.json: not valid JSON"),
        ("metrics/fusions/concat.json", b"[]", "must be a JSON object"),
        ("metrics/fusions/concat.json", b"{}", "concat.json: broken"),
        ("metrics/fusions/concat.json", b'{"parameters": 1, "test": {"seeds": {}}}', "seeds []"),
        ("plots/training/concat.csv", b"seed,epoch\n", "'balanced_accuracy' is missing"),
        ("plots/training/concat.csv", b"seed,epoch,balanced_accuracy\n0,1,50.0\n", "not 3 epochs"),
        ("data/split.csv", b"row\n", "column 'seed_0' is missing"),
        ("metrics/training/concat.json", b"{}", "cannot be read"),
    ],
)
def test_an_experiment_that_is_not_the_cells_is_refused_and_not_kept(
    path: str, content: bytes, words: str
) -> None:
    def read(name: Path) -> bytes:
        return content if str(name) == path else Experiment(XOR, {}).read(name)

    with pytest.raises(StudyError) as caught:
        _study(lambda _: read).run(["xor"])
    assert words in str(caught.value)
    assert str(caught.value).startswith("xor: its experiment cannot be read: ")
    assert "\n" not in str(caught.value)
    assert read_kept(XOR) is None


def test_an_experiment_that_lacks_a_file_is_refused() -> None:
    def read(name: Path) -> bytes:
        raise ArtifactError(f"{name}: not in 'interactions-xor'")

    with pytest.raises(StudyError, match=r"xor: .*: data/split\.csv: not in 'inter"):
        _study(lambda _: read).run(["xor"])


@pytest.mark.parametrize("spoil", ["cut", "json", "rows"])
def test_what_is_kept_and_broken_is_said_with_a_remedy(spoil: str) -> None:
    _study(FakeRunner()).run()
    table, about = FOLDER / "xor.csv", FOLDER / "xor.json"
    if spoil == "json":
        about.write_text("{", "utf-8")
    else:
        text = table.read_text("utf-8")
        lines = text.splitlines(keepends=True)
        table.write_text(text[:-9] if spoil == "cut" else "".join(lines[:-1]), "utf-8")
    with pytest.raises(StudyError, match=r"'git restore metrics/interactions/xor\.\*', or 'rm"):
        _study(FakeRunner()).run()


# --- What is refused ---


@pytest.mark.parametrize("staged", [True, False])
def test_changes_that_are_not_the_studys_are_refused_before_anything_is_run(staged: bool) -> None:
    Path("params.yaml").write_text("fusion: concat\n", "utf-8")
    if staged:
        _git("add", "params.yaml")
    runner = FakeRunner()
    with pytest.raises(StudyError) as caught:
        _study(runner).run()
    assert str(caught.value).startswith(
        f"params.yaml: {'staged' if staged else 'changed'} and not committed"
    )
    assert runner.ran == []


def test_words_of_ones_own_on_the_page_are_refused_and_its_marked_parts_are_not() -> None:
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text.replace("-->\n<!-- /interactions -->", "-->\nx\n<!-- /interactions -->"))
    _study(FakeRunner()).run(["xor"])
    PAGE.write_text(PAGE.read_text("utf-8").replace("# Page", "# My page"), "utf-8")
    with pytest.raises(StudyError, match=r"docs/interactions\.md: changed and not committed"):
        _study(FakeRunner()).run(["match"])


def test_without_an_identity_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "")
    with pytest.raises(StudyError, match="does not know you"):
        _study(FakeRunner(), commits=False).run()


def test_outside_of_a_repository_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("plain"))
    with pytest.raises(StudyError, match="in no git repository"):
        _study(FakeRunner()).run()


def test_an_empty_lock_is_refused() -> None:
    lock = Path(".dvc/tmp/rwlock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(StudyError, match=r"rwlock: left empty by a DVC that was killed.*make mend"):
        _study(FakeRunner()).run()
    lock.write_text("{}", "utf-8")
    _study(FakeRunner()).run()


# --- The documents and the script ---


def test_a_readme_with_marks_shows_the_paragraph_and_is_committed_with_it() -> None:
    README.write_text("# Read me\n\n<!-- interactions -->\n<!-- /interactions -->\n", "utf-8")
    _git("commit", "--quiet", "--all", "--message", "marks")
    _study(FakeRunner()).run(["xor"])
    assert "*xor*" in README.read_text("utf-8")
    assert "README.md" in _git("show", "--format=", "--name-only", "HEAD").splitlines()
    assert "![" not in README.read_text("utf-8")
    assert "![" in PAGE.read_text("utf-8")


def test_a_page_without_its_marks_is_refused() -> None:
    PAGE.write_text("# Page\n", "utf-8")
    _git("commit", "--quiet", "--all", "--message", "without")
    with pytest.raises(ArtifactError, match="the marks <!-- interactions --> and"):
        _study(FakeRunner()).run(["xor"])


def test_the_page_of_the_project_has_all_marks() -> None:
    from tests.project import ROOT

    from studies.interactions.page import filled
    from studies.interactions.tables import Results

    text = (ROOT / PAGE).read_text("utf-8")
    shown = filled(PAGE, text, Results.of(PLAN, []))
    assert unmarked(shown) == unmarked(text)
    assert "Nothing was run yet" in shown


def test_what_is_kept_is_shown_anew_without_a_run() -> None:
    _study(FakeRunner()).run(["xor"])
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text.replace("*xor*", "*other*"), "utf-8")
    _study(FakeRunner(match=AssertionError())).show()
    assert PAGE.read_text("utf-8") == text
    _study(FakeRunner(), (replace(XOR, epochs=3), replace(MATCH, epochs=9))).show()
    assert _commits()[-1] == "Interactions: what is kept, shown anew"
    assert not _git("status", "--porcelain")


def test_the_projects_page_shows_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    kept = read_all(CELLS)
    if not kept:
        pytest.skip("no cell was run yet")
    for path in documents():
        text = path.read_text("utf-8")
        assert text == filled(path, text, Results.of(CELLS, kept)), f"{path}: interact.py --show"


def test_the_script_takes_cells_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def note(self: Study, names: list[str], *, again: bool) -> None:
        asked.append((self.commits, names, again))

    monkeypatch.setattr(running.Study, "run", note)
    monkeypatch.setattr(running.Study, "show", lambda _: asked.append("show"))
    for arguments in ([], ["xor", "--again"], ["--no-commit"], ["--show"]):
        monkeypatch.setattr(sys, "argv", ["interact.py", *arguments])
        script.main()
    assert asked == [(True, [], False), (True, ["xor"], True), (False, [], False), "show"]
    monkeypatch.setattr(sys, "argv", ["interact.py", "nonsense"])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2
    assert "nonsense: no such cell; must be of shape, colour" in capsys.readouterr().err

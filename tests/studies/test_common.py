"""What studies have in common: the loop, what is kept, DVC's queue, and marked pages."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.studies.made_up_checkout import (
    SAMPLES,
    WITH_SAMPLES,
    change_samples,
    commits,
    git,
    make_checkout,
)

from fusebench.errors import ArtifactError
from fusebench.report.declared import read_origin
from studies.common import experiments
from studies.common.errors import StudyError
from studies.common.experiments import Experiment, Read, read_json, run_queued
from studies.common.found import read_environment, read_metrics
from studies.common.kept import Unit, deciding_here, read_all, read_kept
from studies.common.marked import Page
from studies.common.study import Kept, Study

FOLDER = Path("metrics/made_up")
PAGE = Page(Path("docs/page.md"), ("words",))
PARAMS = {"train": {"lr": 0.1}}
_NOT_SHOWN = "of other params or samples than there are now; it is not shown"


def _unit(name: str, rate: float = 0.1) -> Unit:
    return Unit(Experiment(f"study-{name}", (f"train.lr={rate}",)), name, PARAMS, {"of": name})


ONE, TWO = _unit("one"), _unit("two")


class FakeRunner:
    """Runs nothing; notes what it was asked for; some experiments fail, or all is interrupted."""

    def __init__(self, *failing: str, error: BaseException | None = None) -> None:
        self.ran: list[str] = []
        self.failing = failing
        self.error = error

    def __call__(self, asked: Sequence[Experiment]) -> Mapping[str, Read]:
        self.ran += [one.name for one in asked]
        if self.error is not None:
            raise self.error
        return {one.name: _reader(one.name) for one in asked if one.name not in self.failing}


def _reader(name: str) -> Read:
    return lambda path: f"{name} {path}".encode()


def _find(_: Unit, read: Read) -> Mapping[str, Any]:
    return {"found": read(Path("file")).decode()}


def _write(kept: Sequence[Kept], planned: Sequence[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "summary.csv").write_text("".join(f"{of['of']}\n" for of in kept), "utf-8")
    done = " and ".join(of["of"] for of in kept)
    PAGE.write({"words": f"{done} of {' and '.join(planned)}"})


def _study(runner: FakeRunner, lines: list[str] | None = None, **more: Any) -> Study:
    return Study(
        title="Made up", folder=FOLDER, find=_find, write=_write,
        own=lambda: PAGE.own(FOLDER), runner=runner,
        say=(lines if lines is not None else []).append,
        **{"params": PARAMS, "planned": lambda: [ONE, TWO], **more},
    )  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a page, params and samples."""
    page = "# Page\n\n<!-- words -->\n<!-- /words -->\n"
    files = {"docs/page.md": page, "params.yaml": "x: 1\n", **WITH_SAMPLES}
    make_checkout(tmp_path, files, monkeypatch)


# --- The loop ---


@pytest.mark.usefixtures("checkout")
def test_what_is_not_done_is_run_kept_shown_and_committed() -> None:
    runner, lines = FakeRunner(), list[str]()
    _study(runner, lines).run([ONE, TWO])
    assert runner.ran == ["study-one", "study-two"]
    assert commits() == ["begun", "Made up: what is kept, shown anew", "Made up: one, two"]
    kept = read_kept(FOLDER / "one.json")
    assert kept["declared"] == {"overrides": ["train.lr=0.1"], "params": PARAMS}
    assert kept["found"] == "study-one file"
    assert kept["commit"] == git("rev-parse", "HEAD~1")
    assert "one and two of one and two" in PAGE.path.read_text("utf-8")
    assert not git("status", "--porcelain")
    assert "Made up: 2 of 2 are done: metrics/made_up/" in lines


@pytest.mark.usefixtures("checkout")
def test_what_is_done_is_not_run_again_unless_asked() -> None:
    _study(FakeRunner()).run([ONE, TWO])
    runner = FakeRunner()
    _study(runner).run([ONE, TWO])
    assert runner.ran == []
    _study(runner).run([TWO], again=True)
    assert runner.ran == ["study-two"]


@pytest.mark.usefixtures("checkout")
def test_other_overrides_or_params_are_run_again_and_other_params_are_not_shown() -> None:
    _study(FakeRunner()).run([ONE, TWO])
    runner = FakeRunner()
    changed = [_unit("one", 0.2), TWO]
    _study(runner, planned=lambda: changed).run(changed)
    assert runner.ran == ["study-one"]
    assert (FOLDER / "summary.csv").read_text("utf-8") == "one\ntwo\n"
    other = {"train": {"lr": 0.3}}
    units = [replace(unit, params=other) for unit in changed]
    lines: list[str] = []
    _study(FakeRunner(), lines, params=other, planned=lambda: units).run(units[1:])
    assert (FOLDER / "summary.csv").read_text("utf-8") == "two\n"
    assert f"{FOLDER}/one.json: {_NOT_SHOWN}" in lines


@pytest.mark.usefixtures("checkout")
def test_what_was_run_with_other_overrides_than_are_planned_is_not_shown() -> None:
    _study(FakeRunner()).run([ONE, TWO])
    changed, lines = [_unit("one", 0.2), TWO], list[str]()
    _study(FakeRunner(), lines, planned=lambda: changed).show()
    assert f"{FOLDER}/one.json: of other overrides than there are now; it is not shown" in lines
    assert (FOLDER / "summary.csv").read_text("utf-8") == "two\n"
    assert read_origin(FOLDER).left == ["one"]
    _study(FakeRunner(), planned=lambda: changed[1:]).show()
    assert read_origin(FOLDER).done == ("two",)


@pytest.mark.usefixtures("checkout")
def test_what_is_kept_of_other_samples_is_not_done_and_not_shown() -> None:
    def planned() -> list[Unit]:
        params = deciding_here()
        return [replace(unit, params=params) for unit in (ONE, TWO)]

    _study(FakeRunner(), params=deciding_here(), planned=planned).run(planned())
    change_samples()
    runner, lines = FakeRunner(), list[str]()
    _study(runner, lines, params=deciding_here(), planned=planned).run(planned()[:1])
    assert runner.ran == ["study-one"]
    assert [f"{FOLDER}/{name}.json: {_NOT_SHOWN}" for name in ("one", "two")] == lines[:2]
    assert (FOLDER / "summary.csv").read_text("utf-8") == "one\n"
    assert read_origin(FOLDER).done == ("one",)


@pytest.mark.usefixtures("checkout")
def test_what_decides_here_are_params_and_samples() -> None:
    before = deciding_here()
    assert before.keys() == {"x", "override", "samples"}
    change_samples()
    assert {**deciding_here(), "samples": before["samples"]} == before != deciding_here()
    SAMPLES.unlink()
    with pytest.raises(
        ArtifactError, match=r"^data/samples/dataset\.json: no such file; 'dvc repro extract' makes"
    ):
        deciding_here()


@pytest.mark.usefixtures("checkout")
def test_what_results_belong_to_is_kept_beside_them_and_is_no_result() -> None:
    _study(FakeRunner()).run([ONE])
    origin = read_origin(FOLDER)
    assert origin.declared == PARAMS
    assert origin.commits == (git("rev-parse", "HEAD~1"),)
    assert (origin.planned, origin.done, origin.left) == (("one", "two"), ("one",), ["two"])
    assert "one of one and two" in PAGE.path.read_text("utf-8")
    assert not git("status", "--porcelain")
    _study(FakeRunner()).run([ONE, TWO])
    assert read_origin(FOLDER).commits == tuple(git("rev-parse", f"HEAD~{n}") for n in (2, 1))
    assert read_origin(FOLDER).left == []
    other = {"train": {"lr": 0.3}}
    _study(FakeRunner(), params=other).show()
    origin = read_origin(FOLDER)
    assert (origin.declared, origin.commits, origin.left) == (other, (), ["one", "two"])


@pytest.mark.usefixtures("checkout")
def test_one_that_fails_is_said_and_the_others_are_kept_and_committed() -> None:
    with pytest.raises(StudyError, match=r"^one: failed, as DVC says above"):
        _study(FakeRunner("study-one")).run([ONE, TWO])
    assert commits()[-1] == "Made up: two"
    runner = FakeRunner()
    _study(runner).run([ONE, TWO])
    assert runner.ran == ["study-one"]
    assert (FOLDER / "summary.csv").read_text("utf-8") == "one\ntwo\n"


@pytest.mark.usefixtures("checkout")
def test_interrupted_nothing_is_kept_and_it_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        _study(FakeRunner(error=KeyboardInterrupt())).run([ONE])
    assert read_all(FOLDER, PARAMS) == {}
    assert read_origin(FOLDER).done == ()
    _study(FakeRunner()).run([ONE])
    assert commits()[-1] == "Made up: one"


@pytest.mark.usefixtures("checkout")
def test_what_was_kept_and_not_committed_is_shown_and_committed_first() -> None:
    _study(FakeRunner(), commits=False).run([ONE])
    assert commits() == ["begun"]
    runner = FakeRunner()
    _study(runner).run([ONE])
    assert runner.ran == []
    assert commits()[-1] == "Made up: what is kept, shown anew"
    assert not git("status", "--porcelain")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("path", ["params.yaml", "docs/page.md"])
def test_a_checkout_that_is_not_committed_is_refused(path: str) -> None:
    Path(path).write_text(f"more {Path(path).read_text('utf-8')}", "utf-8")
    runner = FakeRunner()
    with pytest.raises(StudyError, match=f"^{path}: changed and not committed"):
        _study(runner).run([ONE])
    assert runner.ran == []


@pytest.mark.usefixtures("checkout")
def test_without_commits_the_commit_that_is_kept_says_that_files_were_changed() -> None:
    Path("params.yaml").write_text("x: 2\n", "utf-8")
    _study(FakeRunner(), commits=False).run([ONE])
    assert read_kept(FOLDER / "one.json")["commit"].endswith("-dirty")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("path", ["src/fusebench/corruptions/new.py", "studies/new.py"])
def test_new_code_that_is_not_committed_is_refused_or_said(path: str) -> None:
    _touch(path)
    runner = FakeRunner()
    with pytest.raises(StudyError, match=f"^{path}: new and not committed.*'git stash -u'"):
        _study(runner).run([ONE])
    assert runner.ran == []
    _study(runner, commits=False).run([ONE])
    assert read_kept(FOLDER / "one.json")["commit"] == f"{git('rev-parse', 'HEAD')}-dirty"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("path", ["notes.md", "tests/test_new.py", "src/__pycache__/new.pyc"])
def test_a_new_file_that_is_no_code_does_not_matter(path: str) -> None:
    _touch(path)
    _study(FakeRunner()).run([ONE])
    assert read_kept(FOLDER / "one.json")["commit"] == git("rev-parse", "HEAD~1")
    # Nor is it committed with the results.
    assert path not in git("ls-files")


def _touch(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).touch()


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    "error", [ArtifactError("x.csv: broken; 'dvc repro'"), KeyError("x"), ValueError("x")]
)
def test_an_experiment_that_cannot_be_read_is_said_in_a_line(error: Exception) -> None:
    def find(*_: object) -> Mapping[str, Any]:
        raise error

    with pytest.raises(StudyError, match=r"^one: its experiment cannot be read: ") as caught:
        replace(_study(FakeRunner()), find=find).run([ONE])
    assert "\n" not in str(caught.value)
    assert not (FOLDER / "one.json").exists()


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("spoil", ["cut", "number"])
def test_what_is_kept_and_broken_is_said_with_a_remedy(spoil: str) -> None:
    _study(FakeRunner()).run([ONE])
    path = FOLDER / "one.json"
    text = path.read_text("utf-8")
    path.write_text(text[:-9] if spoil == "cut" else text.replace("0.1", "0.2"), "utf-8")
    with pytest.raises(StudyError, match=r"'git restore metrics/made_up/one\.json', or 'rm"):
        _study(FakeRunner(), commits=False).run([ONE])


@pytest.mark.usefixtures("checkout")
def test_what_is_kept_of_some_params_is_read_by_its_name() -> None:
    _study(FakeRunner()).run([TWO, ONE])
    found = read_all(FOLDER, PARAMS)
    assert {name: of["of"] for name, of in found.items()} == {"one": "one", "two": "two"}
    assert list(found) == ["one", "two"]
    assert read_all(FOLDER, {}) == {}


# --- DVC ---


def test_an_experiment_is_a_command_line() -> None:
    one = Experiment("name", ("a=1", "b=2"), ("stage",))
    assert one.arguments == ["--name", "name", "--set-param", "a=1", "--set-param", "b=2", "stage"]


class FakeDvc:
    """Notes commands; answers `queue status` and `exp list` with texts; may be interrupted."""

    def __init__(
        self, *statuses: str, finished: str = "", run_all: BaseException | int = 0
    ) -> None:
        self.ran: list[str] = []
        self.statuses = list(statuses)
        self.finished = finished
        self.failing: dict[str, BaseException | int] = {"run_all": run_all}

    def run(self, *arguments: str, look: Callable[[], None] | None = None, **_: object) -> int:
        del look
        self.ran.append(" ".join(arguments))
        word = next((arg for arg in ("--run-all", "--queue") if arg in arguments), "")
        outcome = self.failing.get(word.strip("-").replace("-", "_"), 0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def said(self, *arguments: str) -> str:
        if arguments[0] == "exp":
            return self.finished
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


EMPTY = "No experiment tasks in the queue.\n\nWorker status: 0 active, 0 idle\n"


def _status(*rows: str) -> str:
    heading = "Task     Name                 Created       Status"
    return "\n".join([heading, *rows, "", "Worker status: 0 active, 1 idle", ""])


def _patched(monkeypatch: pytest.MonkeyPatch, fake: FakeDvc) -> FakeDvc:
    monkeypatch.setattr(experiments, "dvc", fake.run)
    monkeypatch.setattr(experiments, "_said", fake.said)
    monkeypatch.setattr(experiments, "reader", _reader)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return fake


QUEUED = _status(
    "aaaaaaa  study-one            03:14 AM      Running",
    "bbbbbbb                       03:15 AM      Queued",
    "ccccccc  study-two            Nov 30, 2026  Queued",
    "ddddddd  study-three          Nov 30, 2026  Success",
)


def test_experiments_are_queued_and_worked_off_and_those_that_ended_well_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = _patched(monkeypatch, FakeDvc(EMPTY, finished="study-one\nother\n"))
    readers = run_queued([ONE.experiment, TWO.experiment])
    assert {name: read(Path("x")) for name, read in readers.items()} == {
        "study-one": b"study-one x"
    }
    assert fake.ran == [
        "exp remove --quiet study-one", "exp remove --quiet study-two",
        "exp run --queue --name study-one --set-param train.lr=0.1",
        "exp run --queue --name study-two --set-param train.lr=0.1",
        "exp run --run-all --jobs 1",
    ]  # fmt: skip


def test_a_queue_that_holds_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _patched(monkeypatch, FakeDvc(QUEUED))
    with pytest.raises(StudyError, match=r"^dvc queue: bbbbbbb, study-two, study-one would be run"):
        run_queued([ONE.experiment])
    assert fake.ran == ["exp remove --quiet study-one"]


def test_an_interrupt_stops_what_runs_and_takes_out_what_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeDvc(EMPTY, EMPTY, QUEUED, QUEUED, QUEUED, EMPTY, run_all=KeyboardInterrupt())
    _patched(monkeypatch, fake)
    with pytest.raises(KeyboardInterrupt):
        run_queued([ONE.experiment])
    assert fake.ran[3:] == [
        "queue stop", "queue kill study-one", "queue remove bbbbbbb", "queue remove study-two",
    ]  # fmt: skip


WAITING = _status("bbbbbbb  study-one            03:15 AM      Queued")
NO_WORKER = WAITING.replace("0 active, 1 idle", "0 active, 0 idle")


class WorkerlessDvc(FakeDvc):
    """Its queue loses its worker so many times before it is worked off."""

    def __init__(self, times: int, *statuses: str) -> None:
        super().__init__(EMPTY, EMPTY, *statuses, finished="study-one\n")
        self.left = times

    def run(self, *arguments: str, look: Callable[[], None] | None = None, **_: object) -> int:
        self.ran.append(" ".join(arguments))
        if look is not None and self.left:
            self.left -= 1
            look()
        return 0


def test_a_queue_whose_worker_ended_by_itself_is_worked_off_by_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = _patched(monkeypatch, WorkerlessDvc(1, NO_WORKER, NO_WORKER))
    assert list(run_queued([ONE.experiment])) == ["study-one"]
    assert fake.ran[2:] == ["exp run --run-all --jobs 1"] * 2
    assert capsys.readouterr().out == (
        "The worker of DVC's queue ended; started again for study-one\n"
    )


def test_a_worker_that_ends_twice_before_one_experiment_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = _patched(monkeypatch, WorkerlessDvc(2, NO_WORKER))
    with pytest.raises(StudyError, match=r"^dvc queue: its worker ended twice before study-one; "):
        run_queued([ONE.experiment])
    # Nothing stays behind that would be run later.
    assert fake.ran[-1] == "queue remove study-one"


@pytest.mark.parametrize("status", [WAITING, QUEUED.replace("1 idle", "0 idle"), EMPTY])
def test_a_queue_that_is_worked_off_or_empty_is_left_alone(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = _patched(monkeypatch, WorkerlessDvc(1, status))
    run_queued([ONE.experiment])
    assert fake.ran[2:] == ["exp run --run-all --jobs 1"]


@pytest.mark.parametrize("trap", ["", "trap '' TERM\n"])
def test_dvc_is_ended_by_what_a_look_raises(
    trap: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    never_ends = tmp_path / "python"
    never_ends.write_text(f"#!/bin/sh\n{trap}exec sleep 3600\n", "utf-8")
    never_ends.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(never_ends))
    monkeypatch.setattr(experiments, "_LOOK", 0.1)
    monkeypatch.setattr(experiments, "_PATIENCE", 0.5)
    looks = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise experiments._WorkerGoneError

    with pytest.raises(experiments._WorkerGoneError):
        experiments.dvc("exp", "run", look=look)
    assert len(looks) == 3


@pytest.mark.parametrize(
    ("failing", "words"),
    [("queue", "study-one: cannot be queued"), ("run_all", "dvc exp run --run-all: failed")],
)
def test_a_dvc_that_fails_is_said(
    failing: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _patched(monkeypatch, FakeDvc(EMPTY)).failing[failing] = 1
    with pytest.raises(StudyError, match=words):
        run_queued([ONE.experiment])


def test_what_dvc_cannot_say_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([sys.executable], 1, "")

    monkeypatch.setattr(experiments, "dvc", lambda *_, **__: 0)
    monkeypatch.setattr(subprocess, "run", failed)
    with pytest.raises(StudyError, match=r"^dvc queue status: failed"):
        run_queued([ONE.experiment])


@pytest.mark.parametrize(("content", "words"), [(b"{", "not valid JSON"), (b"[]", "JSON object")])
def test_json_of_an_experiment_is_checked(content: bytes, words: str) -> None:
    with pytest.raises(ArtifactError, match=f"^a.json: .*{words}"):
        read_json(lambda _: content, Path("a.json"))


# --- What is found ---


def _of(seeds: Mapping[str, Any]) -> Read:
    return lambda _: json.dumps({"test": {"seeds": seeds}}).encode()


def test_metrics_are_those_of_the_seeds() -> None:
    read = _of({"0": {"nll": 0.1}, "2": {"nll": 0.2}})
    assert read_metrics(read, "add", [0, 2])["2"] == {"nll": 0.2}
    with pytest.raises(ArtifactError, match=r"metrics/fusions/add\.json: seeds \['0', '2'\], not"):
        read_metrics(read, "add", [0, 1])
    with pytest.raises(ArtifactError, match=r"add\.json: broken"):
        read_metrics(lambda _: b"{}", "add", [0])


def test_an_environment_is_one_or_a_list() -> None:
    def read(path: Path) -> bytes:
        precision = "bf16" if "add" in str(path) else "fp32"
        environment = {"device": "cpu", "processor": "p", "precision": precision, "torch": "2"}
        return json.dumps({"environment": environment}).encode()

    found = read_environment(read, ["late", "add"])
    assert found == {"device": "cpu", "processor": "p", "precision": "fp32, bf16", "torch": "2"}


# --- Pages ---


def test_a_page_is_filled_between_its_marks_alone() -> None:
    page = Page(Path("a.md"), ("x", "y"))
    text = "1\n<!-- x -->\nold\n<!-- /x -->\n2\n<!-- y -->\n<!-- /y -->\n3\n"
    filled = page.filled(text, {"x": "new", "y": "more"})
    assert filled == "1\n<!-- x -->\nnew\n<!-- /x -->\n2\n<!-- y -->\nmore\n<!-- /y -->\n3\n"
    assert page.unmarked(filled) == page.unmarked(text)
    assert page.unmarked(filled.replace("2", "5")) != page.unmarked(text)
    with pytest.raises(ArtifactError, match=r"^a\.md: the marks <!-- y --> and"):
        page.filled("<!-- x -->\n<!-- /x -->\n", {"x": "", "y": ""})

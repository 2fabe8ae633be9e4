"""A tracker that fails: the process that trains appends to a file, and says one line at the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.project import ROOT
from tests.tracking.made_up import EPOCHS, fill_disk, package, processes_below, training, weights
from tests.tracking.readers import read_dvclive

from fusebench.errors import ParamsError
from fusebench.page.checkout import Commit, commit_of
from fusebench.system import open_locked
from fusebench.tracking import group, process
from fusebench.tracking import session as sessions
from fusebench.tracking.folders import as_folder
from fusebench.tracking.journal import append, follow
from fusebench.tracking.ledger import Ledger
from fusebench.tracking.run import CLOSE, Event, Table, Value, flat
from fusebench.tracking.session import Session
from fusebench.tracking.tracker import check_tracker, tracker_class, without_passwords

RUN = training()


def tell(folder: Path, tracker: str = "dvclive") -> Session:
    """Tell a tracker of a training that ends; whatever it does, nothing is raised here."""
    with Session(tracker, "add") as session:
        for event in (RUN.begin(), RUN.epoch(1, EPOCHS[1]), RUN.end(weights(folder))):
            session.tell(event)
    return session


# --- A tracker that fails ---

WRONG = {
    "raises": ("raise RuntimeError('no such project')", "RuntimeError: no such project"),
    "is not installed": ("import a_package_that_is_missing", "ModuleNotFoundError: No module "),
    "ends hard": ("os._exit(7)", "its process ended with exit code 7"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "its process ended with SIGKILL"),
    "hangs": ("time.sleep(600)", "not done after 4 s"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", WRONG)
def test_a_tracker_that_fails_is_one_line(
    how: str,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong, reason = WRONG[how]
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", wrong))
    if how == "hangs":
        monkeypatch.setattr(sessions, "SECONDS", 4)
    session = tell(tmp_path)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "tracker dvclive: tracking/dvclive"
    assert last.startswith(f"warning: tracker dvclive: {reason}")
    assert last.endswith(f"; its log is {session.log}; python src/track.py tells it later")
    assert (checkout / session.log).is_file()
    # It was not told, and is told once more when asked.
    ledger = Ledger(checkout, "dvclive", tracker_class("dvclive").destination())
    assert ledger.entry(RUN.id).ended == ""
    assert not processes_below(Path.cwd())


@pytest.mark.slow
@pytest.mark.usefixtures("checkout")
def test_a_server_that_is_not_there_is_given_up_soon(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setattr(sessions, "SECONDS", 120)
    tell(tmp_path, "mlflow")
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("warning: tracker mlflow: MlflowException: API request to ")
    assert "Connection refused" in said


@pytest.mark.slow
@pytest.mark.parametrize("password", ["s3cr3t", "s3%40cr3t", "p@s3cr3t"])
def test_a_password_is_in_no_line_and_no_log(
    password: str,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://bob:{password}@{address}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    session = tell(tmp_path, "mlflow")
    said = capsys.readouterr().out + (checkout / session.log).read_text("utf-8")
    assert said.startswith(f"tracker mlflow: http://{address}, experiment fusebench\n")
    assert said.count("MlflowException: API request to ") > 1
    assert "cr3t" not in said
    assert "bob" not in said


def test_a_password_is_left_out_wherever_it_stands() -> None:
    said = "at ('http://u:p@ss@host/a'), file:///b and s3://me:k/ey@host; me@host"
    assert without_passwords(said) == "at ('http://host/a'), file:///b and s3://host; me@host"


@pytest.mark.slow
@pytest.mark.usefixtures("checkout")
def test_a_server_that_does_not_answer_is_not_waited_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sessions, "SECONDS", 6)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        tell(tmp_path, "mlflow")
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("warning: tracker mlflow: not done after 6 s; ")
    assert not processes_below(Path.cwd())


@pytest.mark.slow
@pytest.mark.usefixtures("checkout")
def test_ctrl_c_ends_the_wait_and_not_the_training(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", "time.sleep(600)"))
    monkeypatch.setattr(sessions, "SECONDS", 300)

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    waits = SimpleNamespace(monotonic=time.monotonic, sleep=interrupted)
    monkeypatch.setattr(process, "time", waits)
    tell(tmp_path)
    assert "warning: tracker dvclive: interrupted; " in capsys.readouterr().out
    assert not processes_below(Path.cwd())


@pytest.mark.slow
@pytest.mark.usefixtures("checkout")
def test_a_polite_kill_and_ctrl_c_of_what_only_tells_are_none_of_the_trackers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", "time.sleep(600)"))

    def interrupted(*name: str) -> None:
        def sleep(_seconds: float) -> None:
            raise KeyboardInterrupt(*name)

        waits = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
        monkeypatch.setattr(process, "time", waits)

    interrupted("SIGTERM")
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        tell(tmp_path)
    interrupted()
    with pytest.raises(KeyboardInterrupt):
        Session("dvclive", "results").tell_all([RUN.begin()], 300)
    assert not processes_below(Path.cwd())


@pytest.mark.slow
def test_what_a_tracker_started_ends_with_it(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = checkout / "started"
    wrong = (
        "import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(600)'], start_new_session=True); "
        f"open({str(started)!r}, 'w').write(str(other.pid)); time.sleep(600)"
    )
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", wrong))
    with Session("dvclive", "add") as session:
        session.tell(RUN.begin())
        session.tell(RUN.epoch(1, EPOCHS[1]))
        while not started.exists() or not started.read_text():
            time.sleep(0.05)
        other = psutil.Process(int(started.read_text()))
        assert session._process is not None
        assert processes_below(checkout) == [session._process._process.pid]
        monkeypatch.setattr(sessions, "SECONDS", 0)
    assert session.trouble == "not done after 0 s"
    psutil.wait_procs([other], timeout=60)
    assert not other.is_running()
    assert not processes_below(checkout)


def test_two_tellings_of_one_second_have_folders_of_their_own(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda _format: "20250101-120000")
    with Session("dvclive", "add") as one, Session("dvclive", "add") as other:
        assert len([*checkout.rglob("journal.jsonl")]) == 2
    assert (one.trouble, other.trouble) == ("", "")


@pytest.mark.usefixtures("checkout")
def test_how_long_a_tracker_may_take_is_a_variable_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", "time.sleep(600)"))
    monkeypatch.setenv("FUSEBENCH_TRACKER_SECONDS", "0.5")
    assert tell(tmp_path).trouble == "not done after 0.5 s"
    for wrong in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv("FUSEBENCH_TRACKER_SECONDS", wrong)
        capsys.readouterr()
        assert tell(tmp_path).log == ""
        assert capsys.readouterr().out.splitlines()[-1] == (
            f"warning: tracker dvclive: FUSEBENCH_TRACKER_SECONDS = '{wrong}': must be a number of "
            "seconds, 0 or more; python src/track.py tells it later"
        )


def test_git_that_does_not_answer_is_one_line(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (checkout / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(checkout), prepend=os.pathsep)
    monkeypatch.setattr(group, "_SECONDS", 0.1)
    session = Session("dvclive", "add")
    with session.harmless():
        group.group_and_tags()
    assert session.trouble.startswith("TimeoutExpired: Command '['git', ")


def test_all_that_git_is_asked_has_one_limit(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four answers, each within the limit.
    (checkout / "git").write_text('#!/bin/sh\nsleep 0.2\ncase "$*" in *rev-parse*) pwd;; esac\n')
    (checkout / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(checkout), prepend=os.pathsep)
    with pytest.raises(subprocess.TimeoutExpired):
        commit_of(Path(), 0.6)
    assert commit_of(Path()) == Commit(str(checkout))


def test_a_log_that_was_not_made_is_not_named(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / ".work/tracking").mkdir(parents=True)
    (checkout / ".work/tracking/tellings").write_text("in the way")
    with Session("dvclive", "add"):
        pass
    assert "its log is" not in capsys.readouterr().out


# --- A disk that is full, a folder that is in the way ---


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full")
def test_a_full_disk_is_one_line(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Session("dvclive", "add") as session:
        session.tell(RUN.begin())
        fill_disk(checkout)
        for epoch in (1, 2):
            with session.harmless():
                session.tell(RUN.epoch(epoch, EPOCHS[epoch]))
    assert "warning: tracker dvclive: OSError: [Errno 28]" in capsys.readouterr().out


def test_a_journal_that_cannot_be_made_is_one_line(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / ".work").write_text("in the way")
    tell(tmp_path)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("warning: tracker dvclive: NotADirectoryError: ")
    assert last.endswith("; python src/track.py tells it later")


# --- An end before the end ---


@contextmanager
def _script(checkout: Path, last: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that tells the beginning of a training, then does something else."""
    text = f"""
import os, signal, sys, time
# What was begun in a shell's background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {[str(ROOT), str(ROOT / "src")]!r}
from tests.tracking.test_session import EPOCHS, RUN, Session
with Session("dvclive", "add") as session:
    session.tell(RUN.begin())
    session.tell(RUN.epoch(1, EPOCHS[1]))
    print(session._process._process.pid, flush=True)
    {last}
"""
    with subprocess.Popen(
        [sys.executable, "-c", text], cwd=checkout, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [getattr(signal, "SIGKILL", signal.SIGTERM), signal.SIGINT],  # Windows lacks one
)
def test_a_training_that_is_ended_leaves_no_process_and_loses_no_epoch(
    number: signal.Signals, checkout: Path
) -> None:
    with _script(checkout, "time.sleep(600)") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tracker dvclive: ")
        teller = psutil.Process(int(process.stdout.readline()))
        process.send_signal(number)
        process.wait(60)
    # It tells what it has heard, then it ends by itself.
    psutil.wait_procs([teller], timeout=120)
    assert not teller.is_running()
    assert read_dvclive(checkout)[RUN.name].epochs["loss"] == [(1, 0.75)]


@pytest.mark.slow
def test_a_training_that_fails_tells_what_it_has(checkout: Path) -> None:
    def fail() -> None:
        with Session("dvclive", "add") as session:
            session.tell(RUN.begin())
            session.tell(RUN.epoch(1, EPOCHS[1]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_dvclive(checkout)[RUN.name].epochs["loss"] == [(1, 0.75)]


# --- What the process is, and what it leaves ---


@pytest.mark.slow
def test_the_process_has_one_thread_no_gpu_and_is_no_stage(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen.json"
    at_once = f"import json, os; open({str(seen)!r}, 'w').write(json.dumps(dict(os.environ)))"
    monkeypatch.setenv("PYTHONPATH", package(tmp_path / "packages", "pass", at_once))
    for name in ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("DVC_ROOT", str(checkout))
    before, threads = dict(os.environ), threading.active_count()
    assert tell(tmp_path).trouble == ""
    assert (dict(os.environ), threading.active_count()) == (before, threads)
    environment = json.loads(seen.read_text())
    assert (environment["OMP_NUM_THREADS"], environment["CUDA_VISIBLE_DEVICES"]) == ("1", "")
    # The one that is set there: DVC Studio is told nothing.
    assert environment.pop("DVC_STUDIO_OFFLINE") == "true"
    assert not [name for name in environment if name.startswith("DVC_")]
    # All was told: neither journal nor log is left.
    assert not list(checkout.rglob("journal.jsonl"))


def test_logs_of_the_latest_tellings_are_kept(checkout: Path) -> None:
    for number in range(25):
        folder = checkout / f".work/tracking/tellings/{number}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    # Somebody tells from one of the old ones.
    with open_locked(checkout / ".work/tracking/tellings/3/lock"):
        os.utime(checkout / ".work/tracking/tellings/3", (3, 3))
        sessions.prune(checkout)
    kept = {int(path.name) for path in (checkout / ".work/tracking/tellings").iterdir()}
    assert kept == {3, *range(5, 25)}


def test_without_a_tracker_nothing_is_written_or_said(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Session("none", "add") as session:
        session.tell(RUN.begin())
    assert capsys.readouterr().out == ""
    assert not list(checkout.iterdir())


def test_a_missing_package_is_refused_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("none", "wandb"):
        check_tracker(name)
    monkeypatch.setattr(tracker_class("wandb"), "packages", ("wandb", "no_such_package"))
    with pytest.raises(ParamsError) as caught:
        check_tracker("wandb")
    assert str(caught.value) == (
        "params.yaml: runtime.tracker = 'wandb': needs no_such_package, not installed here; 'make "
        "setup-extras' installs it (without make: poe setup-extras)"
    )


# --- Journal and ledger ---


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=5), st.data())
def test_what_is_appended_is_followed_whatever_is_read_at_a_time(
    events: list[Event], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch, _temporary() as folder:
        path, ended = folder / "journal", threading.Event()
        path.touch()
        for event in events:
            append(path, event)
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])

        def wait(_seconds: float) -> None:
            path.write_bytes(content)
            ended.set()

        patch.setattr(ended, "wait", wait)
        # The rest comes while it is followed.
        assert list(follow(path, ended)) == events


@contextmanager
def _temporary() -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.data())
def test_a_cut_ledger_forgets_its_last_line_at_most(epochs: list[int], data: st.DataObject) -> None:
    with _temporary() as root:
        ledger = Ledger(root, "dvclive", "somewhere")
        ledger.add("run", group="abc")
        for epoch in epochs:
            ledger.add("run", epoch=epoch)
        path = ledger.folder / "run"
        content = path.read_bytes()
        last = content.rstrip(b"\n").rfind(b"\n") + 1
        path.write_bytes(content[: data.draw(st.integers(last, len(content)))])
        assert ledger.entry("run").epochs in ({*epochs}, {*epochs[:-1]})
        ledger.add("run", ended="digest")
        assert ledger.entry("run").ended == "digest"
        assert ledger.entry("run").epochs >= {*epochs[:-1]}


def test_each_place_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    Ledger(tmp_path, "mlflow", "here").add("run", ended="digest")
    assert Ledger(tmp_path, "mlflow", "there").entry("run").ended == ""
    assert Ledger(tmp_path, "wandb", "here").entry("run").ended == ""


def test_a_lock_leaves_no_file_and_is_one_processs(tmp_path: Path) -> None:
    ledger, waited = Ledger(tmp_path, "mlflow", "here"), list[bool]()
    # As a kill leaves it.
    ledger.folder.mkdir(parents=True)
    (ledger.folder / "run.lock").touch()
    first = ledger.lock("run", lambda: waited.append(True))

    def wait() -> None:
        # It ends just after this one has opened its file: that is nobody's lock any more.
        waited.append(True)
        first.close()

    with closing(ledger.lock("run", wait)):
        assert waited == [True]
        with pytest.raises(BlockingIOError):
            open_locked(ledger.folder / "run.lock")
    assert not list(ledger.folder.iterdir())


def test_the_close_of_a_journal_is_an_event(tmp_path: Path) -> None:
    append(tmp_path / "journal", CLOSE)
    assert next(follow(tmp_path / "journal", threading.Event())) == CLOSE


# --- Groups, params and tables ---


def test_runs_of_an_experiment_are_a_group_others_those_of_a_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setattr(group, "commit_of", lambda *_: Commit("0123456789", changed=True))
    name, tags = group.group_and_tags()
    assert name == "0123456"
    assert tags == {"commit": "0123456789", "changed": "not all was committed"}
    monkeypatch.setattr(group, "commit_of", lambda *_: Commit())
    no_commit = {"commit": "not in a git repository with a commit"}
    assert group.group_and_tags() == ("no-commit", no_commit)
    monkeypatch.setenv("DVC_EXP_NAME", "slower")
    assert group.group_and_tags()[0] == "slower"
    # It is one folder.
    assert as_folder("feature/../x y") == "feature-..-x-y"
    assert as_folder("..") == "_.."


LEAVES = st.one_of(st.booleans(), st.integers(), st.text(), st.none(), st.lists(st.integers()))
KEYS = st.text("abc", min_size=1)


@settings(deadline=None)
@given(
    st.recursive(
        st.dictionaries(KEYS, LEAVES), lambda inner: st.dictionaries(KEYS, inner), max_leaves=5
    )
)
def test_params_are_told_by_dotted_names(params: dict[str, object]) -> None:
    def leaf(name: str) -> object:
        value: object = params
        for part in name.split("."):
            assert isinstance(value, dict)
            value = value[part]
        return value

    for name, value in flat(params).items():
        found = leaf(name)
        if isinstance(found, list):
            assert json.loads(str(value)) == found
        else:
            assert value == ("" if found is None else found)


def test_a_table_in_markdown_keeps_its_columns() -> None:
    rows: list[list[Value | None]] = [["a|b", 1], ["two\nlines", None]]
    assert Table(("name", "n"), rows).markdown().splitlines() == [
        "| name | n |", "| --- | --- |", "| a\\|b | 1 |", "| two lines |  |",
    ]  # fmt: skip

"""The process that tells, as the one that started it ends it, waits for it or leaves it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.tracking.made_up import EPOCHS, fill_disk, processes_below, time_after_a_word, training
from tests.tracking.readers import read_dvclive

from fusebench.errors import TrackerError
from fusebench.tracking import process as processes
from fusebench.tracking.ledger import Ledger
from fusebench.tracking.process import JOURNAL, LOG, Process
from fusebench.tracking.session import Session
from fusebench.tracking.tracker import tracker_class

RUN = training()
SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def process(checkout: Path) -> Iterator[Process]:
    """One that follows a journal to which nothing is appended."""
    folder = checkout / "telling"
    folder.mkdir()
    (folder / JOURNAL).touch()
    process = Process("dvclive", folder, checkout)
    started = psutil.Process(process._process.pid)
    yield process
    if started.is_running():
        started.kill()


def end(process: Process) -> None:
    """Have it ended at once; fail where that takes for ever."""
    ends = threading.Thread(target=process.wait, args=(0,), daemon=True)
    ends.start()
    ends.join(60)
    assert not ends.is_alive()


def test_it_is_ended_where_nobody_says_what_it_has_started(
    process: Process, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise psutil.AccessDenied

    assert processes_below(checkout) == [process._process.pid]
    monkeypatch.setattr(psutil.Process, "children", refused)
    end(process)
    monkeypatch.undo()
    assert not processes_below(checkout)


def test_what_it_has_started_is_ended_though_some_of_it_is_gone(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(SLEEPS) as gone, subprocess.Popen(SLEEPS) as other:
        started = [psutil.Process(gone.pid), psutil.Process(other.pid)]
        try:
            gone.kill()
            gone.wait()
            monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: started)
            end(process)
            assert other.wait(60) != 0
        finally:
            other.kill()


def test_what_a_kill_does_not_end_is_left(
    process: Process, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where it is stuck in the kernel.
    monkeypatch.setattr(process._process, "kill", lambda: None)
    monkeypatch.setattr(processes, "_SECONDS_OF_A_KILL", 0.1)
    end(process)
    assert processes_below(checkout) == [process._process.pid]
    # It can hear of no more, and Python warns of nothing.
    assert process._process.stdin is not None
    assert process._process.stdin.closed
    assert process._process.returncode == 0


# --- What another process tells of ---


def test_a_run_of_which_another_process_tells_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "time", time_after_a_word(checkout))
    ledger = Ledger(checkout, "dvclive", tracker_class("dvclive").destination())
    session = Session("dvclive", "test")
    with closing(ledger.lock(RUN.id, lambda: None)):
        assert session.tell_all([RUN.begin()], 120) == f"another process tells of {RUN.name}"
    assert capsys.readouterr().out == f"waits for another process: {RUN.name}\n"
    assert (checkout / session.log).read_text("utf-8").endswith(f"process: {RUN.name}\n")


# --- A telling that is cut ---


def test_what_cannot_be_told_of_leaves_no_process(checkout: Path) -> None:
    begun: list[int] = []

    def events() -> Iterator[dict[str, Any]]:
        yield RUN.begin()
        yield RUN.epoch(1, EPOCHS[1])
        begun.extend(processes_below(checkout))
        raise ZeroDivisionError

    session = Session("dvclive", "test")
    with pytest.raises(ZeroDivisionError):
        session.tell_all(events(), 300)
    (pid,) = begun
    # It tells what it has heard, then it ends by itself.
    psutil.wait_procs([psutil.Process(pid)], timeout=50)
    assert not processes_below(checkout)
    assert read_dvclive(checkout)[RUN.name].epochs["loss"] == [(1, 0.75)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full")
def test_a_full_disk_is_an_error_that_names_the_log(checkout: Path) -> None:
    def events() -> Iterator[dict[str, Any]]:
        yield RUN.begin()
        fill_disk(checkout)
        yield RUN.epoch(1, EPOCHS[1])

    with pytest.raises(TrackerError) as caught:
        Session("dvclive", "test").tell_all(events(), 300)
    (log,) = checkout.rglob(LOG)
    assert str(caught.value) == (
        "tracker dvclive: OSError: [Errno 28] No space left on device; its log is "
        f"{log.relative_to(checkout)}"
    )

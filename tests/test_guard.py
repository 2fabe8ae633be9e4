"""A stage ends when the DVC that started it is gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.project import ROOT

from fusebench import guard

# Stands for dvc: a program of that name, which starts a stage through a shell and waits for it.
DVC = """import subprocess, sys
sys.exit(subprocess.call(f"{sys.executable} {sys.argv[1]}; echo the shell goes on", shell=True))
"""
STAGE = """import sys, time
from pathlib import Path
sys.path.insert(0, {src!r})
from fusebench import cli
from fusebench.aside import replace_folder
def main():
    with replace_folder(Path({out!r})) as aside:
        print("working", flush=True)
        while True:
            time.sleep(0.01)
cli.run(main)
"""


def start(folder: Path, name: str, stage: str | None) -> subprocess.Popen[str]:
    """Start a program that starts a stage; return it when the stage works."""
    (folder / name).write_text(DVC, "utf-8")
    text = STAGE.format(src=str(ROOT / "src"), out=str(folder / "out"))
    (folder / "stage.py").write_text(text, "utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    started = subprocess.Popen(
        [sys.executable, str(folder / name), str(folder / "stage.py")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=kept | ({"DVC_STAGE": stage} if stage else {}),
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "working\n"
    return started


def test_a_stage_ends_and_says_so_when_its_dvc_is_killed_alone(tmp_path: Path) -> None:
    with start(tmp_path, "dvc", "train@concat") as dvc:
        dvc.kill()
        # Both pipes close when nobody is left who could write to them.
        _, shown = dvc.communicate(timeout=30)
    assert shown == "error: ended, since the dvc that started this is gone; 'dvc repro' goes on\n"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "stage"), [("dvc", None), ("other", "train@concat")])
def test_what_dvc_did_not_start_goes_on_without_its_parent(
    name: str, stage: str | None, tmp_path: Path
) -> None:
    with start(tmp_path, name, stage) as parent:
        parent.kill()
        parent.wait()
        time.sleep(3 * guard._SECONDS)
        # The stage is still there to be killed.
        os.kill(int((tmp_path / ".out.partial/lock").read_text("utf-8")), 9)


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert guard._alive(process)
        child.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert not guard._alive(process)
    assert not guard._alive(process)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/a/bin/python", "/a/bin/dvc", "repro"], True),
        (["python", "-m", "dvc", "exp", "run"], True),
        (["sh", "-c", "python src/train.py"], False),
        (["dvc", "repro"], True),
        (["Scripts/dvc.exe", "repro"], True),
        (["Scripts/Python.exe", "Scripts/dvc.exe", "repro"], True),
        (["python3.12", "src/tasks.py", "run", "dvc", "repro"], True),
        (["python", "src/tasks.py", "run", "python", "dvc"], False),
        (["python", "src/tasks.py", "unlocked"], False),
        (["vi", "dvc.yaml"], False),
        (["screen", "-S", "dvc"], False),
        (["tail", "-f", "dvc"], False),
        (["python", "src/train.py", "dvc"], False),
        ([], False),
    ],
)
def test_dvc_is_known_by_its_name(words: list[str], told: bool) -> None:
    assert guard.is_dvc(words) is told


def test_processes_that_may_not_be_seen_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(_: psutil.Process) -> psutil.Process:
        raise psutil.AccessDenied(1)

    monkeypatch.setenv("DVC_STAGE", "train@add")
    monkeypatch.setattr("psutil.Process.parent", hidden)
    assert list(guard.dvc_above()) == []
    assert list(guard.dvc_commands()) == []
    guard.end_with_dvc()
    monkeypatch.setattr("psutil.Process.status", hidden)
    assert guard._alive(psutil.Process()), "it is there, as far as is known"

"""`make remote` and src/remote.py: what is given is handed on, and what is empty is refused."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests import in_process
from tests.project import ROOT

FOLDER = "a folder, ssh://user@host/path or s3://bucket/path"
ADDRESS = "http://host or https://host"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", ""], f"URL is empty; must be {FOLDER}"),
        (["--endpoint=", "--", "s3://bucket"], f"ENDPOINT is empty; must be {ADDRESS}"),
        (["--profile=", "--", "s3://bucket"], "PROFILE = '': must be the name of a profile"),
        (["--name=", "--", "s3://bucket"], "NAME = '': must be lower-case letters"),
        (["--name="], "NAME = '': must be lower-case letters"),
        (["--endpoint="], "ENDPOINT: only with URL"),
        (["--profile="], "PROFILE: only with URL"),
    ],
)
def test_what_is_given_and_empty_is_refused(
    words: list[str], said: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (checkout / ".dvc/config").read_bytes()
    assert in_process.run("remote", *words) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert (checkout / ".dvc/config").read_bytes() == before


def _make(root: Path, *named: str, **environment: str) -> list[str]:
    """Run `make remote` where python only says what it is given; return that."""
    shutil.copy(ROOT / "Makefile", root)
    python = root / ".venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"; echo\n", "utf-8")
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "remote", *named], cwd=root, env=os.environ | environment,
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [line.replace("<./src/", "<src/") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("named", "extras"),
    [
        (["URL=s3://bucket/a"], "<extras>"),
        (["URL=ssh://me@host/a"], "<extras>"),
        (["URL=/mnt/s3://a"], ""),
        ([], ""),
    ],
)
def test_what_a_server_needs_is_installed_first(
    named: list[str], extras: str, tmp_path: Path
) -> None:
    # A variable of the environment that happens to have the name does not count.
    setup, ran = _make(tmp_path, *named, URL="s3://other")
    assert setup == f"<src/tasks.py><setup>{extras}"
    assert ran == "<src/remote.py>" + "".join(f"<--><{word[4:]}>" for word in named)


def test_make_hands_on_what_is_empty(tmp_path: Path) -> None:
    names = ("NAME", "ENDPOINT", "PROFILE", "WAIT", "URL")
    _, ran = _make(tmp_path, *(f"{name}=" for name in names))
    assert ran == "<src/remote.py><--name=><--endpoint=><--profile=><--wait=><--><>"
    others = dict.fromkeys(names, "")
    assert _make(tmp_path, **others)[1] == "<src/remote.py>"

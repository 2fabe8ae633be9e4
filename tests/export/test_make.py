"""`make export`, `init`, `remote`: what the command line names goes to the script as it is."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project import ROOT

Make = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Run make where python only says what it is given; return the exit code and that."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    (tools / "python").write_text("#!/bin/sh\nprintf '<%s>\\n' \"$@\"\n", "utf-8")
    (tools / "python").chmod(0o755)

    def run(*arguments: str, **variables: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            ["make", "-o", "setup", "-o", "setup-extras", *arguments], cwd=tmp_path,
            capture_output=True, text=True, env=os.environ | variables,
        )  # fmt: skip
        return done.returncode, done.stdout.splitlines()

    return run


def test_what_is_named_goes_to_the_script(make: Make) -> None:
    assert make("export", "FUSION=add", "FORMAT=onnx") == (
        0, ["<src/export.py>", "<add>", "<--format=onnx>"]
    )  # fmt: skip
    assert make("export", "FUSION=add", "FORMAT=torch", "SEED=1", "OUT=my models/a") == (
        0, ["<src/export.py>", "<add>", "<--format=torch>", "<--seed=1>", "<--output=my models/a>"]
    )  # fmt: skip
    assert make("init", "DATA=my data.zip", "LAYOUT=manifest", "SENSORS=a b.yaml", "DRY=1") == (
        0, ["<src/init.py>", "<my data.zip>", "<--layout=manifest>", "<--sensors=a b.yaml>",
            "<--dry-run>"]
    )  # fmt: skip
    assert make("init", "DATA=x", "LAYOUT=", "DRY=") == (0, ["<src/init.py>", "<x>"])
    assert make("remote", "URL=-my shelf", "NAME=a", "WAIT=5", "LOCAL=1") == (
        0, ["<src/remote.py>", "<--name=a>", "<--wait=5>", "<--local>", "<-->", "<-my shelf>"]
    )  # fmt: skip
    assert make("remote", "URL=s3://b", "ENDPOINT=http://x", "PROFILE=p") == (
        0, ["<src/remote.py>", "<--endpoint=http://x>", "<--profile=p>", "<-->", "<s3://b>"]
    )  # fmt: skip
    # An empty place is no wish to look at the one that is set: the script refuses it.
    assert make("remote", "URL=", "LOCAL=") == (0, ["<src/remote.py>", "<-->", "<>"])


@pytest.mark.parametrize(
    "text", ['"; touch run; "', "`touch run`", "$$(touch run)", "'; touch run"]
)
def test_a_value_is_no_shell_text(text: str, make: Make, tmp_path: Path) -> None:
    passed = text.replace("$$", "$")
    for name in ("DATA", "LAYOUT", "SENSORS"):
        values = {"DATA": "x"} | {name: text}
        code, said = make("init", *(f"{key}={value}" for key, value in values.items()))
        assert code == 0
        assert any(passed in line for line in said)
    for name in ("FUSION", "FORMAT", "SEED", "OUT"):
        values = {"FUSION": "add", "FORMAT": "onnx"} | {name: text}
        code, said = make("export", *(f"{key}={value}" for key, value in values.items()))
        assert code == 0
        assert any(passed in line for line in said)
    for name in ("URL", "NAME", "ENDPOINT", "PROFILE", "WAIT"):
        code, said = make("remote", f"{name}={text}")
        assert code == 0
        assert any(passed in line for line in said)
    assert not (tmp_path / "run").exists()


def test_variables_of_the_environment_do_not_count(make: Make) -> None:
    others = {"SEED": "7", "OUT": "out", "LAYOUT": "us", "SENSORS": "none", "DRY": "1"}
    of_remote = {"URL": "/srv", "NAME": "me", "ENDPOINT": "x", "PROFILE": "x", "LOCAL": "1"}
    assert make("remote", **of_remote, WAIT="1") == (0, ["<src/remote.py>"])
    assert make("export", "FUSION=add", "FORMAT=onnx", **others) == (
        0, ["<src/export.py>", "<add>", "<--format=onnx>"]
    )  # fmt: skip
    assert make("init", "DATA=x", **others) == (0, ["<src/init.py>", "<x>"])
    code, said = make("init", DATA="x")
    assert (code, said) == (2, ["error: make init DATA=…: must name a zip, a folder or a table"])
    code, said = make("export", "FORMAT=onnx", FUSION="add")
    assert code == 2
    assert said[0].startswith("error: make export FUSION=… FORMAT=…: must name a fusion")

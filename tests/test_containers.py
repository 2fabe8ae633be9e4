"""Dockerfile, devcontainer and settings of VS Code, as far as a test can check them."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.project import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
# Lines that go on are one.
LINES = [
    line
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
JSON = (".devcontainer/devcontainer.json", ".vscode/extensions.json", ".vscode/settings.json")


def _json(path: str) -> Any:
    return json.loads((ROOT / path).read_text("utf-8"))


def _rest_of(word: str) -> list[str]:
    """Return what stands after an instruction, for each time it is there."""
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(hadolint), "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [word for rest in _rest_of("COPY") for word in rest.split()[:-1] if word[:2] != "--"]
    assert len(copied) >= 3
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name not in ignored


def test_every_argument_is_declared_before_it_is_used_and_is_used() -> None:
    stages: list[dict[str, int]] = []
    for line in LINES:
        if line.startswith("FROM "):
            stages.append({})
        elif line.startswith("ARG "):
            name, _, default = line.removeprefix("ARG ").partition("=")
            assert default, f"{name}: builds need no argument"
            stages[-1][name] = 0
        else:
            for name in re.findall(r"\$\{?([A-Z_]+)\}?", line):
                if name in stages[-1]:
                    stages[-1][name] += 1
                else:
                    assert name == "PATH", f"{name}: not declared in this stage"
    counts = {name: count for stage in stages for name, count in stage.items()}
    assert {*counts} == {"DEVICE", "LOCK", "USER_ID"}
    assert all(counts.values())


def test_the_base_is_pinned_to_a_version_and_nobody_is_root_at_the_end() -> None:
    first, second = _rest_of("FROM")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+ AS tools", first)
    assert second == "tools AS project"
    assert _rest_of("USER") == ["$USER_ID"]
    # No host of an index, and no package but by a lock or, of torch, by its locked version.
    assert "://" not in DOCKERFILE
    for command in re.findall(r"pip install [^&|;]*", DOCKERFILE.replace("\\\n", " ")):
        assert "--require-hashes -r " in command or "--torch-backend cpu" in command


def test_results_can_take_the_place_of_folders_of_the_image() -> None:
    # In a layer of an image that would be a move from one device to another.
    last = [line.split()[0] for line in DOCKERFILE.splitlines() if re.match("[A-Z]+ ", line)]
    assert _rest_of("VOLUME") == ["/project"]
    assert last[-2:] == ["VOLUME", "CMD"]


def _shell(command: str, cwd: Path) -> str:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-ec", command], cwd=cwd, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip


LOCKS = ("requirements.txt", "requirements-extras.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_a_processors_packages_are_all_of_the_lock_but_those_of_a_gpu(name: str) -> None:
    (select,) = re.findall(r"""(awk '.*?' "\$LOCK") > """, DOCKERFILE)
    (pinned,) = re.findall(r"""(grep -oE '.*?' "\$LOCK")""", DOCKERFILE)
    select, pinned = (f"LOCK={name}; {command}" for command in (select, pinned))
    lock = (ROOT / name).read_text("utf-8")
    kept, names = _shell(select, ROOT), re.compile(r"^([a-z0-9][^=\s]*)==", re.MULTILINE)
    gone = {*names.findall(lock)} - {*names.findall(kept)}
    assert {"torch", "torchvision"} <= gone
    assert all(re.match(r"torch|torchvision$|triton$|nvidia-|cuda-", name) for name in gone)
    assert not re.search(r"^(torch|triton|nvidia|cuda)", kept, re.MULTILINE)
    # Each of the others as it stands, with its hashes.
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock)
    others = [block for block in blocks if (of := names.match(block)) and of[1] not in gone]
    assert kept == "".join(others)
    assert all("--hash=sha256:" in block for block in others)
    versions = dict(re.findall(r"^(torch|torchvision)==(\S+)", lock, re.MULTILINE))
    said = _shell(pinned, ROOT).split()
    assert said == [f"{of}=={version}" for of, version in versions.items()]


def test_what_the_page_runs_was_built_above_as_it_is_run() -> None:
    page = (ROOT / "docs/containers.md").read_text("utf-8")
    built: dict[str, list[str]] = {}
    runs = 0
    for command in re.findall(r"(?m)^(docker .*?)(?: *#.*)?$", page):
        words = command.split()
        if words[1] == "build":
            name = words[words.index("-t") + 1]
            assert name not in built, f"{name}: two images of one name"
            built[name] = words
        else:
            runs += 1
            (image,) = (word for word in words if word in built)
            assert ("--gpus" in words) is ("DEVICE=cuda" in built[image]), command
            # Of another user, git refuses the checkout.
            assert "-v" not in words or "USER_ID=$(id" in built[image], command
    assert (len(built), runs) == (2, 3)
    # What is copied first keeps its results.
    assert page.index('-v "$PWD:/project"') < page.index("make repro")


@pytest.mark.parametrize("device", ["cpu", "cuda", "gpu", ""])
def test_the_argument_decides_what_is_installed_and_others_are_refused(
    device: str, tmp_path: Path
) -> None:
    (command,) = (rest for rest in _rest_of("RUN") if rest.startswith("case "))
    log = tmp_path / "log.txt"
    (tmp_path / "requirements.txt").write_bytes((ROOT / "requirements.txt").read_bytes())
    # What would install writes down what it is asked.
    (tmp_path / "uv").write_text(f'#!/bin/sh\necho "$*" >> {log}\n', "utf-8")
    (tmp_path / "uv").chmod(0o755)
    lock = "LOCK=requirements.txt"
    command = command.replace("/tmp/others.txt", str(tmp_path / "others.txt"))  # noqa: S108
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c",
         f'PATH="{tmp_path}:$PATH"; DEVICE="{device}"; {lock}; {command}'],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    if device not in ("cpu", "cuda"):
        assert done.returncode == 1
        assert done.stderr == f"error: DEVICE={device}: must be cpu or cuda\n"
        assert not log.exists()
        return
    assert done.returncode == 0, done.stderr
    first, *more = log.read_text("utf-8").splitlines()
    assert "--require-hashes -r " in first
    if device == "cuda":
        assert first.endswith(" -r requirements.txt")
        assert not more
    else:
        (torch,) = more
        assert re.search(r"--torch-backend cpu torch==\S+ torchvision==\S+$", torch)


@pytest.mark.parametrize("lock", LOCKS)
def test_make_in_the_image_has_nothing_left_to_install(
    lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    instructions = [line for line in LINES if line.startswith(("COPY ", "RUN "))]
    last = max(number for number, line in enumerate(instructions) if line.startswith("COPY "))
    # The locks of a checkout are as young as the build.
    for name in (*LOCKS, "requirements-setup.txt"):
        (tmp_path / name).touch()
    for line in instructions[last + 1 :]:
        _shell(f"LOCK={lock}; {line.removeprefix('RUN ')}", tmp_path)
    tasks = runpy.run_path(str(ROOT / "src/tasks.py"))
    installed: list[list[str]] = []
    monkeypatch.setitem(tasks["_set_up"].__globals__, "_install", installed.append)
    monkeypatch.chdir(tmp_path)
    tasks["setup"]("extras" if lock == LOCKS[1] else "run")
    assert installed == []


def test_what_git_ignores_does_not_go_into_the_image() -> None:
    ignored = {
        line.strip("/")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    }
    for line in (ROOT / ".gitignore").read_text("utf-8").splitlines():
        rule = line.strip("/")
        if line and not line.startswith("#"):
            assert rule in ignored or f"**/{rule}" in ignored, rule
    # DVC needs it, and it may hold keys.
    assert ".git" not in ignored
    assert ".dvc/config.local" in ignored


@pytest.mark.parametrize("path", JSON)
def test_settings_are_json(path: str) -> None:
    assert isinstance(_json(path), dict)


def test_the_devcontainer_builds_a_stage_that_is_there_and_sets_up_by_make() -> None:
    content = _json(".devcontainer/devcontainer.json")
    folder = ROOT / ".devcontainer"
    assert (folder / content["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / content["build"]["context"]).resolve() == ROOT
    assert any(rest.endswith(f"AS {content['build']['target']}") for rest in _rest_of("FROM"))
    assert f'useradd --create-home --uid "$USER_ID" {content["remoteUser"]}' in DOCKERFILE
    target = content["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    extensions = content["customizations"]["vscode"]["extensions"]
    assert extensions == _json(".vscode/extensions.json")["recommendations"]
    assert {"ms-python.python", "iterative.dvc"} <= {*extensions}


def test_vs_code_finds_the_environment_that_make_makes_and_runs_the_quick_tests() -> None:
    settings = _json(".vscode/settings.json")
    # DVC's extension takes the interpreter of Python's, where it is not told of another.
    assert settings["python.defaultInterpreterPath"] == "${workspaceFolder}/.venv"
    assert not [name for name in settings if name.startswith("dvc.")]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "BIN := .venv/bin" in makefile
    option, marks = settings["python.testing.pytestArgs"]
    assert f'{option} "{marks}"' in makefile

"""What `make` does, `poe` does by the same names, without a shell; and what both have in common."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.project import ROOT, hearing_ctrl_c

import tasks
from fusebench import guard, stages
from fusebench.errors import ArtifactError
from fusebench.mend import mend

MAKEFILE = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
POE: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["poe"]
TASKS: dict[str, Any] = POE["tasks"]
(_PHONY,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
TARGETS = _PHONY.split()
# These neither set up nor run anything of the project's.
ALONE = {"help", "clean", "clean-work"}
# Python's own programs, which only say what they are given.
PROGRAMS = ("python", "dvc", "ruff", "mypy")


def recipe(target: str) -> str:
    """Return what the Makefile has for a target, its macros filled in."""
    (text,) = re.findall(rf"^{target}:[^\n]*\n((?:\t[^\n]*\n)*)", MAKEFILE, re.MULTILINE)
    return str(text)


def variables(target: str) -> set[str]:
    """Return the variables of make's command line that a target takes."""
    called = re.findall(r"\$\(call (?:given|option),([A-Z]+)", recipe(target))
    asked = re.findall(r"\$\((?:if|or) \$\(([A-Z]+)\)", recipe(target))
    plain = re.findall(r"\$\(([A-Z]+)\)", recipe(target))
    return {*called, *asked, *plain} - {"TASKS", "PYTEST", "BIN", "ZOO"}


def options(target: str) -> dict[str, dict[str, Any]]:
    """Return what a task takes, by the names of make's variables."""
    return {each["name"].strip("_").upper(): each for each in TASKS[target].get("args", ())}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Makefile and pyproject.toml, where programs only say what they are given.

    In brackets; so a word may hold anything.
    """
    root = tmp_path_factory.mktemp("tasks")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    tools = root / ".venv/bin"
    tools.mkdir(parents=True)
    (root / ".venv/lib/python3/site-packages").mkdir(parents=True)
    (tools / "activate").touch()
    for name in PROGRAMS:
        (tools / name).write_text(f"#!/bin/sh\nprintf '<%s>' {name} \"$@\"; echo\n", "utf-8")
        (tools / name).chmod(0o755)
    return root


def said(root: Path, *command: str) -> list[str]:
    """Run make or poe; return what the programs were given."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.replace("<./src/", "<src/").splitlines()


def poe(root: Path, *arguments: str) -> list[str]:
    """Run poe; return what the programs were given, whoever runs them."""
    lines = said(root, sys.executable, "-m", "poethepoet", "-C", str(root), *arguments)
    return [line.removeprefix("<python><src/tasks.py><run>") for line in lines]


# --- One command line each ---


def test_each_target_is_a_task_and_each_task_a_target() -> None:
    assert set(TASKS) == set(TARGETS)
    assert all(task["help"] for task in TASKS.values())


@pytest.mark.parametrize("target", TARGETS)
def test_a_task_takes_what_its_target_takes(target: str) -> None:
    assert set(options(target)) == variables(target)
    for name, each in options(target).items():
        assert each["options"] == [f"--{name.lower()}"]
        assert each["help"]
        # No variable of the environment has such a name, or sets it.
        assert each["name"] == f"_{name.lower()}"


@pytest.mark.slow
@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ALONE])
def test_a_task_runs_what_its_target_runs(target: str, root: Path) -> None:
    taken = options(target)
    needed = {name for name, each in taken.items() if each.get("required")}
    for names in {frozenset(needed), frozenset(taken)}:
        named, words = [], []
        for name in sorted(names):
            flag, several = taken[name].get("type") == "boolean", taken[name].get("multiple")
            value = "1" if flag else "one two" if several else f"a-{name}"
            named.append(f"{name}={value}")
            words += [f"--{name.lower()}", *([] if flag else value.split())]
        by_make = said(root, "make", "--no-print-directory", target, *named)
        assert poe(root, target, *words) == by_make
        assert by_make[0].startswith("<python><src/tasks.py><setup>")


@pytest.mark.parametrize("target", ["clean", "clean-work"])
def test_what_a_target_removes_its_task_removes(target: str, root: Path) -> None:
    (removed,) = re.findall(r"^\trm -rf (.*)$", recipe(target), re.MULTILINE)
    words = "".join(f"<{word}>" for word in removed.split())
    assert poe(root, target) == [f"<python><src/tasks.py><remove>{words}"]


def test_no_task_needs_a_shell() -> None:
    def commands(task: dict[str, Any]) -> list[str]:
        steps = task.get("sequence", [task])
        # Of these kinds alone: "shell" and "script" are others.
        assert all(set(step) & {"cmd", "sequence", "shell", "script", "expr"} == {"cmd"}
                   for step in steps)  # fmt: skip
        return [step["cmd"] for step in steps]

    texts = [text for task in TASKS.values() for text in commands(task)]
    for text in texts:
        # What is quoted is a word of its own; "${name:+…}" is poe's.
        assert not re.search(r"[;&|<>`]|\$\(", text), text
        # What takes long, or has something to lose, has the time to end by itself.
        begins = ("${_run} ", "python src/tasks.py ", "ruff ", "poe --help")
        assert text.startswith(begins) or text == "mypy", text


@pytest.mark.parametrize("text", ['"; touch run; "', "`touch run`", "$(touch run)", "* ?", "a\\b"])
def test_a_value_is_one_word_whatever_it_holds(text: str, root: Path) -> None:
    _, ran = poe(root, "init", "--data", text, "--layout", text)
    assert ran == f"<python><src/init.py><{text}><--layout={text}>"
    assert not (root / "run").exists()


def test_what_must_be_named_is_asked_for_before_anything_runs(root: Path) -> None:
    command = [sys.executable, "-m", "poethepoet", "-C", str(root), "export", "--fusion", "add"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the following arguments are required: --format" in done.stderr


def test_help_names_all_tasks(root: Path) -> None:
    listed = said(root, sys.executable, "-m", "poethepoet", "-C", str(root), "--help")
    assert {line.split()[0] for line in listed if line.startswith("  ")} >= set(TASKS)
    assert TASKS["help"]["cmd"] == "poe --help"


# --- What both have in common ---


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with locks, and an environment that is older than they are."""
    monkeypatch.chdir(tmp_path)
    for name in ("", "-setup", "-extras", "-dev"):
        (tmp_path / f"requirements{name}.txt").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are run; none does anything, and all succeed."""
    commands: list[list[str]] = []

    def run(words: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        commands.append(words)
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name != "none" else None)
    return commands


def installed(commands: list[list[str]]) -> list[list[str]]:
    """Return the locks that each command installs."""
    return [
        [after for word, after in itertools.pairwise(words) if word == "-r"] for words in commands
    ]


def older(path: Path, seconds: float) -> None:
    """Let a file be older than it is."""
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))


def test_what_is_installed_is_not_installed_again(checkout: Path, ran: list[list[str]]) -> None:
    assert checkout.is_dir()
    tasks.setup("dev")
    assert installed(ran) == [
        ["requirements.txt"], ["requirements-dev.txt", "requirements-setup.txt"]
    ]  # fmt: skip
    assert all("--require-hashes" in words for words in ran)
    tasks.setup("dev")
    tasks.setup("run")
    assert len(ran) == 2
    tasks.setup("extras")
    assert installed(ran[2:]) == [["requirements-extras.txt"]]


@pytest.mark.parametrize(
    ("url", "extras"), [("s3://bucket/a", True), ("ssh://me@host/a", True), ("/mnt/s3", False)]
)
@pytest.mark.parametrize("name", ["config", "config.local"])
def test_what_the_remote_needs_is_installed_with_the_rest(
    name: str, url: str, extras: bool, checkout: Path, ran: list[list[str]]
) -> None:
    (checkout / ".dvc").mkdir()
    # What DVC would not read is DVC's to say.
    config = f"# of Zürich\n['remote \"storage\"']\n    url = {url}\n".encode("latin-1")
    (checkout / ".dvc" / name).write_bytes(config)
    tasks.setup("run")
    locks = [["requirements.txt"], ["requirements-extras.txt"]]
    assert installed(ran) == (locks if extras else locks[:1])


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements.txt", ["requirements.txt", "requirements-extras.txt"]),
        ("requirements-setup.txt", ["requirements.txt", "requirements-extras.txt"]),
        ("requirements-extras.txt", ["requirements-extras.txt"]),
        ("requirements-dev.txt", []),
    ],
)
def test_a_changed_lock_is_installed_and_what_comes_after_it(
    changed: str, again: list[str], checkout: Path, ran: list[list[str]]
) -> None:
    tasks.setup("extras")
    ran.clear()
    for path in (*checkout.glob("*.txt"), *(checkout / ".venv/bin").iterdir()):
        older(path, 60)
    for order, name in enumerate((".extras", ".runs")):
        older(checkout / f".venv/bin/{name}", -3 + order)
    (checkout / changed).touch()
    tasks.setup("extras")
    assert [locks[0] for locks in installed(ran)] == again


def test_a_lock_that_cannot_be_installed_is_tried_again(
    checkout: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ran == []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 3))
    with pytest.raises(SystemExit) as ended:
        tasks.setup("run")
    assert ended.value.code == 3
    assert list((checkout / ".venv/bin").iterdir()) == []


def test_without_uv_the_one_of_the_lock_is_used_else_pip(
    checkout: Path, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkout.is_dir()
    there = {"uv": False}

    def which(name: str) -> str | None:
        return None if name == "uv" and not there["uv"] else name

    def install_uv(words: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        ran.append(words)
        there["uv"] = True
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(subprocess, "run", install_uv)
    tasks.setup("run")
    assert installed(ran) == [["requirements-setup.txt"], ["requirements.txt"]]
    assert [words[0] for words in ran] == [".venv/bin/python", "uv"]
    there["uv"] = False
    ran.clear()
    (checkout / ".venv/bin/.runs").unlink()

    def no_uv(words: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        ran.append(words)
        return subprocess.CompletedProcess(words, "requirements-setup.txt" in words)

    monkeypatch.setattr(subprocess, "run", no_uv)
    tasks.setup("run")
    assert installed(ran) == [["requirements-setup.txt"], ["requirements.txt"]]
    assert [words[0] for words in ran] == [".venv/bin/python"] * 2


def test_an_experiment_needs_somebody_to_commit_as(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(shutil, "which", lambda name: name)

    def run(words: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        asked.append(words)
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit):
        tasks.experiment("zoo")
    assert capsys.readouterr().out.startswith("error: DVC keeps experiments as commits: first git")
    assert asked == [["git", "config", "user.email"]]
    # One of that name need not be there.
    monkeypatch.setattr(
        subprocess, "run",
        lambda words, **_: subprocess.CompletedProcess(words, words[0] == "dvc"),
    )  # fmt: skip
    tasks.experiment("zoo")
    (checkout / ".dvc/tmp").mkdir(parents=True)
    (checkout / ".dvc/tmp/rwlock").touch()
    with pytest.raises(SystemExit):
        tasks.experiment("zoo")
    assert "error: .dvc/tmp/rwlock: left empty by a DVC" in capsys.readouterr().out


# What takes 3 seconds to end when it is interrupted, and counts how often it is.
SLOW_TO_END = """import signal, sys, time
from pathlib import Path
def hear(number, _):
    with Path("heard").open("a") as file:
        file.write(f"{signal.Signals(number).name} ")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, hear)
print("working", flush=True)
while not Path("heard").exists():
    time.sleep(0.01)
time.sleep(3)
Path("ended").touch()
sys.exit(7)
"""


def begun(root: Path, *command: str) -> "subprocess.Popen[str]":
    """Start what runs `SLOW_TO_END`; return it when that works."""
    with hearing_ctrl_c():
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.slow
def test_what_poe_interrupts_has_the_time_to_end(tmp_path: Path) -> None:
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    (tmp_path / ".venv/lib/python3/site-packages").mkdir(parents=True)
    (tools / "activate").touch()
    for name in ("pyproject.toml", "src/tasks.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    # What poe does before has nothing to do.
    (tools / "python").write_text(
        f'#!/bin/sh\ncase "$2" in run) exec "{sys.executable}" "$@";; esac\n', "utf-8"
    )
    (tools / "dvc").write_text(f'#!/bin/sh\nexec "{sys.executable}" slow.py\n', "utf-8")
    for path in (tools / "python", tools / "dvc"):
        path.chmod(0o755)
    (tmp_path / "slow.py").write_text(SLOW_TO_END, "utf-8")
    with begun(tmp_path, sys.executable, "-m", "poethepoet", "repro") as process:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    wait_for(tmp_path / "ended")
    assert (tmp_path / "heard").read_text() == "SIGINT "


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_run_hears_the_first_signal_and_its_exit_code_counts(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW_TO_END, "utf-8")
    run = [sys.executable, str(ROOT / "src/tasks.py"), "run", sys.executable, "slow.py"]
    with begun(tmp_path, *run) as process:
        for _ in range(3):
            process.send_signal(number)
            time.sleep(0.1)
        assert process.wait(20) == 7
    assert (tmp_path / "heard").read_text() == f"{number.name} "
    assert (tmp_path / "ended").exists()


def test_a_signal_that_comes_after_the_end_leaves_the_exit_code() -> None:
    # The group is gone as soon as the command has ended, and a moment later that is known.
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "src")!r})
import tasks
def gone(*_):
    raise ProcessLookupError
os.killpg = gone
end = "import os, signal, sys; os.kill(os.getppid(), signal.SIGINT); sys.exit(3)"
tasks.run([sys.executable, "-c", end])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 3)


@pytest.mark.slow
def test_ctrl_c_in_what_installs_or_asks_is_one_line(tmp_path: Path) -> None:
    dvc = tmp_path / "dvc"
    dvc.write_text(f'#!/bin/sh\nexec "{sys.executable}" slow.py\n', "utf-8")
    dvc.chmod(0o755)
    (tmp_path / "slow.py").write_text(
        "import time; from pathlib import Path; Path('begun').touch(); time.sleep(60)", "utf-8"
    )
    with hearing_ctrl_c():
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "src/tasks.py"), "current"], cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
    with process:
        wait_for(tmp_path / "begun")
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("error: interrupted\n", 130)


def test_a_task_without_what_it_needs_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        tasks.size(Path("report.html"))
    assert capsys.readouterr().out == "error: report.html: no such file\n"
    monkeypatch.setattr(sys, "argv", ["tasks.py", "run"])
    with pytest.raises(SystemExit):
        tasks.main()
    assert capsys.readouterr().err.endswith("error: run: needs a command\n")


def test_what_is_run_gets_the_words_as_they_are() -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read())"
    words = ["-S", "a b", "--temp", "--help", ""]
    done = subprocess.run(
        [sys.executable, str(ROOT / "src/tasks.py"), "run", sys.executable, "-c", code, *words],
        input="asked", capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (f"{words} asked\n", 0)


class Process:
    """A process that has words, and works here."""

    def __init__(self, pid: int, parent: int, words: str) -> None:
        self.pid, self._parent, self._words = pid, parent, words

    def cmdline(self) -> list[str]:
        return self._words.split()

    def ppid(self) -> int:
        return self._parent

    def cwd(self) -> str:
        return str(Path.cwd())


def test_one_dvc_that_poe_runs_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [
        Process(10, 1, "python poe repro"), Process(11, 10, "python src/tasks.py run dvc repro"),
        Process(12, 11, "python bin/dvc repro"), Process(13, 12, "python src/train.py add"),
        Process(20, 1, "dvc exp run"),
    ]  # fmt: skip
    monkeypatch.setattr("psutil.process_iter", lambda: iter(processes))
    with pytest.raises(ArtifactError, match=r"DVC works in this folder \(process 12, 20\); wait"):
        mend(print)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("python src/tasks.py run dvc queue start -j 2", "queue start -j 2"),
        ("python bin/dvc repro run", "repro run"),
        ("Python.exe -m dvc exp run", "exp run"),
        ("dvc repro -f", "repro -f"),
        ("dvc", ""),
    ],
)
def test_what_dvc_is_told_is_what_comes_after_its_name(
    words: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "dvc_above", lambda: iter([Process(10, 1, words)]))
    assert list(guard.dvc_commands()) == [told.split()]


def test_the_run_of_tasks_is_none_of_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether `dvc queue start` runs what is up to date is not known."""
    words = "python src/tasks.py run dvc"
    for told, forced in (("queue start", True), ("repro", False), ("repro --force", True)):
        process = Process(10, 1, f"{words} {told}")
        monkeypatch.setattr(guard, "dvc_above", lambda process=process: iter([process]))
        assert stages._forced() is forced


def test_on_windows_ctrl_break_interrupts_dvc_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def module(name: str, **_: object) -> None:
        assert name == "dvc"
        ran.append(sys.argv)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
        # It is ending.
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["src/tasks.py"])
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    monkeypatch.setattr("runpy.run_module", module)
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with pytest.raises(SystemExit):
            tasks.run(["dvc", "repro"])
        assert ran == [["dvc", "repro"]]
        monkeypatch.setattr(tasks, "_run", lambda *words: len(words))
        with pytest.raises(SystemExit) as ended:
            tasks.run(["python", "src/show.py"])
        assert ended.value.code == 2
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    ("code", "printed", "ends"),
    [
        (0, "a stage\nData and pipelines are up to date.\n", False),
        (0, "Running stage 'check'\nUse `dvc push` …\n", True),
        (1, "Data and pipelines are up to date.\n", True),
        (0, "", True),
    ],
)
def test_current_is_what_dvc_says_last(
    code: int, printed: str, ends: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    done = subprocess.CompletedProcess(["dvc"], code, printed)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    if ends:
        with pytest.raises(SystemExit):
            tasks.current()
        said = "error: dvc.lock is not that of this code: run dvc repro and commit\n"
    else:
        tasks.current()
        said = "Data and pipelines are up to date.\n"
    assert capsys.readouterr().out == said


def test_each_lock_keeps_to_those_before_it(ran: list[list[str]]) -> None:
    tasks.lock()
    written: list[str] = []
    for words in ran:
        assert {"--generate-hashes", "--no-emit-index-url", "--universal"} <= set(words)
        kept = [after for word, after in itertools.pairwise(words) if word == "-c"]
        assert set(kept) <= set(written)
        assert kept or not written
        written.append(words[words.index("-o") + 1])
    assert written == ["requirements.txt", "requirements-extras.txt", "requirements-dev.txt",
                       "requirements-setup.txt"]  # fmt: skip
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    assert set(tasks._EXTRAS) <= set(extras)


def test_what_is_removed_is_gone_and_a_link_leads_to_nothing_that_is(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "folder/below").mkdir(parents=True)
    tasks.remove([tmp_path / name for name in ("link", "folder", "none")])
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_windows_keeps_the_environment_that_runs_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "_WINDOWS", True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/Scripts/python.exe"))
    for name in (".venv", "other"):
        (tmp_path / name).mkdir()
    tasks.remove([tmp_path / ".venv", tmp_path / "other"])
    assert [path.name for path in tmp_path.iterdir()] == [".venv"]
    assert "this runs in it; remove it when this has ended" in capsys.readouterr().out


def test_a_program_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tasks._program("no-such-program")
    assert capsys.readouterr().out == "error: no-such-program: no such program\n"

"""Windows and macOS: nothing depends on what they lack; simulated by tests/windows on Linux.

That the whole pipeline makes the same bytes there is in tests/test_repeats.py.
"""

import ast
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import psutil
import pytest
from tests.project import ROOT
from tests.windows.sitecustomize import FUNCTIONS, MODULES, SIGNALS

from benchmarks import suite
from benchmarks.processes import BenchmarkError, end_tree, run_measured
from benchmarks.timing import Plan
from fusebench import memory, processor, system
from fusebench.aside import replace_file

SIMULATED = os.environ | {
    "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("tests/windows", "src", "."))
}
SOURCES = sorted(
    path for folder in ("src", "studies", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
# What the standard library's pages say is of Unix alone, also beside what is simulated.
UNIX_MODULES = MODULES | {"crypt", "curses", "nis", "ossaudiodev", "pipes", "spwd"}
UNIX_NAMES = {
    "os": FUNCTIONS | {"chroot", "ctermid", "getpgrp", "getresuid", "lchmod", "major", "minor",
                       "posix_spawn", "posix_spawnp", "preadv", "pwritev", "sendfile", "setgid",
                       "setreuid", "sched_yield", "setpriority", "WEXITSTATUS", "WIFEXITED"},
    "signal": SIGNALS | {"sigwaitinfo", "set_wakeup_fd", "SIG_BLOCK", "SIG_SETMASK"},
    "time": {"clock_gettime", "clock_settime", "pthread_getcpuclockid", "tzset"},
    "socket": {"AF_UNIX", "socketpair", "sethostname"},
    "select": {"epoll", "poll", "kqueue"},
}  # fmt: skip


def python(*arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run Python as on Windows."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=SIMULATED, capture_output=True, text=True
    )


# --- The simulation itself ---

RULES = """
import importlib, os, signal
from pathlib import Path
import psutil

def refused(error, act):
    try:
        act()
    except error:
        return
    raise AssertionError(act)

for name in MODULES:
    refused(ImportError, lambda: importlib.__import__(name))
    refused(ImportError, lambda: exec(f"import {name}"))
assert not [name for name in FUNCTIONS if hasattr(os, name)]
assert not [name for name in SIGNALS if hasattr(signal, name)]
Path("a.txt").write_text("ž\\n")
assert Path("a.txt").read_bytes() == b"\\x9e\\r\\n"
with open("b.txt", "w") as file:
    file.write("one\\n")
    refused(PermissionError, lambda: Path("b.txt").unlink())
    refused(PermissionError, lambda: os.replace("b.txt", "c.txt"))
    refused(PermissionError, lambda: os.replace("a.txt", "b.txt"))
assert Path("b.txt").read_bytes() == b"one\\r\\n"
for name in ("folder", "other"):
    Path(name).mkdir()
with Path("folder/d.txt").open("w"):
    refused(PermissionError, lambda: os.replace("folder", "moved"))
refused(PermissionError, lambda: os.replace("folder", "other"))
refused(PermissionError, lambda: os.open("folder", os.O_RDONLY))
Path("a.txt").chmod(0o444)
refused(PermissionError, lambda: Path("a.txt").unlink())
refused(PermissionError, lambda: os.replace("b.txt", "a.txt"))
for mode in ("w", "ab", "r+"):
    refused(PermissionError, lambda: Path("a.txt").open(mode))
for flag in (os.O_RDWR, os.O_WRONLY):
    refused(PermissionError, lambda: os.open("a.txt", flag))
os.close(os.open("a.txt", os.O_RDONLY))
assert Path("a.txt").read_bytes() == b"\\x9e\\r\\n"
import numpy
numpy.save("folder/e.npy", numpy.zeros(3))
mapped = numpy.load("folder/e.npy", mmap_mode="r")
refused(PermissionError, lambda: os.replace("folder", "moved"))
del mapped
os.replace("folder", "moved")
refused(FileNotFoundError, lambda: Path("/proc/cpuinfo").read_text())
refused(FileNotFoundError, lambda: open("/proc/self/status"))
assert psutil.Process().memory_info().peak_wset > 1_000_000
"""


def test_the_simulation_refuses_what_windows_does(tmp_path: Path) -> None:
    names = f"MODULES, FUNCTIONS, SIGNALS = {MODULES}, {FUNCTIONS}, {SIGNALS}\n"
    (tmp_path / "rules.py").write_text(names + RULES, "utf-8")
    done = python("rules.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# --- Scripts and what is written aside, as on Windows ---

HELP = """
import runpy, sys
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    sys.path[0] = script.rpartition("/")[0]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        assert not end.code, script
"""
SCRIPTS = [
    *sorted((ROOT / "src").glob("*.py")), *sorted((ROOT / "studies").glob("[a-z]*.py")),
    *(ROOT / "benchmarks" / f"{name}.py" for name in ("bench", "scale", "study", "table")),
]  # fmt: skip


def test_every_script_shows_its_help(tmp_path: Path) -> None:
    (tmp_path / "all.py").write_text(HELP, "utf-8")
    done = python("all.py", *map(str, SCRIPTS), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"^usage: (\S+)", done.stdout, re.MULTILINE)
    assert shown == [path.name for path in SCRIPTS]


@pytest.mark.slow
@pytest.mark.parametrize(
    "selected",
    [
        # A folder aside cannot go while the file of its lock is open.
        ["tests/test_aside.py", "tests/test_guard.py", "-k", "not that_has_gone"],
        ["tests/training/test_kept.py", "-k", "longest or removed or removing"],
        pytest.param(
            ["tests/training/test_workers.py", "-k", "killed_worker or seeds_beside"],
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["aside", "kept", "workers"],
)
def test_these_tests_pass_as_on_windows(selected: list[str], tmp_path: Path) -> None:
    where = ["-m", "", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'below'}"]
    done = python("-m", "pytest", "-q", *where, *selected)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


@pytest.mark.thorough
def test_all_tests_can_be_collected_as_on_windows() -> None:
    done = python("-m", "pytest", "-q", "--collect-only", "-m", "", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3000:]


def test_read_only_outputs_are_replaced_as_links_into_a_cache_are(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from fusebench.aside import replace_outputs\n"
        "def put(text):\n"
        "    with replace_outputs([Path('folder')], [Path('file')]) as (folder, file):\n"
        "        for path in (folder / 'one', file):\n"
        "            path.write_text(text); path.chmod(0o444)\n"
        "def put_file(text):\n"
        "    from fusebench.files import write_text\n"
        "    write_text(Path('file'), text)\n"
        "put('old'); put('new')\n"
        "assert not Path('file').stat().st_mode & 0o222\n"
        "put_file('newest')\n"
        "print(*sorted(f'{path} {path.read_text()}' for path in Path().rglob('*')\n"
        "              if path.is_file()), sep='\\n')"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.stdout.splitlines() == ["file newest", "folder/one new"], done.stderr


def test_a_file_that_another_program_has_open_is_waited_for_on_windows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Path] = []
    replace = os.replace

    def busy(source: Path, target: Path) -> None:
        tries.append(source)
        if len(tries) < 4:
            raise PermissionError(13, "in use", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(PermissionError), replace_file(tmp_path / "a") as aside:
        aside.write_text("1")
    assert len(tries) == 1
    monkeypatch.setattr(system, "WINDOWS", True)
    with replace_file(tmp_path / "a") as aside:
        aside.write_text("2")
    assert (tmp_path / "a").read_text() == "2"
    assert len(tries) == 4
    # Not for ever.
    monkeypatch.setattr(system, "_LOOKS", 2)
    tries.clear()
    with pytest.raises(PermissionError), replace_file(tmp_path / "a") as aside:
        aside.write_text("3")
    assert len(tries) == 3


# --- What the code asks the system for ---


def is_unix(test: ast.expr) -> bool | None:
    """Return for which outcome of a test the system is known to have more than Windows."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        told = is_unix(test.operand)
        return None if told is None else not told
    if isinstance(test, ast.BoolOp):
        outcome = isinstance(test.op, ast.And)
        return outcome if outcome in map(is_unix, test.values) else None
    text = ast.unparse(test)
    if re.fullmatch(r"hasattr\((os|signal|time|socket|select), .*\)", text):
        return True
    if found := re.fullmatch(r"sys\.platform (==|!=) '(win32|linux|darwin)'", text):
        return (found[1] == "==") == (found[2] != "win32")
    return False if re.fullmatch(r"(\w+\.)*_?WINDOWS", text) else None


def guarded(tree: ast.Module) -> set[int]:
    """Return the nodes that run only where the system has what they name."""
    found: set[int] = set()

    def is_safe(steps: Iterable[ast.AST]) -> None:
        found.update(id(inner) for step in steps for inner in ast.walk(step))

    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp) and (unix := is_unix(node.test)) is not None:
            branch = node.body if unix else node.orelse
            is_safe(branch if isinstance(branch, list) else [branch])
        if isinstance(node, ast.Try) and any(
            re.search(r"ImportError|AttributeError", ast.unparse(each.type or node))
            for each in node.handlers
        ):
            is_safe(node.body + node.orelse)
        # `if not hasattr(…): …; return` guards what comes after it.
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            steps = body if isinstance(body, list) else []
            for number, step in enumerate(steps):
                if (
                    isinstance(step, ast.If)
                    and is_unix(step.test) is False
                    and re.match(r"return|raise |sys\.exit\(", ast.unparse(step.body[-1]))
                ):
                    is_safe(steps[number + 1 :])
    return found


def of_unix(text: str) -> Iterator[str]:
    """Yield what a module imports or calls of Unix alone, without a way round."""
    tree = ast.parse(text)
    safe = guarded(tree)
    for node in ast.walk(tree):
        if id(node) in safe:
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            yield from (name for name in names if name.partition(".")[0] in UNIX_MODULES)
            if module in UNIX_NAMES:
                yield from (
                    f"{module}.{alias.name}"
                    for alias in node.names
                    if alias.name in UNIX_NAMES[module]
                )
        if isinstance(node, ast.Attribute) and node.attr in UNIX_NAMES.get(
            ast.unparse(node.value), ()
        ):
            yield ast.unparse(node)
        if isinstance(node, ast.Call):
            yield from (
                f"{key.arg}=" for key in node.keywords
                if key.arg in ("preexec_fn", "pass_fds", "process_group")
            )  # fmt: skip
            if ast.unparse(node.func).endswith("get_context") and node.args:
                kind = ast.unparse(node.args[0])
                yield from [f"get_context({kind})"] if kind != "'spawn'" else []


def test_nothing_of_unix_alone_is_used_without_a_way_round() -> None:
    found = {str(path): list(of_unix(path.read_text("utf-8"))) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("def f():\n    from resource import getrusage", ["resource"]),
        ("import os\nos.fork()", ["os.fork"]),
        ("from os import killpg", ["os.killpg"]),
        ("from signal import SIGKILL as K", ["signal.SIGKILL"]),
        ("get_context('fork')", ["get_context('fork')"]),
        ("subprocess.run(c, preexec_fn=f)", ["preexec_fn="]),
        ("if x:\n    os.sync()", ["os.sync"]),
        ("try:\n    import fcntl\nexcept ImportError:\n    fcntl = None", []),
        ("try:\n    import fcntl\nexcept OSError:\n    fcntl = None", ["fcntl"]),
        ("if hasattr(os, 'sync'):\n    os.sync()", []),
        ("if hasattr(os, 'sync'):\n    pass\nelse:\n    os.sync()", ["os.sync"]),
        ("if not hasattr(os, 'sync'):\n    os.sync()", ["os.sync"]),
        ("if system.WINDOWS:\n    os.sync()\nelse:\n    os.fork()", ["os.sync"]),
        ("if not WINDOWS and x:\n    os.sync()\nelse:\n    os.fork()", ["os.fork"]),
        ("if WINDOWS or x:\n    os.sync()\nelse:\n    os.fork()", ["os.sync"]),
        ("if WINDOWS and x:\n    pass\nelse:\n    os.fork()", ["os.fork"]),
        ("x = os.getuid() if sys.platform != 'win32' else os.getgid()", ["os.getgid"]),
        ("if sys.platform == 'win32':\n    os.sync()\n    sys.exit()\nos.fork()", ["os.sync"]),
        ("try:\n    os.sync()\nexcept AttributeError:\n    os.fork()", ["os.fork"]),
        ("def f():\n    if not hasattr(os, 'sync'):\n        return\n    os.sync()", []),
        ("def f():\n    if not hasattr(os, 'sync'):\n        print()\n    os.sync()", ["os.sync"]),
        ("if sys.platform == 'win32':\n    sys.exit(run())\nos.killpg(1, 2)", []),
        ("if sys.platform == 'win32':\n    run()\nos.killpg(1, 2)", ["os.killpg"]),
        ("os.open(path, os.O_RDONLY)", []),
    ],
)
def test_what_is_of_unix_alone_is_found(text: str, found: list[str]) -> None:
    assert list(of_unix(text)) == found


def with_other_line_ends(text: str) -> Iterator[str]:
    """Yield what writes text with the line ends of the system, which are others on Windows."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # Of pathlib with its encoding; that of `files` knows.
            needed = {"write_text": "newline", "to_csv": "lineterminator"}.get(node.func.attr)
            if needed and needed not in {key.arg for key in node.keywords}:
                yield ast.unparse(node)


def test_text_is_written_with_the_line_ends_that_it_has() -> None:
    found = {str(path): list(with_other_line_ends(path.read_text("utf-8"))) for path in SOURCES}
    assert {path: calls for path, calls in found.items() if calls} == {}
    assert list(with_other_line_ends("path.write_text(text, 'utf-8')"))
    assert not list(with_other_line_ends("write_text(path, text)"))


# --- Names of files, and their bytes in a checkout ---


def tracked() -> list[str]:
    """Return the files that git tracks or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name]


def test_every_file_may_have_its_name_on_windows_and_macos() -> None:
    reserved = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
    lower: dict[str, str] = {}
    for name in tracked():
        assert name.isascii(), name
        assert not re.search(r'[<>:"\\|?*\x00-\x1f]', name), name
        for part in name.split("/"):
            assert not reserved.match(part), name
            assert not part.endswith((".", " ")), name
        # Without long paths, Windows has 260 letters for the folder of the checkout and this.
        assert len(name) <= 120, name
        assert lower.setdefault(name.lower(), name) == name


@pytest.mark.parametrize("with_attributes", [True, False])
def test_git_changes_no_byte_of_a_file(with_attributes: bool, tmp_path: Path) -> None:
    """DVC knows code by its bytes; git for Windows would write other line ends."""
    contents = {"unix.py": b"a\nb\n", "windows.csv": b"a\r\nb\r\n"}
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    for name, content in contents.items():
        (origin / name).write_bytes(content)
    if with_attributes:
        (origin / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(
            ["git", "-c", "core.autocrlf=true", *who, *arguments], check=True, capture_output=True
        )

    git("-C", str(origin), "init", "--quiet")
    git("-C", str(origin), "add", "--all")
    git("-C", str(origin), "commit", "--quiet", "--message", "files")
    git("clone", "--quiet", "--config", "core.autocrlf=true", str(origin), str(clone))
    found = {name: (clone / name).read_bytes() for name in contents}
    # Without it, the clone would be another.
    assert (found == contents) is with_attributes


# --- What other systems tell ---


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A system without /proc and /sys."""
    monkeypatch.setattr("fusebench.processor._CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("fusebench.memory._CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr("fusebench.memory._OWN", tmp_path / "own")
    processor._name_elsewhere.cache_clear()
    yield monkeypatch
    processor._name_elsewhere.cache_clear()


def test_macos_names_its_processor(elsewhere: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "Apple M2 Pro\n")

    elsewhere.setattr(sys, "platform", "darwin")
    elsewhere.setattr("platform.machine", lambda: "arm64")
    elsewhere.setattr(subprocess, "run", run)
    assert processor.processor_name() == "Apple M2 Pro"
    assert processor.processor_kind() == "arm64 Apple M2 Pro"
    # Once.
    assert asked == [["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]]


@pytest.mark.parametrize(
    "error", [FileNotFoundError("sysctl"), subprocess.CalledProcessError(1, "sysctl")]
)
def test_a_macos_that_does_not_say_is_named_by_what_python_knows(
    error: Exception, elsewhere: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    elsewhere.setattr(sys, "platform", "darwin")
    elsewhere.setattr(subprocess, "run", run)
    elsewhere.setattr("platform.processor", lambda: "arm")
    assert processor.processor_name() == "arm"


def registry(value: str | None) -> ModuleType:
    """Return the module of Windows' registry, with a processor of a name, or with none."""
    module = ModuleType("winreg")

    class Key:
        def __enter__(self) -> "Key":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def open_key(root: str, place: str) -> Key:
        assert (root, place) == ("machine", r"HARDWARE\DESCRIPTION\System\CentralProcessor\0")
        if value is None:
            raise FileNotFoundError(place)
        return Key()

    def query(_key: Key, name: str) -> tuple[str | None, int]:
        assert name == "ProcessorNameString"
        return value, 1

    module.__dict__.update(HKEY_LOCAL_MACHINE="machine", OpenKey=open_key, QueryValueEx=query)
    return module


@pytest.mark.parametrize(
    ("told", "name"), [("AMD EPYC 7763 64-Core Processor  ", "AMD EPYC 7763 64-Core Processor"),
                       (None, "Intel64 Family 6")]
)  # fmt: skip
def test_windows_names_its_processor(
    told: str | None, name: str, elsewhere: pytest.MonkeyPatch
) -> None:
    elsewhere.setitem(sys.modules, "winreg", registry(told))
    elsewhere.setattr(sys, "platform", "win32")
    elsewhere.setattr("platform.processor", lambda: "Intel64 Family 6")
    assert processor.processor_name() == name


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processor.usable_cores() == 6


def test_windows_tells_the_peak_of_the_process_through_psutil(
    elsewhere: pytest.MonkeyPatch,
) -> None:
    elsewhere.setattr(memory, "resource", None)
    elsewhere.setattr(
        psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=1, peak_wset=123_456)
    )
    assert memory.peak_resident() == 123_456
    elsewhere.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5000))
    assert memory.free_memory() == 5000


def test_a_polite_end_comes_to_the_main_thread_of_windows(tmp_path: Path) -> None:
    code = (
        "import signal, threading, time\n"
        "from fusebench import cli, system\n"
        "from fusebench.aside import replace_folder\n"
        "from pathlib import Path\n"
        "assert system.WINDOWS\n"
        "def work():\n"
        "    with replace_folder(Path('out')):\n"
        "        threading.Thread(target=system.end_politely).start()\n"
        "        while True: time.sleep(0.01)\n"
        "cli.run(work)"
    )
    done = python("-c", code, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: interrupted; nothing half-written was left")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_break_is_a_polite_end_where_there_is_one() -> None:
    from fusebench import cli

    assert {number.name for number in cli._POLITE} == {"SIGTERM", "SIGBREAK"} & {
        number.name for number in signal.Signals
    }


# --- Benchmarks ---


def test_what_cannot_be_measured_elsewhere_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "wait4")
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(BenchmarkError) as caught:
        run_measured([sys.executable, "-c", "raise AssertionError"], tmp_path)
    assert str(caught.value) == (
        "Windows: does not tell the peak memory of a process that has ended; speed is measured "
        "on Linux and macOS alone"
    )
    # Before anything is trained.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchmarkError, match=r"^Windows: does not tell"):
        suite.measure(Plan(), print)


def test_a_process_ends_with_those_that_it_started_where_there_are_no_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        child = psutil.Process(int(started.stdout.readline()))
        monkeypatch.delattr(os, "killpg")
        end_tree(started.pid)
        started.wait(10)
        assert not psutil.wait_procs([child], timeout=10)[1]
    # It has ended already.
    end_tree(started.pid)

"""What `make` and `poe` have in common that is more than a command: python src/tasks.py unlocked

Both run it, in the root of the checkout, so that neither needs a shell. It imports nothing that
`setup` has yet to install.
"""

import argparse
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_WINDOWS = os.name == "nt"
_BIN, _ENDING = (Path(".venv/Scripts"), ".exe") if _WINDOWS else (Path(".venv/bin"), "")
_SETUP = "requirements-setup.txt"
# Of each level its locks, the level before it, and the file that tells when it was installed.
_LEVELS = {
    "run": (["requirements.txt"], None, ".runs"),
    "extras": (["requirements-extras.txt"], "run", ".extras"),
    # Tests run poe, too.
    "dev": (["requirements-dev.txt", _SETUP], "run", ".develops"),
}
_BUSY = Path(".dvc/tmp/rwlock")
_CONFIGS = (Path(".dvc/config"), Path(".dvc/config.local"))
# Universal: one lock for every platform and Python; without the index, so that it names no host.
_LOCK = ("uv", "pip", "compile", "-q", "--universal", "--python-version", "3.11",
         "--generate-hashes", "--no-emit-index-url", "--custom-compile-command", "make lock",
         "--upgrade")  # fmt: skip
_EXTRAS = ("export", "notebook", "parquet", "s3", "ssh", "trackers")


def setup(level: str) -> None:
    """Install into .venv what a level needs and what comes before it, unless it is there.

    Extras come with `run` where the remote of DVC's config needs one.
    """
    if sys.version_info < (3, 11):  # noqa: UP036  (poe runs with older ones)
        version = ".".join(map(str, sys.version_info[:2]))
        _fail(f".venv is of Python {version}; 3.11 or newer is needed: make it anew with that")
    _set_up(level)
    if level == "run" and _remote_needs_extras():
        _set_up("extras")


def _remote_needs_extras() -> bool:
    """Tell whether DVC's config names a remote without whose package most of DVC fails."""
    needs = re.compile(r"^\s*url\s*=\s*(s3|ssh)://", re.MULTILINE)
    # What is wrong with a config, DVC says.
    texts = [path.read_text("utf-8", errors="replace") for path in _CONFIGS if path.is_file()]
    return any(needs.search(text) for text in texts)


def _set_up(level: str) -> None:
    locks, before, stamp = _LEVELS[level]
    needed = [*map(Path, locks), Path(_SETUP)]
    if before is not None:
        _set_up(before)
        needed.append(_BIN / _LEVELS[before][2])
    done = _BIN / stamp
    if not done.exists() or done.stat().st_mtime < max(each.stat().st_mtime for each in needed):
        _install(locks)
        done.touch()


def _install(locks: list[str]) -> None:
    """Install what locks name: with uv where it is on the machine, else with that of the lock."""
    print(f"installing {locks[0]} into .venv (about 6 GB with torch; once)", flush=True)
    named = [word for lock in locks for word in ("-r", lock)]
    python = f"{_BIN / 'python'}{_ENDING}"
    pip = (python, "-m", "pip", "install", "-q", "--require-hashes")
    if shutil.which("uv") is None and _run(*pip, "-r", _SETUP):
        # Plain pip is slower, and installs the same.
        _check(*pip, *named)
        return
    uv = shutil.which("uv") or f"{_BIN / 'uv'}{_ENDING}"
    _check(uv, "pip", "install", "-q", "--python", python, "--compile-bytecode",
           "--require-hashes", *named)  # fmt: skip


def unlocked() -> None:
    """Refuse a checkout with the empty list of busy files that a killed DVC may leave.

    Every later DVC says only that it cannot read it.
    """
    if _BUSY.is_file() and not _BUSY.stat().st_size:
        _fail(
            f"{_BUSY.as_posix()}: left empty by a DVC that was killed, and stops every other; if "
            f"none works in this folder, rm {_BUSY.as_posix()}, or make mend"
        )


def experiment(name: str) -> None:
    """Make room for an experiment: nothing stops DVC, and there is none of that name."""
    unlocked()
    if _run("git", "config", "user.email", stdout=subprocess.DEVNULL):
        _fail(
            "DVC keeps experiments as commits: first git config user.name … and git config "
            "user.email …"
        )
    # There need not be one.
    _run("dvc", "exp", "remove", "-q", name, stderr=subprocess.DEVNULL)


def current() -> None:
    """Say whether dvc.lock belongs to the code and params beside it; else fail."""
    done = subprocess.run(  # noqa: S603
        [_program("dvc"), "repro", "--allow-missing", "--dry"],
        stdout=subprocess.PIPE, encoding="utf-8", errors="replace",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"}, check=False,
    )  # fmt: skip
    last = (done.stdout.splitlines() or [""])[-1]
    if done.returncode or "up to date" not in last:
        _fail("dvc.lock is not that of this code: run dvc repro and commit")
    print(last)


def size(path: Path) -> None:
    """Say where a file is, and how large."""
    if not path.is_file():
        _fail(f"{path}: no such file")
    print(f"{Path.cwd() / path}: {path.stat().st_size / 1e6:.1f} MB")


def lock() -> None:
    """Pin the newest versions that work together; each lock keeps to the one before it."""
    extras = [word for extra in _EXTRAS for word in ("--extra", extra)]
    for words in (
        ["pyproject.toml", "-o", "requirements.txt"],
        ["pyproject.toml", *extras, "-c", "requirements.txt", "-o", "requirements-extras.txt"],
        ["pyproject.toml", *extras, "--group", "dev", "-c", "requirements-extras.txt", "-o",
         "requirements-dev.txt"],
        ["--group", "setup", "-c", "requirements.txt", "-o", _SETUP],
    ):  # fmt: skip
        print("uv pip compile …", *words, flush=True)
        _check(*_LOCK, *words)


def remove(paths: list[Path]) -> None:
    """Remove files and folders; what is not there is no error."""
    for path in paths:
        if _WINDOWS and path.resolve() in Path(sys.executable).resolve().parents:
            print(f"{path}: this runs in it; remove it when this has ended: rmdir /s /q {path}")
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def run(command: list[str]) -> None:
    """Run a command that has the time to end by itself when it is interrupted.

    poe interrupts what it runs every 0.8 seconds after Ctrl-C, and kills it at the third time. A
    DVC that is killed may leave its list of busy files empty. On Linux and macOS the command has no
    terminal of its own: Ctrl-Z does not stop it, and it cannot ask for a password.
    """
    if sys.platform == "win32" and command[0] == "dvc":
        _run_dvc_on_windows(command)
    if sys.platform == "win32":
        # poe sends Ctrl-Break to all that it started; the command hears it, too.
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)
        sys.exit(_run(*command))
    began: list[subprocess.Popen[bytes]] = []
    heard: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        heard.append(number)
        if len(heard) == 1 and began:
            tell(number)

    def tell(number: int) -> None:
        # It may have ended by now.
        with suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGINT:
                # As a terminal does, to all of them.
                os.killpg(began[0].pid, number)
            else:
                began[0].send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    # In a group of its own; should this be killed, the command still ends by itself.
    words = [_program(command[0]), *command[1:]]
    began.append(subprocess.Popen(words, start_new_session=True))  # noqa: S603
    if heard:
        tell(heard[0])
    code = began[0].wait()
    sys.exit(code if code >= 0 else 128 - code)


def _run_dvc_on_windows(command: list[str]) -> NoReturn:
    """Run DVC in this process, where Ctrl-Break, which would end it at once, is as Ctrl-C."""

    def interrupt(number: int, _frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(getattr(signal, "SIGBREAK"), interrupt)  # noqa: B009  (of Windows alone)
    sys.argv = command
    runpy.run_module("dvc", run_name="__main__", alter_sys=True)
    sys.exit(0)


def _check(*command: str) -> None:
    """Run a command; end with its exit code where it fails."""
    if code := _run(*command):
        sys.exit(code)


def _run(*command: str, stdout: int | None = None, stderr: int | None = None) -> int:
    words = [_program(command[0]), *command[1:]]
    return subprocess.run(words, stdout=stdout, stderr=stderr, check=False).returncode  # noqa: S603


def _program(name: str) -> str:
    """Return where a program is; on Windows its name has an ending."""
    found = shutil.which(name)
    if found is None:
        _fail(f"{name}: no such program")
    return found


def _fail(message: str) -> NoReturn:
    print(f"error: {message}")
    sys.exit(1)


def main() -> None:
    """Read the arguments, do what is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="TASK")

    def add(act: Callable[..., None]) -> argparse.ArgumentParser:
        command = commands.add_parser(act.__name__, help=act.__doc__, description=act.__doc__)
        command.set_defaults(act=act)
        return command

    for act in (unlocked, current, lock):
        add(act)
    add(setup).add_argument("level", nargs="?", default="run", choices=_LEVELS)
    add(experiment).add_argument("name")
    add(run).add_argument("command", nargs=argparse.REMAINDER)
    add(size).add_argument("path", type=Path)
    add(remove).add_argument("paths", type=Path, nargs="+")
    arguments = vars(parser.parse_args())
    if arguments.get("command") == []:
        parser.error("run: needs a command")
    try:
        arguments.pop("act")(**arguments)
    except KeyboardInterrupt:
        print("error: interrupted")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()

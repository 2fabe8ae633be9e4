"""Found first on PYTHONPATH, this makes a Python on Linux do what that of Windows does.

As far as the pipeline could notice: modules, functions and signals of POSIX are not there; files
that are open or read-only are neither removed nor moved, nor are folders with such; the latter are
not opened to write, and no folder is at all; text is written with Windows' line ends, and in its
encoding where none is named; nothing of Linux stands in /proc and /sys. Names of paths, the console
and processes are those of Linux.
"""

import builtins
import io
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# What they import is of POSIX here, and something else on Windows.
import filelock  # noqa: F401
import psutil

MODULES = {
    "fcntl",
    "grp",
    "posix",
    "pty",
    "pwd",
    "readline",
    "resource",
    "syslog",
    "termios",
    "tty",
}
FUNCTIONS = {
    "chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups",
    "getloadavg", "getpgid", "getpgrp", "getpriority", "getsid", "getuid", "initgroups", "killpg",
    "lchown", "lockf", "mkfifo", "mknod", "nice", "openpty", "pathconf", "posix_fadvise",
    "posix_fallocate", "pread", "pwrite", "readv", "sched_getaffinity", "sched_setaffinity",
    "setpgid", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp", "ttyname", "uname",
    "wait", "wait3", "wait4", "waitid", "writev",
    "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "WNOHANG",
}  # fmt: skip
SIGNALS = {
    "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP",
    "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "alarm", "pause", "pthread_kill",
    "pthread_sigmask", "setitimer", "siginterrupt", "sigpending", "sigtimedwait", "sigwait",
}  # fmt: skip
# In them stands what is linked to Linux: where these ask, they are answered.
LINKED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}lib{os.sep}python3")
_LINUX = ("/proc/", "/sys/")


def _asked_by_others() -> bool:
    """Tell whether the code that asks is neither the project's nor a test's."""
    frame = sys._getframe()
    while (name := frame.f_code.co_filename) == __file__ or name.startswith("<frozen importlib"):
        assert frame.f_back is not None
        frame = frame.f_back
    return any(place in name for place in LINKED)


def _hide(module: Any, names: AbstractSet[str]) -> None:
    kept = {name: getattr(module, name) for name in names if hasattr(module, name)}
    for name in kept:
        delattr(module, name)

    def missing(name: str) -> Any:
        if name in kept and _asked_by_others():
            return kept[name]
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__getattr__ = missing


class _Refusing:
    """Finds no module of POSIX, where the project asks for it."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in MODULES and not _asked_by_others():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _refused(path: Any) -> PermissionError:
    return PermissionError(13, "The process cannot access the file", str(path))


def _opened() -> set[Path]:
    """Return the files that this process has open or mapped."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        # That of this listing has gone.
        with suppress(OSError):
            found.add(link.readlink())
    with _open("/proc/self/maps", encoding="utf-8") as maps:
        found |= {Path(line.split(maxsplit=5)[5].strip()) for line in maps if line.count("/")}
    return found


def _check_free(path: Any) -> None:
    """Refuse what is open, or has something open in it."""
    real = Path(path).parent.resolve() / Path(path).name
    if any(real == opened or real in opened.parents for opened in _opened()):
        raise _refused(path)


def _check_writable(path: Any) -> None:
    file = Path(path)
    if file.is_file() and not file.is_symlink() and not file.stat().st_mode & stat.S_IWUSR:
        raise _refused(path)


def _check_unlocked(path: Any) -> None:
    """Refuse to open what is read-only, by any name, to write; root may do so on Linux."""
    if not isinstance(path, int):
        _check_writable(Path(os.fsdecode(path)).resolve())


_open, _os_open, _replace, _rename, _unlink = io.open, os.open, os.replace, os.rename, os.unlink


def _windows_open(file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None,
                  errors: str | None = None, newline: str | None = None, *others: Any,
                  **more: Any) -> Any:  # fmt: skip
    if str(file).startswith(_LINUX) and not _asked_by_others():
        raise FileNotFoundError(2, "No such file or directory", str(file))
    if set(mode) & set("wa+"):
        _check_unlocked(file)
    if "b" not in mode:
        encoding = "cp1252" if encoding in (None, "locale") else encoding
        if newline is None and set(mode) & set("wax"):
            newline = "\r\n"
    return _open(file, mode, buffering, encoding, errors, newline, *others, **more)


def _path_open(self: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
    if str(self).startswith(_LINUX):
        raise FileNotFoundError(2, "No such file or directory", str(self))
    return _windows_open(self, mode, *arguments, **more)


def _open_descriptor(path: Any, flags: int, *others: Any, **more: Any) -> int:
    if os.path.isdir(path):  # noqa: PTH112
        raise _refused(path)
    if flags & (os.O_WRONLY | os.O_RDWR):
        _check_unlocked(path)
    return _os_open(path, flags, *others, **more)


def _moving(move: Callable[..., None]) -> Callable[..., None]:
    def moved(source: Any, target: Any, **more: Any) -> None:
        _check_free(source)
        if os.path.lexists(target):
            _check_free(target)
            _check_writable(target)
            if os.path.isdir(target) and not os.path.islink(target):  # noqa: PTH112, PTH114
                raise _refused(target)
        move(source, target, **more)

    return moved


def _remove(path: Any, **more: Any) -> None:
    _check_free(path)
    _check_writable(path)
    _unlink(path, **more)


def _memory_info(process: psutil.Process) -> Any:
    """Return what Windows tells: the peak, too."""
    with _open(f"/proc/{process.pid}/status", encoding="utf-8") as lines:
        peak = next(line for line in lines if line.startswith("VmHWM"))
    return SimpleNamespace(peak_wset=int(peak.split()[1]) * 1024)


def _become_windows() -> None:
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Refusing())
    _hide(os, FUNCTIONS)
    _hide(signal, SIGNALS)
    io.open = builtins.open = _windows_open
    Path.open = _path_open  # type: ignore[method-assign]
    os.open = _open_descriptor
    os.replace, os.rename = _moving(_replace), _moving(_rename)
    os.unlink = os.remove = _remove
    # By descriptors of folders, which Windows has not.
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    # It has a name there.
    tempfile.TemporaryFile = tempfile.NamedTemporaryFile  # type: ignore[assignment]
    os.linesep = "\r\n"
    psutil.Process.memory_info = _memory_info

    from fusebench import system

    system.WINDOWS = True


# Not where tests import it for its names.
if __name__ == "sitecustomize":
    _become_windows()

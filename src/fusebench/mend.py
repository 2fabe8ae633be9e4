"""What DVC cannot mend by itself: a lock that a killed DVC left, and damage in its own cache.

Where outputs are hard links to the cache, a flipped byte in one is a flipped byte in both. DVC
takes an object of its cache that is read-only for whole: 'dvc checkout' and 'dvc repro', even with
--force, then bring the damage back and call it up to date. So each object is hashed here, and what
is damaged goes; what DVC misses it can make anew. Files of `dvc add` are the user's own, and stay.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil

from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest
from fusebench.guard import is_dvc
from fusebench.recorded import changed, listed, made
from fusebench.stages import ignored_names

_LOCK, _BUSY = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
_REMOVED = Path(".work/removed")

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Output:
    """An output that dvc.lock names; `tracked`: git keeps it, not DVC's cache."""

    path: Path
    md5: str
    tracked: bool


def mend(say: Say) -> None:
    """Mend the checkout in the working directory.

    Parameters
    ----------
    say : callable
        Is given a line for each thing that was done, and one for what is left to do.

    Raises
    ------
    ArtifactError
        DVC works in this checkout, or dvc.lock is broken.
    """
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    if working := _working():
        raise ArtifactError(
            f"DVC works in this folder (process {', '.join(map(str, working))}); wait for it, or "
            "end it, then run this again"
        )
    _remove_lock(tell)
    outputs = _outputs() if _LOCK.is_file() else []
    objects = Path(_dvc("cache", "dir").strip()) / "files/md5"
    _remove_objects(objects, outputs, tell)
    _remove_outputs(objects, outputs, tell)
    _bring_back(outputs, tell)
    if not said:
        say("nothing to mend")


def _working() -> list[int]:
    """Return the processes of DVC whose working directory is in this checkout."""
    root = Path.cwd().resolve()
    found: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            if is_dvc(process.cmdline()):
                folder = Path(process.cwd()).resolve()
                if root in (folder, *folder.parents):
                    found[process.pid] = process.ppid()
        except (psutil.Error, OSError):
            # It has ended, or is another user's.
            continue
    # What only started another, as `poe` does and a launcher of Windows, has the same words.
    return [number for number in found if number not in found.values()]


def _remove_lock(tell: Say) -> None:
    """Remove the list of busy files if no DVC can read it; nobody works here."""
    try:
        whole = isinstance(json.loads(_BUSY.read_bytes()), dict)
    except FileNotFoundError:
        return
    except ValueError:
        whole = False
    if not whole:
        _BUSY.unlink()
        tell(f"removed {_BUSY}, which a killed DVC left broken")


def _outputs() -> list[_Output]:
    paths = [(Path(out.path), out.md5) for _, out in made(_LOCK)]
    tracked = _run(True, "git", "ls-files", "-z", "--", *(str(path) for path, _ in paths)).split(
        "\0"
    )
    kept = {ancestor for name in tracked if name for ancestor in (Path(name), *Path(name).parents)}
    return [_Output(path, md5, path in kept) for path, md5 in paths]


def _remove_objects(objects: Path, outputs: Sequence[_Output], tell: Say) -> None:
    """Remove the damaged objects of DVC's cache among those that outputs are made of."""
    for output in outputs:
        # A list of files goes first where it is damaged: what it says is not to be trusted.
        _remove_damaged(objects, output.md5, output.path, tell)
        for name, md5 in (listed(objects, output.md5) or {}).items():
            _remove_damaged(objects, md5, output.path / name, tell)


def _remove_damaged(objects: Path, md5: str, path: Path, tell: Say) -> None:
    file = objects / md5[:2] / md5[2:]
    if not file.is_file() or dvc_digest(file) == md5.removesuffix(".dir"):
        return
    file.unlink()
    done = "removed from DVC's cache, damaged"
    # A copy, where outputs are no links, may be whole.
    if path.is_file() and dvc_digest(path) == md5:
        shutil.copyfile(path, file)
        file.chmod(0o444)
        done = "made anew in DVC's cache, from the output"
    tell(f"{done}: {file.parent.name}/{file.name} ({path})")


def _remove_outputs(objects: Path, outputs: Sequence[_Output], tell: Say) -> None:
    """Move the outputs that are not as recorded away; what git keeps comes back if it is."""
    ignored = ignored_names()
    for output in outputs:
        if not _differs(output, ignored):
            continue
        files = changed(output.path, output.md5, ignored, objects) or [output.path]
        moved = _move_away(output.path)
        if output.tracked:
            _run(False, "git", "restore", "--", str(output.path))
            if _differs(output, ignored):
                _move_away(output.path)
        back = ", brought back from git" if output.tracked and output.path.exists() else ""
        tell(f"not as {_LOCK} says, moved to {moved}{back}: {', '.join(map(str, files))}")


def _differs(output: _Output, ignored: Sequence[str]) -> bool:
    return output.path.exists() and dvc_digest(output.path, ignored) != output.md5


def _move_away(path: Path) -> Path:
    """Move an output to where nothing reads it: it may be somebody's work; return where to."""
    for number in count(1):
        target = _REMOVED / str(number) / path
        if not target.exists():
            break
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    return target


def _bring_back(outputs: Sequence[_Output], tell: Say) -> None:
    """Check out what is missing and in DVC's cache; say what is left to do."""
    missing = [output for output in outputs if not output.path.exists()]
    kept = [str(output.path) for output in missing if not output.tracked]
    if kept:
        _dvc("checkout", "--quiet", "--allow-missing", *kept)
    if back := [str(output.path) for output in missing if output.path.exists()]:
        tell(f"brought back from DVC's cache: {', '.join(back)}")
    if left := [str(output.path) for output in missing if not output.path.exists()]:
        first = "'dvc pull', then " if _dvc("remote", "list").strip() else ""
        tell(f"left to do: {first}'dvc repro', which makes {', '.join(left)}")


def _dvc(*arguments: str) -> str:
    return _run(True, sys.executable, "-m", "dvc", *arguments)


def _run(needed: bool, *command: str) -> str:
    """Return what a command printed; raise ArtifactError if it failed and is needed."""
    # Names of files are UTF-8 to git, and to DVC where it is told so.
    done = subprocess.run(  # noqa: S603
        command, check=False, capture_output=True, encoding="utf-8", errors="surrogateescape",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode and needed:
        lines = [line for line in done.stderr.splitlines() if line]
        reason = lines[0].removeprefix("ERROR: ") if lines else f"exit code {done.returncode}"
        shown = " ".join(command[2:4] if command[0] == sys.executable else command[:2])
        raise ArtifactError(f"'{shown}' failed: {reason}")
    return done.stdout

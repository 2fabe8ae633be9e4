"""The process that tells a tracker, as the one that started it sees it.

Nothing of a tracker's package is in the process that trains. What that does is to append lines to a
file; a tracker that fails, hangs or takes all memory is somebody else's end.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

JOURNAL, LOG = "journal.jsonl", "log.txt"
LOCK = "lock"
"""The process that tells holds it."""
FAILED = "failed: "
"""What the line begins with that says why a telling failed."""
WAITS = "waits for another process: "
"""What the line begins with that names the run of which another process tells."""
BUSY = "another process tells of "
"""What the reason begins with where that one did not come to an end."""
# DVC tells its stages where they are; this process is none of them.
_OF_STAGES = ("DVC_STAGE", "DVC_ROOT", "DVC_EXP_")
_SECONDS = 0.05
# Of what was killed, to end: what is stuck in the kernel, as on a disk that is gone, does not.
_SECONDS_OF_A_KILL = 10.0


class Process:
    """A process that tells a tracker what a folder's journal says.

    Parameters
    ----------
    folder : Path
        Holds the journal, which is there; the log is written beside it.
    root : Path
        The main checkout.
    """

    def __init__(self, tracker: str, folder: Path, root: Path) -> None:
        self._log = folder / LOG
        command = [sys.executable, "-P", "-m", "fusebench.tracking.follow"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*command, tracker, str(folder.resolve()), str(root.resolve())],
                cwd=root, env=_environment(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                # Ctrl-C in the terminal is not for it.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )  # fmt: skip

    def wait(self, seconds: float, *, since_a_word: bool = False) -> str:
        """Wait until it has told all; return why it has not, or "". It is ended then.

        Parameters
        ----------
        seconds : float
            The longest that this waits.
        since_a_word : bool
            Count them from the last line of its log, and show that one where it waits for another
            process; Ctrl-C ends who waits, too.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C then, or SIGTERM. The process is ended.
        """
        began, said, shown = time.monotonic(), 0, ""
        try:
            while self._process.poll() is None:
                if since_a_word and (now := self._log.stat().st_size) != said:
                    began, said = time.monotonic(), now
                    if (run := self._waits_for()) and run != shown:
                        print(f"{WAITS}{run}", flush=True)
                        shown = run
                if time.monotonic() > began + seconds:
                    run = self._waits_for()
                    return f"{BUSY}{run}" if run else f"not done after {seconds:g} s"
                time.sleep(_SECONDS)
        except KeyboardInterrupt as interrupted:
            # A polite kill, which `cli.run` names, is for the process that waits, too.
            if since_a_word or interrupted.args:
                raise
            return "interrupted"
        else:
            return self._reason()
        finally:
            self._end()

    def leave(self) -> None:
        """Let it tell what it has heard, and end by itself."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.close()
        # Nobody will ask; Python warns of a process that nobody has waited for.
        self._process.returncode = self._process.poll() or 0

    def _lines(self) -> list[str]:
        return self._log.read_text("utf-8", errors="replace").splitlines()

    def _waits_for(self) -> str:
        """Return the run of which another process tells, if the last line says so, or ""."""
        text = self._log.read_text("utf-8", errors="replace")
        # The last whole line.
        last = text.rpartition("\n")[0].rpartition("\n")[2]
        return last.removeprefix(WAITS) if last.startswith(WAITS) else ""

    def _reason(self) -> str:
        code = self._process.returncode
        if code == 0:
            return ""
        said = [line.removeprefix(FAILED) for line in self._lines() if line.startswith(FAILED)]
        if said:
            return said[-1]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its process ended with {how}"

    def _end(self) -> None:
        if self._process.poll() is None:
            # With what it started, which may be in groups of their own.
            started: list[psutil.Process] = []
            with suppress(psutil.Error):
                started = psutil.Process(self._process.pid).children(recursive=True)
            # Each by itself: one may be gone, or somebody else's.
            for each in (self._process, *started):
                with suppress(psutil.Error, OSError):
                    each.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS_OF_A_KILL)
        self.leave()


def _environment() -> dict[str, str]:
    """Return the environment of the process: this one's, but for threads, GPU and stages."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_OF_STAGES)}
    # Where this library is, then what is there already.
    paths = [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip

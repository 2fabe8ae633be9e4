"""Experiments of DVC, run out of the way or through its queue, then read from git."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusebench.errors import ArtifactError
from fusebench.revisions.revisions import reader
from studies.common.errors import StudyError

Read = Callable[[Path], bytes]
"""Gives the content of a file of an experiment; raises ArtifactError where it has none."""
# Seconds, and looks, until what was interrupted has ended.
_PATIENCE = 20
# Seconds between two looks at the worker of the queue; each look takes a few.
_LOOK = 300
_NO_WORKER = "0 active, 0 idle"


NO_STRESS = "stress.corruptions=[]"
"""Override of experiments that ask nothing of corruptions, which take as long as a training."""


@dataclass(frozen=True)
class Experiment:
    """What DVC is to run.

    Attributes
    ----------
    name : str
        What DVC calls it.
    overrides : sequence of str
        As of --set-param: "train.epochs=30".
    targets : sequence of str
        Stages, with all that they need; none: all.
    """

    name: str
    overrides: Sequence[str] = ()
    targets: Sequence[str] = ()

    @property
    def arguments(self) -> list[str]:
        """What of the command line is this experiment's."""
        overrides = [word for override in self.overrides for word in ("--set-param", override)]
        return ["--name", self.name, *overrides, *self.targets]


def run_experiment(experiment: Experiment, of: str) -> Read:
    """Run an experiment in a folder of its own; return what reads its files.

    One of that name goes. What DVC and the stages print is shown. Finished seeds are kept in
    .work/, so that a run that was ended goes on.

    Parameters
    ----------
    of : str
        What the experiment is run for, as the message has it.

    Raises
    ------
    StudyError
        DVC failed.
    """
    _remove(experiment)
    if dvc("exp", "run", "--temp", *experiment.arguments):
        raise StudyError(
            f"{of}: 'dvc exp run' failed, as it says above; seeds that were finished are "
            "kept, and the same command goes on"
        )
    return reader(experiment.name)


def run_queued(experiments: Sequence[Experiment]) -> Mapping[str, Read]:
    """Run experiments through DVC's queue, one after another; return what reads their files.

    Those of their names go. What DVC and the stages print is shown. An interrupt stops the queue,
    too; finished seeds are kept in .work/.

    Returns
    -------
    mapping of str to callable
        By name, of those that did not fail; DVC goes on after one that does.

    Raises
    ------
    StudyError
        The queue holds experiments of others, which would be run as well; or DVC failed.
    """
    for experiment in experiments:
        _remove(experiment)
    _check_queue()
    for experiment in experiments:
        if dvc("exp", "run", "--queue", *experiment.arguments):
            raise StudyError(f"{experiment.name}: cannot be queued, as DVC says above")
    _work_off()
    # A queue whose experiments fail ends well all the same; of this name there may be others, of
    # commits before.
    finished = _said("exp", "list", "--name-only").split()
    return {one.name: reader(one.name) for one in experiments if one.name in finished}


class _WorkerGoneError(Exception):
    """The queue holds experiments, and nothing works it off."""


def _work_off() -> None:
    """Run what is queued; on an interrupt stop the workers, which would go on in the background.

    A worker may end by itself, having read a message of the queue that was not whole yet (kombu's
    file system transport); DVC then waits for ever. So one is started again, as long as that helps.
    """
    left: list[str] = []
    try:
        while True:
            try:
                status = dvc("exp", "run", "--run-all", "--jobs", "1", look=_check_worker)
                break
            except _WorkerGoneError:
                before, left = left, _tasks("Queued")
                if left and left == before:
                    raise StudyError(
                        f"dvc queue: its worker ended twice before {left[0]}; 'dvc queue logs' may "
                        "say why"
                    ) from None
                print(f"The worker of DVC's queue ended; started again for {', '.join(left)}")
    except (KeyboardInterrupt, StudyError):
        _stop()
        raise
    if status:
        _stop()
        raise StudyError("dvc exp run --run-all: failed, as it says above")


def _check_worker() -> None:
    """Raise `_WorkerGoneError` if experiments wait, none is run, and there is no worker."""
    status = _said("queue", "status")
    if _in_state("Queued", status) and not _in_state("Running", status) and _NO_WORKER in status:
        raise _WorkerGoneError


def _stop() -> None:
    """Interrupt what the queue runs, and take out of it what waits; finished seeds are kept."""
    # First the workers, which would take what is next.
    dvc("queue", "stop", stdout=subprocess.DEVNULL)
    waiting, running = (_tasks(state) for state in ("Queued", "Running"))
    for task in running:
        dvc("queue", "kill", task, stdout=subprocess.DEVNULL)
    for task in waiting:
        dvc("queue", "remove", task, stdout=subprocess.DEVNULL)
    for _ in range(_PATIENCE):
        if not _tasks("Running"):
            break
        time.sleep(1)


def _check_queue() -> None:
    if undone := _tasks("Queued") + _tasks("Running"):
        raise StudyError(
            f"dvc queue: {', '.join(undone)} would be run as well; first 'dvc exp run --run-all', "
            "or 'dvc queue remove --queued' and 'dvc queue stop --kill'"
        )


def _tasks(state: str) -> list[str]:
    """Return the experiments of DVC's queue in a state, by their names, else their tasks."""
    return _in_state(state, _said("queue", "status"))


def _in_state(state: str, status: str) -> list[str]:
    lines = status.splitlines()
    # The heading, which stands where there is a task, tells where a column begins.
    place = lines[0].find("Name") if lines else -1
    rows = [line for line in lines[1:] if place >= 0 and line.split()[-1:] == [state]]
    return [row[place:].split("  ")[0].strip() or row.split()[0] for row in rows]


def _remove(experiment: Experiment) -> None:
    # One of that name on this commit would stop DVC; there need not be one.
    dvc("exp", "remove", "--quiet", experiment.name, stderr=subprocess.DEVNULL)


def _said(*arguments: str) -> str:
    """Return what DVC prints."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments], check=False,
        env=_environment() | {"PYTHONIOENCODING": "utf-8"}, stdout=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        raise StudyError(f"dvc {' '.join(arguments)}: failed, as it says above")
    return done.stdout


def dvc(
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    look: Callable[[], None] | None = None,
) -> int:
    """Run DVC and return its exit status; it ends before this process does.

    Parameters
    ----------
    look : callable, optional
        Called every few minutes. What it raises ends DVC, and is raised.
    """
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments], env=_environment(), stdout=stdout, stderr=stderr
    ) as process:
        try:
            while look is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_LOOK)
                look()
            return process.wait()
        except _WorkerGoneError:
            # Not by SIGINT, which is passed over where this runs in the background.
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
        except KeyboardInterrupt as interrupt:
            # Ctrl-C reaches DVC as well, and a DVC that is killed leaves a broken lock; a polite
            # kill reaches this process alone.
            if interrupt.args == (signal.SIGTERM.name,):
                process.terminate()
            process.wait()
            raise


def _environment() -> dict[str, str]:
    # dvc runs `python` from the PATH: this one comes first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path}


def read_json(read: Read, path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of an experiment.

    Raises
    ------
    ArtifactError
        It is missing or something else.
    """
    try:
        content = json.loads(read(path))
    except ValueError:
        raise ArtifactError(f"{path}: not valid JSON") from None
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: must be a JSON object")
    return content

"""Training what is not kept yet, by one engine or another, and what it was good for."""

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from fusebench.device import RuntimeParams
from fusebench.errors import TrainingError, one_line
from fusebench.progress import Progress, Shows
from fusebench.training.train import Job
from fusebench.training.workers import trainer_of, worker_count

Key = Mapping[str, Any]
"""All that decided what came of a seed where it was trained, as `Training.key`."""
Done = Generator[tuple[Job, Key], None, None]
"""Jobs whose seed is trained and kept, in any order."""
Engine = Callable[[Sequence[Job], Shows], Done]


def train_here(runtime: RuntimeParams, jobs: Sequence[Job], progress: Shows) -> Done:
    """Train on this machine, as many seeds at a time as `runtime.workers` says."""
    count = worker_count(runtime, jobs[0].training.device, len(jobs))
    with closing(trainer_of(runtime, count)(jobs, progress)) as finished_jobs:
        for job, _ in finished_jobs:
            yield job, job.training.key(job.seed)


def not_kept(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that a stage would have to train here."""
    return [job for job in jobs if not job.kept.has(job.training.key(job.seed))]


def train_missing(jobs: Sequence[Job], engine: Engine, mode: str) -> None:
    """Train what is not kept, so that stages on this machine find all of it.

    Parameters
    ----------
    mode : str
        As of `Progress`.

    Raises
    ------
    TrainingError
        Something is still not kept for this machine.
    """
    todo = not_kept(jobs)
    print(f"{len(jobs)} seeds of all fusions: {len(jobs) - len(todo)} kept, {len(todo)} to train",
          flush=True)  # fmt: skip
    if not todo:
        return
    elsewhere: dict[str, list[str]] = defaultdict(list)
    with Progress(mode, len(todo)) as progress:
        told = [replace(job, kept=replace(job.kept, say=progress.note)) for job in todo]
        with closing(engine(told, progress)) as done:
            for job, key in done:
                if kind := other_machine(key, job.training.key(job.seed)):
                    elsewhere[kind].append(job.label)
                job.kept.prune()
    for kind, labels in elsewhere.items():
        print(
            f"{_listed(labels)}: trained with {kind}; kept for such machines only, and would be "
            "trained again here"
        )
    if left := not_kept(jobs):
        why = "" if elsewhere else "; runtime.work_limit is too small, or code was changed"
        labels = [job.label for job in left]
        raise TrainingError(
            f"{len(left)} of {len(jobs)} seeds are not kept for this machine: {_listed(labels)}"
            f"{why}; 'dvc repro' would train them"
        )


def _listed(labels: Sequence[str]) -> str:
    return one_line(", ".join(labels), 200)


def other_machine(key: Key, here: Key) -> str:
    """Return in what the machine of a key differs from this one's; "" if in nothing.

    "kind of processor x86_64 AuthenticAMD 25.1 avx2 (here x86_64 GenuineIntel 6.207 avx2)"
    """
    there, ours = _machine(key), _machine(here)
    return ", ".join(
        f"{name} {there.get(name)} (here {ours.get(name)})"
        for name in there | ours
        if there.get(name) != ours.get(name)
    )


def _machine(key: Key) -> dict[str, Any]:
    about = {"kind of processor": key["processor"], "code": key["code"]}
    return {**about, **key["environment"], **key["variables"]}

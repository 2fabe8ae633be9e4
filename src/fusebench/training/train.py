"""Stage train: one fusion, all seeds.

Who trains the seeds is a `Trainer`: this process, one after the other (`one_by_one`), or several
beside each other (`training/workers.py`), on which no bit depends; or all of them in one pass
(`in_one_pass`).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from fusebench.aside import replace_outputs
from fusebench.device import peak_memory
from fusebench.errors import ArtifactError
from fusebench.files import write_json, write_table
from fusebench.models import weights
from fusebench.models.description import Description, SeedDescription
from fusebench.progress import Shows
from fusebench.training.kept import NOTHING_KEPT, KeptSeed, KeptSeeds
from fusebench.training.loop import Task, TrainingState, fit
from fusebench.training.recipe import Training, code_digest
from fusebench.training.stored import FinishedSeed
from fusebench.training.together import train_together


@dataclass(frozen=True)
class OutputPaths:
    """Where a fusion's training leaves what it made."""

    models: Path
    curve: Path
    metrics: Path

    @classmethod
    def of(cls, fusion: str, root: Path = Path()) -> "OutputPaths":
        """Return the paths of one fusion below the project's root."""
        return cls(
            root / "models" / fusion,
            root / "plots/training" / f"{fusion}.csv",
            root / "metrics/training" / f"{fusion}.json",
        )


@dataclass(frozen=True)
class Job:
    """One seed that is to be trained, and where what comes of it is kept."""

    training: Training
    seed: int
    kept: KeptSeeds

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.training.label(self.seed)


Done = Generator[tuple[Job, FinishedSeed], None, None]
"""Jobs with what came of each, in any order; one at a time, since ten would fill memory."""
Trainer = Callable[[Sequence[Job], Shows], Done]


def one_by_one(jobs: Sequence[Job], progress: Shows) -> Done:
    """Train in this process, one job after the other."""
    for job in jobs:
        yield job, train_job(job, progress)


def in_one_pass(jobs: Sequence[Job], progress: Shows) -> Done:
    """Train all seeds of one fusion together; their training says that they can be."""
    finished = train_together(jobs[0].training, progress, jobs[0].kept)
    for job in jobs:
        yield job, finished.pop(job.seed)


def train_job(job: Job, progress: Shows) -> FinishedSeed:
    """Train a seed, or take it as it was kept."""
    with job.kept.hold(job.training.key(job.seed), job.label) as of_seed:
        return _train_seed(job.training, job.seed, of_seed, progress)


def same_code(fusion: str, corruptions: Sequence[str], code: str) -> bool:
    """Tell whether the code is the one that `code` names, as `code_digest`."""
    return code_digest(fusion, corruptions) == code


def train_fusion(
    training: Training,
    progress: Shows,
    paths: OutputPaths,
    kept: KeptSeeds = NOTHING_KEPT,
    trainer: Trainer = one_by_one,
) -> None:
    """Train every seed of a fusion and write models, learning curves and measurements.

    Parameters
    ----------
    training : Training
        What is trained, and on what.
    progress : Progress
        Shows how far it is.
    paths : OutputPaths
        What is written.
    kept : KeptSeeds
        Where finished seeds and states of unfinished ones are kept, and taken from.
    trainer : callable
        Trains the seeds, unless they are trained in one pass.

    Raises
    ------
    ArtifactError
        The manifest was drawn without one of the seeds.
    BusyError
        Another process is training this fusion here.
    TrainingError
        A loss is no longer a number.
    """
    training.manifest.check_samples(training.samples.table)
    listed = training.recipe.train.seeds
    if training.together:
        trainer = in_one_pass
    elif training.stacked:
        progress.note(
            f"{training.recipe.fusion}: seeds are not trained in one pass: "
            f"{training.against_stacking}"
        )

    def check(asides: tuple[Path, ...]) -> None:
        _check_whole(asides[0], paths.models, listed)

    with replace_outputs([paths.models], [paths.curve, paths.metrics], check) as asides:
        folder, curve, metrics = asides
        done: dict[int, FinishedSeed] = {}
        jobs = [Job(training, seed, kept) for seed in listed]
        with closing(trainer(jobs, progress)) as finished_jobs:
            for job, finished in finished_jobs:
                weights.save(folder / f"seed_{job.seed}.safetensors", finished.weights)
                # They are on disk now; those of ten seeds would fill memory.
                done[job.seed] = replace(finished, weights={})
                kept.prune()
        seeds = {seed: done[seed] for seed in listed}
        _describe(training, seeds).write(folder)
        records = [asdict(record) for finished in seeds.values() for record in finished.records]
        write_table(curve, pd.DataFrame(records))
        write_json(metrics, _measurements(list(seeds.values()), training.environment))


def _check_whole(aside: Path, models: Path, seeds: Sequence[int]) -> None:
    """Refuse a folder of models that is not whole: DVC would record it as done."""
    written = list(Description.read_whole(aside).seeds)
    if written != list(seeds):
        raise ArtifactError(f"{models}: holds seeds {written}; must be {list(seeds)}")


def _train_seed(training: Training, seed: int, kept: KeptSeed, progress: Shows) -> FinishedSeed:
    """Train a seed from where it was left; of one that was finished before, take what was kept."""
    label, epochs = training.label(seed), training.recipe.train.epochs
    if (finished := kept.finished()) is not None:
        progress.kept_seed(label, epochs, finished.best)
        return finished

    def end_epoch(task: Task, state: TrainingState) -> None:
        progress.epoch(label, epochs, _rate(task, state), state.records[-1])
        if state.epoch < epochs:
            kept.keep(state)

    def end_batch(_task: Task, state: TrainingState, share: float) -> None:
        progress.batch(label, state.epoch + 1, epochs, share)

    task = training.task(seed)
    state = fit(task, kept.begin(task), end_epoch, end_batch)
    memory = peak_memory(training.device)
    finished = FinishedSeed(
        state.best_weights, state.best_epoch, state.records, state.seconds, memory
    )
    kept.finish(finished)
    progress.seed(label, epochs, _rate(task, state), finished.best)
    return finished


def _describe(training: Training, seeds: Mapping[int, FinishedSeed]) -> Description:
    recipe, samples = training.recipe, training.samples
    return Description(
        recipe.spec(samples),
        recipe.lidar,
        samples.dataset,
        tuple(samples.azimuth.tolist()),
        tuple(samples.zenith.tolist()),
        {
            seed: SeedDescription(
                finished.best_epoch, training.manifest.class_counts(seed, "train")
            )
            for seed, finished in seeds.items()
        },
        recipe.settings,
    )


def _measurements(seeds: Sequence[FinishedSeed], environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return time and memory of all seeds, those that were kept from an earlier run included."""
    seconds = [of_epoch for finished in seeds for of_epoch in finished.seconds]
    return {
        "seconds_per_epoch": {
            "median": round(median(seconds), 4),
            "min": round(min(seconds), 4),
            "max": round(max(seconds), 4),
        },
        "memory": max((finished.memory for finished in seeds), key=lambda used: used["peak_mb"]),
        "environment": dict(environment),
    }


def _rate(task: Task, state: TrainingState) -> float:
    """Return the samples per second of the last epoch, its train and val pass."""
    return (len(task.train) + len(task.val)) / state.seconds[-1]

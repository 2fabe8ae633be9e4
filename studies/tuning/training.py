"""A trial as stage train would train it: one seed, in this process, on train and val alone."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from fusebench.device import prepare
from fusebench.engines.jobs import read_jobs
from fusebench.errors import ArtifactError, TrainingError
from fusebench.files import json_text, read_json
from fusebench.params import Params
from fusebench.progress import Shows
from fusebench.sealed import digest_of
from fusebench.training.train import Job, train_job
from studies.tuning.plan import Choice, Outcome, Subject

# Of a seed's key, what is another on another machine or with other code, and what is chosen.
_ELSEWHERE = ("code", "environment", "processor", "torchvision", "variables")


def subjects_of(params: Params) -> list[Subject]:
    """Return what is tuned: each fusion of params.yaml, with the draw of its first seed.

    Raises
    ------
    ArtifactError, ParamsError
        As `engines.jobs.read_jobs`.
    """
    seed = params.train.seeds[0]
    jobs = read_jobs(params, prepare(params.runtime))
    return [subject_of(job) for job in jobs if job.seed == seed]


def subject_of(job: Job) -> Subject:
    """Return a fusion's job of one seed as what is tuned."""
    fusion, train = job.training.recipe.fusion, job.training.recipe.train
    default = Choice(train.lr, train.schedule, train.epochs)
    return Subject(fusion, default, _digest(job), partial(train_trial, job), _seconds(fusion))


def train_trial(job: Job, choice: Choice, progress: Shows) -> Outcome:
    """Train a seed with some values, or take it as it was kept; nothing of test is read."""
    try:
        best = train_job(with_choice(job, choice), progress).best
    except TrainingError as error:
        progress.note(f"{error}: a failed trial")
        return Outcome(math.nan, 0)
    finally:
        job.kept.prune()
    return Outcome(best.val_loss, best.epoch)


def with_choice(job: Job, choice: Choice) -> Job:
    """Return a job with other values of `train`, for its seed alone."""
    recipe = job.training.recipe
    train = recipe.train.model_copy(update={**choice._asdict(), "seeds": (job.seed,)})
    return replace(job, training=replace(job.training, recipe=replace(recipe, train=train)))


def _digest(job: Job) -> str:
    key = job.training.key(job.seed)
    content = {name: value for name, value in key.items() if name not in _ELSEWHERE}
    settings = {
        name: value for name, value in key["settings"].items() if name not in Choice._fields
    }
    return digest_of(json_text({**content, "settings": settings}).encode())


def _seconds(fusion: str) -> float:
    """Return what an epoch took in the last run of the pipeline; NaN where that is not known."""
    try:
        measured: Mapping[str, float] = read_json(Path(f"metrics/training/{fusion}.json"))[
            "seconds_per_epoch"
        ]
        return float(measured["median"])
    except (ArtifactError, KeyError, TypeError, ValueError):
        return math.nan

"""Trials as they are trained: as stage train would, on train and val alone."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines.conftest import make_root

from fusebench.device import prepare
from fusebench.engines.jobs import read_jobs
from fusebench.params import Params
from fusebench.progress import Progress
from fusebench.training.train import Job
from studies.tuning.plan import Choice
from studies.tuning.training import subject_of, subjects_of, train_trial, with_choice

__all__ = ["make_root"]  # a fixture

DEFAULT = Choice(0.001, "constant", 2)
OTHER = Choice(0.004, "cosine", 1)


@pytest.fixture
def job(make_root: Callable[..., Params]) -> Job:
    """The training of `add` with the first seed."""
    params = make_root()
    return read_jobs(params, prepare(params.runtime))[0]


def _progress() -> Progress:
    return Progress("off", 1)


def test_each_fusion_is_tuned_with_its_first_seed_and_its_default(
    make_root: Callable[..., Params],
) -> None:
    (subject,) = subjects_of(make_root())
    assert (subject.fusion, subject.default) == ("add", DEFAULT)
    # There was no run of the pipeline that could tell.
    assert math.isnan(subject.seconds)


def test_only_what_is_chosen_differs_from_the_pipelines_training(job: Job) -> None:
    assert with_choice(job, DEFAULT).training.key(0) == job.training.key(0)
    before, after = job.training.key(0), with_choice(job, OTHER).training.key(0)
    assert after["settings"] == {**before["settings"], **OTHER._asdict()}
    assert {**after, "settings": before["settings"]} == before


def test_a_trial_is_the_training_of_the_stage_and_is_kept(job: Job) -> None:
    found = train_trial(job, OTHER, _progress())
    chosen = with_choice(job, OTHER)
    assert job.kept.has(chosen.training.key(0))
    with job.kept.hold(chosen.training.key(0), "") as kept:
        finished = kept.finished()
    assert finished is not None
    assert found == (finished.best.val_loss, finished.best_epoch)
    # Nothing of the pipeline's outputs is touched.
    assert not any(Path(name).exists() for name in ("models", "metrics", "plots"))


def test_no_test_sample_is_read(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train_trial(replace(job, kept=replace(job.kept, root=None)), OTHER, _progress())
    table = job.training.manifest.table
    without = table.copy()
    without["seed_0"] = without["seed_0"].replace("test", "unused")
    assert (table["seed_0"] == "test").any()
    manifest = replace(job.training.manifest, table=without)
    other = replace(
        job,
        training=replace(job.training, manifest=manifest),
        kept=replace(job.kept, root=None),
    )
    asked: list[str] = []
    part = type(manifest).part

    def noted(self: object, seed: int, name: str) -> object:
        asked.append(name)
        return part(self, seed, name)  # type: ignore[arg-type]

    monkeypatch.setattr(type(manifest), "part", noted)
    assert train_trial(other, OTHER, _progress()) == expected
    assert set(asked) == {"train", "val"}


def test_a_training_whose_loss_is_no_number_is_a_failed_trial(job: Job) -> None:
    found = train_trial(job, Choice(1e30, "constant", 1), _progress())
    assert math.isnan(found.val_nll)
    assert found.best_epoch == 0


def test_the_digest_is_of_all_else_that_decides_and_not_of_the_machine(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(of: Job) -> str:
        return subject_of(of).digest

    before = digest(job)
    assert digest(with_choice(job, OTHER)) == before
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert digest(replace(job, training=replace(job.training, code="another"))) == before
    recipe = job.training.recipe
    train = recipe.train.model_copy(update={"batch_size": 8})
    changed = replace(job.training, recipe=replace(recipe, train=train))
    assert digest(replace(job, training=changed)) != before
    assert digest(replace(job, seed=1)) != before

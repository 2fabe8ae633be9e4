"""Training what is not kept: a stage finds all of it, or is said not to."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from fusebench.device import Device
from fusebench.engines.jobs import read_jobs
from fusebench.engines.run import Done, Engine, not_kept, train_here, train_missing
from fusebench.errors import TrainingError
from fusebench.params import Params
from fusebench.progress import Progress, Shows
from fusebench.training import loop
from fusebench.training.kept import KeptSeeds
from fusebench.training.loop import EpochRecord
from fusebench.training.stored import FinishedSeed, pack_finished
from fusebench.training.train import Job, OutputPaths, train_fusion

MakeRoot = Callable[..., Params]
FINISHED = pack_finished(
    FinishedSeed(
        {"w": torch.ones(3)}, 1, [EpochRecord(0, 1, 0.5, 0.25, 50.0, 50.0, 50.0)], [1.0], {}
    )
)


@pytest.fixture
def jobs(make_root: MakeRoot, cpu: Device) -> list[Job]:
    return read_jobs(make_root(), cpu)


def made_up(trained: list[int], **changes: Any) -> Engine:
    """Return an engine that puts a made-up result under the key with some changes."""

    def engine(jobs: Sequence[Job], _progress: Shows) -> Done:
        for job in jobs:
            trained.append(job.seed)
            key = {**job.training.key(job.seed), **changes}
            job.kept.put(key, job.label, FINISHED)
            yield job, key

    return engine


def test_after_it_a_stage_trains_nothing(
    jobs: list[Job], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = jobs[0].training
    runtime = read_runtime()
    train_missing(jobs, partial(train_here, runtime), "plain")
    first, *seeds = capsys.readouterr().out.splitlines()
    assert first == "2 seeds of all fusions: 0 kept, 2 to train"
    assert [line[:10] for line in seeds] == ["add seed 0", "add seed 1"]
    monkeypatch.setattr(loop, "train_epoch", None)
    train_fusion(params, Progress("off", 2), OutputPaths.of("add"), jobs[0].kept)
    train_missing(jobs, partial(train_here, runtime), "plain")
    assert capsys.readouterr().out == "2 seeds of all fusions: 2 kept, 0 to train\n"


def read_runtime() -> Any:
    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams

    return load_section(PARAMS_FILE, "runtime", RuntimeParams)


def test_what_is_kept_is_not_trained(jobs: list[Job]) -> None:
    trained: list[int] = []
    train_missing(jobs[1:], made_up(trained), "off")
    train_missing(jobs, made_up(trained), "off")
    assert trained == [1, 0]


def test_what_another_kind_of_machine_trained_is_not_called_done(
    jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    here = jobs[0].training.key(0)
    environment = {**here["environment"], "torch": "1.0"}
    other = made_up([], processor="zen", environment=environment)
    with pytest.raises(TrainingError) as caught:
        train_missing(jobs, other, "off")
    assert str(caught.value) == (
        "2 of 2 seeds are not kept for this machine: add seed 0, add seed 1; 'dvc repro' would "
        "train them"
    )
    (_, line) = capsys.readouterr().out.splitlines()
    assert line == (
        f"add seed 0, add seed 1: trained with kind of processor zen (here {here['processor']}), "
        f"torch 1.0 (here {here['environment']['torch']}); kept for such machines only, and would "
        "be trained again here"
    )
    # It is there for those machines.
    assert jobs[0].kept.has({**here, "processor": "zen", "environment": environment})
    assert not_kept(jobs) == jobs


def changed() -> bool:
    return False


@pytest.mark.parametrize("changes", [{"limit": 0}, {"same_code": changed}])
def test_what_was_not_kept_after_all_is_not_called_done(
    changes: dict[str, Any], jobs: list[Job]
) -> None:
    kept = replace(jobs[0].kept, **changes)
    short = [replace(job, kept=kept) for job in jobs]
    with pytest.raises(TrainingError, match=r"2 of 2 seeds are not kept .*work_limit is too"):
        train_missing(short, made_up([]), "off")


def test_without_a_folder_nothing_is_kept(jobs: list[Job]) -> None:
    nowhere = [replace(job, kept=KeptSeeds()) for job in jobs]
    nowhere[0].kept.put({}, "", FINISHED)
    assert not_kept(nowhere) == nowhere

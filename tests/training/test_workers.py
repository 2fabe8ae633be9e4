"""Seeds beside each other: the same bits, errors in one line, and no process that stays."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import RUNTIME
from tests.project import ROOT, hearing_ctrl_c

from fusebench.config import validate
from fusebench.device import Device, RuntimeParams
from fusebench.errors import ArtifactError, TrainingError
from fusebench.files import write_json
from fusebench.inputs.lidar import LidarParams
from fusebench.params import Params
from fusebench.processor import PORTABLE_ENVIRONMENT, lacking_for_portable
from fusebench.progress import Progress, Shows
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
from fusebench.training import worker, workers
from fusebench.training.kept import KeptSeeds
from fusebench.training.recipe import Recipe, Training
from fusebench.training.settings import TrainParams
from fusebench.training.train import Done, Job, OutputPaths, one_by_one, train_fusion
from fusebench.training.workers import trainer_of, worker_count

LIDAR = LidarParams(projection="spherical", align="none", normalize=True)
SETTINGS: dict[str, Any] = {
    "seeds": [1, 0], "epochs": 2, "batch_size": 16, "lr": 0.001, "weight_decay": 0.0,
    "schedule": "constant", "class_weights": "none", "augment": (),
    "pooling": "max", "precision": "fp32",
}  # fmt: skip
BESIDE = RuntimeParams.model_validate(RUNTIME | {"workers": 2, "save_every": 0})
Make = Callable[..., Training]


@pytest.fixture
def make(samples: Samples, manifest: Manifest, cpu: Device) -> Make:
    def make(**changes: Any) -> Training:
        params = TrainParams.model_validate({**SETTINGS, **changes})
        return Training(Recipe("add", params, LIDAR, "fp32"), samples, manifest, cpu, "")

    return make


def written(paths: OutputPaths) -> dict[str, bytes]:
    """Return what was written that repeats."""
    models = {path.name: path.read_bytes() for path in paths.models.iterdir()}
    return {**models, "curve": paths.curve.read_bytes()}


# --- The same bits ---


@pytest.mark.slow
def test_seeds_beside_each_other_have_the_bits_of_seeds_alone_and_are_kept(
    make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    alone = OutputPaths.of("add", tmp_path / "alone")
    train_fusion(make(), Progress("off", 2), alone)
    kept = KeptSeeds(tmp_path / "kept", 0, 10**9)
    beside = OutputPaths.of("add", tmp_path / "beside")
    with Progress("plain", 2) as progress:
        train_fusion(make(), progress, beside, kept, trainer_of(BESIDE, 2))
    assert written(beside) == written(alone)
    out, errors = capfd.readouterr()
    lines = out.splitlines()
    assert errors == "", "workers end without a word"
    assert sorted(line.partition(" (")[0] for line in lines) == ["add seed 0", "add seed 1"]
    assert [line.partition(": best by")[0][-5:] for line in lines] == ["(1/2)", "(2/2)"]
    assert multiprocessing.active_children() == []
    # The workers kept them under the key that this process has.
    with Progress("plain", 2) as progress:
        train_fusion(make(), progress, OutputPaths.of("add", tmp_path / "again"), kept)
    assert capfd.readouterr().out.count("kept from an earlier run") == 2


def test_outputs_are_in_the_order_of_the_seeds_whatever_was_done_first(
    make: Make, tmp_path: Path
) -> None:
    def backwards(jobs: Sequence[Job], progress: Shows) -> Done:
        yield from one_by_one(jobs[::-1], progress)

    forth, back = (OutputPaths.of("add", tmp_path / name) for name in ("forth", "back"))
    train_fusion(make(epochs=1), Progress("off", 2), forth)
    train_fusion(make(epochs=1), Progress("off", 2), back, trainer=backwards)
    assert written(back) == written(forth)
    described = json.loads((back.models / "model.json").read_text("utf-8"))
    assert list(described["seeds"]) == ["1", "0"]


# --- Memory ---


def test_workers_share_the_memory_budget(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):  # noqa: N818
        pass

    def begin(_self: object, _job: Job, setup: Any = None) -> None:
        assert setup.runtime.memory_budget == 1.5
        raise Enough

    monkeypatch.setattr(workers._Worker, "start", lambda _self: None)
    monkeypatch.setattr(workers._Worker, "begin", begin)
    training = make()
    device = replace(training.device, memory_budget=3_000_000_000)
    jobs = [Job(replace(training, device=device), seed, KeptSeeds()) for seed in (0, 1)]
    with pytest.raises(Enough):
        next(workers.side_by_side(BESIDE, 2, jobs, Progress("off", 2)))


# --- How many ---


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 12))
def test_auto_fills_the_cores_and_no_more(cores: int, threads: int, seeds: int) -> None:
    runtime = BESIDE.model_copy(update={"workers": "auto"})
    device = Device(torch.device("cpu"), "test", threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "usable_cores", lambda: cores)
        count = worker_count(runtime, device, seeds)
        assert worker_count(runtime, replace(device, device=torch.device("cuda")), seeds) == 1
    assert 1 <= count <= seeds
    assert count == 1 or count * threads <= cores
    assert count == seeds or (count + 1) * threads > cores


@given(st.integers(1, 1024), st.integers(1, 12))
def test_a_number_is_taken_as_it_is(wanted: int, seeds: int) -> None:
    runtime = BESIDE.model_copy(update={"workers": wanted})
    for kind in ("cpu", "cuda"):
        device = Device(torch.device(kind), "test", 64)
        assert worker_count(runtime, device, seeds) == min(wanted, seeds)


def test_no_more_are_started_than_windows_can_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = BESIDE.model_copy(update={"workers": 100})
    device = Device(torch.device("cpu"), "test", 1)
    assert worker_count(runtime, device, 100) == 100
    monkeypatch.setattr("fusebench.system.MOST_PROCESSES", 61)
    assert worker_count(runtime, device, 100) == 61


def test_one_worker_is_this_process() -> None:
    assert trainer_of(BESIDE, 1) is one_by_one


# --- What goes wrong ---


class Acting(Progress):
    """Does something when a seed has ended an epoch."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__("off", 2)
        self.act = act

    def epoch(self, *_: object) -> None:
        self.act()


def kill_one() -> None:
    multiprocessing.active_children()[0].kill()


@pytest.mark.slow
def test_a_killed_worker_ends_all_and_leaves_nothing(make: Make, tmp_path: Path) -> None:
    paths, trainer = OutputPaths.of("add", tmp_path), trainer_of(BESIDE, 2)
    said = r"^add seed [01]: its process was ended from outside \(SIGKILL\); where memory is short"
    with pytest.raises(TrainingError, match=said):
        train_fusion(make(epochs=100_000), Acting(kill_one), paths, trainer=trainer)
    assert multiprocessing.active_children() == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_an_error_in_a_worker_is_that_of_a_training_alone(make: Make, tmp_path: Path) -> None:
    # Seed 5 was not drawn; seed 0 would go on for ever.
    training, paths = make(seeds=[0, 5], epochs=100_000), OutputPaths.of("add", tmp_path)
    with pytest.raises(ArtifactError) as alone:
        train_fusion(make(seeds=[5]), Progress("off", 1), paths)
    with pytest.raises(ArtifactError) as beside:
        train_fusion(training, Progress("off", 2), paths, trainer=trainer_of(BESIDE, 2))
    assert str(beside.value) == str(alone.value)
    assert multiprocessing.active_children() == []


def test_a_worker_that_finds_other_code_does_not_train(make: Make) -> None:
    training = make()
    assert training.samples.folder is not None
    sent: list[object] = []
    code = {"add": lambda: False}
    # Not pickled: in this process.
    setup = worker.Setup(BESIDE, training.samples.folder, training.manifest, code)
    pipe: Any = SimpleNamespace(recv=lambda: setup, send=sent.append)
    with pytest.raises(TrainingError, match="add: its code was changed while this began"):
        worker._train(worker._Relay(pipe))
    assert sent == []


# --- The stage's script ---


@contextmanager
def stage(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the stage's script with two workers, in a session of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", *PORTABLE_ENVIRONMENT))
    }
    with hearing_ctrl_c():
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "src/train.py"), "add"], cwd=root, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            # A test that fails does not wait for its end.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def root(
    samples_folder: Path, manifest_file: Path, params_text: str, tmp_path: Path
) -> Callable[..., Path]:
    """Make a project; keywords change `train`, and `runtime` by a mapping."""

    def root(runtime: dict[str, Any], **train: Any) -> Path:
        content = yaml.safe_load(params_text)
        content["train"] |= {"seeds": [0, 1], "batch_size": 16, **train}
        content["runtime"] |= {"device": "cpu", "threads": 1, "workers": 2, "save_every": 0}
        content["runtime"] |= {"progress": "plain"} | runtime
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), "utf-8")
        (tmp_path / "dvc.yaml").write_text("stages: {train: {deps: []}}\n", "utf-8")
        for name, settings in validate(Params, content, "params.yaml").checked_files().items():
            write_json(tmp_path / "checked" / name, settings)
        shutil.copytree(samples_folder, tmp_path / "data/samples")
        shutil.copy(manifest_file, tmp_path / "data/split.csv")
        return tmp_path

    return root


def wait_for_states(root: Path) -> None:
    """Wait until both seeds have been trained for an epoch."""
    deadline = time.monotonic() + 300
    while len({path.parent for path in (root / ".work/seeds").glob("*/epoch_*")}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["ctrl-c", pytest.param("polite kill", marks=pytest.mark.thorough), "kill"]
)
def test_the_end_of_a_stage_is_that_of_its_workers(how: str, root: Callable[..., Path]) -> None:
    project = root({}, epochs=100_000)
    with stage(project) as process:
        wait_for_states(project)
        if how == "ctrl-c":
            # To all of the terminal's processes, as a terminal does.
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGTERM if how == "polite kill" else signal.SIGKILL)
        # Both pipes close when nobody is left who could write to them.
        out, errors = process.communicate(timeout=300)
    assert "2 seeds at a time, each with 1 thread(s)" in out
    if how != "kill":
        assert errors == (
            "error: interrupted; nothing half-written was left in place, run the same command "
            "again\n"
        )
        assert list(project.rglob(".*.partial")) == []
    else:
        assert errors == ""
    assert not (project / "models/add").exists()


@pytest.mark.slow
def test_workers_compute_in_portable_mode(root: Callable[..., Path]) -> None:
    if lacking_for_portable():
        pytest.skip("portable mode needs AVX2 and FMA")
    project = root({"portable": True}, epochs=1)
    with stage(project) as process:
        assert process.wait(300) == 0
    keys = [json.loads(path.read_text()) for path in project.glob(".work/seeds/*/key.json")]
    assert sorted(key["seed"] for key in keys) == [0, 1]
    for key in keys:
        assert key["environment"]["portable"] is True
        assert key["variables"].items() >= PORTABLE_ENVIRONMENT.items()

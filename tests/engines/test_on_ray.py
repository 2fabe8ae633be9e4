"""Trainings on a Ray cluster: the bits of a training alone, whatever becomes of a node."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from tests.conftest import SEEDS
from tests.project import ROOT

from fusebench.config import PARAMS_FILE, load_section
from fusebench.device import Device, RuntimeParams
from fusebench.engines import on_ray
from fusebench.engines.jobs import read_jobs
from fusebench.engines.run import not_kept
from fusebench.errors import DeviceError, ParamsError, TrainingError
from fusebench.params import Params
from fusebench.progress import Progress
from fusebench.training.train import OutputPaths, train_fusion

MakeRoot = Callable[..., Params]
# So that a lost node is found lost in a second.
_FAST = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 3,
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes with a core each, on this machine."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": _FAST}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()


def train_all(*arguments: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "src/train_all.py"), "--engine", "ray", *arguments],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=kept,
    )  # fmt: skip


def wait_until_it_trains(raylet: int) -> None:
    """Wait until a node of Ray trains a seed."""
    deadline = time.monotonic() + 120
    while True:
        for process in psutil.Process(raylet).children(recursive=True):
            # One that has just ended.
            with suppress(psutil.Error):
                if "ray::_train" in " ".join(process.cmdline()):
                    return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_with_a_node_killed_all_seeds_are_there_with_the_bits_of_a_training_alone(
    cluster: Any, make_root: MakeRoot, trained: Path, cpu: Device, tmp_path: Path
) -> None:
    params = make_root()
    node = next(iter(cluster.worker_nodes))
    (raylet,) = (info.process.pid for info in node.all_processes["raylet"])
    with train_all("--address", cluster.address) as process:
        wait_until_it_trains(raylet)
        cluster.remove_node(node, allow_graceful=False)
        out, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    first, lost, *seeds = out.splitlines()
    assert first == "2 seeds of all fusions: 0 kept, 2 to train"
    assert re.fullmatch(
        r"node [\d.]+ \(\w{6}\): lost; what it trained begins anew on another", lost
    )
    assert sorted(line.partition(" (")[0] for line in seeds) == ["add seed 0", "add seed 1"]
    jobs = read_jobs(params, cpu)
    assert not_kept(jobs) == []
    paths = OutputPaths.of("add", tmp_path)
    train_fusion(jobs[0].training, Progress("off", len(SEEDS)), paths, jobs[0].kept)
    models = {path.name: path.read_bytes() for path in paths.models.iterdir()}
    alone = {path.name: path.read_bytes() for path in (trained / "models/add").iterdir()}
    assert models == alone
    assert paths.curve.read_bytes() == (trained / "plots/training/add.csv").read_bytes()


# --- Without a cluster ---


def refusal(make_root: MakeRoot, cpu: Device, address: str | None) -> str:
    jobs = read_jobs(make_root(), cpu)
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    with pytest.raises((DeviceError, ParamsError)) as caught:
        next(on_ray.train_on_ray(runtime, address, jobs, Progress("off", 2)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_ray_the_extra_is_named(
    make_root: MakeRoot, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refusal(make_root, cpu, None) == (
        "--engine ray: the package ray is not installed; 'pip install ray' brings it (extra ray of "
        "pyproject.toml)"
    )


@pytest.mark.parametrize("address", ["auto", "ray://a:1", "host", "host:x", "a b:1", ""])
def test_what_is_no_address_is_refused(address: str, make_root: MakeRoot, cpu: Device) -> None:
    said = refusal(make_root, cpu, address)
    assert said == f"--address {address}: must be host:port of a Ray head"


def test_an_address_where_nobody_answers_is_refused(make_root: MakeRoot, cpu: Device) -> None:
    with socket.socket() as held:
        # Bound, so that nobody else has it, and not listening.
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        said = refusal(make_root, cpu, address)
    assert said.startswith(f"--address {address}: no Ray head answers there (")


def test_samples_that_no_training_sees_do_not_travel_and_the_keys_stay(
    make_root: MakeRoot, cpu: Device
) -> None:
    jobs = read_jobs(make_root(), cpu)
    training = jobs[0].training
    samples, manifest = on_ray._used(training.samples, training.manifest, {0})
    seen = training.manifest.table["seed_0"].isin(["train", "val"])
    assert len(samples.table) == len(samples.rgb) == len(samples.lidar) == seen.sum() == 50
    sent = replace(training, samples=samples, manifest=manifest)
    assert sent.key(0) == training.key(0)
    for ours, theirs in ((training.task(0), sent.task(0)),):
        for part in ("train", "val"):
            one, other = getattr(ours, part), getattr(theirs, part)
            assert torch.equal(one.labels, other.labels)
            assert all(torch.equal(one.maps[name], other.maps[name]) for name in one.maps)


@pytest.mark.parametrize("lost", [False, True])
def test_an_error_on_a_node_is_one_line(lost: bool, make_root: MakeRoot, cpu: Device) -> None:
    from ray import exceptions

    (job, _) = read_jobs(make_root(), cpu)
    failed = exceptions.RayTaskError("_train", "a long traceback", TrainingError("lower train.lr"))
    error = exceptions.WorkerCrashedError() if lost else failed

    def get(_: object) -> None:
        raise error

    with pytest.raises(TrainingError) as caught:
        on_ray._got(SimpleNamespace(get=get, exceptions=exceptions), None, job)
    said = str(caught.value)
    assert said.startswith("add seed 0: The worker died") if lost else said == "lower train.lr"
    assert "\n" not in said


def test_nodes_that_are_gone_or_too_small_are_not_able() -> None:
    nodes = [
        {"Alive": alive, "NodeManagerAddress": "10.0.0.1", "NodeID": f"{number}abcdefgh",
         "Resources": resources}
        for number, (alive, resources) in enumerate([
            (True, {"CPU": 4.0}), (False, {"CPU": 8.0}), (True, {"CPU": 1.0}), (True, {}),
            (True, {"CPU": 2.0, "GPU": 1.0}),
        ])
    ]  # fmt: skip
    ray = SimpleNamespace(nodes=lambda: nodes)
    assert on_ray._able(ray, 2, 0) == {"node 10.0.0.1 (0abcde)", "node 10.0.0.1 (4abcde)"}
    assert on_ray._able(ray, 2, 0.5) == {"node 10.0.0.1 (4abcde)"}
    assert on_ray._able(ray, 5, 0) == set()

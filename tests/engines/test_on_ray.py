"""Trainings on a Ray cluster: the bits of a training alone, whatever becomes of a node."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests.conftest import SEEDS
from tests.project import ROOT

from fusebench.device import Device
from fusebench.engines import on_ray
from fusebench.engines.jobs import read_jobs
from fusebench.engines.run import not_kept
from fusebench.errors import DeviceError, ParamsError
from fusebench.params import Params
from fusebench.progress import Progress
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import Samples
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
        below = psutil.Process(raylet).children(recursive=True)
        if any("ray::_train" in " ".join(process.cmdline()) for process in below):
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

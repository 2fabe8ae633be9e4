"""Trainings on a Ray cluster: which node trains what, and what becomes of lost ones, Ray decides.

The code goes to the nodes with Ray's runtime environment, the samples once to each node through its
object store, and what comes of a seed goes to the kept work of this machine.
"""

import logging
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fusebench.device import RuntimeParams, prepare
from fusebench.engines.run import Done, Key
from fusebench.errors import DeviceError, ParamsError, TrainingError, one_line
from fusebench.processor import usable_cores
from fusebench.progress import EpochFigures, Shows
from fusebench.samples.manifest import Manifest
from fusebench.samples.samples import SAMPLE_COLUMNS, Samples
from fusebench.training.kept import NOTHING_KEPT
from fusebench.training.recipe import Recipe, Training, loaded_code
from fusebench.training.stored import pack_finished, unpack_finished
from fusebench.training.train import Job, train_job
from fusebench.training.workers import worker_count

# How often a training may be lost with its node or process before that is an error.
_RETRIES = 5
_SECONDS_TO_CONNECT = 10
# Between two looks at which nodes are there.
_SECONDS_BETWEEN = 5
# Read by Ray when it is imported. It tells nobody of its use, and where something else than Ray
# answers, it gives up after a minute and not after four.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "1",
}
# All that a training's code digest is made of, and the code itself.
_CODE = ("dvc.yaml", "requirements.txt", "src")


def train_on_ray(
    runtime: RuntimeParams, address: str | None, jobs: Sequence[Job], progress: Shows
) -> Done:
    """Train jobs, keep what comes of each, and yield it with the key that its node computed.

    Parameters
    ----------
    address : str or None
        The cluster's, as host:port; this machine is one of its nodes. None: Ray is started here.
    jobs : sequence of Job
        Of any fusions, with the same samples and manifest.

    Raises
    ------
    ParamsError
        The address is none.
    DeviceError
        Ray is not installed, the cluster cannot be reached, or none of its nodes is large enough.
    TrainingError
        A training was lost again and again.
    """
    first = jobs[0].training
    threads = first.device.threads
    # What the nodes compute with is what this machine would.
    there = runtime.model_copy(update={"threads": threads, "device": first.device.device.type})
    count = worker_count(runtime, first.device, len(jobs))
    with _connected(address, first.key(jobs[0].seed)["variables"], count * threads) as ray:
        gpus = 0.0 if there.device == "cpu" else 1 / count
        if not _able(ray, threads, gpus):
            device = " and a GPU" if gpus else ""
            raise DeviceError(
                f"no node of the Ray cluster has {threads} CPU(s){device} for one training; make "
                "runtime.threads fewer, or start larger nodes"
            )
        train = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=_RETRIES)(_train)
        source = ray.put(_used(first.samples, first.manifest, {job.seed for job in jobs}))
        waiting = {train.remote(job.training.recipe, job.seed, there, source): job for job in jobs}
        for done in _finished(ray, waiting, partial(_able, ray, threads, gpus), progress):
            job = waiting.pop(done)
            key, content = _got(ray, done, job)
            job.kept.put(key, job.label, content)
            _show(job, content, progress)
            yield job, key


def _finished(
    ray: Any, waiting: Mapping[Any, Job], able: Callable[[], set[str]], progress: Shows
) -> Iterator[Any]:
    """Yield tasks as they are finished, until none is waited for; say which nodes are lost."""
    nodes = able()
    while waiting:
        finished, _ = ray.wait(list(waiting), timeout=_SECONDS_BETWEEN)
        for lost in nodes - (nodes := able()):
            progress.note(f"{lost}: lost; what it trained begins anew on another")
            if not nodes:
                progress.note("no node is left that can train; waiting for one")
        yield from finished


def _train(
    recipe: Recipe, seed: int, runtime: RuntimeParams, source: tuple[Samples, Manifest]
) -> tuple[Key, bytes]:
    """Train a seed; on a node."""
    runtime.before_torch()
    device = prepare(runtime)
    # Ray places as many trainings here as the cores allow.
    beside = max(1, usable_cores() // device.threads)
    device = replace(device, memory_budget=device.memory_budget // beside)
    code = loaded_code(recipe.fusion, recipe.train.probabilities)
    training = Training(recipe, *source, device, code)
    return training.key(seed), pack_finished(
        train_job(Job(training, seed, NOTHING_KEPT), _Silent())
    )


class _Silent:
    """Shows nothing: what a node prints, nobody reads."""

    def batch(self, label: str, epoch: int, epochs: int, share: float) -> None: ...
    def epoch(self, label: str, epochs: int, rate: float, figures: EpochFigures) -> None: ...
    def seed(self, label: str, epochs: int, rate: float, best: EpochFigures) -> None: ...
    def kept_seed(self, label: str, epochs: int, best: EpochFigures) -> None: ...
    def note(self, text: str) -> None: ...


@contextmanager
def _connected(address: str | None, variables: Mapping[str, str], cpus: int) -> Iterator[Any]:
    """Yield the module ray, connected to a cluster whose nodes have this code; quiet."""
    if address is not None:
        _check_address(address)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise DeviceError(
            "--engine ray: the package ray is not installed; 'pip install ray' brings it (extra "
            "ray of pyproject.toml)"
        ) from None
    # Ray takes the signal for itself.
    polite = signal.getsignal(signal.SIGTERM)
    local = {"num_cpus": cpus, "include_dashboard": False} if address is None else {}
    with TemporaryDirectory() as name:
        code = Path(name)
        for path in map(Path, _CODE):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, code / path)
        environment = {
            "working_dir": str(code),
            "py_modules": [str(code / "src/fusebench")],
            "env_vars": dict(variables),
        }
        try:
            ray.init(
                address or "local", runtime_env=environment, log_to_driver=False,
                logging_level=logging.CRITICAL, **local,
            )  # fmt: skip
        except (RuntimeError, ConnectionError, ValueError) as error:
            ray.shutdown()
            where = f"--address {address}" if address else "--engine ray"
            raise DeviceError(
                f"{where}: {one_line(str(error))}; docs/machines.md says what all nodes must share"
            ) from None
        signal.signal(signal.SIGTERM, polite)
        # It prints what becomes of nodes, with pages of their state. Progress has its stream.
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            try:
                yield ray
            finally:
                ray.shutdown()


def _check_address(address: str) -> None:
    """Refuse an address where nobody answers: Ray would try for a minute and end the process."""
    found = re.fullmatch(r"([^\s:/]+):(\d{1,5})", address)
    if found is None:
        raise ParamsError(f"--address {one_line(address, 100)}: must be host:port of a Ray head")
    try:
        socket.create_connection((found[1], int(found[2])), _SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(
            f"--address {address}: no Ray head answers there ({error}); 'ray start --head' starts "
            "one and says its address"
        ) from None


def _able(ray: Any, threads: int, gpus: float) -> set[str]:
    """Return the nodes that are there and large enough for a training."""
    return {
        f"node {node['NodeManagerAddress']} ({node['NodeID'][:6]})"
        for node in ray.nodes()
        if node["Alive"]
        and node["Resources"].get("CPU", 0) >= threads
        and node["Resources"].get("GPU", 0) >= gpus
    }


def _used(samples: Samples, manifest: Manifest, seeds: set[int]) -> tuple[Samples, Manifest]:
    """Return samples, and what is drawn of them, without those that no training sees."""
    seen = manifest.table[[f"seed_{seed}" for seed in sorted(seeds)]].isin(["train", "val"])
    table = manifest.table[seen.any(axis=1)].reset_index(drop=True)
    rows = table["row"].to_numpy()
    table["row"] = np.arange(len(table))
    few = replace(
        samples,
        rgb=samples.images(rows),
        lidar=samples.ranges(rows),
        table=table[list(SAMPLE_COLUMNS)],
        folder=None,
    )
    return few, Manifest(table, manifest.source)


def _got(ray: Any, done: Any, job: Job) -> tuple[Key, bytes]:
    """Return what a task returned, or raise what it raised."""
    try:
        got: tuple[Key, bytes] = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise TrainingError(f"{job.label}: {one_line(str(error))}") from None
    return got


def _show(job: Job, content: bytes, progress: Shows) -> None:
    finished, manifest = unpack_finished(content), job.training.manifest
    count = sum(len(manifest.part(job.seed, part)) for part in ("train", "val"))
    epochs = job.training.recipe.train.epochs
    progress.seed(job.label, epochs, count / finished.seconds[-1], finished.best)

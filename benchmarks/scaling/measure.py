"""Time per sample and memory, from a thousand samples to many: what scale.py runs."""

import json
import os
import select
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from benchmarks.library import SAMPLES
from benchmarks.machine import probe
from benchmarks.processes import PROC, BenchmarkError, anonymous_mb, environment, last_line
from benchmarks.scaling.data import check_disk, write_archive, write_samples
from benchmarks.scaling.job import Order
from benchmarks.scaling.plan import EXTRACT, KINDS, Plan
from benchmarks.timing import spread
from fusebench.samples.samples import Samples, open_samples

Show = Callable[[str], None]
_SAMPLING_SECONDS = 0.02


@dataclass
class Measured:
    """What one process measured.

    Attributes
    ----------
    begins_mb, peaks_mb : dict of str to float
        By phase: its anonymous memory when the phase began, and the largest until the next.
    values : dict
        The process's last words: `seconds`, `samples`, and of inputs `held_bytes`.
    """

    begins_mb: dict[str, float] = field(default_factory=dict)
    peaks_mb: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    _phase: str = "start"

    def see(self, megabytes: float | None) -> None:
        """Note how much memory the process holds now."""
        self.peaks_mb[self._phase] = max(self.peaks_mb.get(self._phase, 0.0), megabytes or 0.0)

    def hear(self, line: Mapping[str, Any]) -> None:
        """Take in a line that the process wrote."""
        if "phase" not in line:
            self.values = dict(line)
            return
        # What it holds at the border belongs to both phases.
        self.see(line["anonymous_mb"])
        self._phase = line["phase"]
        self.begins_mb[self._phase] = line["anonymous_mb"]
        self.see(line["anonymous_mb"])

    @property
    def milliseconds(self) -> float:
        """Time per sample."""
        return 1000 * self.values["seconds"] / self.values["samples"]

    @property
    def peak_mb(self) -> float:
        """The largest anonymous memory of all phases."""
        return max(self.peaks_mb.values())

    @property
    def loading(self) -> float | None:
        """What loading added at its peak, by what the maps take; None: none are held."""
        if not self.values.get("held_bytes"):
            return None
        added = self.peaks_mb["load"] - self.begins_mb["load"]
        return added * 1e6 / self.values["held_bytes"]


def run_job(order: Order) -> Measured:
    """Run one measurement in a process of its own; sample its memory meanwhile.

    Raises
    ------
    BenchmarkError
        It failed.
    """
    measured = Measured()
    command = [sys.executable, "-m", "benchmarks.scaling.job", json.dumps(asdict(order))]
    with TemporaryFile("w+") as errors:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            env=environment(),
        )  # fmt: skip
        try:
            for line in _lines(process, measured.see):
                measured.hear(json.loads(line))
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code != 0:
            errors.seek(0)
            reason = last_line(errors.read()) if code > 0 else f"ended by signal {-code}"
            raise BenchmarkError(reason)
    return measured


def _lines(
    process: "subprocess.Popen[bytes]", see: Callable[[float | None], None]
) -> Iterator[str]:
    """Yield what a process writes to stdout, by line; show its memory to `see` all the time."""
    assert process.stdout is not None  # noqa: S101
    with process.stdout as pipe:
        rest = b""
        while True:
            see(anonymous_mb(process.pid))
            if not select.select([pipe], [], [], _SAMPLING_SECONDS)[0]:
                continue
            # Not readline, behind whose buffer select would miss a second line.
            content = os.read(pipe.fileno(), 65536)
            if not content:
                return
            *complete, rest = (rest + content).split(b"\n")
            yield from (line.decode() for line in complete)


def measure(plan: Plan, show: Show) -> dict[str, Any]:
    """Measure everything, each thing in a process of its own, in the project of this folder.

    Parameters
    ----------
    show : callable
        Called with a line about each thing that was measured.

    Raises
    ------
    ArtifactError
        There are no samples.
    BenchmarkError
        The disk is too small, or this is no Linux.
    """
    if not PROC.exists():
        raise BenchmarkError(f"{PROC}: no such folder; memory is measured on Linux alone")
    samples = open_samples(SAMPLES)
    check_disk(samples, plan)
    facts = probe()
    show(f"{facts['machine']}, commit {facts['commit']}")
    runs: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    failures: dict[tuple[str, int], str] = {}

    def run(order: Order) -> None:
        key = order.kind, order.size
        # What failed once is not tried again, and the rest is measured all the same.
        if key in failures:
            return
        try:
            measured = run_job(order)
        except BenchmarkError as error:
            failures[key] = str(error)
            show(f"{order.kind}, {order.size:,} samples: not measured: {error}")
            return
        runs[key].append(measured)
        show(
            f"{order.kind}, {order.size:,} samples: {measured.milliseconds:.3f} ms per sample, "
            f"{measured.peak_mb:,.0f} MB"
        )

    with TemporaryDirectory(prefix="fusebench-") as name:
        _measure_packed(plan, samples, Path(name), run)
    with TemporaryDirectory(prefix="fusebench-") as name:
        _measure_extract(plan, samples, Path(name), run)
    return {
        "environment": facts,
        "plan": asdict(plan),
        "rows": [
            _row(kind, size, runs[kind, size], failures)
            for kind in KINDS for size in plan.sizes
            if (kind, size) in runs or (kind, size) in failures
        ],
    }  # fmt: skip


def _measure_packed(
    plan: Plan, samples: Samples, folder: Path, run: Callable[[Order], None]
) -> None:
    """Measure what reads packed samples, all sizes interleaved."""
    for size in plan.sizes:
        write_samples(samples, size, folder / str(size))
    for repeat in range(plan.repeats):
        for size in plan.sizes:
            for kind in plan.kinds_at(size, repeat):
                run(Order(kind, size, str(folder / str(size)), plan.warm, plan.batches))


def _measure_extract(
    plan: Plan, samples: Samples, folder: Path, run: Callable[[Order], None]
) -> None:
    """Measure extract; one archive at a time, since the largest fills a disk."""
    path = folder / "scaled.zip"
    for size in plan.sizes:
        write_archive(samples, size, path)
        for _ in range(plan.repeats_whole(size)):
            run(Order(EXTRACT, size, str(path), plan.warm, plan.batches))


def _row(
    kind: str, size: int, runs: list[Measured], failures: Mapping[tuple[str, int], str]
) -> dict[str, Any]:
    """Return what one kind came to at one size, or why it was not measured."""
    about = {"kind": kind, "samples": size}
    if (kind, size) in failures:
        return {**about, "not_measured": failures[kind, size]}
    loading = [run.loading for run in runs if run.loading is not None]
    return {
        **about,
        "milliseconds": spread([run.milliseconds for run in runs]),
        "anonymous_mb": spread([run.peak_mb for run in runs], digits=1),
        **({"loading": spread(loading)} if loading else {}),
    }

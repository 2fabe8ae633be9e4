"""The whole benchmark: what bench.py runs."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.implementations.spec import Spec, implementations, matrix_products
from benchmarks.machine import probe
from benchmarks.runner import workers
from benchmarks.stages import measure_data, measure_no_op, measure_startup
from benchmarks.timing import (
    SPLIT_SEED,
    EpochTiming,
    Plan,
    complete_rounds,
    gigaflops,
    ratios,
    spread,
    time_epochs,
    time_to_loss,
)
from fusebench.errors import ArtifactError

Show = Callable[[str], None]

# What this project is to reach on two cores; met or not, it is shown beside what was measured.
LIMITS = {
    "training ratio bf16": 2.5,
    "training ratio fp32": 1.4,
    "share of peak": 72.0,
    "synthesize seconds": 10.0,
    "extract seconds": 8.0,
    "extract MB": 600.0,
    "help seconds": 0.5,
    "start seconds": 1.5,
    "start ratio": 1.25,
    "no-op seconds": 2.0,
}


def measure(plan: Plan, show: Show) -> dict[str, Any]:
    """Measure everything, one thing after the other, in the project of the working directory.

    Parameters
    ----------
    show : callable
        Called with a line about each thing that was measured.

    Raises
    ------
    ArtifactError
        There are no samples to train on.
    BenchmarkError
        A process ended that should not have.
    """
    counts = _sample_counts()
    environment = {**probe(), "cores": os.cpu_count()}
    show(f"{environment['machine']}, commit {environment['commit']}")
    threads = environment["threads"]
    specs = implementations("cpu", environment["precision"], threads)
    training = {"cpu": measure_training(specs, plan, show)}
    if environment["gpu"] is None:
        training["cuda"] = {"not_measured": "torch finds no GPU"}
    else:
        specs = implementations("cuda", environment["gpu_precision"], threads)
        training["cuda"] = measure_training(specs, plan, show)
    return {
        "environment": environment,
        "plan": asdict(plan),
        "samples": counts,
        "limits": LIMITS,
        "training": training,
        "data": measure_data(plan.stage_repeats, show),
        "startup": measure_startup(plan.start_repeats, show),
        "no_op": measure_no_op(plan.stage_repeats, show),
    }


def _sample_counts() -> dict[str, int]:
    """Return the sizes of the parts; read here without the library, which imports pandas."""
    samples, manifest = Path("data/samples"), Path("data/split.csv")
    for path in (samples, manifest):
        if not path.exists():
            raise ArtifactError(f"{path}: no such file; 'dvc repro split' makes it")
    with manifest.open(encoding="utf-8", newline="") as file:
        parts = Counter(row.get(f"seed_{SPLIT_SEED}") for row in csv.DictReader(file))
    return {part: parts[part] for part in ("train", "val")}


def measure_training(specs: Sequence[Spec], plan: Plan, show: Show) -> dict[str, Any]:
    """Time the trainings, their epochs interleaved; the first spec is the reference of the others.

    Each runs two epochs before that are not timed and warm it up. In the first its memory is
    watched, in the second its operations are counted.
    """
    with workers([*specs, *matrix_products(specs)]) as started:
        flops, memory = {}, {}
        for worker in started:
            worker.start(plan.seeds[0])
            # In this order: counting operations takes memory of its own.
            memory[worker.name], flops[worker.name] = worker.memory(), worker.flops()
            show(f"{worker.name}: {flops[worker.name] / 1e9:.0f} GFLOP per epoch, warm")
        count = len(specs)
        timings = time_epochs(started[:count], started[count:], plan, show)
    return summarize(specs, timings, flops, memory, plan)


def summarize(
    specs: Sequence[Spec],
    timings: Sequence[EpochTiming],
    flops: dict[str, int],
    memory: dict[str, dict[str, float | str]],
    plan: Plan,
) -> dict[str, Any]:
    """Return the figures of each implementation, and the peak rates they are compared with."""
    rounds = complete_rounds(timings, [spec.name for spec in specs])
    seconds = {spec.name: [times[spec.name] for times in rounds] for spec in specs}
    peaks = {
        spec.precision: spread(
            [
                gigaflops(flops[spec.name], timing.seconds)
                for timing in timings
                if timing.name == spec.name
            ]
        )
        for spec in matrix_products(specs)
    }
    figures = {}
    for spec in specs:
        name, times = spec.name, spread(seconds[spec.name])
        rate = gigaflops(flops[name], times["median"])
        figures[name] = {
            "seconds_per_epoch": times,
            "ratio": spread(ratios(seconds[name], seconds[specs[0].name])),
            "memory": memory[name],
            "flops": flops[name],
            "gigaflops": round(rate, 2),
            "share_of_peak": round(100 * rate / peaks[spec.precision]["median"], 2),
            "time_to_loss": [
                asdict(time_to_loss(timings, name, seed, plan)) for seed in plan.seeds
            ],
            "epochs": _epochs(timings, name, plan),
        }
    return {"reference": specs[0].name, "implementations": figures, "peak_gigaflops": peaks}


def _epochs(timings: Sequence[EpochTiming], name: str, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the seconds and val losses of an implementation's epochs, by seed."""
    by_seed = {
        seed: [timing for timing in timings if (timing.name, timing.seed) == (name, seed)]
        for seed in plan.seeds
    }
    return {
        str(seed): {
            "seconds": [round(timing.seconds, 4) for timing in epochs],
            "val_loss": [timing.val_loss for timing in epochs],
        }
        for seed, epochs in by_seed.items()
    }

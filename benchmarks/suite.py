"""The whole benchmark: what bench.py runs."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.implementations.spec import Spec, calibrations, implementations, side_by_side
from benchmarks.machine import probe
from benchmarks.processes import check_system
from benchmarks.runner import epochs_together, workers
from benchmarks.stages import measure_data, measure_no_op, measure_startup
from benchmarks.timing import (
    SPLIT_SEED,
    EpochTiming,
    Plan,
    complete_rounds,
    giga_per_second,
    ratios,
    spread,
    time_epochs,
    time_to_loss,
)
from fusebench.errors import ArtifactError

Show = Callable[[str], None]


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
        A process ended that should not have, or this is no system that tells enough of them.
    """
    check_system()
    counts = _sample_counts()
    environment = {**probe(), "cores": os.cpu_count()}
    show(f"{environment['machine']}, commit {environment['commit']}")
    threads = environment["threads"]
    specs = implementations("cpu", environment["precision"], threads)
    training = {"cpu": measure_training(specs, plan, show)}
    seeds = measure_side_by_side(specs[0], plan, show)
    if environment["gpu"] is None:
        training["cuda"] = {"not_measured": "torch finds no GPU"}
    else:
        specs = implementations("cuda", environment["gpu_precision"], threads)
        training["cuda"] = measure_training(specs, plan, show)
    return {
        "environment": environment,
        "plan": asdict(plan),
        "samples": counts,
        "training": training,
        "side_by_side": seeds,
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
    watched, in the second its operations and bytes are counted.
    """
    with workers([*specs, *calibrations(specs)]) as started:
        counts, memory = {}, {}
        for worker in started:
            worker.start(plan.seeds[0])
            # In this order: counting operations takes memory of its own.
            memory[worker.name], counts[worker.name] = worker.memory(), worker.count()
            flops, moved = (counts[worker.name][key] / 1e9 for key in ("flops", "bytes"))
            show(f"{worker.name}: {flops:.0f} GFLOP and {moved:.1f} GB per epoch, warm")
        count = len(specs)
        timings = time_epochs(started[:count], started[count:], plan, show)
    return summarize(specs, timings, counts, memory, plan)


def measure_side_by_side(spec: Spec, plan: Plan, show: Show) -> dict[str, Any]:
    """Train as many seeds at the same time as `spec` has threads, one thread each, against `spec`.

    Each round has one epoch of `spec` and one of each seed, these at the same time.

    Returns
    -------
    dict
        seeds, their number; spreads of seconds of `one` epoch and of all `together`; and of the
        `ratio` of epochs per second, above 1 where side by side is faster. Where there is one
        thread, the reason under `not_measured`.
    """
    if spec.threads == 1:
        return {"not_measured": "one thread"}
    seconds: dict[str, list[float]] = {"one": [], "together": []}
    with workers([spec, *side_by_side(spec)]) as started:
        for seed, worker in enumerate(started):
            worker.start(seed)
        groups = {"one": started[:1], "together": started[1:]}
        # The first round warms all of them up.
        for number in range(plan.rounds + 1):
            times = {name: epochs_together(group) for name, group in groups.items()}
            show(f"side by side: {times['one']:.2f} s, {spec.threads} in {times['together']:.2f} s")
            if number:
                for name, time in times.items():
                    seconds[name].append(time)
    each = [time / spec.threads for time in seconds["together"]]
    return {
        "seeds": spec.threads,
        **{name: spread(times) for name, times in seconds.items()},
        "ratio": spread(ratios(seconds["one"], each)),
    }


def summarize(
    specs: Sequence[Spec],
    timings: Sequence[EpochTiming],
    counts: Mapping[str, Mapping[str, int]],
    memory: Mapping[str, Mapping[str, float | str]],
    plan: Plan,
) -> dict[str, Any]:
    """Return the figures of each implementation, and the peak rates they are compared with.

    The peak of a precision is the faster one of a matrix product and a convolution. The floor of an
    epoch is the larger of two times: its operations at that rate, and its bytes at the rate of a
    copy (the roofline of Williams, Waterman & Patterson, Communications of the ACM 52(4), 2009).
    """
    rounds = complete_rounds(timings, [spec.name for spec in specs])
    seconds = {spec.name: [times[spec.name] for times in rounds] for spec in specs}
    *products, copy = calibrations(specs)
    peaks: dict[str, dict[str, Any]] = {}
    both: dict[str, float] = {}
    for spec in products:
        rates = _rates(timings, spec.name, counts[spec.name]["flops"])
        both[spec.name] = rates["median"]
        if spec.precision not in peaks or rates["median"] > peaks[spec.precision]["median"]:
            peaks[spec.precision] = {"of": spec.kind, **rates}
    copied = _rates(timings, copy.name, counts[copy.name]["bytes"])
    figures = {}
    for spec in specs:
        name, times = spec.name, spread(seconds[spec.name])
        flops, moved = counts[name]["flops"], counts[name]["bytes"]
        peak = peaks[spec.precision]["median"]
        floor = {"operations": flops / peak / 1e9, "bytes": moved / copied["median"] / 1e9}
        rate = giga_per_second(flops, times["median"])
        figures[name] = {
            "seconds_per_epoch": times,
            "ratio": spread(ratios(seconds[name], seconds[specs[0].name])),
            "memory": memory[name],
            "flops": flops,
            "bytes": moved,
            "gigaflops": round(rate, 2),
            "share_of_peak": round(100 * rate / peak, 2),
            "floor_seconds": {part: round(time, 4) for part, time in floor.items()},
            "over_floor": round(times["median"] / max(floor.values()), 3),
            "time_to_loss": [
                asdict(time_to_loss(timings, name, seed, plan)) for seed in plan.seeds
            ],
            "epochs": _epochs(timings, name, plan),
        }
    return {
        "reference": specs[0].name,
        "implementations": figures,
        "peak_gigaflops": peaks,
        "product_gigaflops": both,
        "copy_gigabytes": copied,
    }


def _rates(timings: Sequence[EpochTiming], name: str, count: int) -> dict[str, Any]:
    """Return the spread over all epochs of a name, in 10⁹ per second of what `count` counts."""
    return spread([giga_per_second(count, item.seconds) for item in timings if item.name == name])


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

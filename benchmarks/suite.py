"""The whole benchmark: what bench.py runs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.conductor import workers
from benchmarks.contestants.material import read_material
from benchmarks.contestants.spec import Spec, field, peaks
from benchmarks.figures import gigaflops, ratios, share, spread
from benchmarks.machine import probe
from benchmarks.plan import LIMITS, Plan
from benchmarks.rounds import Turn, contest, time_to_loss, whole_rounds
from benchmarks.stages import measure_data, measure_no_op
from benchmarks.startup import measure_startup

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
        Something ended that should not have.
    """
    material = read_material()
    environment = {**probe(), "cores": os.cpu_count()}
    show(f"{environment['machine']}, commit {environment['commit']}")
    threads = environment["threads"]
    training: dict[str, Any] = {
        "cpu": measure_training(field("cpu", environment["precision"], threads), plan, show)
    }
    if environment["gpu"] is None:
        training["cuda"] = {"not_measured": "torch finds no GPU"}
    else:
        specs = field("cuda", environment["gpu_precision"], threads)
        training["cuda"] = measure_training(specs, plan, show)
    return {
        "environment": environment,
        "plan": asdict(plan),
        "samples": {"train": len(material.train), "val": len(material.val)},
        "limits": LIMITS,
        "training": training,
        "data": measure_data(plan.stage_repeats, show),
        "startup": measure_startup(plan.start_repeats, show),
        "no_op": measure_no_op(plan.stage_repeats, show),
    }


def measure_training(specs: Sequence[Spec], plan: Plan, show: Show) -> dict[str, Any]:
    """Train the contestants in turn, the first being the one that others are compared with.

    Each makes two epochs before, which are not timed: they warm it up. In the first its memory is
    watched, in the second its operations are counted.
    """
    products = peaks(specs)
    with workers([*specs, *products]) as started:
        flops, memory = {}, {}
        for worker in started:
            worker.start(plan.seeds[0])
            # In this order: what counts operations takes memory of its own.
            memory[worker.name], flops[worker.name] = worker.memory(), worker.flops()
            show(f"{worker.name}: {flops[worker.name] / 1e9:.0f} GFLOP per turn, warm")
        count = len(specs)
        turns = contest(started[:count], started[count:], plan, show)
    return summary(specs, turns, flops, memory, plan)


def summary(
    specs: Sequence[Spec],
    turns: Sequence[Turn],
    flops: dict[str, int],
    memory: dict[str, dict[str, float | str]],
    plan: Plan,
) -> dict[str, Any]:
    """Return what the turns came to, by contestant, and the peaks they are set against."""
    rounds = whole_rounds(turns, [spec.name for spec in specs])
    seconds = {spec.name: [each[spec.name] for each in rounds] for spec in specs}
    peak = {
        spec.precision: spread(
            [gigaflops(flops[spec.name], turn.seconds) for turn in turns if turn.name == spec.name]
        )
        for spec in peaks(specs)
    }
    contestants = {}
    for spec in specs:
        name, times = spec.name, spread(seconds[spec.name])
        rate = gigaflops(flops[name], times["median"])
        contestants[name] = {
            "seconds_per_epoch": times,
            "ratio": spread(ratios(seconds[name], seconds[specs[0].name])),
            "memory": memory[name],
            "flops": flops[name],
            "gigaflops": round(rate, 2),
            "share_of_peak": round(share(rate, peak[spec.precision]["median"]), 2),
            "time_to_loss": [asdict(time_to_loss(turns, name, seed, plan)) for seed in plan.seeds],
            "turns": _raw(turns, name, plan),
        }
    return {
        "reference": specs[0].name,
        "contestants": contestants,
        "peak_gigaflops": peak,
    }


def _raw(turns: Sequence[Turn], name: str, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the seconds and val losses of a contestant's epochs, by seed."""
    made = [turn for turn in turns if turn.name == name]
    return {
        str(seed): {
            "seconds": [round(turn.seconds, 4) for turn in made if turn.seed == seed],
            "val_loss": [turn.val_loss for turn in made if turn.seed == seed],
        }
        for seed in plan.seeds
    }

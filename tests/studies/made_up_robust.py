"""Made-up results of the study of training on corrupted samples, for its tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studies.common.experiments import Read
from studies.common.study import Kept

SENSORS = {"lidar_off": "lidar", "lidar_shifted": "lidar", "range_noise": "lidar", "rgb_off": "rgb"}
CHANCE = 50.0

Side = tuple[Sequence[float], Mapping[str, Sequence[float]]]
"""Balanced accuracy of each seed on clean samples, and under corruptions, in %."""


def side(clean: Sequence[float], corrupted: Sequence[float], **under: Sequence[float]) -> Side:
    """Return a model's figures; under a corruption that is not named they are `corrupted`."""
    return clean, {name: under.get(name, corrupted) for name in SENSORS}


def robustness(of: Side) -> float:
    """Return what is left of the advantage over chance, as stage robustness has it."""
    clean, under = of
    by_sensor = [
        np.mean([np.mean(under[name]) for name in SENSORS if SENSORS[name] == sensor])
        for sensor in ("lidar", "rgb")
    ]
    return float((np.mean(by_sensor) - CHANCE) / (np.mean(clean) - CHANCE))


def _model(of: Side) -> dict[str, Any]:
    clean, under = of
    shown = np.mean(clean) > CHANCE + 1
    return {
        "clean": _seeds(clean),
        "corrupted": {name: _seeds(values) for name, values in under.items()},
        "robustness": robustness(of) if shown else None,
    }


def _seeds(values: Sequence[float]) -> dict[str, float]:
    return {str(seed): value for seed, value in enumerate(values)}


def recipe(
    models: Mapping[str, tuple[Side, Side]],
    name: str = "dropout",
    corruptions: Sequence[str] = ("rgb_off", "lidar_off"),
) -> Kept:
    """Return what is kept of a recipe, from the plain and the trained figures of each fusion."""
    return {
        "recipe": name, "corruptions": list(corruptions), "probability": 0.1,
        "commit": "0123abcdef", "sensors": SENSORS, "chance": CHANCE, "device": "cpu",
        "processor": "a processor", "precision": "fp32", "torch": "2",
        "plain": {fusion: _model(plain) for fusion, (plain, _) in models.items()},
        "trained": {fusion: _model(trained) for fusion, (_, trained) in models.items()},
    }  # fmt: skip


def files(models: Mapping[str, Side]) -> dict[str, str]:
    """Return the files of a revision with these models; each severity is off by its number."""
    found = {
        "checked/classes.json": json.dumps({"classes": ["cubes", "spheres"]}),
        "metrics/robustness.csv": "".join(
            f"{line}\n" for line in [
                "fusion,corruption,sensor", "add,clean,",
                *(f"add,{name},{sensor}" for name, sensor in SENSORS.items() for _ in range(4)),
            ]
        ),
        "metrics/robustness_summary.csv": "".join(
            f"{line}\n" for line in [
                "fusion,robustness",
                *(f"{name},{robustness(of) if np.mean(of[0]) > CHANCE + 1 else ''}"
                  for name, of in models.items()),
            ]
        ),
    }  # fmt: skip
    environment = {"device": "cpu", "processor": "p", "precision": "fp32", "torch": "2"}
    for name, of in models.items():
        found[f"metrics/stress/{name}.csv"] = _stress(of)
        found[f"metrics/training/{name}.json"] = json.dumps({"environment": environment})
    return found


def _stress(of: Side) -> str:
    clean, under = of
    lines = ["corruption,severity,amount,unit,seed,balanced_accuracy,nll"]
    lines += [f"clean,0,0.0,,{seed},{value},0.1" for seed, value in enumerate(clean)]
    for name, values in under.items():
        for severity in range(1, 5):
            lines += [
                f"{name},{severity},1.0,%,{seed},{value + 2.5 - severity},0.1"
                for seed, value in enumerate(values)
            ]
    return "".join(f"{line}\n" for line in lines)


def reading(found: Mapping[str, str]) -> Read:
    """Return what reads files."""

    def read(path: Path) -> bytes:
        return found[path.as_posix()].encode()

    return read

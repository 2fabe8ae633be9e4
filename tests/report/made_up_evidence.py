"""What the stages before analysis would have measured, made up: the notebook's four fusions."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd
from scipy.stats import t as student
from tests.report.made_up import BEST, PAIR, best_table, pairs_table

from fusebench.report.evidence import Cost, Data, Evidence, Training
from fusebench.report.findings import Findings
from fusebench.report.pairs import Pair
from fusebench.report.robustness_pairs import StressPair
from fusebench.report.roles import UNPLANNED
from fusebench.report.suite import SuiteRow

FOUR = ("late", "concat", "add", "hadamard")
CORRUPTIONS = ("lidar_shifted", "lidar_turned")
ENVIRONMENT = {"device": "cpu", "processor": "AMD EPYC", "threads": 2, "precision": "bf16"}
MEANS = {"late": 90.0, "concat": 97.0, "add": 95.0, "hadamard": 94.0}
SIZES = {"late": 3_336_662, "concat": 191_042, "add": 117_314, "hadamard": 117_314}
FLOPS = {"late": 11.2, "concat": 14.3, "add": 12.0, "hadamard": 12.0}
STEPS = {"late": 110.0, "concat": 54.0, "add": 52.0, "hadamard": 52.0}
TIMES = {"late": (1.3, 1.4), "concat": (1.5, 1.6), "add": (1.5, 1.6), "hadamard": (1.5, 1.6)}


DATA = Data(synthetic=True, task="shape", pairs={"cubes": 900, "spheres": 70})


def pair_of(first: str, second: str, difference: float, half: float = 1.0, **more: Any) -> Pair:
    """Make two fusions on the metric that decides, with a 95 % interval of so many points."""
    error = half / float(student.ppf(0.975, 9))
    return PAIR._replace(
        first=first, second=second, difference=difference, retrained_low=difference - half,
        retrained_high=difference + half, retrained_error=error, retrained_df=9.0, **more,
    )  # fmt: skip


def pairs_of(means: Mapping[str, float], half: float = 1.0, **more: Any) -> list[Pair]:
    """Make every two fusions from their means."""
    both = combinations(means, 2)
    return [pair_of(a, b, means[a] - means[b], half, **more) for a, b in both]


def robust_of(means: Mapping[str, float], half: float = 1.0, seeds: int = 10) -> list[StressPair]:
    """Make every two fusions on the corruptions of alignment, from their means on those."""
    return [
        _robust(corruption, (a, b), means[a] - means[b], half, seeds)
        for corruption in CORRUPTIONS
        for a, b in combinations(means, 2)
    ]


def _robust(
    corruption: str, pair: tuple[str, str], gap: float, half: float, seeds: int
) -> StressPair:
    ends = gap - half, gap + half
    return StressPair(
        corruption,
        UNPLANNED,
        *pair,
        gap,
        *ends,
        *ends,
        "means",
        seeds,
        seeds,
        math.nan,
        math.nan,
        seeds,
    )


def suite_row(task: str, fusion: str, solved: int, align: str = "none") -> SuiteRow:
    """Make what eight seeds of a fusion did on a task."""
    cell = task if align == "none" else f"{task}-{align}"
    return SuiteRow(task, align, fusion, 8, solved, 0.0, 1.0, 3.0, 99.0, 8, 2000, 32, cell, "")


def cost_of(name: str, **more: Any) -> Cost:
    """Make what a fusion costs."""
    content = {
        "parameters": SIZES[name], "mflops_per_sample": FLOPS[name],
        "latency_ms": {"median": 1.0, "p95": 1.5, "runs": 30}, "step_mb": STEPS[name],
        "environment": ENVIRONMENT, "train_seconds": 9.0,
    }  # fmt: skip
    return Cost.model_validate(content | more)


def training_of(
    least: float, most: float, environment: Mapping[str, Any] = ENVIRONMENT
) -> Training:
    """Make the seconds of a fusion's epochs."""
    seconds = {"median": (least + most) / 2, "min": least, "max": most}
    return Training.model_validate({"seconds_per_epoch": seconds, "environment": environment})


def evidence_of(
    names: Sequence[str] = FOUR,
    *,
    means: Mapping[str, float] = MEANS,
    pairs: Sequence[Pair] | None = None,
    margin: float = 2.0,
    sizes: Mapping[str, int] = SIZES,
    costs: Mapping[str, Cost] | None = None,
    trainings: Mapping[str, Training] | None = None,
    robust: Sequence[StressPair] = (),
    suite: Sequence[SuiteRow] = (),
) -> Evidence:
    """Return all of it; what is not given says the same of each claim."""
    table = pd.DataFrame(
        {"Model": names, "Parameters": [sizes[name] for name in names], "Seeds": 10,
         "Samples": "synthetic", "Results": "1dd7573"}
    )  # fmt: skip
    every = pairs_of({name: means[name] for name in names}) if pairs is None else pairs
    best = [BEST._replace(fusion=name, margin=margin) for name in names]
    findings = Findings(table, pairs_table(*every), best_table(*best))
    return Evidence(
        findings,
        DATA,
        dict(trainings or {name: training_of(*TIMES[name]) for name in names}),
        dict(costs or {name: cost_of(name) for name in names}),
        robust,
        {},
        suite,
    )

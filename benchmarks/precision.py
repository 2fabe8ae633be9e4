"""Whether bf16 costs accuracy: the same trainings in fp32 and in bf16, with ten seeds each."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy import stats

from benchmarks.cells import table
from benchmarks.library import StudySettings, metrics_of_test
from benchmarks.processes import ROOT
from fusebench.device import Precision
from fusebench.files import read_json, write_json
from fusebench.processor import usable_cores

SEEDS = tuple(range(10))
METRICS = {"nll": ("NLL, nats", 4), "balanced_accuracy": ("balanced accuracy, %", 2)}
"""Label with unit, and digits, of each metric of test that is compared."""
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")

LIBRARY = ROOT / "src/fusebench"
# What an arm's numbers can depend on.
CODE = (
    "data", "device.py", "evaluation", "fusions", "inputs", "models", "prediction", "samples",
    "seeds.py", "training",
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One fusion with one scaling of ranges in one precision: all seeds."""

    fusion: str
    normalize: bool
    precision: Precision

    @property
    def name(self) -> str:
        """How the study's file calls it."""
        return f"{self.fusion} {'scaled' if self.normalize else 'metres'} {self.precision}"


def arms_of(settings: StudySettings) -> Iterator[Arm]:
    """Yield all arms, those that are compared one after the other."""
    for normalize, fusion, precision in product((True, False), settings.fusions, PRECISIONS):
        yield Arm(fusion, normalize, precision)


def run_study(
    settings: StudySettings, environment: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    """Train the arms that `path` does not hold yet, each written as soon as it is done.

    Each core trains an arm of its own with one thread: side by side nothing waits for the other.

    Returns
    -------
    dict
        environment, settings, code, arms (per seed: NLL in nats, balanced accuracy in percent, of
        test) and summary; the content of the file.
    """
    # Commit and threads are those of each arm.
    shared = {k: value for k, value in environment.items() if k not in ("commit", "threads")}
    about = {"environment": shared, "settings": settings.values, "code": code_digest()}
    arms = _finished_arms(path, about)
    missing = [arm for arm in arms_of(settings) if arm.name not in arms]
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure, arm, settings): arm for arm in missing}
        for done in as_completed(waiting):
            name = waiting[done].name
            arms[name] = {"commit": environment["commit"], "threads": 1, **done.result()}
            print(name, flush=True)
            write_json(path, {**about, "arms": arms, "summary": summarize(settings, arms)})
    return {**about, "arms": arms, "summary": summarize(settings, arms)}


def code_digest() -> str:
    """Return a digest of all code that an arm's numbers can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for name in CODE:
        place = LIBRARY / name
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(LIBRARY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _finished_arms(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms of an earlier run, if the same code made them on the same machine."""
    if not path.exists():
        return {}
    earlier = read_json(path)
    same = all(earlier.get(key) == value for key, value in about.items())
    return dict(earlier["arms"]) if same else {}


def measure(arm: Arm, settings: StudySettings) -> dict[str, list[float]]:
    """Train and evaluate one arm; return each metric of test, a value per seed."""
    seeds = metrics_of_test(settings, arm.fusion, arm.normalize, arm.precision)
    return {metric: [values[metric] for values in seeds] for metric in METRICS}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by Student's t over seeds."""
    # Not stats.t.interval: it gives no number where all values are equal.
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return fmean(values) - half, fmean(values) + half


def summarize(settings: StudySettings, arms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return both precisions beside each other, for each fusion, scaling and metric."""
    lines = []
    for normalize, fusion, metric in product((True, False), settings.fusions, METRICS):
        names = [Arm(fusion, normalize, precision).name for precision in PRECISIONS]
        if all(name in arms for name in names):
            about = {"fusion": fusion, "scaled": normalize, "metric": metric}
            lines.append(about | compare(*(arms[name][metric] for name in names)))
    return lines


def compare(fp32: Sequence[float], bf16: Sequence[float]) -> dict[str, Any]:
    """Return means and 95 % intervals of both, of their paired difference, and whether they agree.

    They agree where the mean of each lies in the interval of the other.
    """
    difference = [second - first for first, second in zip(fp32, bf16, strict=True)]
    result: dict[str, Any] = {
        name: {
            "mean": round(fmean(values), 6),
            "interval": [round(end, 6) for end in interval(values)],
        }
        for name, values in (("fp32", fp32), ("bf16", bf16), ("difference", difference))
    }
    first, second = result["fp32"], result["bf16"]
    result["agree"] = all(
        one["interval"][0] <= other["mean"] <= one["interval"][1]
        for one, other in ((first, second), (second, first))
    )
    return result


def section(study: Mapping[str, Any]) -> str:
    """Return the table of a study and what it was made on, as Markdown."""
    environment = study["environment"]
    commits = sorted({arm["commit"] for arm in study["arms"].values()})
    return (
        f"{study_table(study)}\n\n**{environment['processor']}**, torch {environment['torch']}, "
        f"commit {', '.join(commits)}; {len(study['settings']['train']['seeds'])} seeds, mean and "
        "95 % interval over seeds."
    )


def study_table(study: Mapping[str, Any]) -> str:
    """Return the comparisons of a study as a Markdown table."""
    header = "ranges", "fusion", "test metric", "fp32", "bf16", "bf16 − fp32, paired", "agree"
    return table(header, [_row(line) for line in study["summary"]], f"|{'---|' * len(header)}")


def _row(line: Mapping[str, Any]) -> list[str]:
    label, digits = METRICS[line["metric"]]
    return [
        "scaled" if line["scaled"] else "metres",
        f"`{line['fusion']}`",
        label,
        *(_cell(line[name], digits) for name in ("fp32", "bf16", "difference")),
        "yes" if line["agree"] else "no",
    ]


def _cell(estimate: Mapping[str, Any], digits: int) -> str:
    low, high = estimate["interval"]
    return f"{estimate['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

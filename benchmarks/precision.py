"""What bf16 costs in accuracy: the same trainings in fp32 and in bf16, with ten seeds each.

"Not shown to differ" is not "equal". A metric with a margin is called equivalent only where two
one-sided tests say so (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657–680): at 2.5 % each,
where the 95 % interval of the paired difference lies within the margin on both sides of 0.
"""

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
from fusebench.system import MOST_PROCESSES

SEEDS = tuple(range(10))
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")

LIBRARY = ROOT / "src/fusebench"
# What an arm's numbers can depend on.
CODE = (
    "data", "device.py", "evaluation", "fusions", "inputs", "models", "prediction", "samples",
    "seeds.py", "training",
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A metric of test that is compared.

    Attributes
    ----------
    label : str
        Its name.
    unit : str
        The unit of its values.
    digits : int
        How many it is shown with.
    margin : float or None
        Below it a difference counts as none, in its unit; a metric with a margin is one of which
        more is better. None: nothing says which difference matters, and no word is said.
    """

    label: str
    unit: str
    digits: int
    margin: float | None = None


METRICS = {
    "nll": Metric("NLL", "nats", 4),
    # Two points are about what two seeds of the better fusions differ by.
    "balanced_accuracy": Metric("balanced accuracy", "%", 2, margin=2.0),
}


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
        environment, settings, code and arms (per seed: NLL in nats, balanced accuracy in percent,
        of test); the content of the file. What they show is computed where it is shown.
    """
    # Commit and threads are those of each arm.
    shared = {k: value for k, value in environment.items() if k not in ("commit", "threads")}
    about = {"environment": shared, "settings": settings.values, "code": code_digest()}
    arms = _finished_arms(path, about)
    missing = [arm for arm in arms_of(settings) if arm.name not in arms]
    cores = min(usable_cores(), MOST_PROCESSES)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure, arm, settings): arm for arm in missing}
        for done in as_completed(waiting):
            name = waiting[done].name
            arms[name] = {"commit": environment["commit"], "threads": 1, **done.result()}
            print(name, flush=True)
            write_json(path, {**about, "arms": arms})
    return {**about, "arms": arms}


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


def summarize(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return both precisions beside each other, for each fusion, scaling and metric."""
    lines, arms = [], study["arms"]
    for normalize, fusion, metric in product((True, False), study["settings"]["fusions"], METRICS):
        names = [Arm(fusion, normalize, precision).name for precision in PRECISIONS]
        if all(name in arms for name in names):
            about = {"fusion": fusion, "scaled": normalize, "metric": metric}
            fp32, bf16 = (arms[name][metric] for name in names)
            lines.append(about | compare(fp32, bf16, METRICS[metric].margin))
    return lines


def compare(
    fp32: Sequence[float], bf16: Sequence[float], margin: float | None = None
) -> dict[str, Any]:
    """Return means and 95 % intervals of both and of their paired difference, and what it shows.

    Returns
    -------
    dict
        fp32, bf16, difference: mean and interval each. With a margin also equivalent (bool), shown
        ("worse", "better" or None: the interval holds 0) and loss, the largest that the interval
        leaves possible. A difference may be shown and yet be equivalent: it lies within the margin.
    """
    difference = [second - first for first, second in zip(fp32, bf16, strict=True)]
    result: dict[str, Any] = {
        name: {
            "mean": round(fmean(values), 6),
            "interval": [round(end, 6) for end in interval(values)],
        }
        for name, values in (("fp32", fp32), ("bf16", bf16), ("difference", difference))
    }
    return result if margin is None else result | _judgement(*interval(difference), margin)


def _judgement(low: float, high: float, margin: float) -> dict[str, Any]:
    return {
        "equivalent": -margin < low and high < margin,
        "shown": "better" if low > 0 else "worse" if high < 0 else None,
        "loss": max(0.0, -low),
    }


def section(study: Mapping[str, Any]) -> str:
    """Return what a study shows, its table and what it was made on, as Markdown."""
    environment = study["environment"]
    commits = sorted({arm["commit"] for arm in study["arms"].values()})
    return (
        f"{findings(study)}\n\n{study_table(study)}\n\n"
        f"**{environment['processor']}**, torch {environment['torch']}, "
        f"commit {', '.join(commits)}; {len(study['settings']['train']['seeds'])} seeds, mean and "
        "95 % interval over seeds, each interval by itself: not adjusted for their number."
    )


def findings(study: Mapping[str, Any]) -> str:
    """Return in words what the metrics with a margin show, a line each."""
    lines = summarize(study)
    judged = {key: [line for line in lines if line["metric"] == key] for key in METRICS}
    return "\n".join(
        _finding(METRICS[key], rows)
        for key, rows in judged.items()
        if rows and METRICS[key].margin is not None
    )


def _finding(metric: Metric, lines: Sequence[Mapping[str, Any]]) -> str:
    equivalent = [line for line in lines if line["equivalent"]]
    worse = [line for line in lines if line["shown"] == "worse"]
    largest = max(lines, key=lambda line: line["loss"])
    shown = f"A loss is shown in {len(worse)} ({_named(worse)})" if worse else "No loss is shown"
    names = f" ({_named(equivalent)})" if equivalent else ""
    return (
        f"Equivalent within {metric.margin:g} points: {len(equivalent)} of {len(lines)} "
        f"comparisons of {metric.label}{names}. {shown}; the largest that is not ruled out is "
        f"{largest['loss']:.{metric.digits}f} points ({_named([largest])})."
    )


def _named(lines: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"`{line['fusion']}` {_ranges(line)}" for line in lines)


def _ranges(line: Mapping[str, Any]) -> str:
    return "scaled" if line["scaled"] else "metres"


def study_table(study: Mapping[str, Any]) -> str:
    """Return the comparisons of a study as a Markdown table."""
    header = "ranges", "fusion", "test metric", "fp32", "bf16", "bf16 − fp32, paired", "bf16 is"
    return table(header, [_row(line) for line in summarize(study)], f"|{'---|' * len(header)}")


def _row(line: Mapping[str, Any]) -> list[str]:
    metric = METRICS[line["metric"]]
    return [
        _ranges(line),
        f"`{line['fusion']}`",
        f"{metric.label}, {metric.unit}",
        *(_cell(line[name], metric.digits) for name in ("fp32", "bf16", "difference")),
        word(line, metric),
    ]


def word(line: Mapping[str, Any], metric: Metric) -> str:
    """Return what a line of the summary shows of bf16; nothing where its metric has no margin."""
    if metric.margin is None:
        return ""
    if line["equivalent"]:
        by = f"{line['shown']}, by less than {metric.margin:g} points: " if line["shown"] else ""
        return f"{by}equivalent"
    if line["shown"]:
        return str(line["shown"])
    return f"open: a loss of up to {line['loss']:.{metric.digits}f} points is not ruled out"


def _cell(estimate: Mapping[str, Any], digits: int) -> str:
    low, high = estimate["interval"]
    return f"{estimate['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

"""Whether bf16 costs accuracy: the same trainings in fp32 and in bf16, with ten seeds each."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from scipy.special import stdtrit

from fusebench.config import PARAMS_FILE, load_keys, load_section
from fusebench.data.split import SplitParams, draw
from fusebench.device import Precision, RuntimeParams, prepare, usable_cores
from fusebench.evaluation.metrics import fusion_metrics
from fusebench.files import read_json, write_json
from fusebench.inputs.lidar import LidarParams
from fusebench.models.registry import StrategyParams
from fusebench.prediction.predict import predict_fusion
from fusebench.prediction.predictions import read_predictions
from fusebench.samples.manifest import Manifest, read_manifest, write_manifest
from fusebench.samples.samples import Samples, open_samples
from fusebench.training.progress import Progress
from fusebench.training.settings import TrainParams
from fusebench.training.train import Places, Recipe, train_fusion

SEEDS = tuple(range(10))
METRICS = ("nll", "balanced_accuracy")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
_LEVEL = 0.95
_LIBRARY = Path(__file__).resolve().parents[1] / "src/fusebench"


@dataclass(frozen=True)
class Study:
    """All that the study's numbers depend on, but for versions and the processor."""

    fusions: tuple[str, ...]
    train: TrainParams
    lidar: LidarParams
    split: SplitParams

    @classmethod
    def of_params(cls) -> Self:
        """Return the study of params.yaml, with the study's own seeds."""
        train = load_section(PARAMS_FILE, "train", TrainParams)
        return cls(
            load_keys(PARAMS_FILE, StrategyParams).strategies,
            train.model_copy(update={"seeds": SEEDS}),
            load_section(PARAMS_FILE, "lidar", LidarParams),
            load_section(PARAMS_FILE, "split", SplitParams),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Return the study as plain values, as its file holds it."""
        return {
            "fusions": list(self.fusions),
            **{
                name: getattr(self, name).model_dump(mode="json")
                for name in ("train", "lidar", "split")
            },
        }

    def arms(self) -> Iterator["Arm"]:
        """Yield all trainings, those that are compared one after the other."""
        for normalize, fusion, precision in product((True, False), self.fusions, PRECISIONS):
            yield Arm(fusion, normalize, precision)


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


def study(plan: Study, environment: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Train the arms that `path` does not hold yet, each written as soon as it is done.

    Each core trains an arm of its own with one thread: side by side nothing waits for the other.

    Returns
    -------
    dict
        environment, settings, code, arms (per seed: NLL in nats, balanced accuracy in percent, of
        test) and summary; the content of the file.
    """
    about = {"environment": _lasting(environment), "settings": plan.settings, "code": code()}
    arms = _finished(path, about)
    missing = [arm for arm in plan.arms() if arm.name not in arms]
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure, arm, plan): arm for arm in missing}
        for done in as_completed(waiting):
            measured = {"commit": environment["commit"], **done.result()}
            arms[waiting[done].name] = measured
            print(waiting[done].name, flush=True)
            write_json(path, {**about, "arms": arms, "summary": summary(plan, arms)})
    return {**about, "arms": arms, "summary": summary(plan, arms)}


def _lasting(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what all arms share; commit and threads are those of each arm."""
    return {key: value for key, value in environment.items() if key not in ("commit", "threads")}


def code() -> str:
    """Return a digest of all code that an arm's numbers can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for room in ("data", "evaluation", "models", "training"):
        for path in sorted((_LIBRARY / room).rglob("*.py")):
            digest.update(path.relative_to(_LIBRARY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _finished(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms of an earlier run, if the same code made them on the same machine."""
    if not path.exists():
        return {}
    held = read_json(path)
    same = all(held.get(key) == value for key, value in about.items())
    return dict(held["arms"]) if same else {}


def _manifest(samples: Samples, plan: Study) -> Manifest:
    """Return the split of params.yaml for the study's seeds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        write_manifest(path, samples.rows, draw(samples.rows, plan.split, plan.train.seeds))
        return read_manifest(path)


def measure(arm: Arm, plan: Study) -> dict[str, Any]:
    """Train and evaluate one arm with one thread; return each metric of test, a value per seed."""
    device = prepare(RuntimeParams(device="cpu", threads=1, progress="off"))
    samples = open_samples(Path("data/samples"))
    manifest = _manifest(samples, plan)
    lidar = plan.lidar.model_copy(update={"normalize": arm.normalize})
    with TemporaryDirectory() as name:
        folder = Path(name)
        train_fusion(
            Recipe(arm.fusion, plan.train, lidar, arm.precision),
            samples,
            manifest,
            device,
            Progress("off", len(plan.train.seeds)),
            Places(folder / "models", folder / "curve.csv", folder / "metrics.json"),
        )
        predict_fusion(folder / "models", samples, manifest, device, folder / "predictions")
        seeds = fusion_metrics(read_predictions(folder / "predictions"))["test"]["seeds"]
    found = {metric: [each[metric] for each in seeds.values()] for metric in METRICS}
    return {"threads": device.threads, **found}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by Student's t over seeds."""
    held = np.array(values)
    half = stdtrit(len(held) - 1, (1 + _LEVEL) / 2) * held.std(ddof=1) / np.sqrt(len(held))
    return float(held.mean() - half), float(held.mean() + half)


def summary(plan: Study, arms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return both precisions beside each other, for each fusion, scaling and metric."""
    lines = []
    for normalize, fusion, metric in product((True, False), plan.fusions, METRICS):
        names = [Arm(fusion, normalize, each).name for each in PRECISIONS]
        if all(name in arms for name in names):
            about = {"fusion": fusion, "scaled": normalize, "metric": metric}
            lines.append(about | compared(*(arms[name][metric] for name in names)))
    return lines


def compared(fp32: Sequence[float], bf16: Sequence[float]) -> dict[str, Any]:
    """Return means and 95 % intervals of both, of their paired difference, and whether they agree.

    They agree where the mean of each lies in the interval of the other.
    """
    difference = [second - first for first, second in zip(fp32, bf16, strict=True)]
    held = {"fp32": fp32, "bf16": bf16, "difference": difference}
    result: dict[str, Any] = {
        name: {
            "mean": round(float(np.mean(values)), 6),
            "interval": [round(end, 6) for end in interval(values)],
        }
        for name, values in held.items()
    }
    first, second = result["fp32"], result["bf16"]
    result["agree"] = all(
        one["interval"][0] <= other["mean"] <= one["interval"][1]
        for one, other in ((first, second), (second, first))
    )
    return result


def section(found: Mapping[str, Any]) -> str:
    """Return the table and what it was made on."""
    environment = found["environment"]
    commits = sorted({arm["commit"] for arm in found["arms"].values()})
    return (
        f"{table(found)}\n\n**{environment['processor']}**, torch {environment['torch']}, commit "
        f"{', '.join(commits)}; {len(found['settings']['train']['seeds'])} seeds, mean and 95 % "
        "interval over seeds."
    )


_UNITS = {"nll": ("NLL, nats", 4), "balanced_accuracy": ("balanced accuracy, %", 2)}


def table(found: Mapping[str, Any]) -> str:
    """Return the study as a Markdown table."""
    lines = [
        "| ranges | fusion | test metric | fp32 | bf16 | bf16 − fp32, paired | agree |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in found["summary"]:
        unit, digits = _UNITS[line["metric"]]
        cells = [_cell(line[name], digits) for name in ("fp32", "bf16", "difference")]
        scaled = "scaled" if line["scaled"] else "metres"
        agree = "yes" if line["agree"] else "no"
        lines.append(f"| {scaled} | `{line['fusion']}` | {unit} | {' | '.join(cells)} | {agree} |")
    return "\n".join(lines)


def _cell(held: Mapping[str, Any], digits: int) -> str:
    low, high = held["interval"]
    return f"{held['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

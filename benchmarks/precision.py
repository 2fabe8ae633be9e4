"""Whether bf16 costs accuracy: the same trainings in fp32 and in bf16, with ten seeds each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from scipy.special import stdtrit

from fusebench.config import PARAMS_FILE, load_keys, load_section
from fusebench.data.lidar import LidarParams
from fusebench.data.samples import Samples, open_samples
from fusebench.data.split import Manifest, SplitParams, draw, read_manifest, write_manifest
from fusebench.evaluation.evaluate import predict_fusion
from fusebench.evaluation.metrics import fusion_metrics
from fusebench.evaluation.predictions import read_predictions
from fusebench.files import read_json, write_json
from fusebench.models.precision import Precision
from fusebench.models.strategies import StrategyParams
from fusebench.runtime import RuntimeParams
from fusebench.training.device import Device, prepare
from fusebench.training.progress import Progress
from fusebench.training.settings import TrainParams
from fusebench.training.train import Places, Recipe, train_fusion

SEEDS = tuple(range(10))
METRICS = ("nll", "balanced_accuracy")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
_LEVEL = 0.95


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

    Returns
    -------
    dict
        environment, settings, arms (per seed: NLL in nats, balanced accuracy in percent, of test)
        and summary; the content of the file.
    """
    device = prepare(load_section(PARAMS_FILE, "runtime", RuntimeParams))
    samples = open_samples(Path("data/samples"))
    manifest = _manifest(samples, plan)
    found = {"environment": dict(environment), "settings": plan.settings}
    arms = _finished(path, found)
    for arm in plan.arms():
        if arm.name not in arms:
            print(arm.name, flush=True)
            arms[arm.name] = measure(arm, plan, samples, manifest, device)
            write_json(path, {**found, "arms": arms, "summary": summary(plan, arms)})
    return {**found, "arms": arms, "summary": summary(plan, arms)}


def _manifest(samples: Samples, plan: Study) -> Manifest:
    """Return the split of params.yaml for the study's seeds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "split.csv"
        write_manifest(path, samples.rows, draw(samples.rows, plan.split, plan.train.seeds))
        return read_manifest(path)


def _finished(path: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arms of an earlier run, if it was of the same study on the same machine."""
    if not path.exists():
        return {}
    held = read_json(path)
    same = all(held[key] == value for key, value in found.items())
    return dict(held["arms"]) if same else {}


def measure(
    arm: Arm, plan: Study, samples: Samples, manifest: Manifest, device: Device
) -> dict[str, list[float]]:
    """Train and evaluate one arm; return each metric of test, one value per seed."""
    lidar = plan.lidar.model_copy(update={"normalize": arm.normalize})
    with TemporaryDirectory() as name:
        folder = Path(name)
        places = Places(folder / "models", folder / "curve.csv", folder / "metrics.json")
        train_fusion(
            Recipe(arm.fusion, plan.train, lidar, arm.precision),
            samples,
            manifest,
            device,
            Progress("plain", len(plan.train.seeds)),
            places,
        )
        predict_fusion(places.models, samples, manifest, device, folder / "predictions")
        seeds = fusion_metrics(read_predictions(folder / "predictions"))["test"]["seeds"]
    return {metric: [each[metric] for each in seeds.values()] for metric in METRICS}


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

"""What the comparison is made of: each fusion's metrics, predictions and measurements."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import PARTS, part_metrics, summarize
from fusebench.files import read_json
from fusebench.models.registry import BASELINES
from fusebench.prediction.predictions import FusionPredictions, PartPredictions, read_predictions

MAJORITY, THRESHOLD = BASELINES


@dataclass(frozen=True)
class Result:
    """One row of the comparison.

    Attributes
    ----------
    name : str
        Of the fusion, or of a baseline without training.
    strategy : str
        Where the inputs meet.
    metrics : dict
        As metrics/fusions/<name>.json.
    measured : dict or None
        As metrics/training/<name>.json; None where nothing was trained.
    """

    name: str
    strategy: str
    metrics: dict[str, Any]
    measured: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """All fusions of a comparison, on the same samples.

    Attributes
    ----------
    results : tuple of Result
        The fusions in the order of `strategies`, then the baselines.
    predictions : dict of str to FusionPredictions
        The fusions, then the threshold; of the majority class none are kept.
    """

    results: tuple[Result, ...]
    predictions: dict[str, FusionPredictions]

    @property
    def trained(self) -> list[str]:
        """Names of the fusions, without the baselines."""
        return [name for name in self.predictions if name not in BASELINES]

    @property
    def rendered(self) -> bool:
        """Whether the samples were rendered, not recorded."""
        return any(bool(each.info["rendered"]) for each in self.predictions.values())

    @property
    def seeds(self) -> list[int]:
        """The seeds that every fusion was trained with."""
        return list(next(iter(self.predictions.values())).seeds)


def read_comparison(root: Path, strategies: Sequence[str]) -> Comparison:
    """Read what the stages before wrote of `strategies` and of the threshold.

    Folders of other fusions are ignored.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or two fusions were evaluated on other samples or seeds.
    """
    predictions = {
        name: read_predictions(root / "predictions" / name) for name in (*strategies, THRESHOLD)
    }
    _check_same_samples(predictions)
    results = [
        Result(
            name,
            str(held.info["strategy"]),
            read_json(root / "metrics/fusions" / f"{name}.json"),
            None if name == THRESHOLD else read_json(root / "metrics/training" / f"{name}.json"),
        )
        for name, held in predictions.items()
    ]
    first = next(iter(predictions.values()))
    return Comparison((*results[:-1], majority_result(first), results[-1]), predictions)


def _check_same_samples(predictions: dict[str, FusionPredictions]) -> None:
    """Refuse fusions that cannot be compared pair by pair."""
    names = list(predictions)
    first = predictions[names[0]]
    for name in names[1:]:
        if list(predictions[name].seeds) != list(first.seeds):
            raise ArtifactError(
                f"predictions/{name}: seeds {list(predictions[name].seeds)} differ from "
                f"{list(first.seeds)} of {names[0]}; 'dvc repro' evaluates anew"
            )
        for seed, parts in predictions[name].seeds.items():
            for part, held in parts.items():
                if not np.array_equal(held.digests, first.seeds[seed][part].digests):
                    raise ArtifactError(
                        f"predictions/{name}: {part} samples of seed {seed} differ from those of "
                        f"{names[0]}; 'dvc repro' evaluates anew"
                    )


def majority_result(predictions: FusionPredictions) -> Result:
    """Return the row of a constant answer: each class with its share of the training part."""
    parts: dict[str, Any] = {}
    for part in PARTS:
        seeds = {
            str(seed): part_metrics(
                _constant(held[part], predictions.train_counts(seed)), predictions.positive
            )
            | {"stuck_at_majority": True}
            for seed, held in predictions.seeds.items()
        }
        parts[part] = {**summarize(list(seeds.values())), "seeds": seeds}
    metrics = {"parameters": 0, "stuck_seeds": len(predictions.seeds), **parts}
    return Result(MAJORITY, "none", metrics, None)


def _constant(part: PartPredictions, counts: npt.NDArray[np.int64]) -> PartPredictions:
    logits = np.log(counts / counts.sum()).astype(np.float32)
    repeated = np.tile(logits, (len(part.labels), 1))
    return PartPredictions(part.ids, part.classes, part.digests, part.labels, repeated)

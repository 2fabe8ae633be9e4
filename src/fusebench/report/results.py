"""What the comparison is made of: each fusion's metrics, predictions and measurements."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fusebench.errors import ArtifactError
from fusebench.files import dvc_digest, json_text, md5_of
from fusebench.prediction.predictions import BASELINES, FusionPredictions, read_predictions
from fusebench.report.origin import origin_of
from fusebench.report.robustness_files import SUMMARY, Kept, read_kept
from fusebench.report.stored import read_cost, read_measured, read_metrics

SOURCES = Path("metrics/sources.json")


@dataclass(frozen=True)
class Result:
    """One row of the comparison.

    Attributes
    ----------
    name : str
        Of the fusion or baseline.
    predictions : FusionPredictions
        As predictions/<name>/.
    metrics : dict
        As metrics/fusions/<name>.json.
    measured : dict or None
        As metrics/training/<name>.json; None where nothing was trained.
    cost : dict or None
        As metrics/cost/<name>.json; None where nothing was trained.
    digest : str
        Of predictions/<name>/, as in dvc.lock.
    robustness : float
        As metrics/robustness_summary.csv; NaN: there is none.
    """

    name: str
    predictions: FusionPredictions
    metrics: dict[str, Any]
    measured: dict[str, Any] | None
    cost: dict[str, Any] | None
    digest: str
    robustness: float = math.nan

    @property
    def samples(self) -> str:
        """Where the samples come from: "recorded" or "synthetic", with a task that is not shape."""
        return origin_of(self.predictions.info["synthetic"], self.predictions.info.get("task"))

    def metric_of_seeds(self, metric: str) -> list[float]:
        """Return the value of a metric on test, per seed."""
        return [float(seed[metric]) for seed in self.metrics["test"]["seeds"].values()]


@dataclass(frozen=True)
class Comparison:
    """All fusions of a comparison, on the same samples.

    Attributes
    ----------
    results : tuple of Result
        The fusions in the order of `fusions`, then the baselines.
    """

    results: tuple[Result, ...]

    @property
    def fusions(self) -> dict[str, FusionPredictions]:
        """Predictions of the fusions, without the baselines."""
        return {row.name: row.predictions for row in self.results if row.measured is not None}

    @property
    def trainings(self) -> dict[str, dict[str, Any]]:
        """How and where each fusion was trained: `settings`, and the machine's `environment`."""
        return {
            row.name: {
                "settings": row.predictions.info.get("settings", {}),
                "environment": row.measured["environment"],
            }
            for row in self.results
            if row.measured is not None
        }

    @property
    def seeds(self) -> list[int]:
        """The seeds that every fusion was trained with."""
        return list(self.results[0].predictions.seeds)

    @property
    def samples(self) -> str:
        """Where the samples come from, as `Result.samples`."""
        return self.results[0].samples

    @property
    def positive(self) -> str:
        """Name of the positive class."""
        return str(self.results[0].predictions.info["positive"])

    @property
    def fingerprint(self) -> str:
        """Seven hexadecimal digits that name what was compared: on table and pictures alike."""
        digests = {result.name: result.digest for result in self.results}
        return md5_of(json_text(digests).encode())[:7]

    def sources(self, declared: Mapping[str, Any], suite: str, robustness: str) -> dict[str, Any]:
        """Return metrics/sources.json: what table, pairs and pictures were made from.

        Parameters
        ----------
        declared : mapping
            Section `compare` of the params: what was declared before looking.
        suite, robustness : str
            Digests of metrics/interactions/summary.csv and metrics/robustness_summary.csv.
        """
        return {
            "fingerprint": self.fingerprint,
            "compare": dict(declared),
            "predictions": {result.name: result.digest for result in self.results},
            "suite": suite,
            "robustness": robustness,
        }


def read_comparison(root: Path, fusions: Sequence[str]) -> Comparison:
    """Read what the stages before wrote of `fusions` and of the baselines.

    Folders of other fusions are ignored.

    Raises
    ------
    ArtifactError
        A file is missing or broken, or two fusions were measured on other samples or seeds.
    """
    kept = read_kept(root / SUMMARY)
    results = tuple(
        _with_robustness(_read_result(root, name), kept) for name in (*fusions, *BASELINES)
    )
    for result in results[1:]:
        _check_same_samples(results[0], result)
    return Comparison(results)


def _with_robustness(result: Result, kept: Mapping[str, Kept]) -> Result:
    """Return a result with what the fusion keeps under corruptions; baselines were not asked."""
    if result.name in BASELINES:
        return result
    found = kept.get(result.name)
    if found is None or found.seeds != len(result.predictions.seeds):
        raise ArtifactError(
            f"{SUMMARY}: {result.name}: {'missing' if found is None else f'{found.seeds} seeds'}, "
            f"predictions/{result.name} has {len(result.predictions.seeds)} seeds; 'dvc repro "
            "robustness' makes it anew"
        )
    return replace(result, robustness=found.robustness)


def _read_result(root: Path, name: str) -> Result:
    trained = name not in BASELINES
    predictions = read_predictions(root / "predictions" / name)
    return Result(
        name,
        predictions,
        read_metrics(root / "metrics/fusions" / f"{name}.json", predictions),
        read_measured(root / "metrics/training" / f"{name}.json") if trained else None,
        read_cost(root / "metrics/cost" / f"{name}.json", predictions) if trained else None,
        dvc_digest(root / "predictions" / name),
    )


def _check_same_samples(first: Result, other: Result) -> None:
    """Refuse fusions that cannot be compared pair by pair."""
    expected, seeds = first.predictions.seeds, other.predictions.seeds
    if list(seeds) != list(expected):
        raise ArtifactError(
            f"predictions/{other.name}: seeds {list(seeds)} differ from {list(expected)} of "
            f"{first.name}; 'dvc repro' predicts anew"
        )
    for seed, parts in seeds.items():
        for part, predictions in parts.items():
            if not np.array_equal(predictions.digests, expected[seed][part].digests):
                raise ArtifactError(
                    f"predictions/{other.name}: {part} samples of seed {seed} differ from those "
                    f"of {first.name}; 'dvc repro' predicts anew"
                )

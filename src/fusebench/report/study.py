"""A study: test predictions of several fusions, and by how much every two differ on a metric."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from typing import Any, Self

import numpy as np

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import constant_answer
from fusebench.evaluation.metrics import METRICS, Metric, log_odds
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.statistics.estimates import LEVEL, Claim, deviations, fixed_models, retrained
from fusebench.statistics.paired import Floats, Ints, Paired, pair, strata
from fusebench.statistics.resampling import (
    RESAMPLES,
    RESAMPLES_OF_OTHERS,
    Resamples,
    of_any,
    of_means,
    of_weighted,
    percentiles,
    weighted_auroc,
    weighted_f1,
)

Figures = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """Test predictions of several fusions, the same seeds and samples in all.

    Attributes
    ----------
    parts : dict of str to list of PartPredictions
        By fusion; one per seed.
    collapsed : dict of str to int
        By fusion; number of seeds that answer one class for every sample.
    positive : int
    """

    parts: dict[str, list[PartPredictions]]
    collapsed: dict[str, int]
    positive: int

    @classmethod
    def of(cls, fusions: Mapping[str, FusionPredictions]) -> Self:
        """Take the test part of each seed; raise ArtifactError if seeds or samples differ."""
        first = next(iter(fusions.values()))
        for predictions in fusions.values():
            if set(predictions.seeds) != set(first.seeds):
                raise ArtifactError(
                    "predictions: the fusions' seeds differ, so nothing can be paired; "
                    "'dvc repro' trains those that are missing"
                )
        parts = {
            name: [predictions.seeds[seed]["test"] for seed in first.seeds]
            for name, predictions in fusions.items()
        }
        _check_same_samples(parts)
        collapsed = {name: _collapsed(predictions) for name, predictions in fusions.items()}
        return cls(parts, collapsed, first.positive)

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return len(next(iter(self.parts.values())))

    @property
    def reference(self) -> PartPredictions:
        """One of the parts: its ids and labels are those of all."""
        return next(iter(self.parts.values()))[0]

    @cached_property
    def ids(self) -> Ints:
        """Position of each sample's id among the different ones, shape (n,)."""
        return np.unique(self.reference.ids, return_inverse=True)[1].astype(np.int64)

    def resamples(self, count: int) -> Resamples:
        """Draw seeds and ids anew."""
        return Resamples.make(self.seeds, strata(self.ids, self.reference.labels), count)

    def differences(self, metric: str) -> Iterator[Figures]:
        """Yield what is known of each two fusions on one metric, under the names of `Pair`."""
        if len(self.parts) < 2:
            return
        function = METRICS[metric].function
        means = {
            name: float(np.mean([function(part, self.positive) for part in parts]))
            for name, parts in self.parts.items()
        }
        estimates = self._of_mean if METRICS[metric].per_sample else self._of_other
        for (first, second), figures in estimates(METRICS[metric], means):
            yield {
                "first": first, "second": second, "difference": means[first] - means[second],
                "first_mean": means[first], "second_mean": means[second],
                "first_collapsed": self.collapsed[first],
                "second_collapsed": self.collapsed[second],
                "seeds": self.seeds, "ids": int(self.ids.max()) + 1, **figures,
            }  # fmt: skip

    def _of_mean(
        self, metric: Metric, _means: Mapping[str, float]
    ) -> Iterator[tuple[tuple[str, str], Figures]]:
        """Yield the estimates of each two fusions on a mean over samples: by components."""
        values = {
            name: np.array([metric.per_sample(part) for part in parts if metric.per_sample])
            for name, parts in self.parts.items()
        }
        labels = self.reference.labels
        resamples = self.resamples(RESAMPLES) if self.seeds > 1 else None
        for first, second in combinations(values, 2):
            paired = pair(
                values[first], values[second], self.ids, labels, metric.weights(labels), metric.span
            )
            yield (first, second), _by_components(paired, resamples)

    def _of_other(
        self, metric: Metric, means: Mapping[str, float]
    ) -> Iterator[tuple[tuple[str, str], Figures]]:
        """Yield the estimates of each two fusions on any metric: by the bootstrap."""
        values: dict[str, Floats] = {}
        if self.seeds > 1:
            resamples = self.resamples(RESAMPLES_OF_OTHERS)
            values = {name: self._resampled(metric, name, resamples) for name in self.parts}
        for first, second in combinations(self.parts, 2):
            figures: Figures = {}
            if values:
                resampled = values[first] - values[second]
                # A resample may lack a class, and with it AUROC.
                resampled = resampled[np.isfinite(resampled)]
                # The bootstrap's deviation is the standard error.
                error = float(resampled.std(ddof=1))
                claim = Claim(means[first] - means[second], error, self.seeds - 1)
                figures = _of_retrained(claim, resampled)
            yield (first, second), figures

    def _resampled(self, metric: Metric, name: str, resamples: Resamples) -> Floats:
        parts = self.parts[name]
        if metric.name in WEIGHTED:
            weighted = [WEIGHTED[metric.name](part, self.positive) for part in parts]
            return of_weighted(weighted, self.ids, resamples)

        def on(part: PartPredictions) -> Callable[[Ints], float]:
            return lambda positions: metric.function(part.take(positions), self.positive)

        return of_any([on(part) for part in parts], self.ids, resamples)


def _check_same_samples(fusions: Mapping[str, list[PartPredictions]]) -> None:
    parts = [part for parts in fusions.values() for part in parts]
    for part in parts:
        same = np.array_equal(part.digests, parts[0].digests)
        if not (same and np.array_equal(part.labels, parts[0].labels)):
            raise ArtifactError(
                "predictions: the test samples of fusions or seeds differ, so nothing can be "
                "paired; 'dvc repro' predicts anew"
            )


def _collapsed(predictions: FusionPredictions) -> int:
    return sum(constant_answer(parts["test"]) is not None for parts in predictions.seeds.values())


def _by_components(paired: Paired, resamples: Resamples | None) -> Figures:
    fixed = fixed_models(paired)
    low, high = fixed.interval()
    figures: Figures = {
        "fixed_low": low, "fixed_high": high, "fixed_p": fixed.p,
        "discordant": paired.discordant, "paired": paired,
        **{f"{name}_deviation": value for name, value in deviations(paired).items()},
    }  # fmt: skip
    if resamples is None:
        return figures
    return figures | _of_retrained(retrained(paired), of_means(paired, resamples))


def _of_retrained(claim: Claim, resampled: Floats) -> Figures:
    low, high = claim.interval()
    bootstrap_low, bootstrap_high = percentiles(resampled, LEVEL)
    return {
        "retrained_low": low, "retrained_high": high, "retrained_error": claim.error,
        "retrained_df": claim.df, "retrained_p": claim.p,
        "bootstrap_low": bootstrap_low, "bootstrap_high": bootstrap_high,
    }  # fmt: skip


def _f1(part: PartPredictions, positive: int) -> Callable[[Floats], Floats]:
    said, classes = part.logits.argmax(axis=1), part.logits.shape[1]
    return partial(weighted_f1, part.labels, said, positive, classes)


def _auroc(part: PartPredictions, positive: int) -> Callable[[Floats], Floats]:
    classes = part.logits.shape[1]
    labels = [positive] if classes == 2 else range(classes)
    curves = [(part.labels == label, log_odds(part.logits, label)) for label in labels]

    def mean(times: Floats) -> Floats:
        areas: Floats = np.mean([weighted_auroc(*curve, times) for curve in curves], axis=0)
        return areas

    return mean


# The registry's functions would give the same numbers, but in 400 resamples of seven fusions, ten
# seeds and 2,150 samples scikit-learn takes 64 s for F1 and 78 s for AUROC.
WEIGHTED = {"f1": _f1, "auroc": _auroc}

"""A study: test predictions of several fusions, and by how much every two differ on a metric."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from fusebench.errors import ArtifactError
from fusebench.evaluation.measure import constant_answer
from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.statistics.estimates import LEVEL, Claim, deviations, fixed_models, retrained
from fusebench.statistics.failures import SeedValues, irregular, paired_p, seed_values
from fusebench.statistics.paired import Ints, Paired, pair, strata
from fusebench.statistics.resampling import RESAMPLES, Resamples, of_means, percentiles

Figures = dict[str, Any]
MEANS, SUCCESSES = "means", "successes"
"""What a pair compares: the means over seeds, or the shares of seeds that succeed."""


@dataclass(frozen=True)
class Study:
    """Test predictions of several fusions, the same seeds and samples in all.

    Attributes
    ----------
    parts : dict of str to list of PartPredictions
        By fusion; one per seed.
    positive : int
    """

    parts: dict[str, list[PartPredictions]]
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
        return cls.of_parts(parts, first.positive)

    @classmethod
    def of_parts(cls, parts: dict[str, list[PartPredictions]], positive: int) -> Self:
        """Take answers as they are; raise ArtifactError if they are of different samples."""
        _check_same_samples(parts)
        return cls(parts, positive)

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
        """Position of each sample's id, or group, among the different ones, shape (n,)."""
        return np.unique(self.reference.groups, return_inverse=True)[1].astype(np.int64)

    def resamples(self, count: int) -> Resamples:
        """Draw seeds and ids anew."""
        return Resamples.make(self.seeds, strata(self.ids, self.reference.labels), count)

    def by_seed(self, metric: str, names: Sequence[str]) -> dict[str, SeedValues]:
        """Return a metric of each fusion, seed by seed.

        Parameters
        ----------
        names : sequence of str
            The fusions; the best seed of theirs tells what success is.
        """
        function, positive = METRICS[metric].function, self.positive
        counts = np.bincount(self.reference.labels, minlength=self.reference.logits.shape[1])
        chance = METRICS[metric].chance(counts, positive)
        values = {
            name: np.array([function(part, positive) for part in self.parts[name]])
            for name in names
        }
        collapsed = {
            name: np.array([constant_answer(part) is not None for part in self.parts[name]])
            for name in names
        }
        higher = METRICS[metric].higher_is_better
        return seed_values(values, collapsed, chance, higher_is_better=higher)

    def differences(self, metric: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Figures]:
        """Yield what is known of some pairs on a mean over samples, under the names of `Pair`."""
        per_sample = METRICS[metric].per_sample
        if per_sample is None:
            raise ValueError(f"{metric} is no mean over samples")
        values = {
            name: np.array([per_sample(part) for part in parts])
            for name, parts in self.parts.items()
        }
        labels = self.reference.labels
        weights, span = METRICS[metric].weights(labels), METRICS[metric].span
        means = {name: float((of @ weights).mean()) for name, of in values.items()}
        resamples = self.resamples(RESAMPLES) if self.seeds > 1 and pairs else None
        for first, second in pairs:
            paired = pair(values[first], values[second], self.ids, labels, weights, span)
            yield {
                "first": first, "second": second, "difference": means[first] - means[second],
                "first_mean": means[first], "second_mean": means[second],
                **by_components(paired, resamples),
            }  # fmt: skip


def _check_same_samples(fusions: Mapping[str, list[PartPredictions]]) -> None:
    parts = [part for parts in fusions.values() for part in parts]
    for part in parts:
        same = np.array_equal(part.digests, parts[0].digests)
        if not (same and np.array_equal(part.labels, parts[0].labels)):
            raise ArtifactError(
                "predictions: the test samples of fusions or seeds differ, so nothing can be "
                "paired; 'dvc repro' predicts anew"
            )


def by_components(paired: Paired, resamples: Resamples | None) -> Figures:
    """Return the estimates of a difference, under the names of `Pair`.

    Parameters
    ----------
    resamples : Resamples or None
        For the bootstrap's interval; None: without it.
    """
    fixed = fixed_models(paired)
    low, high = fixed.interval()
    figures: Figures = {
        "fixed_low": low, "fixed_high": high, "fixed_p": fixed.p,
        "discordant": paired.discordant, "step": float(paired.weights.max()),
        "seeds": paired.seeds, "ids": len(paired.strata),
        **{f"{name}_deviation": value for name, value in deviations(paired).items()},
    }  # fmt: skip
    if paired.seeds > 1:
        figures |= _of_retrained(retrained(paired))
    if resamples is not None:
        resampled = percentiles(of_means(paired, resamples), LEVEL)
        figures |= dict(zip(("bootstrap_low", "bootstrap_high"), resampled, strict=True))
    return figures


def _of_retrained(claim: Claim) -> Figures:
    low, high = claim.interval()
    return {
        "retrained_low": low, "retrained_high": high, "retrained_error": claim.error,
        "retrained_df": claim.df, "retrained_p": claim.p,
    }  # fmt: skip


def by_seeds(
    first: SeedValues, second: SeedValues, margin: float | None, *, higher_is_better: bool
) -> Figures:
    """Return what the seeds of two fusions tell beside their means, under the names of `Pair`.

    Parameters
    ----------
    margin : float or None
        Differences over seeds that are within a range of so much are not called irregular.
    """
    apart = irregular(first, second, margin)
    succeeded = int(first.succeeded.sum()), int(second.succeeded.sum())
    # The better one by what is compared; by the means where as many seeds of both succeed.
    ahead = (first.mean >= second.mean) is higher_is_better
    if apart and succeeded[0] != succeeded[1]:
        ahead = succeeded[0] > succeeded[1]
    means = [first.mean, second.mean]
    means[0 if ahead else 1] = (first if ahead else second).mean_at_collapse_rate
    return {
        "compares": SUCCESSES if apart else MEANS,
        "first_collapsed": int(first.collapsed.sum()),
        "second_collapsed": int(second.collapsed.sum()),
        "collapse_rate": (first if ahead else second).collapse_rate,
        "difference_at_collapse_rate": means[0] - means[1],
        "first_succeeded": succeeded[0],
        "second_succeeded": succeeded[1],
        "success_p": paired_p(first.succeeded, second.succeeded),
    }

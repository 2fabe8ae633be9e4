"""Which metrics are at chance: not shown to be better than an answer that does not look.

A model that sees nothing of the class in its inputs has a chance level in truth, whichever its
seed: what seeds differ by is then a matter of the test samples. So one claim decides, with one seed
or many: that about the models as trained (`fixed_models`), whose variance is that of what each test
id adds to the mean over seeds. If its 95 % interval reaches the chance level, or lies on the wrong
side of it, the metric is at chance. The spread between seeds does not widen the interval: of
guesses, it is part of that variance; and where two seeds have 97 % and one 50 %, models do look.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS, Metric, log_odds
from fusebench.prediction.predictions import BASELINES, FusionPredictions, PartPredictions
from fusebench.report.results import Comparison
from fusebench.report.roles import primary_metric
from fusebench.report.study import Study
from fusebench.report.table import AT_CHANCE
from fusebench.statistics import linear
from fusebench.statistics.estimates import Claim, fixed_models
from fusebench.statistics.paired import Floats, Ints, Paired, by_class, pair, sizes, strata
from fusebench.statistics.resampling import RESAMPLES_OF_OTHERS, of_any

# Closer than this, an answer is the constant one but for the rounding of its logits.
_ROUNDING = 1e-6


def with_chance(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Return the table of a comparison with the chance level of each metric, and what is at it.

    Parameters
    ----------
    table : DataFrame
        As `comparison_table` returns it.

    Returns
    -------
    DataFrame
        After each test metric that has a level: "<metric> Chance". Last: "At Chance", the names of
        the metrics of test that are at chance, joined by a space; empty for what looks at no input
        and so is chance itself, the majority class.
    """
    wider = table.copy()
    predictions = comparison.results[0].predictions
    labels = next(iter(predictions.seeds.values()))["test"].labels
    counts = np.bincount(labels, minlength=len(predictions.classes))
    for metric in METRICS.values():
        level = metric.chance(counts, predictions.positive)
        if not np.isnan(level):
            place = wider.columns.get_loc(f"Test {metric.heading} Deviation")
            wider.insert(int(place) + 1, f"Test {metric.heading} Chance", round(level, 6))
    wider[AT_CHANCE] = [
        " ".join(at_chance(result.predictions)) if result.predictions.info["inputs"] else ""
        for result in comparison.results
    ]
    return wider


def at_chance(predictions: FusionPredictions) -> list[str]:
    """Return the names of the metrics that are at chance on test."""
    study = Study.of({"": predictions})
    found = []
    for name, metric in METRICS.items():
        claim = above_chance(study, metric)
        if claim is None:
            continue
        low, high = claim.interval()
        if not (low > _ROUNDING if metric.higher_is_better else high < -_ROUNDING):
            found.append(name)
    return found


def above_chance(study: Study, metric: Metric) -> Claim | None:
    """Return how far a metric is above its chance level, mean over the seeds of these models.

    Parameters
    ----------
    study : Study
        Of one fusion.

    Returns
    -------
    Claim or None
        None: the metric has no chance level.
    """
    (parts,) = study.parts.values()
    labels = study.reference.labels
    counts = np.bincount(labels, minlength=parts[0].logits.shape[1])
    level = metric.chance(counts, study.positive)
    if np.isnan(level):
        return None
    if metric.per_sample:
        values = np.array([metric.per_sample(part) for part in parts])
        weights, chance = metric.weights(labels), np.full_like(values, level)
        return fixed_models(pair(values, chance, study.ids, labels, weights, metric.span))
    if metric.name in LINEAR:
        taken = linear.mean([LINEAR[metric.name](part, study.positive) for part in parts])
        return fixed_models(_paired(study, taken, level))
    return _resampled(study, metric, level)


def _paired(study: Study, taken: linear.Linear, level: float) -> Paired:
    """Return what each id adds to a metric's distance from its level."""
    labels = study.reference.labels
    shares = taken.effects + (taken.value - level) / len(labels)
    contributions = np.bincount(study.ids, weights=shares).astype(np.float64)
    ids, _ = by_class(study.ids, labels)
    # A quotient first: it is 1 exactly where no id has several samples of a class.
    return Paired(
        contributions[None, :], strata(study.ids, labels),
        np.array([taken.step * (len(labels) / ids.sum())]), np.array([ids.sum()]),
        sizes(shares[None, :], study.ids, labels),
    )  # fmt: skip


def _resampled(study: Study, metric: Metric, level: float) -> Claim:
    """Return the claim on a metric of which nothing is known but its function: ids drawn anew."""
    (parts,) = study.parts.values()

    def on(part: PartPredictions) -> Callable[[Ints], float]:
        return lambda positions: metric.function(part.take(positions), study.positive)

    resamples = study.resamples(RESAMPLES_OF_OTHERS)
    every = replace(resamples, seeds=np.ones_like(resamples.seeds))
    values = of_any([on(part) for part in parts], study.ids, every)
    error = float(values[np.isfinite(values)].std(ddof=1))
    value = float(np.mean([metric.function(part, study.positive) for part in parts]))
    return Claim(value - level, error, np.inf)


def _by_class(
    take: Callable[[Floats, Floats], linear.Linear], part: PartPredictions, positive: int
) -> linear.Linear:
    """Take a score of actual and answered classes apart, as the registry means it."""
    answered, classes = part.logits.argmax(axis=1), part.logits.shape[1]
    return linear.mean(
        [
            take((part.labels == label).astype(float), (answered == label).astype(float))
            for label in ([positive] if classes == 2 else range(classes))
        ]
    )


def _by_ranking(
    take: Callable[[linear.Bools, Floats], linear.Linear], part: PartPredictions, positive: int
) -> linear.Linear:
    """Take a score of a ranking apart, as the registry means it."""
    classes = part.logits.shape[1]
    return linear.mean(
        [
            take(part.labels == label, log_odds(part.logits, label))
            for label in ([positive] if classes == 2 else range(classes))
        ]
    )


# A metric that is no mean and stands not here is resampled, which takes a minute for ten seeds.
LINEAR: dict[str, Callable[[PartPredictions, int], linear.Linear]] = {
    "precision": partial(_by_class, lambda actual, said: linear.ratio(actual * said, said, 1)),
    "recall": partial(_by_class, lambda actual, said: linear.ratio(actual * said, actual, 1)),
    "f1": partial(
        _by_class, lambda actual, said: linear.ratio(2 * actual * said, actual + said, 2)
    ),
    "auroc": partial(_by_ranking, linear.auroc),
    "average_precision": partial(_by_ranking, linear.average_precision),
}


def chance_remarks(comparison: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    """Return a sentence for each fusion whose primary metric is at chance.

    Parameters
    ----------
    comparison, pairs : DataFrame
        As metrics/comparison.csv and metrics/pairs.csv; the first may be of a commit that does not
        tell of chance.
    """
    primary = primary_metric(pairs)
    if AT_CHANCE not in comparison or primary is None:
        return []
    metric = METRICS[primary]
    said = []
    for _, row in comparison[~comparison["Model"].isin(BASELINES)].iterrows():
        if metric.name in row[AT_CHANCE].split():
            value, level = (
                metric.text(row[f"Test {metric.heading}{end}"]) for end in ("", " Chance")
            )
            said.append(
                f"{row['Model']}: test {metric.label} {value} is at chance ({level}): it is not "
                "shown to be better than an answer that does not look at the sample."
            )
    return said

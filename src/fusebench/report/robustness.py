"""What stress did to each fusion, and how two of them differ under it: numbers.

Robustness is the share of a fusion's advantage over chance that is left,
(balanced accuracy − chance) / (clean − chance), of the means over seeds. Where an interval of the
clean mean includes chance, that over seeds or that over samples of these models (see `chance`),
there is none: guesses that differ by little from each other are still guesses.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import METRICS, Floats, correct_per_sample
from fusebench.inputs.corruption import corruption_of
from fusebench.prediction.predictions import PartPredictions
from fusebench.report.chance import above_chance
from fusebench.report.robustness_files import SUMMARY_KINDS, Kept
from fusebench.report.study import Study
from fusebench.statistics.estimates import mean_over_seeds
from fusebench.statistics.paired import Paired, pair
from fusebench.stress.stored import StressPredictions

ALL = "all"
"""In the table of pairs: all corruptions together, each sensor counting the same."""
_METRIC = METRICS["balanced_accuracy"]
_DIGITS = 6


@dataclass(frozen=True)
class Stressed:
    """The answers of several fusions under the same corruptions, on the same samples.

    Attributes
    ----------
    fusions : mapping of str to StressPredictions
    """

    fusions: Mapping[str, StressPredictions]

    def __post_init__(self) -> None:
        first = next(iter(self.fusions.values()))
        for name, other in self.fusions.items():
            for what, differs in _differences(first, other):
                if differs:
                    raise ArtifactError(
                        f"stress/{name}: other {what} than stress/{next(iter(self.fusions))}; "
                        "'dvc repro' makes both anew"
                    )

    @property
    def first(self) -> StressPredictions:
        """One of them: seeds, conditions and samples are those of all."""
        return next(iter(self.fusions.values()))

    @property
    def corruptions(self) -> list[str]:
        """Names of the corruptions, in their order."""
        named = [known.corruption for known in self.first.conditions if known.severity]
        return list(dict.fromkeys(named))

    def weights(self, name: str) -> dict[str, float]:
        """Return what each corruption counts in a comparison; sums to 1.

        Parameters
        ----------
        name : str
            Of a corruption, or `ALL`.
        """
        if name != ALL:
            return {name: 1.0}
        sensors = {each: corruption_of(each).sensor for each in self.corruptions}
        of_sensor = [list(sensors.values()).count(sensor) for sensor in sensors.values()]
        count = len(set(sensors.values()))
        return {each: 1 / (count * many) for each, many in zip(sensors, of_sensor, strict=True)}

    def clean_study(self, names: Sequence[str]) -> Study:
        """Return the clean answers of some fusions."""
        parts = {name: list(self.fusions[name].clean.values()) for name in names}
        return Study.of_parts(parts, self.first.positive)

    @cached_property
    def labels(self) -> Any:
        """Label of each sample, shape (n,)."""
        return self._sample.labels

    @property
    def _sample(self) -> PartPredictions:
        return next(iter(self.first.clean.values()))

    @property
    def chance(self) -> float:
        """Balanced accuracy of an answer that does not look, in percent."""
        classes = self._sample.logits.shape[1]
        counts = np.bincount(self.labels, minlength=classes)
        return _METRIC.chance(counts, self.first.positive)

    def correct(self, fusion: str, corruption: str) -> Floats:
        """Return how often each sample is answered right in each seed, in %, shape (s, n).

        Mean over the severities; of `ALL`, over the corruptions, too.
        """
        total: Floats = np.zeros((len(self.first.seeds), len(self.labels)))
        for name, weight in self.weights(corruption).items():
            under = self.fusions[fusion].under(name)
            means = [
                np.mean([correct_per_sample(part) for part in parts], axis=0)
                for parts in under.values()
            ]
            total += weight * np.array(means)
        return total

    def paired(self, first: Floats, second: Floats) -> Paired:
        """Return the difference of two fusions, of their values as `correct`, taken apart."""
        weights = _METRIC.weights(self.labels)
        return pair(first, second, self._sample.groups, self.labels, weights, _METRIC.span)


def _differences(first: StressPredictions, other: StressPredictions) -> Iterator[tuple[str, bool]]:
    """Yield what two fusions must share, with whether they differ in it."""
    yield "seeds", list(other.seeds) != list(first.seeds)
    yield "corruptions or severities", other.conditions != first.conditions
    ours, theirs = (
        [part for parts in of.seeds.values() for part in parts] for of in (first, other)
    )
    yield (
        "samples",
        any(
            not np.array_equal(part.digests, ours[0].digests)
            or not np.array_equal(part.labels, ours[0].labels)
            for part in theirs
        ),
    )


def robustness_table(stressed: Stressed) -> pd.DataFrame:
    """Return what is left of each fusion under each corruption.

    Returns
    -------
    DataFrame
        fusion, corruption ("clean" first), sensor, severity, amount, unit; balanced_accuracy in
        percent, mean over seeds, with the ends of its 95 % interval over seeds, low and high (NaN:
        one seed); nll in nats; robustness (NaN: clean answers are not shown to be above chance).
    """
    rows = [row for fusion in stressed.fusions for row in _rows(stressed, fusion)]
    return pd.DataFrame(rows).round(_DIGITS)


def _rows(stressed: Stressed, fusion: str) -> Iterator[dict[str, Any]]:
    of_fusion, chance = stressed.fusions[fusion], stressed.chance
    advantage = math.nan
    for place, condition in enumerate(of_fusion.conditions):
        parts = [parts[place] for parts in of_fusion.seeds.values()]
        values = np.array([_METRIC.function(part, of_fusion.positive) for part in parts])
        low, high = interval(values)
        if not condition.severity and _above_chance(stressed, fusion, low):
            advantage = float(values.mean()) - chance
        corruption = corruption_of(condition.corruption) if condition.severity else None
        yield {
            "fusion": fusion, "corruption": condition.corruption,
            "sensor": corruption.sensor if corruption else "", "severity": condition.severity,
            "amount": condition.amount, "unit": corruption.unit if corruption else "",
            "balanced_accuracy": float(values.mean()), "low": low, "high": high,
            "nll": float(np.mean([METRICS["nll"].function(part, 0) for part in parts])),
            "robustness": (float(values.mean()) - chance) / advantage,
        }  # fmt: skip


def _above_chance(stressed: Stressed, fusion: str, low: float) -> bool:
    """Tell whether a fusion's clean intervals are above chance: over samples, and over seeds."""
    claim = above_chance(stressed.clean_study([fusion]), _METRIC)
    of_models = claim is not None and claim.interval()[0] > 0
    return of_models and (math.isnan(low) or low > stressed.chance)


def interval(values: Floats) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of values over seeds, within 0 to 100; or NaN."""
    low, high = np.clip(mean_over_seeds(values).interval(), 0, 100).tolist()
    return low, high


def summary_table(table: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Return one figure per fusion.

    Parameters
    ----------
    table : DataFrame
        As `robustness_table`.

    Returns
    -------
    DataFrame
        The columns of `Kept`; empty cells: there is no such figure.
    """
    rows = []
    for fusion, of_fusion in table.groupby("fusion", sort=False):
        under = of_fusion[of_fusion["severity"] > 0]
        left = under.groupby(["sensor", "corruption"])["robustness"].mean().dropna()
        rows.append(
            Kept(
                str(fusion), left.groupby("sensor").mean().mean(),
                left.idxmin()[1] if len(left) else "", left.min() if len(left) else math.nan,
                under["corruption"].nunique(), seeds,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SUMMARY_KINDS)).round(_DIGITS)


def stress_table(predictions: StressPredictions) -> pd.DataFrame:
    """Return what the answers of a fusion are worth under each condition, seed by seed.

    Returns
    -------
    DataFrame
        corruption, severity, amount, unit, seed; balanced_accuracy in percent, nll in nats.
    """
    rows = [
        {
            "corruption": condition.corruption, "severity": condition.severity,
            "amount": condition.amount,
            "unit": corruption_of(condition.corruption).unit if condition.severity else "",
            "seed": seed,
            **{name: METRICS[name].function(parts[place], predictions.positive)
               for name in ("balanced_accuracy", "nll")},
        }
        for place, condition in enumerate(predictions.conditions)
        for seed, parts in predictions.seeds.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).round(_DIGITS)

"""What the holdout says of the fusions: measured and compared by the code that test is.

Which of their functions those are is said here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from fusebench.baselines.predict import threshold_rule
from fusebench.evaluation.measure import seed_metrics, summarize
from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predict import KeptModels
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.findings import compare_fusions
from fusebench.report.recommendation import recommendation, remarks
from fusebench.report.settings import CompareParams
from fusebench.report.verdict import sentences
from fusebench.samples.manifest import HOLDOUT, Manifest
from fusebench.samples.samples import Samples
from fusebench.statistics.estimates import FEWEST_SEEDS

# What measures and compares looks at the part of this name.
_MEASURED = "test"
FEWEST = FEWEST_SEEDS
"""Seeds below which nothing is said of the fusions, trained again."""


@dataclass(frozen=True)
class Judged:
    """Fusions, measured and compared on one part.

    Attributes
    ----------
    pairs, best : DataFrame
        As metrics/pairs.csv and metrics/best.csv.
    answer : str
        Which fusion to use, and what limits that.
    sentences : list of str
        One on each pair.
    metrics : dict
        Per fusion and metric: `mean` and `deviation` over seeds (None: one seed).
    """

    pairs: pd.DataFrame
    best: pd.DataFrame
    answer: str
    sentences: list[str]
    metrics: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def of(
        cls,
        fusions: Mapping[str, FusionPredictions],
        declared: CompareParams,
        threshold: FusionPredictions,
        draws: str,
    ) -> Self:
        """Measure and compare the part that is called test.

        Parameters
        ----------
        declared : CompareParams
            The metric that decides, its margin and the planned contrasts.
        threshold : FusionPredictions
            Of the baseline, which is compared with and not measured.
        draws : str
            As in `Best`: whether each seed drew its own train and val samples.

        Raises
        ------
        ArtifactError
            They were not asked for the same samples with the same seeds.
        """
        pairs, best = compare_fusions(fusions, declared, threshold, draws=draws)
        metrics = {
            name: summarize(list(seed_metrics(predictions, _MEASURED).values()))
            for name, predictions in fusions.items()
        }
        answer = " ".join([recommendation(pairs, best), *remarks(pairs, best)])
        return cls(pairs, best, answer, sentences(pairs), metrics)


def held_out(models: KeptModels) -> FusionPredictions:
    """Return what a fusion's models answer for the holdout, as the part that is measured.

    Raises
    ------
    ArtifactError
        Weights or samples are missing or broken.
    """
    seeds = {seed: {_MEASURED: parts[HOLDOUT]} for seed, parts in models.predict([HOLDOUT])}
    return FusionPredictions(models.info, seeds)


def held_out_threshold(
    samples: Samples, manifest: Manifest, kept: FusionPredictions
) -> FusionPredictions:
    """Return what the threshold answers for the holdout, fitted on train as stage baseline does.

    Parameters
    ----------
    kept : FusionPredictions
        Its predictions of test, which name the seeds.
    """
    rule = threshold_rule(samples)
    seeds = {}
    for seed in kept.seeds:
        answer, _ = rule.fit(manifest.part(seed, "train"))
        rows = manifest.part(seed, HOLDOUT)
        seeds[seed] = {_MEASURED: PartPredictions.of(rows, answer(rows))}
    return FusionPredictions(kept.info, seeds)


def metrics_table(test: Judged, holdout: Judged) -> pd.DataFrame:
    """Return each metric of each fusion, on test and on the holdout.

    Returns
    -------
    DataFrame
        fusion, metric; test_mean, test_deviation, holdout_mean, holdout_deviation: over seeds, in
        the metric's unit; NaN: of one seed there is no deviation.
    """
    rows = [
        {"fusion": name, "metric": metric}
        | {
            f"{part}_{figure}": judged.metrics[name][metric][figure]
            for part, judged in (("test", test), ("holdout", holdout))
            for figure in ("mean", "deviation")
        }
        for name in test.metrics
        for metric in METRICS
    ]
    table = pd.DataFrame(rows)
    return table.astype(dict.fromkeys(table.columns[2:], float))

"""metrics/recommendation.json: what the verdict recommends, for programmes."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fusebench.evaluation.metrics import METRICS
from fusebench.report.best import Best, best_rows
from fusebench.report.evidence import Evidence
from fusebench.report.probabilities import probability_rows
from fusebench.report.recommendation import bound, measured
from fusebench.statistics.estimates import FEWEST_SEEDS

RECOMMENDATION = Path("metrics/recommendation.json")


def recommended(rows: Sequence[Best], parameters: Mapping[str, int]) -> tuple[Best | None, str]:
    """Return the fusion that the verdict allows to recommend, and why; None: it allows none.

    Of those that are shown to be the best, or as good as the best to within the declared margin,
    the one with the fewest parameters; of equal ones the nearest to the best by its bound. With
    fewer than five seeds, or of one fusion, nothing is shown and none is recommended.

    Parameters
    ----------
    rows : sequence of Best
        As metrics/best.csv, the best mean first.
    """
    if len(rows) < 2 or rows[0].seeds < FEWEST_SEEDS:
        return None, ""
    known = [row for row in rows if not row.is_irregular]
    # As the verdict has it: by the means and by the bounds.
    alone = [row for row in rows if row.may_be_best] == known[:1] != []
    good = [row for row in known if row.as_good or (alone and row is known[0])]
    if not good:
        return None, ""
    chosen = min(good, key=lambda row: (parameters[row.fusion], row.below))
    if alone and chosen is known[0]:
        said = f"{chosen.fusion} is shown to be the best"
    else:
        metric = METRICS[chosen.metric]
        side = "below" if metric.higher_is_better else "above"
        said = (
            f"{chosen.fusion} is shown to be as good as the best, to within "
            f"{measured(chosen.margin, metric)} of {metric.label} (at most {bound(chosen)} {side} "
            "it)"
        )
    return chosen, f"{said}{_fewest(chosen, good, parameters)}."


def _fewest(chosen: Best, good: Sequence[Best], parameters: Mapping[str, int]) -> str:
    if len(good) == 1:
        return ""
    others = [row for row in good if row is not chosen]
    equal = any(parameters[row.fusion] == parameters[chosen.fusion] for row in others)
    few = "no more parameters than any other" if equal else "the fewest parameters"
    return f", and has {few} of the {len(good)} of which that is shown"


def recommendation_content(evidence: Evidence) -> dict[str, Any]:
    """Return metrics/recommendation.json.

    Returns
    -------
    dict
        fusion: name, or null where the verdict allows none; reason: why, a sentence; answer and
        remarks: the verdict's sentences, which limit it; metric: that decides; bound_to_best: at
        most so far from the best, and margin, both in its unit, or null; parameters; robustness:
        robustness, worst (corruption) and worst_robustness, or null; cost: mflops_per_sample,
        latency_ms (median) and step_mb, or null; data: samples, task, classes, counts, looks_like
        (kind of the task that the data look like) and fingerprint; seeds.
    """
    rows = best_rows(evidence.findings.best)
    chosen, reason = recommended(rows, evidence.parameters)
    name = chosen.fusion if chosen else None
    return {
        "fusion": name,
        "reason": reason or evidence.findings.answer,
        "answer": evidence.findings.answer,
        "remarks": evidence.findings.remarks,
        "metric": rows[0].metric,
        "bound_to_best": _known(chosen.below) if chosen else None,
        "margin": _known(rows[0].margin),
        "parameters": evidence.parameters[name] if name else None,
        "robustness": _robustness(evidence, name),
        "cost": _cost(evidence, name),
        "data": _data(evidence),
        "seeds": _seeds(evidence),
    }


def _robustness(evidence: Evidence, name: str | None) -> dict[str, Any] | None:
    row = evidence.robustness.get(name or "")
    if row is None:
        return None
    return {
        "robustness": _known(row.robustness),
        "worst": row.worst or None,
        "worst_robustness": _known(row.worst_robustness),
    }


def _cost(evidence: Evidence, name: str | None) -> dict[str, float] | None:
    cost = evidence.costs.get(name or "")
    if cost is None:
        return None
    return {
        "mflops_per_sample": cost.mflops_per_sample,
        "latency_ms": cost.latency_ms.median,
        "step_mb": cost.step_mb,
    }


def _data(evidence: Evidence) -> dict[str, Any]:
    data, interaction = evidence.data, evidence.findings.interaction
    return {
        "samples": "synthetic" if data.synthetic else "recorded",
        "task": data.task,
        "classes": list(data.pairs),
        "counts": data.pairs,
        "looks_like": (interaction.kind or None) if interaction else None,
        "fingerprint": evidence.fingerprint,
    }


def _seeds(evidence: Evidence) -> list[int]:
    table = evidence.findings.probabilities
    return [] if table is None else sorted({row.seed for row in probability_rows(table)})


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value

"""What a card says of stored results: metrics, distance to the best, robustness, calibration."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fusebench.evaluation.metrics import METRICS
from fusebench.export.markdown import plain, table
from fusebench.report.best import Best
from fusebench.report.recommendation import bound, listed
from fusebench.report.robustness_text import label
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL


def results_sections(content: Mapping[str, Any]) -> dict[str, Iterator[str]]:
    """Return the sections on results, as lines of Markdown by heading.

    Parameters
    ----------
    content : mapping
        As `about.about`.
    """
    return {
        "Metrics": _metrics(content),
        "Robustness": _robustness(content),
        "Calibration": _calibration(content),
    }


def _metrics(content: Mapping[str, Any]) -> Iterator[str]:
    own, stored = content["exported"], content["metrics"]
    head, columns = ["metric on test"], []
    if own is not None:
        head.append("this file")
        columns.append({name: _own(content, name, value) for name, value in own.items()})
    if stored is not None:
        head.append(f"each of {content['metrics_seeds']} seed(s), mean ± standard deviation")
        columns.append({name: _spread(name, value) for name, value in stored.items()})
    if columns:
        rows = [[METRICS[name].label, *(column[name] for column in columns)] for name in METRICS]
        yield table(head, rows)
        yield ""
        if len(content["classes"]) == 2:
            named = plain(content["positive"])
            yield f"Precision, recall, F1, AUROC and average precision speak of {named}."
    yield from _failures(content)
    if own is None:
        yield f"Metrics of this file are not shown: {plain(content['unknown']['exported'])}."
    if stored is None:
        yield f"Metrics over seeds are not shown: {plain(content['unknown']['metrics'])}."
    else:
        yield (
            f"Over seeds as in metrics/comparison.csv, results {content['results']}: each seed's "
            f"own model in {content['trained_in']}, without temperatures."
        )
    yield ""
    yield from _to_best(content)


def _own(content: Mapping[str, Any], name: str, value: float) -> str:
    # Where the probability of a true class is 0 in fp32, its logarithm is only bounded.
    bound = "at least " if name == "nll" and content["exported_zeros"] else ""
    return f"{bound}{METRICS[name].text(value)}"


def _failures(content: Mapping[str, Any]) -> Iterator[str]:
    """Say what has collapsed to one class, and what is at chance."""
    if content["exported_collapsed"] is not None:
        yield f"This file answers {plain(content['exported_collapsed'])} for every test sample."
    if content["metrics_collapsed"]:
        yield (
            "Collapsed seeds, whose own model answers one class for every test sample: "
            f"{plain(content['metrics_collapsed'])}."
        )
    if content["metrics_at_chance"]:
        named = listed([METRICS[name].label for name in content["metrics_at_chance"]])
        yield (
            f"At chance over seeds, not shown to be better than an answer that does not look at "
            f"the sample: {named}."
        )


def _spread(name: str, value: Mapping[str, float | None]) -> str:
    metric, deviation = METRICS[name], value["deviation"]
    if value["mean"] is None:
        return ""
    if deviation is None:
        return metric.text(value["mean"])
    return f"{value['mean']:.{metric.digits}f} ± {metric.text(deviation)}"


def _to_best(content: Mapping[str, Any]) -> Iterator[str]:
    if content["best"] is None:
        yield f"How far it is from the best is not shown: {plain(content['unknown']['best'])}."
        return
    known: Any = [math.nan if it is None else it for it in content["best"].values()]
    row = Best(*known)
    metric = METRICS[row.metric]
    if math.isnan(row.below):
        yield (
            f"How far it is from the best of the compared fusions, {row.seeds} seed(s) do not tell "
            f"(from {FEWEST_SEEDS} on)."
        )
        return
    side = "below" if metric.higher_is_better else "above"
    maybe, joint = (
        ("it may be the best", "or")
        if row.may_be_best
        else ("it is shown not to be the best", "and")
    )
    amount = f"{bound(row)} {metric.difference_unit}".rstrip()
    yield (
        f"By {metric.label}, which decides: {maybe} of the compared fusions, {joint} is {side} it "
        f"by at most {amount} ({100 * LEVEL:.0f} % confidence, for all of them together)."
    )
    if row.is_irregular:
        yield "That bound is not calibrated, since its seeds fall apart."


def _robustness(content: Mapping[str, Any]) -> Iterator[str]:
    kept = content["robustness"]
    if kept is None:
        yield f"Not shown: {plain(content['unknown']['robustness'])}."
        return
    if kept["robustness"] is None:
        yield (
            "There is no such figure: the models are not shown to be above chance on clean "
            "samples, or were put under no corruption."
        )
        return
    yield (
        f"Of its advantage over chance it keeps {100 * kept['robustness']:.0f} % when one sensor "
        f"is corrupted: mean over {kept['corruptions']} ways, {kept['seeds']} seed(s). The least, "
        f"{100 * kept['worst_robustness']:.0f} %, under {label(kept['worst'])}."
    )


def _calibration(content: Mapping[str, Any]) -> Iterator[str]:
    rows = content["calibration"]
    if rows is None:
        if content["temperatures"] is None:
            yield f"Not calibrated: {plain(content['unknown']['temperatures'])}."
        else:
            why = plain(content["unknown"]["calibration"])
            yield f"Figures with and without temperatures are not shown: {why}."
        return
    yield "Each model by itself on test, as trained and with its temperature, fitted on val:"
    yield ""
    head = ["seed", "temperature"]
    shown = ("nll", "calibration_error")
    for name in shown:
        head += [METRICS[name].label, "with temperature"]
    yield table(
        head,
        [
            [
                row["seed"], f"{row['temperature']:.3f}",
                *(METRICS[name].text(row[f"{way}{name}"])
                  for name in shown for way in ("", "scaled_")),
            ]
            for row in rows
        ],
    )  # fmt: skip

"""Whether a fusion's probabilities are shown to be too sure, or not sure enough."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fusebench.evaluation.temperature import HIGHEST, LOWEST, is_bound
from fusebench.prediction.predictions import BASELINES
from fusebench.report.probabilities import probability_rows
from fusebench.report.recommendation import listed
from fusebench.statistics.estimates import FEWEST_SEEDS, mean_over_seeds


def sureness(probabilities: pd.DataFrame | None) -> str:
    """Return a sentence on the temperatures that fit val; empty where there are none.

    A fusion is named where the 95 % interval of the mean of log T over seeds excludes 0, those of
    all fusions being so wide that they hold together. One with a temperature at a bound is not.

    Parameters
    ----------
    probabilities : DataFrame or None
        As metrics/probabilities.csv.
    """
    found: dict[str, list[float]] = {}
    for row in [] if probabilities is None else probability_rows(probabilities):
        if row.fusion not in BASELINES and not math.isnan(row.temperature):
            found.setdefault(row.fusion, []).append(row.temperature)
    if not found:
        return ""
    seeds = min(map(len, found.values()))
    if seeds < FEWEST_SEEDS:
        return (
            f"Whether probabilities are too sure is not said: {seeds} seed(s) are too few (from "
            f"{FEWEST_SEEDS} on)."
        )
    # A value at a bound is cut off, so that no interval of t tells its scatter.
    whole = {name: values for name, values in found.items() if not any(map(is_bound, values))}
    ends = {name: _interval(values, len(found)) for name, values in whole.items()}
    said = [
        *_named("too sure (temperature above 1)", {k: v for k, v in ends.items() if v[0] > 1}),
        *_named("not sure enough (below 1)", {k: v for k, v in ends.items() if v[1] < 1}),
    ]
    tail = _bounded(found)
    if not said:
        return f"No probabilities are shown to be too sure, or not sure enough{tail}."
    return f"Probabilities are shown to be {'; '.join(said)}{tail}."


def _interval(temperatures: Sequence[float], tests: int) -> tuple[float, float]:
    """Return the interval of the geometric mean, of so many that hold together with 95 %."""
    low, high = mean_over_seeds(np.log(temperatures)).interval(tests)
    return math.exp(low), math.exp(high)


def _named(words: str, ends: dict[str, tuple[float, float]]) -> list[str]:
    if not ends:
        return []
    return [f"{words}: {listed([f'{k} ({a:.2f} to {b:.2f})' for k, (a, b) in ends.items()])}"]


def _bounded(found: dict[str, list[float]]) -> str:
    """Say in how many seeds val gave no temperature but the bound."""
    values = [value for some in found.values() for value in some]
    held = sum(map(is_bound, values))
    if not held:
        return ""
    return (
        f"; in {held} of {len(values)} trainings the temperature is a bound, {LOWEST:g} or "
        f"{HIGHEST:g}, since val alone would have it beyond, as where all its answers are right; "
        "of their fusions nothing is said"
    )

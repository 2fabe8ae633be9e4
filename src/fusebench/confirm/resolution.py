"""What size of difference the holdout can show, as far as test tells."""

import math
from statistics import median

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.report.pairs import pair_rows
from fusebench.report.plan import pilot_of
from fusebench.report.roles import PLANNED
from fusebench.statistics.planning import FEWEST_AT_HAND, POWER, Pilot, power

# Looked for from here on, and no further than this where the metric has no bounds.
_SMALLEST, _LARGEST = 1e-6, 1e6
# Of what is found, how exactly it is known.
_EXACT = 1e-3


def resolution(pairs: pd.DataFrame, ids: int) -> str:
    """Return in words the smallest differences that the holdout shows with 80 %.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv, of test; its planned contrasts are looked at.
    ids : int
        Number of held-out ids.
    """
    planned = pair_rows(pairs, PLANNED)
    if not planned:
        return "No contrast is planned, so what size of difference it can show is not said."
    seeds, metric = planned[0].seeds, METRICS[planned[0].metric]
    if seeds < FEWEST_AT_HAND:
        return (
            f"What size of difference it can show cannot be said from {seeds} seed(s); from "
            f"{FEWEST_AT_HAND} on it can."
        )
    most = metric.span or _LARGEST
    found = sorted(
        smallest_shown(pilot_of(pair), len(planned), seeds, ids / pair.ids, most)
        for pair in planned
    )
    middle = median(found)
    if math.isinf(middle):
        return (
            f"With {seeds} seeds it shows, in half of the planned contrasts or more, no difference "
            f"with {100 * POWER:.0f} %, however large."
        )
    digits = metric.digits - 1

    def text(value: float) -> str:
        return f"over {most:g}" if math.isinf(value) else f"{value:.{digits}f}"

    unit = f" {metric.difference_unit}".rstrip()
    spread = f" ({text(found[0])} to {text(found[-1])}, by contrast)" if len(found) > 1 else ""
    return (
        f"With {seeds} seeds it shows differences of about {text(middle)}{unit}{spread} with "
        f"{100 * POWER:.0f} %."
    )


def smallest_shown(pilot: Pilot, tests: int, seeds: int, ids: float, most: float) -> float:
    """Return the smallest difference that is shown with 80 %; infinite: none up to `most`.

    Parameters
    ----------
    tests, seeds, ids
        As in `planning.power`.
    most : float
        The largest difference there can be.
    """

    def shown(difference: float) -> bool:
        return power(pilot, difference, tests, seeds, ids) >= POWER

    low, high = 0.0, _SMALLEST
    while not shown(high):
        if high >= most:
            return math.inf
        low, high = high, min(2 * high, most)
    while high - low > _EXACT * high:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high

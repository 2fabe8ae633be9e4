"""Which fusion to use, as far as the data tell, and what limits that: sentences.

What a fusion gains over the best sensor alone comes first, then how far each can be below the best
of all. All facts come from metrics/pairs.csv and metrics/best.csv.
"""

import math
from collections.abc import Sequence

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.report.best import FIXED, Best, best_rows
from fusebench.report.pairs import Pair, pair_rows
from fusebench.report.roles import BASELINE, PLANNED
from fusebench.report.study import SUCCESSES
from fusebench.report.verdict import State, amount, signed, state
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL


def recommendation(pairs: pd.DataFrame, best: pd.DataFrame) -> str:
    """Return what the data say of which fusion to use.

    Parameters
    ----------
    pairs, best : DataFrame
        As metrics/pairs.csv and metrics/best.csv.
    """
    rows = best_rows(best)
    if len(rows) < 2:
        return "There is one fusion, so nothing is compared."
    if rows[0].seeds < FEWEST_SEEDS:
        return (
            f"No recommendation: {rows[0].seeds} seed(s) are too few to tell fusions from their "
            f"seeds; from {FEWEST_SEEDS} on there is a verdict (make verdict trains 10)."
        )
    said = [*_against_single(pair_rows(pairs, PLANNED), rows), *_to_best(rows)]
    return " ".join(said)


def _against_single(pairs: Sequence[Pair], rows: Sequence[Best]) -> list[str]:
    """Say which fusions of several sensors are shown to be better than each sensor alone."""
    fused = {row.fusion: row for row in rows if row.fused}
    single = [row.fusion for row in rows if not row.fused]
    against: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        if pair.first in fused and pair.second in single:
            against[pair.first, pair.second] = pair
    full = [name for name in fused if all((name, other) in against for other in single)]
    if not single or not full:
        return []
    nearest = {name: _nearest([against[name, other] for other in single]) for name in full}
    winners = [
        name
        for name in full
        if all(state(against[name, other]) is State.BETTER for other in single)
    ]
    if winners:
        gains = [f"{name} ({_gain(nearest[name])})" for name in winners]
        alone = "each sensor alone" if len(single) > 1 else f"{single[0]} alone"
        return [f"Shown to be better than {alone}: {listed(gains)}."]
    unbeaten = [
        other
        for other in single
        if not any(state(against[name, other]) is State.BETTER for name in full)
    ]
    # The rows stand in the order of their means.
    pair = nearest[full[0]]
    if not unbeaten:
        return [
            f"No fusion of several sensors is shown to be better than each of {listed(single)}."
        ]
    return [
        f"No fusion of several sensors is shown to be better than {listed(unbeaten, 'or')} alone; "
        f"the best of them, {pair.first}, has {amount(pair)} over {pair.second}."
    ]


def _gain(pair: Pair) -> str:
    if pair.compares == SUCCESSES:
        return (
            f"{pair.first_succeeded:.0f} of {pair.seeds} seeds succeed, "
            f"{pair.second_succeeded:.0f} of {pair.second}"
        )
    return f"{amount(pair)} over {pair.second}"


def _nearest(pairs: Sequence[Pair]) -> Pair:
    """Return the pair whose second fusion has the best mean."""
    sign = 1 if METRICS[pairs[0].metric].higher_is_better else -1
    return max(pairs, key=lambda pair: sign * pair.second_mean)


def _to_best(rows: Sequence[Best]) -> list[str]:
    """Say how far each fusion can be below the best, at most."""
    metric, margin = METRICS[rows[0].metric], rows[0].margin
    unit = f" {metric.difference_unit}".rstrip()
    side = "below" if metric.higher_is_better else "above"
    digits = metric.digits - 1
    good = [row for row in rows if row.as_good]
    open_ = [row for row in rows if row.may_be_best and not row.as_good]
    out = [row for row in rows if not row.may_be_best and not row.as_good]

    def at_most(some: Sequence[Best]) -> str:
        ordered = sorted(some, key=lambda row: row.below)
        return listed([f"{row.fusion} {row.below:.{digits}f}" for row in ordered])

    said = []
    if not math.isnan(margin):
        within = f"{margin:g}{unit} of {metric.label}"
        near = [f"{row.fusion} (at most {row.below:.{digits}f} {side} it)" for row in good]
        said.append(
            f"As good as the best, to within {within}: {listed(near)}."
            if good
            else f"No fusion is shown to be within {within} of the best."
        )
    if open_:
        said.append(
            f"Each of these may be the best, or {side} it by at most: {at_most(open_)}{unit}."
        )
    if out:
        said.append(f"Shown not to be the best, and {side} it by at most: {at_most(out)}{unit}.")
    said.append(
        f"These bounds hold together with {100 * LEVEL:.0f} % confidence, as long as no fusion "
        "collapses more often than its seeds show."
    )
    return said


def remarks(pairs: pd.DataFrame, best: pd.DataFrame) -> list[str]:
    """Return what limits the recommendation: irregular seeds, unseen collapse, scope, easy samples.

    Parameters
    ----------
    pairs, best : DataFrame
        As metrics/pairs.csv and metrics/best.csv.
    """
    rows = best_rows(best)
    said = [*_easy(pair_rows(pairs, BASELINE), rows)]
    if len(rows) > 1 and rows[0].seeds >= FEWEST_SEEDS:
        said += [*_irregular(rows), *_collapse(rows), _scope(rows[0])]
    return said


def _irregular(rows: Sequence[Best]) -> list[str]:
    found = [row for row in rows if row.is_irregular]
    if not found:
        return []
    metric, seeds = METRICS[rows[0].metric], rows[0].seeds
    side = "above" if metric.higher_is_better else "below"
    shares = [f"{row.fusion} {row.succeeded}" for row in rows]
    return [
        f"Seeds fall apart, so that means do not describe how {listed([r.fusion for r in found])} "
        "differ from what may be the best: these bounds are not calibrated, and such contrasts "
        "compare how often seeds succeed. That is, of "
        f"{seeds} seeds {side} {metric.text(rows[0].success_beyond)}, midway from chance to the "
        f"best seed: {listed(shares)}."
    ]


def _collapse(rows: Sequence[Best]) -> list[str]:
    """Say what a collapse rate that is not ruled out would do to the best mean."""
    top = next((row for row in rows if row.as_good), rows[0])
    metric, digits = METRICS[top.metric], METRICS[top.metric].digits - 1
    fallen = f"{top.mean_at_collapse_rate:.{digits}f} {metric.unit}".rstrip()
    return [
        f"That {top.collapsed} of {top.seeds} seeds of {top.fusion} collapsed to one class rules "
        f"out no more than rates above {100 * top.collapse_rate:.0f} %: at that rate its mean "
        f"would be {fallen} instead of {top.mean:.{digits}f}, and what is said of it would not "
        "hold."
    ]


def _scope(row: Best) -> str:
    if row.draws == FIXED:
        return (
            "All seeds have the same train and val samples (split.draws: fixed): claims are about "
            "these fusions trained again on them; nothing was redrawn. How often claims err: "
            "docs/calibration.md."
        )
    return (
        "Claims are about these fusions trained again, on other draws of this archive; they say "
        "nothing of other archives. How often they err: docs/calibration.md."
    )


def _easy(pairs: Sequence[Pair], rows: Sequence[Best]) -> list[str]:
    """Say how a threshold on one number does, unless the best fusion is shown to be above it."""
    against = {pair.first: pair for pair in pairs}
    if not rows or rows[0].fusion not in against:
        return []
    pair = against[rows[0].fusion]
    metric = METRICS[pair.metric]
    ends = (pair.fixed_low, pair.fixed_high, pair.retrained_low, pair.retrained_high)
    low, high = ends[:2] if math.isnan(ends[2]) else ends[2:]
    if low > 0 if metric.higher_is_better else high < 0:
        return []
    digits = metric.digits - 1
    reached = f"{metric.label} {pair.second_mean:.{digits}f} {metric.unit}".rstrip()
    return [
        f"A threshold on LiDAR hits × smallest range², fitted on train, has {reached}; the best "
        f"fusion, {pair.first}, differs by {signed(pair.difference, pair)} ({100 * LEVEL:.0f} % "
        f"interval {low:+.{digits}f} to {high:+.{digits}f}). Samples as easy as these need no "
        "fusion: read the pairs as a comparison of fusions, not as a case for one."
    ]


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return names as in a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"

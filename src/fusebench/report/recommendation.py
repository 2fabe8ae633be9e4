"""Which fusion to use, as far as the data tell, and what limits that: sentences.

What a fusion gains over the best sensor alone comes first, then how far each can be below the best
of all. All facts come from metrics/pairs.csv and metrics/best.csv.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.report.best import FIXED, Best, best_rows
from fusebench.report.pairs import Pair, pair_rows, turned
from fusebench.report.roles import BASELINE, PLANNED
from fusebench.report.study import SUCCESSES
from fusebench.report.verdict import State, amount, signed, state
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

_SURE = f"{100 * LEVEL:.0f} %"


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
    lead, bounds = _said(pairs, rows)
    return " ".join(lead or bounds)


def _said(pairs: pd.DataFrame, rows: Sequence[Best]) -> tuple[list[str], list[str]]:
    """Return what answers the question, and the bounds that stand behind it."""
    lead, bounds = _to_best(rows)
    return [*_against_single(pair_rows(pairs, PLANNED), rows), *lead], bounds


def _against_single(pairs: Sequence[Pair], rows: Sequence[Best]) -> list[str]:
    """Say which fusions of several sensors are shown to be better than each sensor alone."""
    fused = [row.fusion for row in rows if row.fused]
    against = _contrasts(pairs, fused, [row.fusion for row in rows if not row.fused])
    # The sensors that are planned at all, the best mean first.
    single = [row.fusion for row in rows if any(row.fusion in of for of in against.values())]
    full = [name for name in fused if set(against.get(name, {})) == set(single)]
    if not single or not full:
        return []
    winners = [
        name for name in full if all(state(pair) is State.BETTER for pair in against[name].values())
    ]
    if winners:
        gains = [f"{name} ({_gain(against[name][single[0]])})" for name in winners]
        alone = "each sensor alone" if len(single) > 1 else f"{single[0]} alone"
        return [f"Shown to be better than {alone}: {listed(gains)}."]
    unbeaten = [
        other
        for other in single
        if not any(state(against[name][other]) is State.BETTER for name in full)
    ]
    if not unbeaten:
        alone = listed(single)
        return [f"No fusion of several sensors is shown to be better than each of {alone}."]
    # Rows stand in the order of their means.
    pair = against[full[0]][unbeaten[0]]
    return [
        f"No fusion of several sensors is shown to be better than {listed(unbeaten, 'or')} alone; "
        f"the best of them, {pair.first}, has {amount(pair)} over {pair.second}."
    ]


def _contrasts(
    pairs: Sequence[Pair], fused: Sequence[str], single: Sequence[str]
) -> dict[str, dict[str, Pair]]:
    """Return the planned pairs of a fusion and a sensor alone, by both, the fusion first."""
    found: dict[str, dict[str, Pair]] = {}
    for pair in pairs:
        for one in (pair, turned(pair)):
            if one.first in fused and one.second in single:
                found.setdefault(one.first, {})[one.second] = one
    return found


def _gain(pair: Pair) -> str:
    if pair.compares == SUCCESSES:
        return (
            f"{pair.first_succeeded:.0f} of {pair.seeds} seeds succeed, "
            f"{pair.second_succeeded:.0f} of {pair.second}"
        )
    return f"{amount(pair)} over {pair.second}"


def _to_best(rows: Sequence[Best]) -> tuple[list[str], list[str]]:
    """Say what is as good as the best, and how far each fusion can be below it, at most."""
    metric, margin = METRICS[rows[0].metric], rows[0].margin
    side = "below" if metric.higher_is_better else "above"
    known = [row for row in rows if not row.is_irregular]
    if not known:
        return ["Seeds fall apart, so no fusion is shown to be near the best by its mean."], []
    candidates = [row.fusion for row in rows if row.may_be_best]
    lead, bounds = [], []
    if len(candidates) == 1 and candidates == [row.fusion for row in known[:1]]:
        lead.append(f"Shown to be the best: {candidates[0]}.")
        known = known[1:]
    good = [row for row in known if row.as_good]
    if not math.isnan(margin) and (good or not lead):
        near = [f"{row.fusion} (at most {bound(row)} {side} it)" for row in good]
        within = f"{measured(margin, metric)} of {metric.label}"
        lead.append(
            f"As good as the best, to within {within}: {listed(near)}."
            if near
            else f"No fusion is shown to be within {within} of the best."
        )
    for words, some in (
        ("Each of these may be the best, or", [row for row in known if row.may_be_best]),
        ("Shown not to be the best, and", [row for row in known if not row.may_be_best]),
    ):
        left = [row for row in some if row not in good]
        if left:
            bounds.append(f"{words} {side} it by at most: {_bounds(left, metric)}.")
    bounds.append(
        f"These bounds hold with {_SURE} confidence together, and so do the tested contrasts, but "
        "not both at once; all as long as no fusion collapses more often than its seeds show."
    )
    return lead, bounds


def bound(row: Best) -> str:
    """Return a bound with the digits of a table, rounded up: it is said to be the most."""
    digits = METRICS[row.metric].digits
    scale = 10.0**digits
    return f"{math.ceil(row.below * scale - 1e-6) / scale:.{digits}f}"


def _bounds(rows: Sequence[Best], metric: Metric) -> str:
    """Return fusions with their bounds, the smallest first."""
    ordered = sorted(rows, key=lambda row: row.below)
    named = listed([f"{row.fusion} {bound(row)}" for row in ordered])
    return f"{named} {metric.difference_unit}".rstrip()


def measured(value: float, metric: Metric) -> str:
    """Return an amount as it was declared, with the unit of a difference."""
    unit = metric.difference_unit
    return (
        f"{value:g} {unit.removesuffix('s') if value == 1 and unit == 'points' else unit}".strip()
    )


def remarks(pairs: pd.DataFrame, best: pd.DataFrame) -> list[str]:
    """Return what stands behind the recommendation, and what limits it.

    Bounds to the best, easy samples, seeds that fall apart, collapse, scope.

    Parameters
    ----------
    pairs, best : DataFrame
        As metrics/pairs.csv and metrics/best.csv.
    """
    rows = best_rows(best)
    said = [*_easy(pair_rows(pairs, BASELINE), rows)]
    if len(rows) > 1 and rows[0].seeds >= FEWEST_SEEDS:
        lead, bounds = _said(pairs, rows)
        if lead and bounds:
            said.insert(0, " ".join(bounds))
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
        "Seeds fall apart, so that means do not describe the differences between some fusions: "
        f"the bounds of {_bounds(found, metric)} are not calibrated, and such contrasts compare "
        f"how often seeds succeed. That is, of {seeds} seeds {side} "
        f"{metric.text(rows[0].success_beyond)}, midway from chance to the best seed: "
        f"{listed(shares)}."
    ]


def _collapse(rows: Sequence[Best]) -> list[str]:
    """Say how many seeds collapsed, what rates that does not rule out, and what they would do."""
    groups: dict[int, list[Best]] = {}
    for row in rows:
        groups.setdefault(row.collapsed, []).append(row)
    counts = [
        f"{count} of {listed([row.fusion for row in some])} "
        f"(up to {100 * some[0].collapse_rate:.0f} % are not ruled out)"
        for count, some in sorted(groups.items())
    ]
    said = f"Of {rows[0].seeds} seeds collapsed to one class: {listed(counts)}."
    top = next((row for row in rows if row.as_good), rows[0])
    if top.collapsed == top.seeds:
        return [said]
    metric, digits = METRICS[top.metric], METRICS[top.metric].digits - 1
    fallen = f"{top.mean_at_collapse_rate:.{digits}f} {metric.unit}".rstrip()
    return [
        f"{said} At that rate the mean of {top.fusion} would be {fallen} instead of "
        f"{top.mean:.{digits}f}, and what is said of it may not hold."
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
    few = pair.seeds < FEWEST_SEEDS
    ends = (pair.fixed_low, pair.fixed_high) if few else (pair.retrained_low, pair.retrained_high)
    # From the threshold's value a difference leads at most to the metric's bounds.
    least, largest = (bound - pair.second_mean for bound in metric.bounds)
    low, high = np.clip(ends, least, largest).tolist()
    worst, most = (low, high) if metric.higher_is_better else (-high, -low)
    if worst > 0:
        return []
    digits, models = metric.digits - 1, " for these trained models" if few else ""
    reached = f"{metric.label} {pair.second_mean:.{digits}f} {metric.unit}".rstrip()
    margin = 0.0 if math.isnan(rows[0].margin) else rows[0].margin
    meaning = (
        "Samples as easy as these need no fusion: read the pairs as a comparison of fusions, not "
        "as a case for one."
        if most <= margin
        else "No fusion is shown to be better than this rule."
    )
    return [
        f"A threshold on LiDAR hits × smallest range², fitted on train, has {reached}; the best "
        f"fusion, {pair.first}, differs by {signed(pair.difference, pair)} ({_SURE} interval "
        f"{low:+.{digits}f} to {high:+.{digits}f}{models}). {meaning}"
    ]


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return names as in a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"

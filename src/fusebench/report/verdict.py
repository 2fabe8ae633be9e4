"""What may be said of two fusions, and which one to use: sentences that never say more than shown.

All facts come from the rows of metrics/pairs.csv; nothing is computed here but which words fit.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from enum import Enum

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.prediction.predictions import BASELINES
from fusebench.report.pairs import Pair, primary_pairs
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

_, _THRESHOLD = BASELINES


class State(Enum):
    """What a pair's figures allow to be said of the fusions, retrained."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    SATURATED = "saturated"
    TOO_FEW_SEEDS = "too few seeds"


def state(pair: Pair) -> State:
    """Return what a pair's figures on the primary metric allow to be said."""
    if pair.seeds < FEWEST_SEEDS or math.isnan(pair.retrained_holm):
        return State.TOO_FEW_SEEDS
    if pair.retrained_holm <= 1 - LEVEL:
        return State.BETTER if _first_is_better(pair) else State.WORSE
    return State.SATURATED if _saturated(pair) else State.UNDECIDED


def _first_is_better(pair: Pair) -> bool:
    """Tell whether the difference speaks for the first fusion."""
    return pair.difference > 0 if METRICS[pair.metric].higher_is_better else pair.difference < 0


def _saturated(pair: Pair) -> bool:
    """Tell whether the room left above both is less than what no test of this size rules out."""
    low, high = METRICS[pair.metric].bounds
    means = (pair.first_mean, pair.second_mean)
    room = high - min(means) if METRICS[pair.metric].higher_is_better else max(means) - low
    return room < pair.exact_bound


def sentence(pair: Pair, tests: int) -> str:
    """Return one sentence on a pair, from the first fusion's side.

    Parameters
    ----------
    tests : int
        How many pairs Holm's correction was over.
    """
    said = {
        State.BETTER: _shown,
        State.WORSE: _shown,
        State.UNDECIDED: _undecided,
        State.SATURATED: _saturation,
        State.TOO_FEW_SEEDS: _too_few,
    }[state(pair)](pair, tests)
    return said + _collapsed(pair)


def _shown(pair: Pair, tests: int) -> str:
    word = "better" if state(pair) is State.BETTER else "worse"
    return (
        f"{pair.first} is {word} than {pair.second}: {_amount(pair.difference, pair)} "
        f"({_interval(pair.retrained_low, pair.retrained_high, pair)}; {_p(pair.retrained_holm)}"
        f"{_after_holm(tests)})."
    )


def _undecided(pair: Pair, tests: int) -> str:
    return (
        f"{pair.first} against {pair.second}: no difference shown{_after_holm(tests)}, "
        f"{_amount(pair.difference, pair)} "
        f"({_interval(pair.retrained_low, pair.retrained_high, pair)}){_power(pair)}."
    )


def _power(pair: Pair) -> str:
    if math.isnan(pair.minimum_detectable):
        return ""
    return (
        f"; a difference above {_unsigned(pair.minimum_detectable, pair)} would have been seen in "
        "four of five such studies, if seeds differ as much as here"
    )


def _saturation(pair: Pair, _tests: int) -> str:
    end = "ceiling" if METRICS[pair.metric].higher_is_better else "floor"
    return (
        f"{pair.first} against {pair.second}: both are at the {end} "
        f"({_means(pair)}), where only a difference above "
        f"{_unsigned(pair.minimum_detectable, pair)} would have been seen; these samples "
        "cannot tell them apart."
    )


def _too_few(pair: Pair, tests: int) -> str:
    head = f"{pair.first} against {pair.second}: {_amount(pair.difference, pair)}"
    tail = (
        f"; {pair.seeds} seed(s) are too few to say it of the fusions, retrained "
        f"(from {FEWEST_SEEDS} on)."
    )
    if math.isnan(pair.fixed_holm):
        return head + tail
    if pair.fixed_holm > 1 - LEVEL:
        said = "not even shown of these trained models"
    else:
        word = "better" if _first_is_better(pair) else "worse"
        said = f"these trained models of {pair.first} are {word}"
    interval = _interval(pair.fixed_low, pair.fixed_high, pair)
    return f"{head}, {said} ({interval}; {_p(pair.fixed_holm)}{_after_holm(tests)}){tail}"


def _collapsed(pair: Pair) -> str:
    counts = {pair.first: pair.first_collapsed, pair.second: pair.second_collapsed}
    seeds = [f"{name} in {count} of {pair.seeds} seeds" for name, count in counts.items() if count]
    if not seeds:
        return ""
    return f" Collapsed to one class, which the means include: {' and '.join(seeds)}."


def _digits(pair: Pair) -> int:
    # One digit less than in a table: a sentence compares.
    return METRICS[pair.metric].digits - 1


def _amount(difference: float, pair: Pair) -> str:
    metric = METRICS[pair.metric]
    amount = f"{difference:+.{_digits(pair)}f} {metric.difference_unit}".rstrip()
    return f"{amount} of {metric.label}"


def _unsigned(difference: float, pair: Pair) -> str:
    return f"{difference:.{_digits(pair)}f} {METRICS[pair.metric].difference_unit}".rstrip()


def _means(pair: Pair) -> str:
    digits, unit = _digits(pair), METRICS[pair.metric].unit
    return f"{pair.first_mean:.{digits}f} and {pair.second_mean:.{digits}f} {unit}".rstrip()


def _interval(low: float, high: float, pair: Pair) -> str:
    digits = _digits(pair)
    return f"{100 * LEVEL:.0f} % interval {low:+.{digits}f} to {high:+.{digits}f}"


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"


def _after_holm(tests: int) -> str:
    return f" after Holm over {tests} pairs" if tests > 1 else ""


def verdict(pairs: pd.DataFrame) -> list[str]:
    """Return all sentences: which fusion to use first, then each pair, the surest first.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    """
    rows = primary_pairs(pairs)
    order = sorted(rows, key=lambda pair: (_decisive_p(pair), -abs(pair.difference)))
    return [recommendation(pairs), *(sentence(pair, len(rows)) for pair in order)]


def _decisive_p(pair: Pair) -> float:
    p = pair.retrained_holm if pair.seeds >= FEWEST_SEEDS else pair.fixed_holm
    return 1.0 if math.isnan(p) else p


def recommendation(pairs: pd.DataFrame) -> str:
    """Return which fusion to use: all that no other was shown to be better than.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    """
    rows = primary_pairs(pairs)
    if not rows:
        return "There is one fusion, so nothing is compared."
    if any(state(pair) is State.TOO_FEW_SEEDS for pair in rows):
        return (
            f"No recommendation: {rows[0].seeds} seed(s) are too few to tell fusions from their "
            f"seeds; from {FEWEST_SEEDS} on there is a verdict (make verdict trains 10)."
        )
    order, beaten = _best_first(rows), _beaten(rows)
    left = [name for name in order if name not in beaten]
    lost = [name for name in order if name in beaten]
    if not lost:
        return f"No fusion is shown to be better than another: {_listed(order)}."
    if not left:
        return f"No recommendation: each of {_listed(order)} is shown to be worse than another."
    if len(left) == 1:
        return _single(left[0], lost, beaten)
    return (
        f"Use any of {_listed(left)}: none of these is shown to be worse than another. "
        f"Shown to be worse than another: {_listed(lost)}."
    )


def _best_first(pairs: Sequence[Pair]) -> list[str]:
    """Return the names of the fusions by their means, the best first."""
    means: dict[str, float] = {}
    for pair in pairs:
        means |= {pair.first: pair.first_mean, pair.second: pair.second_mean}
    higher_is_better = METRICS[pairs[0].metric].higher_is_better
    return sorted(means, key=lambda name: means[name], reverse=higher_is_better)


def _beaten(pairs: Sequence[Pair]) -> dict[str, set[str]]:
    """Return, for each fusion that another is shown to be better than, by which ones."""
    beaten: dict[str, set[str]] = {}
    for pair in pairs:
        if state(pair) is State.BETTER:
            beaten.setdefault(pair.second, set()).add(pair.first)
        elif state(pair) is State.WORSE:
            beaten.setdefault(pair.first, set()).add(pair.second)
    return beaten


def _single(left: str, lost: Sequence[str], beaten: Mapping[str, set[str]]) -> str:
    """Return the recommendation of the only fusion that none is shown to be better than."""
    direct = [name for name in lost if left in beaten[name]]
    others = [name for name in lost if left not in beaten[name]]
    why = (
        f"it is shown to be better than {_listed(direct)}"
        if direct
        else "it alone is not shown to be worse than another"
    )
    rest = f" Shown to be worse than another: {_listed(others)}." if others else ""
    return f"Use {left}: {why}.{rest}"


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def baseline_remark(comparison: pd.DataFrame) -> str:
    """Return what a rule without training says of the fusions, if none of them is above it.

    Parameters
    ----------
    comparison : DataFrame
        As metrics/comparison.csv. Empty text: some fusion is above, or the file is of a commit
        that has no balanced accuracy.
    """
    if "Test Balanced Accuracy" not in comparison:
        return ""
    scores = comparison.set_index("Model")["Test Balanced Accuracy"].astype(float)
    fusions = scores.drop(list(BASELINES), errors="ignore")
    if _THRESHOLD not in scores or fusions.max() > scores[_THRESHOLD]:
        return ""
    best = f"the best fusion has {fusions.max():.1f} %"
    return (
        f"A threshold on LiDAR hits × smallest range², with nothing trained, has "
        f"{scores[_THRESHOLD]:.1f} % balanced accuracy; {best}. Samples as easy as these need no "
        "fusion: read the pairs as a comparison of fusions, not as a case for one."
    )


def on_screen(sentences: Sequence[str], width: int) -> str:
    """Return sentences on lines of their own, none longer than `width`; empty ones left out."""
    return "\n".join(textwrap.fill(sentence, width) for sentence in sentences if sentence)

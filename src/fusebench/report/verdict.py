"""What may be said of two fusions: sentences that never say more than shown.

All facts come from the rows of metrics/pairs.csv; nothing is computed here but which words fit.
"""

import math
import textwrap
from collections.abc import Sequence
from enum import Enum

import pandas as pd

from fusebench.evaluation.metrics import METRICS
from fusebench.report.pairs import Pair, pair_rows, primary_pairs
from fusebench.report.roles import PLANNED
from fusebench.report.study import SUCCESSES
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

# From this share on, an interval says how much of it is not measured but added.
_MUCH = 0.2


class State(Enum):
    """What a pair's figures allow to be said of the fusions, trained again."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    SATURATED = "saturated"
    UNPLANNED = "unplanned"
    TOO_FEW_SEEDS = "too few seeds"


def state(pair: Pair) -> State:
    """Return what a pair's figures on the primary metric allow to be said."""
    if pair.seeds < FEWEST_SEEDS or math.isnan(pair.retrained_error):
        return State.TOO_FEW_SEEDS
    if pair.role != PLANNED:
        return State.UNPLANNED
    if pair.holm <= 1 - LEVEL:
        return State.BETTER if _first_is_better(pair) else State.WORSE
    return State.SATURATED if _saturated(pair) else State.UNDECIDED


def _first_is_better(pair: Pair) -> bool:
    """Tell whether what is compared speaks for the first fusion."""
    if pair.compares == SUCCESSES:
        return pair.first_succeeded > pair.second_succeeded
    return pair.difference > 0 if METRICS[pair.metric].higher_is_better else pair.difference < 0


def _saturated(pair: Pair) -> bool:
    """Tell whether even a perfect fusion could not be shown to be better than the worse one."""
    low, high = METRICS[pair.metric].bounds
    means = (pair.first_mean, pair.second_mean)
    room = high - min(means) if METRICS[pair.metric].higher_is_better else max(means) - low
    return pair.compares != SUCCESSES and room < _half_width(pair)


def _half_width(pair: Pair) -> float:
    """Half of the interval that holds together with those of all planned contrasts."""
    return (pair.simultaneous_high - pair.simultaneous_low) / 2


def ruled_out(pair: Pair) -> float:
    """Return the difference, either way, that the simultaneous interval rules out."""
    return max(abs(pair.simultaneous_low), abs(pair.simultaneous_high))


def sentence(pair: Pair, tests: int) -> str:
    """Return one sentence on a pair, from the first fusion's side.

    Parameters
    ----------
    tests : int
        How many planned contrasts Holm's correction was over.
    """
    said = {
        State.BETTER: _shown,
        State.WORSE: _shown,
        State.UNDECIDED: _undecided,
        State.SATURATED: _undecided,
        State.UNPLANNED: _unplanned,
        State.TOO_FEW_SEEDS: _too_few,
    }[state(pair)](pair, tests)
    return said + _collapsed(pair)


def _shown(pair: Pair, tests: int) -> str:
    word = "better" if state(pair) is State.BETTER else "worse"
    head = f"{pair.first} is {word} than {pair.second}"
    if pair.compares == SUCCESSES:
        return (
            f"{head} by how often it succeeds: {_by_successes(pair, tests)}; the better one may "
            f"still collapse in {100 * pair.collapse_rate:.0f} % of seeds."
        )
    return (
        f"{head}: {amount(pair, f'{_p(pair.holm)}{_after_holm(tests)}')}{_at_collapse(pair)}"
        f"{_pseudo(pair)}."
    )


def _undecided(pair: Pair, tests: int) -> str:
    head = f"{pair.first} against {pair.second}: no difference shown"
    if pair.compares == SUCCESSES:
        return f"{head} in how often they succeed: {_by_successes(pair, tests)}."
    return (
        f"{head}, {amount(pair)}; differences above {unsigned(ruled_out(pair), pair)} are ruled "
        f"out{_together(tests)}{_saturation(pair)}{_pseudo(pair)}."
    )


def _by_successes(pair: Pair, tests: int) -> str:
    """Say how many seeds of each succeed, and what the means would say."""
    return (
        f"{pair.first_succeeded:.0f} and {pair.second_succeeded:.0f} of {pair.seeds} seeds "
        f"({_p(pair.holm)} by an exact paired test{_after_holm(tests)}); differences over seeds "
        f"are visibly not normal, so the difference of means, {amount(pair)}, is not calibrated "
        f"and decides nothing{_too_few_to_tell(pair, tests)}"
    )


def _too_few_to_tell(pair: Pair, tests: int) -> str:
    """Say so where not even seeds of which all succeed in one fusion alone would show it."""
    least = 2 * 0.5**pair.seeds * tests
    return f"; {pair.seeds} seeds cannot show one so" if least > 1 - LEVEL else ""


def _at_collapse(pair: Pair) -> str:
    """Say what is left of a shown difference if seeds collapse as often as is not ruled out."""
    ahead_is_first = (pair.first_mean >= pair.second_mean) is METRICS[pair.metric].higher_is_better
    ahead, count = (
        (pair.first, pair.first_collapsed)
        if ahead_is_first
        else (pair.second, pair.second_collapsed)
    )
    return (
        f"; if {ahead} collapsed in {100 * pair.collapse_rate:.0f} % of seeds, which {count:.0f} "
        f"of {pair.seeds} does not rule out, it would be "
        f"{signed(pair.difference_at_collapse_rate, pair)}"
    )


def _pseudo(pair: Pair) -> str:
    share = pair.pseudo_share
    return f"; {100 * share:.0f} % of the variance are pseudo-samples" if share > _MUCH else ""


def _together(tests: int) -> str:
    return f" ({100 * LEVEL:.0f} % for all {tests} contrasts together)" if tests > 1 else ""


def _saturation(pair: Pair) -> str:
    """Say so where so few seeds and samples cannot tell such fusions apart, whatever comes out."""
    if state(pair) is not State.SATURATED:
        return ""
    return f"; beside {_worse_mean(pair)} not even a perfect fusion could be shown to be better"


def _unplanned(pair: Pair, _tests: int) -> str:
    return (
        f"{pair.first} against {pair.second}: {amount(pair)}; not a planned contrast, so not "
        f"tested{_pseudo(pair)}."
    )


def _too_few(pair: Pair, tests: int) -> str:
    head = f"{pair.first} against {pair.second}: {_amount(pair.difference, pair)}"
    tail = (
        f"; {pair.seeds} seed(s) are too few to say it of the fusions, trained again "
        f"(from {FEWEST_SEEDS} on)."
    )
    interval = _interval(pair.fixed_low, pair.fixed_high, pair)
    if pair.role != PLANNED:
        return f"{head} ({interval} for these trained models); not a planned contrast, not tested."
    if pair.fixed_holm > 1 - LEVEL:
        said = "not even shown of these trained models"
    else:
        better = (pair.difference > 0) is METRICS[pair.metric].higher_is_better
        word = "better" if better else "worse"
        said = f"these trained models of {pair.first} are {word}"
    return f"{head}, {said} ({interval}; {_p(pair.fixed_holm)}{_after_holm(tests)}){tail}"


def _collapsed(pair: Pair) -> str:
    counts = {pair.first: pair.first_collapsed, pair.second: pair.second_collapsed}
    seeds = [
        f"{name} in {count:.0f} of {pair.seeds} seeds" for name, count in counts.items() if count
    ]
    if not seeds:
        return ""
    return f" Collapsed to one class, which the means include: {' and '.join(seeds)}."


def _digits(pair: Pair) -> int:
    # One digit less than in a table: a sentence compares.
    return METRICS[pair.metric].digits - 1


def amount(pair: Pair, *more: str) -> str:
    """Return the difference with its interval when trained again, and more beside that."""
    interval = _interval(pair.retrained_low, pair.retrained_high, pair)
    return f"{_amount(pair.difference, pair)} ({'; '.join((interval, *more))})"


def _amount(difference: float, pair: Pair) -> str:
    return f"{signed(difference, pair)} of {METRICS[pair.metric].label}"


def signed(difference: float, pair: Pair) -> str:
    """Return a difference with its sign and unit."""
    text = f"{difference:+.{_digits(pair)}f}"
    return f"{text} {METRICS[pair.metric].difference_unit}".rstrip()


def unsigned(difference: float, pair: Pair) -> str:
    """Return an amount with its unit."""
    return f"{difference:.{_digits(pair)}f} {METRICS[pair.metric].difference_unit}".rstrip()


def _worse_mean(pair: Pair) -> str:
    metric = METRICS[pair.metric]
    worse = (min if metric.higher_is_better else max)(pair.first_mean, pair.second_mean)
    return f"{worse:.{_digits(pair)}f} {metric.unit}".rstrip()


def _interval(low: float, high: float, pair: Pair) -> str:
    digits = _digits(pair)
    return f"{100 * LEVEL:.0f} % interval {low:+.{digits}f} to {high:+.{digits}f}"


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"


def _after_holm(tests: int) -> str:
    return f" after Holm over {tests} contrasts" if tests > 1 else ""


def sentences(pairs: pd.DataFrame) -> list[str]:
    """Return a sentence on each pair: the planned contrasts, the surest first; then the others.

    Parameters
    ----------
    pairs : DataFrame
        As metrics/pairs.csv.
    """
    tests = len(pair_rows(pairs, PLANNED))
    order = sorted(
        primary_pairs(pairs),
        key=lambda pair: (pair.role != PLANNED, _decisive_p(pair), -abs(pair.difference)),
    )
    return [sentence(pair, tests) for pair in order]


def _decisive_p(pair: Pair) -> float:
    p = pair.holm if pair.seeds >= FEWEST_SEEDS else pair.fixed_holm
    return 1.0 if math.isnan(p) else p


def on_screen(said: Sequence[str], width: int) -> str:
    """Return sentences on lines of their own, none longer than `width`; empty ones left out."""
    return "\n".join(textwrap.fill(sentence, width) for sentence in said if sentence)

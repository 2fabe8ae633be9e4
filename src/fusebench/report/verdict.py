"""What may be said of two fusions, and which one to use: sentences that never say more than shown.

All facts come from lines of metrics/pairs.csv; nothing is computed here but which words fit.
"""

import textwrap
from collections.abc import Mapping, Sequence
from enum import Enum

from fusebench.models.registry import BASELINES
from fusebench.report.pairs import Pair, better, primary_pairs
from fusebench.report.results import THRESHOLD
from fusebench.report.table import SCREEN_WIDTH
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL

_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
    "nll": "NLL",
    "f1": "F1",
    "auroc": "AUROC",
}


class State(Enum):
    """What a pair's figures allow to be said of the fusions, trained again."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    SATURATED = "saturated"
    TOO_FEW_SEEDS = "too few seeds"


def state(pair: Pair) -> State:
    """Return what a pair's figures on the primary metric allow to be said."""
    if pair.seeds < FEWEST_SEEDS or pair.again_holm is None:
        return State.TOO_FEW_SEEDS
    if pair.again_holm <= 1 - LEVEL:
        return State.BETTER if better(pair.metric, pair.difference) else State.WORSE
    return State.SATURATED if _saturated(pair) else State.UNDECIDED


def _saturated(pair: Pair) -> bool:
    """Tell whether less room is left above both than may hide where no id is discordant."""
    return 100 - min(pair.first_mean, pair.second_mean) < pair.hidden


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
    return said + _stuck(pair)


def _shown(pair: Pair, tests: int) -> str:
    word = "better" if state(pair) is State.BETTER else "worse"
    return (
        f"{pair.first} is {word} than {pair.second}: {_amount(pair.difference, pair)} "
        f"({_interval(pair.again_low, pair.again_high, pair)}; {_p(pair.again_holm)}"
        f"{_after_holm(tests)})."
    )


def _undecided(pair: Pair, tests: int) -> str:
    return (
        f"{pair.first} against {pair.second}: no difference shown{_after_holm(tests)}, "
        f"{_amount(pair.difference, pair)} "
        f"({_interval(pair.again_low, pair.again_high, pair)}); a difference above "
        f"{_plain(pair.detectable, pair)} would have been seen in four of five such studies, "
        "if seeds differ as much as here."
    )


def _saturation(pair: Pair, _tests: int) -> str:
    return (
        f"{pair.first} against {pair.second}: both are at the ceiling "
        f"({pair.first_mean:.1f} and {pair.second_mean:.1f} %), where only a difference above "
        f"{_plain(pair.detectable, pair)} would have been seen; these samples cannot tell them "
        "apart."
    )


def _too_few(pair: Pair, tests: int) -> str:
    head = f"{pair.first} against {pair.second}: {_amount(pair.difference, pair)}"
    tail = (
        f"; {pair.seeds} seed(s) are too few to say it of the fusions trained again "
        f"(from {FEWEST_SEEDS} on)."
    )
    if pair.models_holm is None:
        return head + tail
    if pair.models_holm > 1 - LEVEL:
        said = "not even shown of these trained models"
    else:
        word = "better" if better(pair.metric, pair.difference) else "worse"
        said = f"these trained models of {pair.first} are {word}"
    interval = _interval(pair.models_low, pair.models_high, pair)
    return f"{head}, {said} ({interval}; {_p(pair.models_holm)}{_after_holm(tests)}){tail}"


def _stuck(pair: Pair) -> str:
    held = [
        f"{name} in {count} of {pair.seeds} seeds"
        for name, count in ((pair.first, pair.first_stuck), (pair.second, pair.second_stuck))
        if count
    ]
    if not held:
        return ""
    return f" Stuck at the majority class, which the means include: {' and '.join(held)}."


def metric_name(metric: str) -> str:
    """Return how sentences and pictures call a metric."""
    return _NAMES.get(metric, metric)


def unit(metric: str) -> str:
    """Return the unit of a metric's differences."""
    return "nats" if metric == "nll" else "points"


def _amount(value: float, pair: Pair) -> str:
    digits = 3 if pair.metric == "nll" else 1
    return f"{value:+.{digits}f} {unit(pair.metric)} of {metric_name(pair.metric)}"


def _plain(value: float | None, pair: Pair) -> str:
    digits = 3 if pair.metric == "nll" else 1
    return f"{value or 0:.{digits}f} {unit(pair.metric)}"


def _interval(low: float | None, high: float | None, pair: Pair) -> str:
    digits = 3 if pair.metric == "nll" else 1
    return f"{100 * LEVEL:.0f} % interval {low:+.{digits}f} to {high:+.{digits}f}"


def _p(value: float | None) -> str:
    held = value or 0.0
    return "p < 0.0001" if held < 0.0001 else f"p = {held:.2g}"


def _after_holm(tests: int) -> str:
    return f" after Holm over {tests} pairs" if tests > 1 else ""


def verdict(pairs: Sequence[Pair]) -> list[str]:
    """Return all sentences: which fusion to use first, then each pair, the surest first."""
    held = primary_pairs(pairs)
    order = sorted(held, key=lambda pair: (_certainty(pair), -abs(pair.difference)))
    return [recommendation(pairs), *(sentence(pair, len(held)) for pair in order)]


def _certainty(pair: Pair) -> float:
    held = pair.again_holm if pair.seeds >= FEWEST_SEEDS else pair.models_holm
    return 1.0 if held is None else held


def recommendation(pairs: Sequence[Pair]) -> str:
    """Return which fusion to use: all that no other was shown to be better than."""
    pairs = primary_pairs(pairs)
    if not pairs:
        return "There is one fusion, so nothing is compared."
    means: dict[str, float] = {}
    for pair in pairs:
        means |= {pair.first: pair.first_mean, pair.second: pair.second_mean}
    order = sorted(means, key=lambda name: means[name], reverse=not _lower(pairs[0]))
    if any(state(pair) is State.TOO_FEW_SEEDS for pair in pairs):
        return (
            f"No recommendation: {pairs[0].seeds} seed(s) are too few to tell fusions from their "
            f"seeds; from {FEWEST_SEEDS} on there is a verdict (make verdict trains 10)."
        )
    beaten = _beaten(pairs)
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


def baseline_remark(rows: Sequence[Mapping[str, str]]) -> str:
    """Return what a rule without training says of the fusions, if none of them is above it.

    Parameters
    ----------
    rows : sequence of mapping
        The lines of metrics/comparison.csv. Empty text: some fusion is above.
    """
    column = "Test Balanced Accuracy"
    held = {row["Model"]: float(row[column]) for row in rows}
    rule = held.get(THRESHOLD)
    best = max((value for name, value in held.items() if name not in BASELINES), default=0.0)
    if rule is None or best > rule:
        return ""
    return (
        f"A threshold on LiDAR hits × smallest range², with nothing trained, has {rule:.1f} % "
        f"balanced accuracy; the best fusion has {best:.1f} %. Samples as easy as these need no "
        "fusion: read the pairs as a comparison of fusions, not as a case for one."
    )


def on_screen(sentences: Sequence[str]) -> str:
    """Return sentences on lines of their own, none longer than the table; empty ones left out."""
    return "\n".join(textwrap.fill(each, SCREEN_WIDTH) for each in sentences if each)


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


def _lower(pair: Pair) -> bool:
    return better(pair.metric, -1.0)


def _beaten(pairs: Sequence[Pair]) -> dict[str, set[str]]:
    """Return, for each fusion that another is shown to be better than, by which ones."""
    beaten: dict[str, set[str]] = {}
    for pair in pairs:
        found = state(pair)
        if found is State.BETTER:
            beaten.setdefault(pair.second, set()).add(pair.first)
        elif found is State.WORSE:
            beaten.setdefault(pair.first, set()).add(pair.second)
    return beaten


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"

"""A diff of two states in words and figures, for a screen."""

import math
import textwrap
from collections.abc import Iterator

from fusebench.evaluation.metrics import METRICS, Metric
from fusebench.report.pairs import Pair
from fusebench.report.study import SUCCESSES
from fusebench.report.table import SCREEN_WIDTH
from fusebench.report.verdict import sentence
from fusebench.revisions.diff import Change, Diff

# Name of each claim, how its columns begin, and the column of its p.
_CLAIMS = (
    ("these trained models", "fixed", "fixed_holm"),
    ("trained again", "retrained", "holm"),
)
# Of the columns after the first, which takes any metric's name.
_WIDTHS = (12, 22, 18)


def diff_text(difference: Diff) -> str:
    """Return all that a diff says, in lines of at most 100 columns."""
    text = [_wrapped(line) for line in diff_head(difference)]
    tests = len(difference.changes)
    text += ["\n".join(["", *_block(change, tests)]) for change in difference.changes]
    return "\n".join(text)


def diff_head(difference: Diff) -> list[str]:
    """Return what is compared, what of it has no partner, and what is the same, a sentence each."""
    lines = [f"Test part, before: {difference.before}, after: {difference.after}."]
    lines += [
        f"Only in {side}, without a partner: fusions {', '.join(names)}."
        for side, names in difference.missing.items()
        if names
    ]
    lines += [
        f"Only in {side}, without a partner: {what}; of {', '.join(names)}."
        for (side, what), names in difference.alone.items()
    ]
    if difference.same:
        lines.append(f"The same predictions before and after: {', '.join(difference.same)}.")
    return lines


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(
        line, SCREEN_WIDTH, initial_indent=indent, subsequent_indent=indent or "  ",
        break_on_hyphens=False,
    )  # fmt: skip


def _block(change: Change, tests: int) -> Iterator[str]:
    """Return what is said of one fusion: metrics, claims, sentence."""
    pair = change.pair
    yield _wrapped(f"{change.fusion}: {pair.seeds} seed(s), {change.samples} test samples")
    yield _row("", "before", "after", "change")
    for name, (before, after) in change.metrics.items():
        digits = METRICS[name].digits
        change_of = f"{after - before:+.{digits}f}"
        yield _row(_label(METRICS[name]), f"{before:.{digits}f}", f"{after:.{digits}f}", change_of)
    yield _row(METRICS[pair.metric].label, "difference", "95 % interval", _p_heading(tests))
    for words, claim, p in _CLAIMS:
        if not math.isnan(getattr(pair, f"{claim}_low")):
            # Not of the means that stand beside it, where successes are compared.
            of_means = claim == "fixed" or pair.compares != SUCCESSES
            yield _claim(words, pair, claim, getattr(pair, p) if of_means else math.nan)
    yield _wrapped(sentence(pair, tests), "  ")


def _label(metric: Metric) -> str:
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def _row(label: str, *cells: str) -> str:
    width = max(len(_label(metric)) for metric in METRICS.values()) + 2
    return f"  {label:<{width}}" + "".join(f"{c:>{w}}" for c, w in zip(cells, _WIDTHS, strict=True))


def _p_heading(tests: int) -> str:
    return f"p (Holm over {tests})" if tests > 1 else "p"


def _claim(words: str, pair: Pair, claim: str, p: float) -> str:
    low, high = (getattr(pair, f"{claim}_{name}") for name in ("low", "high"))
    digits = METRICS[pair.metric].digits
    interval = f"{low:+.{digits}f} to {high:+.{digits}f}"
    return _row(words, f"{pair.difference:+.{digits}f}", interval, _p(p))


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"

"""A diff of two states in words and figures, for a screen."""

import textwrap
from collections.abc import Iterator

from fusebench.report.pairs import Pair
from fusebench.report.table import SCREEN_WIDTH
from fusebench.report.verdict import metric_name, sentence
from fusebench.revisions.diff import Change, Diff

_CLAIMS = {"these trained models": "models", "trained again": "again"}


def diff_text(found: Diff) -> str:
    """Return all that a diff says, in lines of at most 100 columns."""
    lines = [f"Test part, before: {found.before}, after: {found.after}."]
    lines += [
        f"Only in {side}, without a partner: fusions {', '.join(names)}."
        for side, names in found.missing.items()
        if names
    ]
    lines += [
        f"Only in {side}, without a partner: {what}; of {', '.join(names)}."
        for (side, what), names in found.alone.items()
    ]
    if found.same:
        lines.append(f"The same predictions before and after: {', '.join(found.same)}.")
    text = [_wrapped(line) for line in lines]
    tests = len(found.changes)
    text += ["\n".join(["", *_block(change, tests)]) for change in found.changes]
    return "\n".join(text)


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
        digits = _digits(name)
        yield _row(
            f"{metric_name(name)} ({'nats' if name == 'nll' else '%'})",
            f"{before:.{digits}f}", f"{after:.{digits}f}", f"{after - before:+.{digits}f}",
        )  # fmt: skip
    yield _row(metric_name(pair.metric), "difference", "95 % interval", _p_heading(tests))
    for words, claim in _CLAIMS.items():
        if getattr(pair, f"{claim}_low") is not None:
            yield _claim(words, pair, claim)
    yield _wrapped(sentence(pair, tests), "  ")


def _row(label: str, *cells: str) -> str:
    widths = (12, 22, 18)
    return f"  {label:<27}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))


def _p_heading(tests: int) -> str:
    return f"p (Holm over {tests})" if tests > 1 else "p"


def _claim(words: str, pair: Pair, claim: str) -> str:
    low, high, p = (getattr(pair, f"{claim}_{name}") for name in ("low", "high", "holm"))
    digits = _digits(pair.metric)
    interval = f"{low:+.{digits}f} to {high:+.{digits}f}"
    return _row(words, f"{pair.difference:+.{digits}f}", interval, _p(p))


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def _digits(metric: str) -> int:
    return 4 if metric == "nll" else 2

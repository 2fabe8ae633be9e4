"""Markdown from parts: names that a user chose may hold what Markdown reads as its own."""

import math
import re
from collections.abc import Sequence
from typing import Any

from fusebench.errors import one_line

# Differences below it are not told apart.
_SMALLEST = 1e-12
# Also what HTML reads, which Markdown passes on.
_OWN = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def plain(text: object) -> str:
    """Return a text on one line, as Markdown shows it letter by letter."""
    return _OWN.sub(r"\\\1", one_line(str(text), 1000))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: bool = True) -> str:
    """Return a table of cells in Markdown.

    Parameters
    ----------
    numbers : bool
        Whether all columns but the first are numbers; else they are text, too.
    """
    line = ["---", *["--:" if numbers else "---"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, line, *rows))


def at_most(value: float) -> str:
    """Return a difference, rounded up: it is said to be the most."""
    if value == 0:
        return "0"
    if value < _SMALLEST:
        return f"below {_SMALLEST:g}"
    scale = 10.0 ** (1 - math.floor(math.log10(value)))
    return f"{math.ceil(value * scale) / scale:.1e}"

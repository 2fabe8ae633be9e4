"""What tables of results are made of, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], rule: str) -> str:
    """Return a Markdown table whose cells are not padded; `rule` is its second line.

    (`DataFrame.to_markdown` pads each column to its widest cell, and lines become unreadable.)
    """
    first, *rest = (f"| {' | '.join(cells)} |" for cells in (header, *rows))
    return "\n".join([first, rule, *rest])


def number_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with numbers in all columns but the first."""
    return table(header, rows, f"| --- |{' --: |' * (len(header) - 1)}")


def limit_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the table of what is judged: what it is, its value, its limit, whether it is met."""
    return number_table(["measured", "median (min–max)", "limit", "met"], rows)


def spread_cell(spread: Result) -> str:
    """Return median and ends of repeated measurements."""
    digits = 0 if spread["median"] >= 100 else 2
    median, low, high = (f"{spread[key]:.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"


def least_row(label: str, shown: str, value: float, least: float, unit: str) -> list[str]:
    """Return a row of `limit_table` whose value is to be at least `least`."""
    met = "yes" if value >= least else "no"
    return [label, f"{shown} {unit}", f"at least {least:g} {unit}", met]


def most_row(label: str, spread: Result, unit: str, most: float | None) -> list[str]:
    """Return a row of `limit_table` whose median is to be at most `most`; None: it is only shown.

    What was not measured says why, in `not_measured` of its spread.
    """
    limit = "" if most is None else f"{most:g} {unit}"
    if "not_measured" in spread:
        return [label, f"not measured: {spread['not_measured']}", limit, ""]
    met = "" if most is None else "yes" if spread["median"] <= most else "no"
    return [label, f"{spread_cell(spread)} {unit}", limit, met]

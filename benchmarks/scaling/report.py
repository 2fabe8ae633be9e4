"""Results of scale.py as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.cells import (
    Result,
    least_row,
    limit_table,
    most_row,
    number_table,
    spread_cell,
)
from benchmarks.scaling.plan import HELD, KINDS, LIMITS, STREAMED
from benchmarks.timing import ratios, spread

Rows = Mapping[tuple[str, int], Result]
"""By kind and number of samples."""


def scale_tables(results: Sequence[Result]) -> str:
    """Return all tables of all results; a line where there are none."""
    return "\n\n".join(map(_tables, results)) or "Not measured yet."


def _tables(result: Result) -> str:
    facts, plan = result["environment"], result["plan"]
    return "\n\n".join([
        _sizes(result),
        f"**{facts['processor']}**, {facts['threads']} threads, {facts['precision']}; commit "
        f"{facts['commit']}. {plan['batches']} batches of a training or prediction, all of split "
        f"and extract; up to {plan['repeats']} repeats, interleaved: median (min–max).",
        limit_table(list(_limits(result))),
    ])  # fmt: skip


def _sizes(result: Result) -> str:
    """Return time per sample and memory by kind and number of samples."""
    sizes = result["plan"]["sizes"]
    rows = _rows(result)
    header = ["ms per sample, peak MB of anonymous memory", *(f"{size:,}" for size in sizes)]
    lines = [
        [kind, *(_cell(rows.get((kind, size))) for size in sizes)]
        for kind in KINDS
        if any((kind, size) in rows for size in sizes)
    ]
    return number_table(header, lines)


def _cell(row: Result | None) -> str:
    if row is None or "not_measured" in row:
        return "–"
    return f"{row['milliseconds']['median']:.3g}, {row['anonymous_mb']['max']:,.0f}"


def _rows(result: Result) -> Rows:
    return {(row["kind"], row["samples"]): row for row in result["rows"]}


def _limits(result: Result) -> Iterator[list[str]]:
    """Yield what is judged."""
    rows, sizes = _rows(result), result["plan"]["sizes"]
    smallest, largest = min(sizes), max(sizes)
    measured = {key: row for key, row in rows.items() if "not_measured" not in row}
    for kind, size in [key for key in rows if key not in measured]:
        reason = rows[kind, size]["not_measured"]
        yield [f"{kind}, {size:,} samples", f"not measured: {reason}", "", ""]
    for kind in KINDS:
        ends = [measured[kind, size] for size in (smallest, largest) if (kind, size) in measured]
        if len(ends) == 2:
            yield _growth(kind, *ends)
    yield from _of_streaming(measured, sizes)
    for kind in KINDS:
        if row := measured.get((kind, largest)):
            yield _memory(row)


def _growth(kind: str, small: Result, large: Result) -> list[str]:
    most = LIMITS["largest ÷ smallest"]
    label = f"{kind}: time per sample, {large['samples']:,} ÷ {small['samples']:,} samples"
    ratio = large["milliseconds"]["median"] / small["milliseconds"]["median"]
    return [label, f"{ratio:.2f} ×", f"{most:g} ×", "yes" if ratio <= most else "no"]


def _memory(row: Result) -> list[str]:
    # The largest of all repeats: a limit is one on each run.
    peak, most = row["anonymous_mb"]["max"], LIMITS["anonymous MB"]
    label = f"{row['kind']}: anonymous memory at {row['samples']:,} samples, largest"
    return [label, f"{peak:,.0f} MB", f"{most:,.0f} MB", "yes" if peak <= most else "no"]


def _of_streaming(measured: Rows, sizes: Sequence[int]) -> Iterator[list[str]]:
    """Yield the rate of streamed training against training in memory, and what loading adds."""
    for size in sizes:
        held, streamed = measured.get((HELD, size)), measured.get((STREAMED, size))
        if not held:
            continue
        if streamed:
            ratio = ratio_spread(held, streamed)
            yield least_row(
                f"rate of training, streamed ÷ in memory, {size:,} samples", spread_cell(ratio),
                ratio["median"], LIMITS["streamed ÷ in memory"], "×",
            )  # fmt: skip
        yield most_row(
            f"loading {size:,} samples: memory added at the peak ÷ maps", held["loading"], "×",
            LIMITS["loading ÷ maps"],
        )  # fmt: skip


def ratio_spread(held: Result, streamed: Result) -> dict[str, Any]:
    """Return the streamed rate by that in memory of the same round."""
    times = (row["milliseconds"]["values"] for row in (held, streamed))
    return spread(ratios(*times))

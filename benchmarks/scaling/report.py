"""Results of scale.py as Markdown."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.cells import (
    Result,
    least_row,
    limit_table,
    most_row,
    number_table,
    spread_cell,
)  # fmt: skip
from benchmarks.scaling.plan import HELD, KINDS, LIMITS, STREAMED
from benchmarks.timing import ratios, spread


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


def _rows(result: Result) -> dict[tuple[str, int], Result]:
    return {(row["kind"], row["samples"]): row for row in result["rows"]}


def _limits(result: Result) -> Iterator[list[str]]:
    """Yield what is judged."""
    rows, sizes = _rows(result), result["plan"]["sizes"]
    smallest, largest = min(sizes), max(sizes)
    failed = [row for row in result["rows"] if "not_measured" in row]
    for row in failed:
        yield [f"{row['kind']}, {row['samples']:,}", f"not measured: {row['not_measured']}", "", ""]
    measured = {key: row for key, row in rows.items() if "not_measured" not in row}
    for kind in KINDS:
        ends = [measured.get((kind, size)) for size in (smallest, largest)]
        if all(ends):
            yield _growth(kind, ends)
    yield from _of_streaming(measured, sizes)
    for kind in KINDS:
        if row := measured.get((kind, largest)):
            label = f"{kind}: anonymous memory at {largest:,} samples"
            yield most_row(label, row["anonymous_mb"], "MB", LIMITS["anonymous MB"])


def _growth(kind: str, ends: Sequence[Any]) -> list[str]:
    small, large = (row["milliseconds"]["median"] for row in ends)
    most = LIMITS["largest ÷ smallest"]
    label = f"{kind}: time per sample, {ends[1]['samples']:,} ÷ {ends[0]['samples']:,} samples"
    ratio = large / small
    return [label, f"{ratio:.2f} ×", f"{most:g} ×", "yes" if ratio <= most else "no"]


def _of_streaming(measured: Result, sizes: Sequence[int]) -> Iterator[list[str]]:
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

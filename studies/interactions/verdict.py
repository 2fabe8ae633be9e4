"""Which fusion for which interaction: verdict.md, and the paragraph for the README."""

from collections.abc import Callable, Iterator, Sequence

from fusebench.report.recommendation import listed
from fusebench.statistics.estimates import LEVEL
from fusebench.statistics.solving import share_interval
from studies.interactions.outcomes import Kept
from studies.interactions.plan import CHANCE, NEAR, SOLVED
from studies.interactions.sentences import (
    cell_sentences,
    contrast_sentences,
    off_ceiling,
    solved_by_some,
)
from studies.interactions.tables import Contrast, Results
from studies.interactions.words import named, telling

_ERR = f"{100 - 100 * LEVEL:.0f} % of studies may err in"


def verdict_page(results: Results) -> str:
    """Return metrics/interactions/verdict.md."""
    parts = ["# Which fusion for which interaction", paragraph(results)]
    for kept in results.cells:
        parts += [f"## {kept.cell.name}", _items(cell_sentences(kept, results))]
    aligned = [row for row in results.contrasts if _is_of_alignment(row)]
    if aligned:
        parts += ["## What alignment changes", _items(contrast_sentences(aligned))]
    if results.cells:
        parts += ["## How to read this", _items(list(_remarks(results)))]
    return "\n\n".join(parts) + "\n"


def _items(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _remarks(results: Results) -> Iterator[str]:
    families = len({row.family for row in results.contrasts})
    if families:
        yield (
            "Holm's correction is over the contrasts of a family (those of a cell, or of "
            f"alignment), for each of the two tests by itself: {_ERR} each of them; families: "
            f"{families}."
        )
        yield (
            "The log-rank test is unpaired: it makes no use of what the same seed of two fusions "
            "has in common. A seed that does not solve the task counts as later than the budget, "
            "so a difference in how many solve it is one in how soon, too."
        )
    yield (
        "A fusion that solves a task in some seeds can express it; its other seeds fail in "
        "training. Of one that solves it in none, it may be either."
    )
    yield (
        "Claims are about these fusions trained again with these params, on other draws of these "
        "made-up samples; they say nothing of other tasks or data."
    )


def paragraph(results: Results) -> str:
    """Return what there is to say in short, in one line of Markdown."""
    if not results.cells:
        return "Nothing was run yet: `make interactions` does."
    sentences = [
        f"A seed solves a task with a balanced accuracy of {SOLVED:g} % or more on test (chance: "
        f"{CHANCE:g} %).",
        *(_clause(kept, results) for kept in results.cells),
        *_shown(results),
        *_aligned(results),
        *_limits(results),
    ]
    return " ".join(sentences)


def _clause(kept: Kept, results: Results) -> str:
    """Say who solves a task."""
    cell, rows = kept.cell, results.rows(kept.cell)
    head = f"*{cell.name}* ({telling(cell)})"
    if not solved_by_some(rows):
        more = [said for probe in results.probes(cell) for said in _solving(probe, results)]
        tail = f"; with more or other training solved by {listed(more)}" if more else ""
        return f"{head}: unsolved by {len(rows)} fusions in {cell.epochs} epochs{tail}."
    every = [row.fusion for row in rows if row.solved == row.seeds]
    if every:
        return f"{head}: solved in all {cell.seeds} seeds by {named(every, cell)}."
    most = max(row.solved for row in rows)
    best = [row.fusion for row in rows if row.solved == most]
    return f"{head}: solved in all seeds by no fusion, in {most} of {cell.seeds} by {listed(best)}."


def _solving(probe: Kept, results: Results) -> list[str]:
    return [
        f"{row.fusion} in {row.solved} of {row.seeds} seeds"
        for row in results.rows(probe.cell)
        if row.solved
    ]


def _shown(results: Results) -> Iterator[str]:
    """Say which fusion is shown to solve a task more often, or sooner."""
    within = [row for row in results.contrasts if not _is_of_alignment(row)]
    more = [row for row in within if row.solves_more]
    sooner = [row for row in within if row.solves_sooner and not row.solves_more]
    of = f"Of {len(within)} planned contrasts between fusions"
    if more:
        yield f"{of} these are shown to solve a task more often: {_by_pair(more, _more_often)}."
    if sooner:
        also = "Others" if more else f"{of} these"
        yield f"{also} are shown to solve it sooner: {_by_pair(sooner, _sooner)}."
    if within and not more and not sooner:
        yield f"None of {len(within)} planned contrasts between fusions shows a difference."


def _by_pair(rows: Sequence[Contrast], said: Callable[[Contrast], tuple[str, str]]) -> str:
    """Return contrasts with those of the same two fusions together."""
    cells: dict[str, list[str]] = {}
    for row in rows:
        pair, where = said(row)
        cells.setdefault(pair, []).append(where)
    return listed([f"{pair} in {listed(where)}" for pair, where in cells.items()])


def _more_often(row: Contrast) -> tuple[str, str]:
    better, worse, counts = row.first, row.second, (row.first_solved, row.second_solved)
    if row.first_solved < row.second_solved:
        better, worse, counts = worse, better, counts[::-1]
    where = f"{row.first_cell} ({counts[0]} and {counts[1]} of {row.seeds} seeds)"
    return f"{better} than {worse}", where


def _sooner(row: Contrast) -> tuple[str, str]:
    sides = (row.first, row.second) if row.sooner == "first" else (row.second, row.first)
    return f"{sides[0]} than {sides[1]}", row.first_cell


def _is_of_alignment(row: Contrast) -> bool:
    return row.first_cell != row.second_cell


def _aligned(results: Results) -> Iterator[str]:
    """Say what alignment is shown to change."""
    rows = [row for row in results.contrasts if _is_of_alignment(row)]
    if not rows:
        return
    shown = [row for row in rows if row.solves_more or row.solves_sooner]
    left = [row.first for row in rows if row not in shown]
    between = f"{rows[0].first_cell} against {rows[0].second_cell}"
    said = [f"{row.first} ({_change(row)})" for row in shown]
    if said:
        yield f"Alignment ({between}) is shown to change: {listed(said)}."
    if left:
        head = "For" if said else f"Alignment ({between}) is not shown to change anything for"
        yield f"{head} {listed(left)}{' no change is shown' if said else ''}."


def _change(row: Contrast) -> str:
    """Say what alignment changes, from without it to with it."""
    if row.solves_more:
        return f"{row.second_solved} to {row.first_solved} of {row.seeds} seeds"
    return "sooner" if row.sooner == "first" else "later"


def _limits(results: Results) -> Iterator[str]:
    """Say what so few seeds leave open, which tasks are not what they should be, what is left."""
    for seeds in sorted({kept.cell.seeds for kept in results.cells}):
        low = 100 * share_interval(seeds, seeds)[0]
        yield f"{seeds} of {seeds} seeds rule out shares of seeds below {low:.0f} %."
    off = [
        f"{listed(wrong)} in {kept.cell.name}"
        for kept in results.cells
        if (wrong := off_ceiling(kept))
    ]
    if off:
        yield f"More than {NEAR:g} points from the ceiling of a single sensor: {listed(off)}."
    done = {kept.cell.name for kept in results.kept}
    left = [cell.name for cell in results.plan if cell.name not in done]
    if left:
        yield f"Not run yet: {listed(left)}."

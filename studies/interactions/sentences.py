"""What may be said of a cell: sentences that never say more than shown.

All facts come from what is kept of its seeds, and from the plan.
"""

import math
from collections.abc import Iterator, Sequence

from fusebench.report.recommendation import listed
from fusebench.report.suite import SuiteRow
from fusebench.statistics.estimates import LEVEL
from studies.interactions.outcomes import Kept
from studies.interactions.plan import CEILINGS, CHANCE, NEAR, NOTES, REACHED, SINGLE, Cell
from studies.interactions.tables import Contrast, Results
from studies.interactions.words import (
    capitalized,
    counts,
    interval,
    p_value,
    percent,
    share,
    telling,
)

# A share of seeds that is written as 100 %.
_NEARLY_ALL = 0.995


def cell_sentences(kept: Kept, results: Results) -> list[str]:
    """Return what is said of a cell, a sentence or two for each item."""
    rows = results.rows(kept.cell)
    own = [row for row in results.contrasts if row.family == kept.cell.name]
    some = solved_by_some(rows)
    return [
        _run(kept),
        *(_solved(rows) if some else [_unsolved(rows)]),
        *_reached(rows),
        *_ceilings(kept),
        *_unable(kept, results),
        *(contrast_sentences(own) if some else []),
    ]


def solved_by_some(rows: Sequence[SuiteRow]) -> bool:
    """Tell whether any seed of any fusion solves a task."""
    return any(row.solved for row in rows)


def _run(kept: Kept) -> str:
    cell, samples = kept.cell, kept.about["samples"]
    fusions = f"{len(cell.fusions)} fusions" if len(cell.fusions) > 1 else cell.fusions[0]
    return (
        f"Task {cell.task}, lidar.align {cell.align}: {telling(cell)}. {capitalized(fusions)}, "
        f"{cell.seeds} seeds, {cell.epochs} epochs, {samples['train']:,} training and "
        f"{samples['test']:,} test samples, batches of {cell.batch_size}, learning rate "
        f"{cell.lr:g}, {kept.about['precision']}."
    )


def _solved(rows: Sequence[SuiteRow]) -> Iterator[str]:
    """Say who solves it in how many seeds, the most first."""
    for count in sorted({row.solved for row in rows}, reverse=True):
        some = [row for row in rows if row.solved == count]
        how = (
            f"in {count} of {some[0].seeds} seeds" if count else f"in none of {some[0].seeds} seeds"
        )
        yield f"Solved {how} ({interval(some[0])}): {listed([row.fusion for row in some])}."


def _unsolved(rows: Sequence[SuiteRow]) -> str:
    row = rows[0]
    return (
        f"**Unsolved**: no fusion solves it in any of {row.seeds} seeds within "
        f"{row.budget_epochs} epochs ({interval(row)} of seeds, each), so no contrast shows a "
        "difference."
    )


def _reached(rows: Sequence[SuiteRow]) -> Iterator[str]:
    solving = [row for row in rows if row.solved]
    if not solving:
        return
    # Of those that reach it, the one that does so in most seeds.
    best = max(solving, key=lambda row: (row.accuracy >= REACHED, row.solved, row.accuracy))
    of = f"mean of the {best.solved} of {best.seeds} seeds that solve it"
    if best.accuracy >= REACHED:
        yield (
            f"A balanced accuracy of {REACHED:g} % on test is reached: {best.fusion} has "
            f"{percent(best.accuracy)}, {of}."
        )
    else:
        yield (
            f"No fusion reaches a balanced accuracy of {REACHED:g} % on test: the highest is that "
            f"of {best.fusion}, {percent(best.accuracy)}, {of}."
        )


def _ceilings(kept: Kept) -> Iterator[str]:
    """Say whether single sensors are where the task says that they are."""
    single = [name for name in SINGLE if name in kept.cell.fusions]
    off = off_ceiling(kept)
    near = [_at_ceiling(kept, name) for name in single if name not in off]
    if near:
        yield f"Within {NEAR:g} points of the ceiling of a single sensor: {listed(near)}."
    for name in off:
        where = _at_ceiling(kept, name)
        yield f"Not within {NEAR:g} points of its ceiling: {where}. {_why(kept, name)}"


def off_ceiling(kept: Kept) -> list[str]:
    """Return the single sensors that are not near their ceilings, mean over all seeds."""
    ceilings = CEILINGS[kept.cell.task]
    return [
        name
        for name in SINGLE
        if name in kept.cell.fusions and abs(kept.of(name).accuracy - ceilings[name]) > NEAR
    ]


def _at_ceiling(kept: Kept, name: str) -> str:
    accuracy, ceiling = kept.of(name).accuracy, CEILINGS[kept.cell.task][name]
    return f"{name}, {percent(accuracy)} of {ceiling:g} %"


def _why(kept: Kept, name: str) -> str:
    seeds, ceiling = kept.of(name), CEILINGS[kept.cell.task][name]
    if seeds.accuracy > ceiling:
        return "The sensor tells more than it should, so fusions may solve the task by it alone."
    if ceiling > CHANCE:
        return (
            f"Training falls short of what the sensor allows: {int(seeds.solved.sum())} of "
            f"{len(seeds)} seeds solve it."
        )
    return "Below chance on this test part."


def _unable(kept: Kept, results: Results) -> Iterator[str]:
    """Say of what solves it in no seed, whether it cannot, lacks training, or is not known."""
    cell = kept.cell
    never = [row.fusion for row in results.rows(cell) if not row.solved]
    blind = [name for name in never if CEILINGS[cell.task].get(name) == CHANCE]
    if blind:
        yield f"Cannot solve it, since what it sees does not tell the class: {listed(blind)}."
    known = [name for name in never if (cell.task, name) in NOTES and name not in blind]
    for name in known:
        yield f"{name} cannot express it: {NOTES[cell.task, name]}."
    probes = results.probes(cell)
    for probe in probes:
        for row in results.rows(probe.cell):
            yield _probed(row, kept, probe.cell)
    probed = {name for probe in probes for name in probe.cell.fusions}
    left = [name for name in never if name not in {*blind, *known, *probed}]
    if left:
        yield (
            f"Not known, since no probe was run: whether {listed(left, 'or')} cannot express it or "
            "needs other training."
        )


def _probed(row: SuiteRow, kept: Kept, probe: Cell) -> str:
    """Say what more or other training of a fusion does."""
    before = int(kept.of(row.fusion).solved.sum())
    head = f"Probe {probe.name}: {row.fusion} with {_changes(kept.cell, probe)}"
    if not row.solved:
        more = " either" if not before else ""
        tail = "" if before else "; what it lacks is not known"
        return f"{head} does not solve it{more}, {share(row)}{tail}."
    solves = f"{head} solves it in {share(row)}"
    if before:
        return f"{solves}, in the cell in {before} of {len(kept.of(row.fusion))}; not tested."
    return f"{solves}: so it can express it, and what it lacks in the cell is training."


def _changes(cell: Cell, probe: Cell) -> str:
    """Return what a probe changes of its cell's training."""
    changed = [
        f"{words} {new:g} in place of {old:g}"
        for words, new, old in (
            ("epochs", probe.epochs, cell.epochs),
            ("learning rate", probe.lr, cell.lr),
            ("batches of", probe.batch_size, cell.batch_size),
            ("samples", probe.count, cell.count),
            ("train share", probe.train, cell.train),
        )
        if new != old
    ]
    return listed(changed) or "the same training"


def contrast_sentences(rows: Sequence[Contrast]) -> list[str]:
    """Return a sentence on each contrast of a family: what is shown first, the surest first."""
    order = sorted(
        rows,
        key=lambda row: (not row.solves_more, not row.solves_sooner, row.paired_holm,
                         row.log_rank_holm),
    )  # fmt: skip
    return [contrast_sentence(row) for row in order]


def contrast_sentence(row: Contrast) -> str:
    """Return what is shown, and not shown, of a planned contrast."""
    if not (row.first_solved or row.second_solved):
        first, second = names(row)
        return (
            f"{first} against {second}: none of {row.seeds} seeds of either solves it, so nothing "
            f"tells them apart; {_ruled_out(row)}."
        )
    return f"{_more(row)}; {_sooner(row)}."


def names(row: Contrast) -> tuple[str, str]:
    """Return what the two sides of a contrast are called."""
    if row.first_cell == row.second_cell:
        return row.first, row.second
    return f"{row.first} in {row.first_cell}", f"{row.second} in {row.second_cell}"


def _more(row: Contrast) -> str:
    """Say whether one solves the task more often."""
    first, second = names(row)
    test = f"{p_value(row.paired_holm)} by an exact paired test{_after_holm(row)}"
    if not row.solves_more:
        return (
            f"{first} against {second}: no difference shown in how often they solve it, "
            f"{counts(row)} ({test}); {_ruled_out(row)}{_too_few(row)}"
        )
    word = "more" if row.first_solved > row.second_solved else "less"
    return f"{first} solves it {word} often than {second}, {counts(row)} ({test})"


def _ruled_out(row: Contrast) -> str:
    together = f" for all {row.tests} contrasts together" if row.tests > 1 else ""
    if row.ruled_out >= _NEARLY_ALL:
        return "no difference is ruled out"
    return (
        f"differences above {100 * row.ruled_out:.0f} % of seeds are ruled out "
        f"({100 * LEVEL:.0f} %{together})"
    )


def _too_few(row: Contrast) -> str:
    """Say so where not even all seeds of one alone would show it."""
    least = min(1.0, 2 * 0.5**row.seeds * row.tests)
    return f"; {row.seeds} seeds cannot show one" if least > 1 - LEVEL else ""


def _sooner(row: Contrast) -> str:
    """Say whether one solves the task sooner."""
    first, second = names(row)
    after = " after Holm" if row.tests > 1 else ""
    test = f"{p_value(row.log_rank_holm)} by a log-rank test{after}"
    when = f"half of the seeds {_median(row.first_median)} and {_median(row.second_median)}"
    if not row.solves_sooner:
        return f"no difference shown in how soon, {when} ({test})"
    word = "sooner" if row.sooner == "first" else "later"
    return f"{first} solves it {word} than {second}, {when} ({test})"


def _median(epoch: float) -> str:
    return "not in the budget" if math.isnan(epoch) else f"by epoch {epoch:g}"


def _after_holm(row: Contrast) -> str:
    return f" after Holm over {row.tests} contrasts" if row.tests > 1 else ""

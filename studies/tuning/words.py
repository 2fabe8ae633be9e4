"""What may be said of fusions before and after tuning: never more than both comparisons show."""

import math
from collections.abc import Iterator, Sequence

from fusebench.evaluation.metrics import METRICS
from fusebench.report.recommendation import listed, measured
from fusebench.report.tuning import TuningRow
from fusebench.report.verdict import State, state
from fusebench.statistics.estimates import FEWEST_SEEDS
from studies.tuning.tables import Results, Side, order_of

NOTHING = "Nothing was run yet: `make tune` does."
_SHOWN = (State.BETTER, State.WORSE)


def paragraph(results: Results) -> str:
    """Return what there is to say, in one line of Markdown."""
    kept = results.kept
    if not kept.is_whole:
        return NOTHING
    said = [*_budget(results), *_chosen(results)]
    if results.before is None or results.after is None:
        return " ".join([*said, "With these values nothing was trained yet: `make tune` goes on."])
    before, after = results.before, results.after
    said += [*_seeds(before, after), *_others(results), *_left_out(results), *_order(results.rows)]
    if not few_seeds(before, after):
        said += [*_contrasts(before, after), *_as_good(before, after)]
    return " ".join([*said, *_limits(results)])


def few_seeds(*sides: Side) -> bool:
    """Tell whether seeds are too few on a side to say anything of fusions trained again."""
    return any(side.seeds < FEWEST_SEEDS for side in sides)


def _budget(results: Results) -> Iterator[str]:
    kept, space = results.kept, results.kept.about["space"]
    low, high = space["lr"]
    yield (
        f"Each of {len(kept.fusions)} fusions had {kept.count} trials of one seed: learning rate "
        f"{low:g} to {high:g}, schedule {listed(space['schedule'], 'or')}, "
        f"{listed([str(count) for count in space['epochs']], 'or')} epochs; the first trial is the "
        "default, and the lowest NLL on val chose."
    )


def _chosen(results: Results) -> Iterator[str]:
    kept = results.kept
    same = [name for name in kept.fusions if kept.chosen(name).trial == 0]
    other = [name for name in kept.fusions if name not in same]
    if other:
        yield f"Other values than the default were chosen for {listed(other)}."
    if same:
        yield f"The default was chosen for {listed(same)}."


def _seeds(before: Side, after: Side) -> Iterator[str]:
    if before.seeds == after.seeds:
        yield f"With the default values and with the chosen ones, {after.seeds} seeds each."
        first, second = before.baselines, after.baselines
        if any(first[name] != second[name] for name in first.keys() & second.keys()):
            yield (
                "The baselines differ between both, so they are of other samples, and what follows "
                "is not due to tuning alone."
            )
    else:
        yield (
            f"Seeds differ: {before.seeds} of each fusion with the default values, "
            f"{after.seeds} with the chosen ones; so not all that follows is due to tuning."
        )


def _others(results: Results) -> Iterator[str]:
    """Say where what is called the default is of other params than the trials."""
    if results.others is None:
        yield "With which params metrics/verdict was made is not known; make verdict makes it anew."
    elif results.others:
        yield (
            f"metrics/verdict was made with other params ({listed(results.others)}), so what "
            "follows is not due to tuning alone; make verdict makes it anew."
        )


def _left_out(results: Results) -> Iterator[str]:
    for side, name in ((results.before, "metrics/verdict"), (results.after, "metrics/tuning")):
        known = () if side is None else side.accuracies
        if apart := [fusion for fusion in results.kept.fusions if fusion not in known]:
            yield f"Not in {name}, and left out of the order: {listed(apart)}."


def _order(rows: Sequence[TuningRow]) -> Iterator[str]:
    """Say whether the order of the means changes, and that this is no test."""
    known = [row for row in rows if not math.isnan(row.default_rank)]
    if len(known) < 2:
        return
    ranks = (
        {row.fusion: row.default_rank for row in known},
        {row.fusion: row.tuned_rank for row in known},
    )
    first, second = (_in_order(of_side) for of_side in ranks)
    head = "By mean balanced accuracy on test the order"
    if ranks[0] == ranks[1]:
        yield f"{head} is the same before and after: {first}."
    else:
        yield f"{head} changes: before {first}; after {second}."
    yield "An order of means shows no difference; contrasts do."


def _in_order(ranks: dict[str, float]) -> str:
    """Return fusions by their places; those that share one are joined by "="."""
    groups: dict[float, list[str]] = {}
    for name in order_of(ranks):
        groups.setdefault(ranks[name], []).append(name)
    return ", ".join(" = ".join(names) for names in groups.values())


def _contrasts(before: Side, after: Side) -> Iterator[str]:
    """Say which planned contrasts are shown before, after, both times, or turned round."""
    if before.best[0].metric != after.best[0].metric:
        yield "Both decide by another metric, so their contrasts are not set beside each other."
        return
    old, new = before.planned, after.planned
    pairs = [pair for pair in old if pair in new]
    if not pairs:
        yield "No contrast was planned both times."
        return
    found: dict[str, list[str]] = {"both": [], "turned": [], "before": [], "after": []}
    for pair in pairs:
        was, now = state(old[pair]), state(new[pair])
        if was in _SHOWN and now in _SHOWN:
            kind = "both" if was is now else "turned"
            found[kind].append(_better(pair, now))
        elif was in _SHOWN:
            found["before"].append(_better(pair, was))
        elif now in _SHOWN:
            found["after"].append(_better(pair, now))
    label = METRICS[after.best[0].metric].label
    yield f"Of {len(pairs)} contrasts planned both times ({label}), {_by_kind(found)}."
    if found["before"] or found["after"]:
        yield "That a contrast is shown once only does not show that tuning changes it."


def _by_kind(found: dict[str, list[str]]) -> str:
    words = {
        "both": "shown before and after", "turned": "shown the other way round after",
        "before": "shown before only", "after": "shown after only",
    }  # fmt: skip
    said = [f"{words[kind]}: {listed(pairs)}" for kind, pairs in found.items() if pairs]
    return "; ".join(said) if said else "none is shown, before or after"


def _better(pair: tuple[str, str], said: State) -> str:
    better, worse = pair if said is State.BETTER else pair[::-1]
    return f"{better} better than {worse}"


def _as_good(before: Side, after: Side) -> Iterator[str]:
    """Say which fusions are shown to be as good as the best, before and after."""
    old, new = before.best, after.best
    margins = {row.margin for row in (*old, *new)}
    if len(margins) != 1 or math.isnan(margin := margins.pop()) or old[0].metric != new[0].metric:
        return
    metric = METRICS[new[0].metric]
    named = [listed([row.fusion for row in rows if row.as_good]) or "none" for rows in (old, new)]
    yield (
        f"Shown to be as good as the best, to within {measured(margin, metric)} of {metric.label}: "
        f"before {named[0]}; after {named[1]}."
    )


def _limits(results: Results) -> Iterator[str]:
    before, after = results.before, results.after
    if before is not None and after is not None and few_seeds(before, after):
        yield (
            f"{min(before.seeds, after.seeds)} seed(s) are too few to say anything of fusions "
            f"trained again (from {FEWEST_SEEDS} on)."
        )
    yield (
        f"{results.kept.count} trials of one seed find no best values: of a fusion that stays "
        "behind, others may do better."
    )

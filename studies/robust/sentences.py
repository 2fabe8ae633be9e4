"""What is said of training on corrupted samples; words follow from numbers."""

import math
from collections.abc import Iterator, Sequence

from fusebench.report.recommendation import listed
from fusebench.report.robust import RobustRow
from fusebench.report.robustness_text import label
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL, holm
from studies.common.study import Kept
from studies.common.words import not_run
from studies.robust.plan import MOVED_LIDAR
from studies.robust.tables import CLEAN, Results, values

_INTERVAL = f"{100 * LEVEL:.0f} % interval"


def paragraph(results: Results) -> str:
    """Return what there is to say, in Markdown: a line per recipe, and what limits it."""
    if not results.kept:
        return "Nothing was run yet: `make robust` does."
    said = [" ".join(_of_recipe(recipe, results)) for recipe in results.kept]
    return "\n\n".join([*said, " ".join(_limits(results))])


def _of_recipe(recipe: Kept, results: Results) -> Iterator[str]:
    rows = results.rows(recipe)
    named = listed([label(name) for name in recipe["corruptions"]])
    befalls = f"{named}; each befalls a training sample with probability {recipe['probability']:g}"
    yield f"*{recipe['recipe']}* ({befalls if recipe['corruptions'] else recipe['setting']}):"
    if results.by_interval:
        yield from _shown(rows)
    else:
        yield _described(rows, results.seeds)
    yield from _robustness(rows)
    if not recipe["corruptions"]:
        yield from _moved(recipe, results)


def _moved(recipe: Kept, results: Results) -> Iterator[str]:
    """Say what a LiDAR that moved against the image costs, plain and with the recipe's setting."""
    known = [name for name in MOVED_LIDAR if name in recipe["sensors"]]
    if not known:
        return
    said = [
        f"{fusion} {_lost(recipe, 'plain', fusion, known):.1f} and "
        f"{_lost(recipe, 'trained', fusion, known):.1f}"
        for fusion in results.fusions
    ]
    yield (
        f"Points lost under {listed([label(name) for name in known])}, mean over these, as stored "
        f"and with {recipe['setting']}: {listed(said)}."
    )


def _lost(recipe: Kept, side: str, fusion: str, known: Sequence[str]) -> float:
    under = [values(recipe, side, fusion, name).mean() for name in known]
    return float(values(recipe, side, fusion, CLEAN).mean() - sum(under) / len(under))


def _shown(rows: list[RobustRow]) -> Iterator[str]:
    """Say which changes are shown, with Holm's correction over fusions and both questions."""
    corrected = holm([p for row in rows for p in (row.corrupted_p, row.clean_p)])
    tested = f"after Holm over {len(corrected)} tests"
    shown = [p <= 1 - LEVEL for p in corrected]
    for number, where in enumerate(("under corruptions", "on clean samples")):
        changed = [row for row, is_shown in zip(rows, shown[number::2], strict=True) if is_shown]
        if not changed:
            yield f"No change {where} is shown, {tested}."
            continue
        amounts = listed([_amount(row, number) for row in changed])
        yield f"Shown {where}, {tested}: {amounts}."
        left = [row.fusion for row in rows if row not in changed]
        if left:
            yield f"For {listed(left)} no change {where} is shown."


def _amount(row: RobustRow, number: int) -> str:
    change, low, high = (
        (row.clean_change, row.clean_low, row.clean_high)
        if number
        else (row.corrupted_change, row.corrupted_low, row.corrupted_high)
    )
    return f"{row.fusion} {change:+.1f} points ({_INTERVAL} {low:+.1f} to {high:+.1f})"


def _described(rows: list[RobustRow], seeds: int) -> str:
    """Say what changed in these trainings."""
    changes = listed(
        [f"{row.fusion} {row.corrupted_change:+.1f} and {row.clean_change:+.1f}" for row in rows]
    )
    return (
        f"In {seeds} seed{'' if seeds == 1 else 's'}, points of balanced accuracy under "
        f"corruptions and on clean samples: {changes}."
    )


def _robustness(rows: list[RobustRow]) -> Iterator[str]:
    """Say what share of the advantage over chance is left, before and after."""
    said = [
        f"{row.fusion} {100 * (row.robustness - row.robustness_change):.0f} to "
        f"{100 * row.robustness:.0f} %"
        for row in rows
        if not math.isnan(row.robustness_change)
    ]
    if said:
        yield f"Of the advantage over chance is left under corruptions: {listed(said)}."
    lacking = [row.fusion for row in rows if math.isnan(row.robustness_change)]
    if lacking:
        yield (
            f"No such figure for {listed(lacking)}: not shown to be above chance on clean samples "
            "in one of the two."
        )


def _limits(results: Results) -> Iterator[str]:
    yield from not_run(results.planned, [recipe["recipe"] for recipe in results.kept], "recipes")
    if results.by_interval:
        yield "Changes are paired by seed; intervals tell the scatter of other seeds."
    else:
        yield (
            f"Below {FEWEST_SEEDS} seeds this describes these trainings, and claims nothing of the "
            "fusions trained again."
        )
    in_training = any(recipe["corruptions"] for recipe in results.kept)
    unseen = [name for name in results.kept[0]["sensors"] if not _trained_on(results, name)]
    if unseen and in_training:
        names = listed([label(name) for name in unseen])
        yield f"Befell test samples only, in all that was run: {names}."
    yield (
        "Nothing is said of other probabilities or corruptions, nor of which fusion gains more: no "
        "difference between fusions is tested here."
    )


def _trained_on(results: Results, name: str) -> bool:
    return any(name in recipe["corruptions"] for recipe in results.kept)

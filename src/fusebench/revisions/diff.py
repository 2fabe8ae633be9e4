"""The same fusion before and after a change: what became of it, across commits and experiments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fusebench.errors import ArtifactError
from fusebench.evaluation.metrics import seed_metrics, summarize
from fusebench.prediction.predictions import FusionPredictions, PartPredictions
from fusebench.report.pairs import PART, Pair, all_pairs
from fusebench.revisions.matching import Matched, Side, match
from fusebench.statistics.estimates import Claim, exact_bound, holm, trained_again
from fusebench.statistics.paired import MEANS, pair

METRICS = ("balanced_accuracy", "accuracy", "f1", "auroc", "nll")


@dataclass(frozen=True)
class Change:
    """What became of a fusion.

    Attributes
    ----------
    fusion : str
    pair : Pair
        After against before on the primary metric; Holm's correction is over the changed fusions.
    metrics : dict of str to (float, float)
        Each metric before and after, mean over the common seeds, on the common samples.
    samples : int
        Common test samples.
    """

    fusion: str
    pair: Pair
    metrics: dict[str, tuple[float, float]]
    samples: int


@dataclass(frozen=True)
class Diff:
    """All that is to be said of two sides.

    Attributes
    ----------
    before, after : str
        Names of the sides.
    changes : tuple of Change
    same : tuple of str
        Fusions with equal predictions on both sides: nothing is to be tested there.
    missing : dict of str to tuple of str
        Fusions without a partner, by the side that has them.
    alone : dict of (str, str) to tuple of str
        What else has no partner (the side that has it, and what it is), and of which fusions.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    same: tuple[str, ...]
    missing: dict[str, tuple[str, ...]]
    alone: dict[tuple[str, str], tuple[str, ...]]


def diff(before: Side, after: Side, primary: str) -> Diff:
    """Compare each fusion that is on both sides with itself.

    Raises
    ------
    ArtifactError
        The samples contradict each other, or nothing is common.
    """
    matched = {name: match(name, before, after) for name in before.fusions if name in after.fusions}
    paired = {name: held for name, held in matched.items() if held.before.seeds}
    if not paired:
        raise ArtifactError(
            f"{before.name} and {after.name} have no fusion, seed and test sample in common; there "
            "is nothing to compare"
        )
    changed = {name: held for name, held in paired.items() if not held.same}
    alone: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, held in matched.items():
        for what in held.alone:
            alone[what] = (*alone.get(what, ()), name)
    sides = (before.name, after.name)
    changes = [_change(name, held, sides, primary, len(changed)) for name, held in changed.items()]
    return Diff(
        *sides,
        tuple(_after_holm(changes)),
        tuple(name for name in paired if name not in changed),
        {
            side.name: tuple(name for name in side.fusions if name not in matched)
            for side in (before, after)
        },
        alone,
    )


def _change(fusion: str, held: Matched, sides: tuple[str, str], primary: str, tests: int) -> Change:
    before, after = (f"{fusion} ({side})" for side in sides)
    fusions = {after: held.after, before: held.before}
    metrics = {name: _metrics(each) for name, each in fusions.items()}
    line = all_pairs(fusions, metrics, primary)[0]
    return Change(
        fusion,
        _with_shared_level(line, held, tests),
        {name: (_mean(metrics[before], name), _mean(metrics[after], name)) for name in METRICS},
        len(next(iter(_parts(held.after).values())).labels),
    )


def _metrics(fusion: FusionPredictions) -> dict[str, Any]:
    """Return what a pair needs of a fusion's metrics, on the common seeds and samples."""
    seeds = seed_metrics(fusion, PART)
    stuck = sum(found["stuck_at_majority"] for found in seeds.values())
    return {"stuck_seeds": stuck, PART: {**summarize(list(seeds.values())), "seeds": seeds}}


def _mean(metrics: dict[str, Any], name: str) -> float:
    return float(metrics[PART][name]["mean"])


def _parts(fusion: FusionPredictions) -> dict[int, PartPredictions]:
    return {seed: parts[PART] for seed, parts in fusion.seeds.items()}


def _with_shared_level(line: Pair, held: Matched, tests: int) -> Pair:
    """Return a pair with what would be shown when `tests` fusions share the level."""
    if line.metric in MEANS:
        paired = pair(_parts(held.after), _parts(held.before), line.metric)
        hidden = exact_bound(paired, tests)
        if line.detectable is None:
            return replace(line, hidden=hidden)
        detectable = max(trained_again(paired).detectable(tests), hidden)
        return replace(line, hidden=hidden, detectable=detectable)
    if line.detectable is None:
        return line
    # In proportion to a standard error that does not depend on how many share.
    claim = Claim(0.0, 1.0, line.seeds - 1)
    return replace(line, detectable=line.detectable * claim.detectable(tests) / claim.detectable(1))


def _after_holm(changes: Sequence[Change]) -> list[Change]:
    """Adjust the p-values for the number of fusions that have one."""
    models = _adjusted([change.pair.models_p for change in changes])
    again = _adjusted([change.pair.again_p for change in changes])
    return [
        replace(change, pair=replace(change.pair, models_holm=first, again_holm=second))
        for change, first, second in zip(changes, models, again, strict=True)
    ]


def _adjusted(values: Sequence[float | None]) -> list[float | None]:
    # A fusion with one common seed has no second claim.
    held = iter(holm([value for value in values if value is not None]))
    return [None if value is None else next(held) for value in values]

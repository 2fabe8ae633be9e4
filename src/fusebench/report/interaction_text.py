"""What the data are like, in words that say no more than metrics/interaction.json."""

import math

from fusebench.report.interaction import KINDS, SEEN, Amount, Interaction
from fusebench.statistics.estimates import LEVEL

_WHERE = dict(
    zip(KINDS, ("in both sensors", "only in RGB", "only in LiDAR", "only together"), strict=True)
)
# One share is a lower bound.
_AT_LEAST = "synergistic"


def interaction_sentences(found: Interaction | None) -> list[str]:
    """Return what the data are like, what that rests on, and what is known of such data.

    Parameters
    ----------
    found : Interaction or None
        None: of a commit before there was such an estimate; nothing is said.
    """
    if found is None:
        return []
    if found.not_estimated:
        return [f"What your data are like was not estimated: {found.not_estimated}."]
    advice = [found.advice] if found.advice else []
    return [f"{_likeness(found)}: {_amounts(found)}.", _rests_on(found), *advice]


def _likeness(found: Interaction) -> str:
    if not found.kind:
        return "Your data look like none of the demonstration tasks (no share is shown above half)"
    tasks = [f"`{task}`" for task in found.tasks]
    *most, last = tasks
    named = f"{', '.join(most)} or {last}" if most else last
    which = "; which of them cannot be told so" if most else ""
    return f"Your data look like {named} ({found.kind}{which})"


def _amounts(found: Interaction) -> str:
    """Say each share; the one that decides, or the largest, with its interval."""
    first = found.kind or max(found.bits, key=lambda kind: found.bits[kind].bits)
    shares = [
        f"{'at least ' if kind == _AT_LEAST else ''}{amount.bits:.2f} {_WHERE[kind]}"
        f"{_interval(amount) if kind == first else ''}"
        for kind, amount in found.bits.items()
    ]
    whole = f"{found.class_bits:.3g} bit{'' if math.isclose(found.class_bits, 1) else 's'}"
    return f"of the class's {whole}, {', '.join(shares)}"


def _interval(amount: Amount) -> str:
    return f" ({100 * LEVEL:.0f} % interval {amount.low:.2f} to {amount.high:.2f})"


def _rests_on(found: Interaction) -> str:
    """Say whose answers were measured, and what that leaves out."""
    models = [(found.models[seen], seen) for seen in SEEN]
    *most, last = [f"{one.model} (seed {one.seed}; {seen})" for one, seen in models]
    few = "; there is one seed to choose from" if found.seeds == 1 else ""
    return (
        "That is what three models answer on test, each the best by val NLL of those that see the "
        f"same: {', '.join(most)} and {last}{few}. What a model of one sensor missed counts as the "
        "other's alone or as only together, what all missed as nothing."
    )

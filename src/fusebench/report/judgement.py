"""Whether a claim about fusions holds by figures that have no interval: counts and measurements.

What is counted is compared as it is; what is measured only where it was measured alike, and where
the difference is beyond how measurements scatter.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from fusebench.report.evidence import Evidence
from fusebench.report.recommendation import listed

# Of peak memory, which the allocator rounds: what differs by less is not told apart.
_NEAR = 0.01
# What a measurement depends on, of the environment that is recorded with it.
_MACHINE = ("device", "processor", "threads", "precision")


class State(Enum):
    """What the figures say of a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    NOT_DECIDED = "not decided"


class Judgement(NamedTuple):
    """What became of a claim, and the figures that it rests on, as a sentence."""

    state: State
    sentence: str


Judge = Callable[[Evidence], Judgement]


def lacking(evidence: Evidence, fusions: Sequence[str]) -> Judgement | None:
    """Return that a claim is not decided, if a fusion that it speaks of is not compared."""
    absent = [name for name in fusions if name not in evidence.fusions]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    return undecided(f"{listed(absent)} {verb} not among the fusions compared.")


def undecided(reason: str) -> Judgement:
    """Return that a claim is not decided, and why."""
    return Judgement(State.NOT_DECIDED, reason)


def machine(environments: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return in words the machine that measured all; None: they were not measured on one alike."""
    seen = [tuple(found.get(key) for key in _MACHINE) for found in environments.values()]
    if not seen or len(set(seen)) > 1:
        return None
    device, processor, threads, precision = seen[0]
    parts = [str(processor or device)]
    if device not in (None, "cpu"):
        parts.append(str(device))
    if threads:
        parts.append(f"{threads} thread{'s' if threads != 1 else ''}")
    return ", ".join([*parts, *([str(precision)] if precision else [])])


def fewest_parameters(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "it has fewer parameters than each other"."""
    return _by_count(name, others, lambda evidence: evidence.parameters, "parameters", sign=-1)


def most_parameters(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "it has more parameters than each other"."""
    return _by_count(name, others, lambda evidence: evidence.parameters, "parameters", sign=1)


def most_flops(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "it takes more operations than each other"."""

    def figures(evidence: Evidence) -> Mapping[str, float]:
        return {key: cost.mflops_per_sample for key, cost in evidence.costs.items()}

    return _by_count(name, others, figures, "MFLOPs per sample", sign=1)


def _by_count(
    name: str,
    others: Sequence[str],
    figures: Callable[[Evidence], Mapping[str, float]],
    unit: str,
    sign: int,
) -> Judge:
    """Return the judge of a count; of equal ones none is the most, or the fewest."""

    def judge(evidence: Evidence) -> Judgement:
        if missing := lacking(evidence, (name, *others)):
            return missing
        values = figures(evidence)
        against = [other for other in others if sign * (values[name] - values[other]) <= 0]
        said = [f"{other} {number(values[other])}" for other in others]
        sentence = f"{name} {number(values[name])} {unit}; {', '.join(said)}."
        if not against:
            return Judgement(State.HOLDS, sentence)
        equal = [other for other in against if values[other] == values[name]]
        tie = f" {listed(equal)} {'has' if len(equal) == 1 else 'have'} as many." if equal else ""
        return Judgement(State.DOES_NOT_HOLD, sentence + tie)

    return judge


def number(value: float) -> str:
    """Return a count or an amount: whole ones with commas, others to three digits."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.3g}"


def most_memory(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "a training step of it takes more memory than of each other"."""

    def judge(evidence: Evidence) -> Judgement:
        if missing := lacking(evidence, (name, *others)):
            return missing
        costs = {key: evidence.costs[key] for key in (name, *others)}
        where = machine({key: cost.environment for key, cost in costs.items()})
        if where is None:
            return undecided("They were not measured on machines alike.")
        own = costs[name].step_mb
        gaps = [(own - costs[other].step_mb) / own for other in others]
        said = [f"{other} {costs[other].step_mb:.1f}" for other in others]
        sentence = (
            f"{name} {own:.1f} MB at most in a training step; {', '.join(said)} (measured on "
            f"{where}; what differs by less than {100 * _NEAR:.0f} % is not told apart)."
        )
        return Judgement(_by_gaps(gaps, _NEAR), sentence)

    return judge


def _by_gaps(gaps: Sequence[float], least: float) -> State:
    """Return what leads over all others say, those below `least` being no leads."""
    if all(gap > least for gap in gaps):
        return State.HOLDS
    return State.DOES_NOT_HOLD if any(gap < -least for gap in gaps) else State.NOT_DECIDED


def fastest(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "an epoch of it takes less time than of each other"."""
    return _by_time(name, others, sign=-1)


def slowest(name: str, others: Sequence[str]) -> Judge:
    """Return the judge of "an epoch of it takes more time than of each other"."""
    return _by_time(name, others, sign=1)


def _by_time(name: str, others: Sequence[str], sign: int) -> Judge:
    """Return the judge of seconds per epoch: told apart where the ranges of epochs do not meet."""

    def judge(evidence: Evidence) -> Judgement:
        if missing := lacking(evidence, (name, *others)):
            return missing
        found = {key: evidence.trainings[key] for key in (name, *others)}
        where = machine({key: training.environment for key, training in found.items()})
        if where is None:
            return undecided("They were not trained on machines alike.")
        epochs = {key: training.seconds_per_epoch for key, training in found.items()}
        own = epochs[name]
        # How far the ranges are apart: above 0 on the claimed side, below 0 on the other.
        gaps = [
            _gap((own.min, own.max), (epochs[other].min, epochs[other].max), sign)
            for other in others
        ]
        said = [
            f"{key} {time.median:.2f} ({time.min:.2f} to {time.max:.2f})"
            for key, time in epochs.items()
        ]
        sentence = (
            f"Seconds per epoch, median (fastest to slowest): {', '.join(said)}, on {where}; told "
            "apart only where the ranges do not meet."
        )
        return Judgement(_by_gaps(gaps, 0.0), sentence)

    return judge


def _gap(own: tuple[float, float], other: tuple[float, float], sign: int) -> float:
    """Return how far two ranges are apart, positive if `own` is on side `sign`; 0: they meet."""
    if own[0] > other[1]:
        return sign * (own[0] - other[1])
    if other[0] > own[1]:
        return -sign * (other[0] - own[1])
    return 0.0

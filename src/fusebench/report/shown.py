"""Whether a claim about fusions holds by differences with intervals, of the fusions trained again.

A claim of several comparisons holds if each is shown by its own 95 % interval: then it errs in 5 %
at most. It does not hold if one is shown to be the other way, by intervals that hold together
(Bonferroni).
"""

import math
from collections.abc import Sequence

from scipy.stats import t as student

from fusebench.evaluation.metrics import METRICS
from fusebench.report.evidence import Evidence
from fusebench.report.interaction import KINDS
from fusebench.report.judgement import Judge, Judgement, State, lacking, undecided
from fusebench.report.pairs import Pair
from fusebench.report.robustness_pairs import StressPair
from fusebench.report.roles import primary_metric
from fusebench.report.study import SUCCESSES
from fusebench.report.suite import SuiteRow
from fusebench.report.verdict import amount
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL, Claim

_BALANCED = "balanced_accuracy"
_APART = "seeds fall apart, so that means decide nothing"
Interval = tuple[float, float]


def most_accurate(name: str, others: Sequence[str], *, least: bool = False) -> Judge:
    """Return the judge of "it is better than each other", by the metric that decides.

    Parameters
    ----------
    least : bool
        Of "it is worse than each other" instead.
    """

    def judge(evidence: Evidence) -> Judgement:
        found = _pairs(evidence, name, others)
        if isinstance(found, Judgement):
            return found
        # Turned so that above 0 speaks for the claim.
        sides = [_sign(pair) * (-1 if least else 1) for pair in found]
        said = "; ".join(
            f"against {pair.second}: {amount(pair)}{_irregular(pair)}" for pair in found
        )
        return Judgement(_state(found, sides), f"{name} {said}.")

    return judge


def as_accurate(name: str, other: str) -> Judge:
    """Return the judge of "it is as good as the other", to within the declared margin.

    Beyond it by its interval: it does not hold. A difference that is shown and may be within it
    decides nothing.
    """

    def judge(evidence: Evidence) -> Judgement:
        found = _pairs(evidence, name, [other])
        if isinstance(found, Judgement):
            return found
        (pair,) = found
        margin = float(evidence.findings.best["margin"].iloc[0])
        sentence = f"{name} has {amount(pair)} over {other}{_irregular(pair)}"
        if math.isnan(margin):
            return undecided(f"{sentence}; no margin is declared within which it would be as good.")
        low, high = pair.retrained_low, pair.retrained_high
        sentence += f"; declared as good: within {margin:g} {METRICS[pair.metric].difference_unit}"
        state = State.NOT_DECIDED
        if not _irregular(pair):
            if -margin <= low and high <= margin:
                state = State.HOLDS
            elif low > margin or high < -margin:
                state = State.DOES_NOT_HOLD
        return Judgement(state, f"{sentence.rstrip()}.")

    return judge


def _pairs(evidence: Evidence, name: str, others: Sequence[str]) -> list[Pair] | Judgement:
    """Return a fusion beside each other on the metric that decides, or why nothing is decided."""
    if missing := lacking(evidence, (name, *others)):
        return missing
    metric = primary_metric(evidence.findings.pairs) or ""
    found = [evidence.pair(metric, name, other) for other in others]
    pairs = [pair for pair in found if pair is not None]
    if len(pairs) < len(others):
        return undecided("They were not compared.")
    if few := _too_few(pairs[0].seeds):
        return few
    return pairs


def _too_few(seeds: int) -> Judgement | None:
    if seeds >= FEWEST_SEEDS:
        return None
    return undecided(
        f"{seeds} seed(s) are too few to say it of the fusions, trained again (from "
        f"{FEWEST_SEEDS} on)."
    )


def _sign(pair: Pair) -> int:
    return 1 if METRICS[pair.metric].higher_is_better else -1


def _irregular(pair: Pair) -> str:
    return f" ({_APART})" if pair.compares == SUCCESSES else ""


def _interval(pair: Pair, tests: int = 1) -> Interval:
    return Claim(pair.difference, pair.retrained_error, pair.retrained_df).interval(tests)


def _state(pairs: Sequence[Pair], sides: Sequence[int]) -> State:
    regular = [(pair, side) for pair, side in zip(pairs, sides, strict=True)
               if not _irregular(pair)]  # fmt: skip
    single = [_turned(_interval(pair), side) for pair, side in regular]
    together = [_turned(_interval(pair, len(pairs)), side) for pair, side in regular]
    return _of_intervals(single, together, len(pairs))


def _turned(interval: Interval, side: int) -> Interval:
    low, high = interval
    return (low, high) if side > 0 else (-high, -low)


def _of_intervals(single: Sequence[Interval], together: Sequence[Interval], count: int) -> State:
    """Return what intervals say, of `count` comparisons, above 0 being what is claimed."""
    if len(single) == count and all(low > 0 for low, _ in single):
        return State.HOLDS
    return State.DOES_NOT_HOLD if any(high < 0 for _, high in together) else State.NOT_DECIDED


def loses_more(name: str, others: Sequence[str], corruptions: Sequence[str]) -> Judge:
    """Return the judge of "each of some corruptions costs it more than each other".

    How a difference of balanced accuracy changes from clean to corrupted inputs: the interval is
    that of the one minus that of the other, each so wide that both hold together.
    """

    def judge(evidence: Evidence) -> Judgement:
        if missing := lacking(evidence, (name, *others)):
            return missing
        both = [(corruption, other) for corruption in corruptions for other in others]
        changes = [_Change.of(evidence, name, other, corruption) for corruption, other in both]
        known = [change for change in changes if change is not None]
        if len(known) < len(both):
            return undecided(f"{' and '.join(corruptions)} were not measured of these fusions.")
        if few := _too_few(min(change.seeds for change in known)):
            return Judgement(few.state, f"{few.sentence}{_aligned(evidence, (name, *others))}")
        if any(change.irregular for change in known):
            state = State.NOT_DECIDED
        else:
            # What it loses more is claimed, so below 0.
            single, together = (
                [_turned(change.interval(tests), -1) for change in known]
                for tests in (1, len(known))
            )
            state = _of_intervals(single, together, len(known))
        said = "; ".join(change.words for change in known)
        sentence = f"From clean to corrupted maps {name}'s lead changes by: {said}."
        return Judgement(state, sentence + _aligned(evidence, (name, *others)))

    return judge


class _Change:
    """How the lead of one fusion over another changes by a corruption, in points."""

    def __init__(self, clean: Pair, under: StressPair) -> None:
        self.corruption, self.clean = under.corruption, clean
        self.seeds = min(under.seeds, clean.seeds)
        self.difference = under.difference - clean.difference
        self._middle, self._half = under.difference, (under.high - under.low) / 2
        apart = SUCCESSES in (clean.compares, under.compares)
        self.irregular = apart or math.isnan(self._half)

    @classmethod
    def of(cls, evidence: Evidence, name: str, other: str, corruption: str) -> "_Change | None":
        """Return the change; None: one of the two differences was not measured."""
        clean = evidence.pair(_BALANCED, name, other)
        row = evidence.robust_pair(corruption, name, other)
        if clean is None or row is None:
            return None
        return cls(clean, row)

    def interval(self, tests: int = 1) -> Interval:
        """Return the 95 % interval, of so many that hold together."""
        low, high = _interval(self.clean, 2 * tests)
        # With the fewest degrees of freedom that the interval can have: never too narrow.
        ends = [
            float(student.ppf(1 - (1 - LEVEL) / (2 * of), self.seeds - 1)) for of in (1, 2 * tests)
        ]
        half = self._half * ends[1] / ends[0]
        return self._middle - half - high, self._middle + half - low

    @property
    def words(self) -> str:
        """The change with its interval."""
        head = f"{self.corruption}, over {self.clean.second} {self.difference:+.1f} points"
        if self.irregular:
            return f"{head} ({_APART})"
        low, high = self.interval()
        return f"{head} ({100 * LEVEL:.0f} % interval {low:+.1f} to {high:+.1f})"


def _aligned(evidence: Evidence, fusions: Sequence[str]) -> str:
    """Say what alignment did on the task that needs one place of both sensors."""
    rows = {(row.align, row.fusion): row for row in evidence.suite if _is_nearest(row.cell)}
    said = [
        f"{name} {_solved(rows['none', name], rows['camera', name])}"
        for name in fusions
        if ("none", name) in rows and ("camera", name) in rows
    ]
    if not said:
        return ""
    return (
        " On task nearest, which needs both sensors at one place, seeds that solved it with maps "
        f"as stored, and in the camera's frame: {', '.join(said)}."
    )


def _solved(first: SuiteRow, second: SuiteRow) -> str:
    """Return how many seeds solved each: "3 and 8 of 8", or "3 of 5 and 8 of 8"."""
    of_first = f" of {first.seeds}" if first.seeds != second.seeds else ""
    return f"{first.solved}{of_first} and {second.solved} of {second.seeds}"


def _is_nearest(cell: str) -> bool:
    return cell in ("nearest", "nearest-camera")


def why(name: str, matched: str) -> Judge:
    """Return the judge of a claim that gives a reason, which no figure here can decide.

    It says what is known instead: how often a fusion and one of its size that merges last solve
    the tasks that only both sensors tell.
    """

    def judge(evidence: Evidence) -> Judgement:
        head = "That one fusion does better than another does not tell why."
        rows = {(row.task, row.fusion): row for row in evidence.suite
                if row.align == "none" and not row.probe}  # fmt: skip
        said = [
            f"{task} {_solved(rows[task, name], rows[task, matched])}"
            for task in KINDS["synergistic"]
            if (task, name) in rows and (task, matched) in rows
        ]
        if not said:
            return undecided(head)
        return undecided(
            f"{head} Known instead: of tasks that only both sensors together tell, seeds of "
            f"{name}, and of {matched}, which has its size and merges last, that solved them: "
            f"{', '.join(said)}."
        )

    return judge

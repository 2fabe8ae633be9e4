"""What may be said of fusions under corruptions: sentences that never say more than shown."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from fusebench.files import parse_table
from fusebench.inputs.corruption import CORRUPTIONS, SEVERITIES, corruption_of
from fusebench.report.recommendation import listed
from fusebench.report.robustness import ALL
from fusebench.report.robustness_files import PAIRS, SUMMARY, SUMMARY_KINDS, Kept, kept_of
from fusebench.report.robustness_pairs import PAIR_KINDS, StressPair, stress_pairs, turned
from fusebench.report.roles import PLANNED
from fusebench.report.stored import decoded, read_if_there
from fusebench.report.study import SUCCESSES
from fusebench.statistics.estimates import FEWEST_SEEDS, LEVEL


@dataclass(frozen=True)
class Robustness:
    """What was found of fusions under corruptions.

    Attributes
    ----------
    summary, pairs : DataFrame
        As metrics/robustness_summary.csv and metrics/robustness_pairs.csv.
    """

    summary: pd.DataFrame
    pairs: pd.DataFrame

    @classmethod
    def read(cls, read: Callable[[Path], bytes]) -> Self | None:
        """Return what was kept; None where there are no such files, as in an earlier commit.

        Parameters
        ----------
        read : callable
            Gives the content of a file by its path.

        Raises
        ------
        ArtifactError
            A file is broken.
        """
        summary, pairs = (read_if_there(read, path) for path in (SUMMARY, PAIRS))
        if summary is None or pairs is None:
            return None
        return cls(
            parse_table(SUMMARY, decoded(summary, SUMMARY), SUMMARY_KINDS),
            parse_table(PAIRS, decoded(pairs, PAIRS), PAIR_KINDS),
        )

    @property
    def kept(self) -> dict[str, Kept]:
        """What each fusion keeps."""
        return kept_of(self.summary)

    @property
    def remarks(self) -> list[str]:
        """How much each fusion keeps, and between which of them differences are shown."""
        kept = list(self.kept.values())
        if not any(row.corruptions for row in kept):
            return []
        return [*_levels(kept), *_differences(self.pairs)]

    @property
    def sentences(self) -> list[str]:
        """One sentence on each pair of which a difference is shown: under what, by how much."""
        return [
            f"{ahead} is better than {behind} under {listed([_amount(pair) for pair in pairs])}."
            for (ahead, behind), pairs in _shown(stress_pairs(self.pairs, PLANNED)).items()
        ]


def label(corruption: str) -> str:
    """Return how sentences call a corruption; of one that this version lacks, its name."""
    if corruption == ALL:
        return "all corruptions together"
    known = corruption in CORRUPTIONS.names()
    return corruption_of(corruption).label if known else corruption.replace("_", " ")


def _levels(kept: Sequence[Kept]) -> Iterator[str]:
    known = [row for row in kept if not math.isnan(row.robustness)]
    if known:
        seeds, count = known[0].seeds, known[0].corruptions
        said = [
            f"{row.fusion} {percent(row.robustness)} % (least under {label(row.worst)}: "
            f"{percent(row.worst_robustness)} %)"
            for row in known
        ]
        yield (
            f"Of their advantage over chance these models ({seeds} seed{'s' * (seeds > 1)}) keep, "
            f"when one sensor is corrupted ({count} way{'s' * (count > 1)}, each at {SEVERITIES} "
            "severities; each sensor counts the same, and one that a fusion does not see costs it "
            f"nothing): {listed(said)}."
        )
    lacking = [row.fusion for row in kept if math.isnan(row.robustness)]
    if lacking:
        yield (
            f"No such figure for {listed(lacking)}: not shown to be above chance on clean samples."
        )


def percent(share: float) -> str:
    """Return a share in whole percent; never "-0"."""
    return f"{round(100 * share) + 0:d}"


def _differences(pairs: pd.DataFrame) -> Iterator[str]:
    tested = stress_pairs(pairs, PLANNED)
    if not tested:
        return
    seeds = tested[0].seeds
    if seeds < FEWEST_SEEDS:
        yield (
            f"{seeds} seed(s) are too few to say which fusions, trained again, are better under "
            f"corruptions (from {FEWEST_SEEDS} on)."
        )
        return
    after, shown = f"after Holm over {len(tested)} tests", _shown(tested)
    if not shown:
        yield f"No planned contrast is shown to differ under any corruption, {after}."
        return
    known = len({pair.corruption for pair in tested} - {ALL})
    said = [
        f"{ahead} is better than {behind} under {_how_many(pairs)}"
        for (ahead, behind), pairs in shown.items()
    ]
    yield (
        f"Shown, {after}, of {known} corruption{'s' * (known > 1)}: {', '.join(said)}; under which "
        "and by how much stands with the pairs in words."
    )


def _how_many(pairs: Sequence[StressPair]) -> str:
    """Say under how many corruptions a pair differs; that of all together is none of them."""
    single = sum(pair.corruption != ALL for pair in pairs)
    together = [label(ALL)] * (single < len(pairs))
    return " and ".join([str(single)] * (single > 0) + together)


def _shown(tested: Sequence[StressPair]) -> dict[tuple[str, str], list[StressPair]]:
    """Return the differences that are shown, by the better fusion and the other one."""
    groups: dict[tuple[str, str], list[StressPair]] = {}
    for pair in tested:
        if pair.seeds >= FEWEST_SEEDS and pair.holm <= 1 - LEVEL:
            better = pair if _first_is_better(pair) else turned(pair)
            groups.setdefault((better.first, better.second), []).append(better)
    return groups


def _first_is_better(pair: StressPair) -> bool:
    """Tell whether what is compared speaks for the first fusion."""
    if pair.compares == SUCCESSES:
        return pair.first_succeeded > pair.second_succeeded
    return pair.difference > 0


def _amount(pair: StressPair) -> str:
    """Say the corruption and by how much."""
    if pair.compares == SUCCESSES:
        return (
            f"{label(pair.corruption)} ({pair.first_succeeded} and {pair.second_succeeded} of "
            f"{pair.seeds} seeds succeed)"
        )
    return (
        f"{label(pair.corruption)} ({pair.difference:+.1f} points, {100 * LEVEL:.0f} % interval "
        f"{pair.low:+.1f} to {pair.high:+.1f})"
    )

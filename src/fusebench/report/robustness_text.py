"""What may be said of fusions under corruptions: sentences that never say more than shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import parse_table
from fusebench.inputs.corruption import SEVERITIES, corruption_of, names
from fusebench.report.recommendation import listed
from fusebench.report.robustness import ALL
from fusebench.report.robustness_files import PAIRS, SUMMARY, SUMMARY_KINDS, Kept
from fusebench.report.robustness_pairs import PAIR_KINDS, StressPair, stress_pairs, turned
from fusebench.report.roles import PLANNED
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
        try:
            texts = [read(path).decode() for path in (SUMMARY, PAIRS)]
        except (ArtifactError, FileNotFoundError):
            return None
        return cls(
            parse_table(SUMMARY, texts[0], SUMMARY_KINDS), parse_table(PAIRS, texts[1], PAIR_KINDS)
        )

    @property
    def kept(self) -> dict[str, Kept]:
        """What each fusion keeps."""
        rows = self.summary[list(SUMMARY_KINDS)].astype(object)
        return {row[0]: Kept(*row) for row in rows.itertuples(index=False, name=None)}

    @property
    def sentences(self) -> list[str]:
        """How much each fusion keeps, and which differences between them are shown."""
        corruptions = list(dict.fromkeys(self.pairs["corruption"]))
        if not corruptions:
            return []
        return [*_levels(self.summary, len(corruptions) - 1), *_differences(self.pairs)]


def label(corruption: str) -> str:
    """Return how sentences call a corruption; of one that this version lacks, its name."""
    if corruption == ALL:
        return "all corruptions together"
    known = corruption in names()
    return corruption_of(corruption).label if known else corruption.replace("_", " ")


def _levels(summary: pd.DataFrame, count: int) -> Iterator[str]:
    known = summary.dropna(subset="robustness").sort_values(
        "robustness", ascending=False, kind="stable"
    )
    if len(known):
        kept = [
            f"{row.fusion} {100 * row.robustness:.0f} % (least under {label(row.worst)}: "
            f"{100 * row.worst_robustness:.0f} %)"
            for row in known.itertuples()
        ]
        yield (
            "Of its advantage over chance each fusion keeps under corruptions of one sensor, mean "
            f"over {count} of them at {SEVERITIES} severities: {listed(kept)}."
        )
    lacking = summary.loc[summary["robustness"].isna(), "fusion"].tolist()
    if lacking:
        yield f"No such figure for {listed(lacking)}: at chance on clean samples."


def _differences(pairs: pd.DataFrame) -> Iterator[str]:
    tested = stress_pairs(pairs, PLANNED)
    if not tested:
        return
    seeds = tested[0].seeds
    if seeds < FEWEST_SEEDS:
        yield (
            f"{seeds} seed(s) are too few to say which fusions, trained again, keep more under "
            f"corruptions (from {FEWEST_SEEDS} on)."
        )
        return
    shown = [
        pair if pair.difference > 0 else turned(pair) for pair in tested if pair.holm <= 1 - LEVEL
    ]
    after = f"after Holm over {len(tested)} tests"
    if not shown:
        yield f"No planned contrast is shown to differ under any corruption, {after}."
        return
    groups: dict[tuple[str, str], list[str]] = {}
    for pair in shown:
        groups.setdefault((pair.first, pair.second), []).append(_amount(pair))
    said = [
        f"{ahead} is better than {behind} under {listed(amounts)}"
        for (ahead, behind), amounts in groups.items()
    ]
    yield f"Shown under corruptions, {after}: {'; '.join(said)}."


def _amount(pair: StressPair) -> str:
    """Say the corruption and by how much."""
    how = ", by how many seeds succeed" if pair.compares == SUCCESSES else ""
    return (
        f"{label(pair.corruption)} ({pair.difference:+.1f} points, {100 * LEVEL:.0f} % interval "
        f"{pair.low:+.1f} to {pair.high:+.1f}{how})"
    )

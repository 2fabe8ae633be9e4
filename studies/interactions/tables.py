"""Seeds summed up per cell and fusion, and the planned contrasts: summary.csv, contrasts.csv."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fusebench.files import write_table
from fusebench.report.suite import SuiteRow, write_suite
from fusebench.statistics.estimates import LEVEL, holm
from fusebench.statistics.failures import paired_p
from fusebench.statistics.solving import (
    log_rank,
    median_time,
    share_interval,
    share_ruled_out,
)
from studies.interactions.outcomes import Kept, Seeds, to_frame
from studies.interactions.plan import IMAGE_SIZE, Cell, Planned, planned


class Contrast(NamedTuple):
    """A planned contrast; a row of metrics/interactions/contrasts.csv. NaN: none.

    Attributes
    ----------
    family : str
        Contrasts whose p-values are corrected together, for each test by itself.
    tests : int
        How many of them there are.
    first_solved, second_solved : int
        Seeds that solve the task with each.
    first_alone, second_alone : int
        Seeds that solve it with one of the two only.
    paired_p, paired_holm : float
        Exact p of "both solve it equally often", paired by seed (McNemar), and after Holm.
    ruled_out : float
        Difference of the two shares of seeds, between 0 and 1, that is ruled out either way; those
        of a family hold together with 95 %.
    first_median, second_median : float
        Epoch by which half of the seeds solve it.
    log_rank_p, log_rank_holm : float
        p of "both solve it equally soon" by the log-rank test, unpaired, and after Holm.
    sooner : str
        "first" or "second", whichever the log-rank test speaks for; empty: neither.
    """

    family: str
    tests: int
    first_cell: str
    first: str
    second_cell: str
    second: str
    seeds: int
    first_solved: int
    second_solved: int
    first_alone: int
    second_alone: int
    paired_p: float
    paired_holm: float
    ruled_out: float
    first_median: float
    second_median: float
    log_rank_p: float
    log_rank_holm: float
    sooner: str

    @property
    def solves_more(self) -> bool:
        """Whether it is shown that one of the two solves the task in more seeds."""
        return self.paired_holm <= 1 - LEVEL

    @property
    def solves_sooner(self) -> bool:
        """Whether it is shown that one of the two solves the task sooner."""
        return self.log_rank_holm <= 1 - LEVEL


def summaries(cells: Sequence[Kept]) -> list[SuiteRow]:
    """Return a row for each fusion of each cell."""
    return [_summary(kept, fusion) for kept in cells for fusion in kept.cell.fusions]


def _summary(kept: Kept, fusion: str) -> SuiteRow:
    cell, seeds = kept.cell, kept.of(fusion)
    solved = int(seeds.solved.sum())
    low, high = share_interval(solved, len(seeds))
    return SuiteRow(
        cell.task, cell.align, fusion, len(seeds), solved, low, high, _median(seeds),
        seeds.accuracy_of_solving, cell.epochs, kept.train_samples, IMAGE_SIZE,
        cell.name, cell.probe,
    )  # fmt: skip


def _median(seeds: Seeds) -> float:
    median = median_time(seeds.times)
    return math.nan if median is None else median


@dataclass(frozen=True)
class _Pair:
    """A planned contrast with the seeds of both sides."""

    planned: Planned
    first: Seeds
    second: Seeds


def contrasts(cells: Sequence[Kept], plan: Sequence[Planned]) -> list[Contrast]:
    """Return the planned contrasts of the cells that are done, corrected within each family.

    Parameters
    ----------
    cells : sequence of Kept
    plan : sequence of Planned
        One whose cell or fusion was not run comes to nothing.
    """
    by_name = {kept.cell.name: kept for kept in cells}
    pairs = [pair for one in plan if (pair := _pair(one, by_name)) is not None]
    families: dict[str, list[_Pair]] = {}
    for pair in pairs:
        families.setdefault(pair.planned.family, []).append(pair)
    return [row for family in families.values() for row in _compared(family)]


def _pair(planned: Planned, cells: Mapping[str, Kept]) -> _Pair | None:
    try:
        return _Pair(
            planned,
            cells[planned.first_cell].of(planned.first),
            cells[planned.second_cell].of(planned.second),
        )
    except KeyError:
        return None


def _compared(family: Sequence[_Pair]) -> list[Contrast]:
    """Return the contrasts of one family."""
    paired = [paired_p(pair.first.solved, pair.second.solved) for pair in family]
    ranked = [log_rank(pair.first.times, pair.second.times) for pair in family]
    corrected = zip(holm(paired), holm([one.p for one in ranked]), strict=True)
    rows = []
    for pair, p, ranks, (paired_holm, log_rank_holm) in zip(
        family, paired, ranked, corrected, strict=True
    ):
        first, second = pair.first.solved, pair.second.solved
        alone, other = int((first & ~second).sum()), int((second & ~first).sum())
        rows.append(
            Contrast(
                pair.planned.family, len(family), pair.planned.first_cell, pair.planned.first,
                pair.planned.second_cell, pair.planned.second, len(pair.first),
                int(first.sum()), int(second.sum()), alone, other, p, paired_holm,
                share_ruled_out(alone, other, len(pair.first), len(family)),
                _median(pair.first), _median(pair.second), ranks.p, log_rank_holm,
                _sooner(ranks.excess),
            )
        )  # fmt: skip
    return rows


def _sooner(excess: float) -> str:
    # What rounding leaves of equal times is no excess.
    return "" if abs(excess) < 1e-9 else "first" if excess > 0 else "second"


@dataclass(frozen=True)
class Results:
    """All that is known.

    Attributes
    ----------
    plan : sequence of Cell
        All cells, done or not.
    kept : sequence of Kept
        Those that are done, in the same order.
    summaries, contrasts : sequence
        Of these.
    """

    plan: Sequence[Cell]
    kept: Sequence[Kept]
    summaries: Sequence[SuiteRow]
    contrasts: Sequence[Contrast]

    @classmethod
    def of(cls, plan: Sequence[Cell], kept: Sequence[Kept]) -> "Results":
        """Sum up what is kept."""
        return cls(plan, kept, summaries(kept), contrasts(kept, list(planned(plan))))

    @property
    def cells(self) -> list[Kept]:
        """Those that are done and no probes."""
        return [kept for kept in self.kept if not kept.cell.probe]

    def probes(self, cell: Cell) -> list[Kept]:
        """Return the probes of a cell that are done."""
        return [kept for kept in self.kept if kept.cell.probe == cell.name]

    def rows(self, cell: Cell) -> list[SuiteRow]:
        """Return the fusions of a cell."""
        return [row for row in self.summaries if row.cell == cell.name]

    def write(self, folder: Path) -> None:
        """Write summary.csv and contrasts.csv."""
        write_suite(folder / "summary.csv", self.summaries)
        write_table(folder / "contrasts.csv", to_frame(self.contrasts, Contrast))

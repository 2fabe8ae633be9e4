"""Sizes and seeds summed up per fusion: metrics/learning_curve/summary.csv."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusebench.report.learning import LearningRow, write_learning
from fusebench.statistics.estimates import FEWEST_SEEDS, mean_over_seeds
from studies.common.found import Values
from studies.common.study import Kept

FOLDER = Path("metrics/learning_curve")


@dataclass(frozen=True)
class Results:
    """All that is known.

    Attributes
    ----------
    kept : sequence of mapping
        Of each size that is done, from smallest to largest.
    planned : sequence of str
        The sizes that the study consists of, by their names.
    margin : float or None
        What is as good as the best, in points: `compare.margin.balanced_accuracy`.
    """

    kept: Sequence[Kept]
    planned: Sequence[str] = ()
    margin: float | None = None

    @classmethod
    def of(
        cls, kept: Sequence[Kept], planned: Sequence[str] = (), margin: float | None = None
    ) -> "Results":
        """Put what is kept in order."""
        return cls(sorted(kept, key=lambda of: float(of["train_samples"])), planned, margin)

    @property
    def fusions(self) -> list[str]:
        """In the order of params.yaml."""
        return list(self.kept[0]["fusions"]) if self.kept else []

    @property
    def seeds(self) -> int:
        """How many of each fusion and size; 0 where nothing was run."""
        return len(self.values(self.kept[0], self.fusions[0])) if self.kept else 0

    @property
    def by_interval(self) -> bool:
        """Whether there are so many seeds that an interval over them is relied on."""
        return self.seeds >= FEWEST_SEEDS

    def values(self, size: Kept, fusion: str, figure: str = "balanced_accuracy") -> Values:
        """Return a figure of each seed, in the seeds' order."""
        return np.array(list(size["fusions"][fusion][figure].values()), float)

    def best(self, fusion: str) -> Kept:
        """Return the size with a fusion's highest mean; of equal ones the smallest."""
        return max(self.kept, key=lambda size: float(self.values(size, fusion).mean()))

    def enough(self, fusion: str) -> Kept | None:
        """Return the smallest size from which on a fusion is within the margin of its best mean.

        By the upper end of the 95 % interval of the difference, paired by seed; with fewer than
        `FEWEST_SEEDS` seeds by means. None: the largest is not, or there is no margin.
        """
        found = None
        for size in reversed(self.kept):
            if self.margin is None or self._below(size, fusion) > self.margin:
                break
            found = size
        return found

    def _below(self, size: Kept, fusion: str) -> float:
        """Return by how much a size is below the best, at most."""
        best = self.values(self.best(fusion), fusion)
        below = mean_over_seeds(best - self.values(size, fusion))
        return below.interval()[1] if self.by_interval else below.difference

    def rows(self, fusion: str) -> list[LearningRow]:
        """Return a fusion's rows, from the smallest size to the largest."""
        enough = self.enough(fusion)
        return [self._row(size, fusion, size is enough) for size in self.kept]

    def _row(self, size: Kept, fusion: str, is_enough: bool) -> LearningRow:
        accuracy = mean_over_seeds(self.values(size, fusion))
        # A balanced accuracy is between 0 and 100.
        low, high = np.clip(accuracy.interval(), 0, 100).tolist()
        return LearningRow(
            fusion, size["train_samples"], size["share"], size["epochs"], size["steps"],
            self.seeds, accuracy.difference, low, high,
            float(self.values(size, fusion, "nll").mean()), int(is_enough),
        )  # fmt: skip

    def band(self, size: Kept, fusion: str) -> tuple[float, float]:
        """Return the 95 % interval of a mean, or from the lowest to the highest of few seeds.

        No mean of accuracies is beyond 0 and 100 %.
        """
        values = self.values(size, fusion)
        low, high = mean_over_seeds(values).interval()
        if not self.by_interval or math.isnan(low):
            return float(values.min()), float(values.max())
        return max(0.0, low), min(100.0, high)

    def write(self, folder: Path = FOLDER) -> None:
        """Write summary.csv."""
        rows = [row for fusion in self.fusions for row in self.rows(fusion)]
        write_learning(folder / "summary.csv", rows)

"""Changes of each fusion, paired by seed: metrics/robust/summary.csv, by_corruption.csv."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusebench.report.robust import CorruptionRow, RobustRow, write_robust
from fusebench.statistics.estimates import FEWEST_SEEDS, Claim, mean_over_seeds
from studies.common.found import Values
from studies.common.study import Kept
from studies.robust.plan import recipes

FOLDER = Path("metrics/robust")
CLEAN = "clean"
ALL = "all"
"""All corruptions together, each sensor counting the same."""
_UNKNOWN = Claim(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Results:
    """All that is known.

    Attributes
    ----------
    kept : sequence of mapping
        Of each recipe that is done, in the plan's order.
    planned : sequence of str
        The recipes that the study consists of.
    """

    kept: Sequence[Kept]
    planned: Sequence[str] = ()

    @classmethod
    def of(cls, kept: Sequence[Kept], planned: Sequence[str] = ()) -> "Results":
        """Put what is kept in order; of recipes that are not planned any more nothing is shown."""
        by_name = {of["recipe"]: of for of in kept}
        return cls([by_name[one.name] for one in recipes() if one.name in by_name], planned)

    @property
    def fusions(self) -> list[str]:
        """In the order of params.yaml."""
        return list(self.kept[0]["plain"]) if self.kept else []

    @property
    def seeds(self) -> int:
        """How many of each fusion and recipe; 0 where nothing was run."""
        return len(values(self.kept[0], "plain", self.fusions[0], CLEAN)) if self.kept else 0

    @property
    def by_interval(self) -> bool:
        """Whether there are so many seeds that an interval over them is relied on."""
        return self.seeds >= FEWEST_SEEDS

    def rows(self, recipe: Kept) -> list[RobustRow]:
        """Return a row per fusion."""
        return [_row(recipe, fusion) for fusion in self.fusions]

    def by_corruption(self, recipe: Kept) -> list[CorruptionRow]:
        """Return a row per fusion and corruption."""
        return [
            _by_corruption(recipe, fusion, name)
            for fusion in self.fusions
            for name in recipe["sensors"]
        ]

    def band(self, recipe: Kept, fusion: str, of: str) -> tuple[float, float]:
        """Return the 95 % interval of a change, or from the lowest to the highest of few seeds."""
        changes = _changes(recipe, fusion, of)
        if self.by_interval:
            return mean_over_seeds(changes).interval()
        return float(changes.min()), float(changes.max())

    def write(self, folder: Path = FOLDER) -> None:
        """Write both tables."""
        write_robust(
            [row for recipe in self.kept for row in self.rows(recipe)],
            [row for recipe in self.kept for row in self.by_corruption(recipe)],
            folder,
        )


def values(recipe: Kept, side: str, fusion: str, of: str) -> Values:
    """Return balanced accuracy of each seed in %, in the seeds' order, mean over severities.

    Parameters
    ----------
    side : {"plain", "trained"}
        Trained on clean samples alone, or with the recipe.
    of : str
        `CLEAN`, `ALL`, or the name of a corruption.
    """
    model: Mapping[str, Any] = recipe[side][fusion]
    if of == CLEAN:
        return np.array(list(model["clean"].values()), float)
    if of != ALL:
        return np.array(list(model["corrupted"][of].values()), float)
    sensors: Mapping[str, str] = recipe["sensors"]
    means = [
        np.mean([values(recipe, side, fusion, name) for name in sensors if sensors[name] == sensor],
                axis=0)
        for sensor in dict.fromkeys(sensors.values())
    ]  # fmt: skip
    return np.asarray(np.mean(means, axis=0))


def _changes(recipe: Kept, fusion: str, of: str) -> Values:
    return values(recipe, "trained", fusion, of) - values(recipe, "plain", fusion, of)


def _row(recipe: Kept, fusion: str) -> RobustRow:
    clean, corrupted = (mean_over_seeds(_changes(recipe, fusion, of)) for of in (CLEAN, ALL))
    now = recipe["trained"][fusion]["robustness"]
    change = _robustness_change(recipe, fusion)
    return RobustRow(
        fusion, recipe["recipe"],
        float(values(recipe, "trained", fusion, CLEAN).mean()), clean.difference,
        math.nan if now is None else now, change.difference, *change.interval(),
        float(values(recipe, "trained", fusion, ALL).mean()), corrupted.difference,
        *corrupted.interval(), *clean.interval(), corrupted.p, clean.p,
        len(values(recipe, "plain", fusion, CLEAN)),
    )  # fmt: skip


def _robustness_change(recipe: Kept, fusion: str) -> Claim:
    """Return the change of robustness; its error from linearized ratios, paired by seed."""
    if any(recipe[side][fusion]["robustness"] is None for side in ("plain", "trained")):
        return _UNKNOWN
    plain, trained = (_linearized(recipe, side, fusion) for side in ("plain", "trained"))
    return mean_over_seeds(trained - plain)


def _linearized(recipe: Kept, side: str, fusion: str) -> Values:
    """Return values per seed whose mean is robustness, and whose scatter is that of the ratio.

    Of a ratio r = mean(a) / mean(b): r + (a − r·b) / mean(b), its first-order expansion (Cochran,
    "Sampling techniques", 1977, chapter 6).
    """
    above = values(recipe, side, fusion, ALL) - recipe["chance"]
    clean = values(recipe, side, fusion, CLEAN) - recipe["chance"]
    ratio = above.mean() / clean.mean()
    return np.asarray(ratio + (above - ratio * clean) / clean.mean())


def _by_corruption(recipe: Kept, fusion: str, name: str) -> CorruptionRow:
    change = mean_over_seeds(_changes(recipe, fusion, name))
    return CorruptionRow(
        fusion, recipe["recipe"], name, recipe["sensors"][name],
        int(name in recipe["corruptions"]),
        float(values(recipe, "trained", fusion, name).mean()), change.difference,
        *change.interval(), len(values(recipe, "plain", fusion, CLEAN)),
    )  # fmt: skip

"""What came of it: the chosen values, and the fusions with them beside the default."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fusebench.prediction.predictions import BASELINES
from fusebench.report.best import Best, best_rows
from fusebench.report.declared import SAMPLES, deciding, differing
from fusebench.report.export import exported, exported_params
from fusebench.report.findings import Findings
from fusebench.report.pairs import Pair, pair_rows
from fusebench.report.roles import PLANNED
from fusebench.report.tuning import TuningRow
from studies.tuning.trials import FOLDER, Kept

VERDICT = Path("metrics/verdict")
"""What make verdict wrote: the same fusions with the values of params.yaml."""
# What another run may have otherwise: how many seeds, which is said, and what was put under stress.
# Samples are told apart by the baselines.
_ALLOWED = ("train.seeds", "stress", SAMPLES)


@dataclass(frozen=True)
class Side:
    """A comparison of fusions: before tuning, or after."""

    findings: Findings

    @property
    def best(self) -> list[Best]:
        """The fusions with their distances to the best, the best mean first."""
        return best_rows(self.findings.best)

    @property
    def seeds(self) -> int:
        """How many seeds of each fusion there are."""
        return self.best[0].seeds

    @property
    def planned(self) -> dict[tuple[str, str], Pair]:
        """The contrasts that are tested, by their fusions."""
        return {(row.first, row.second): row for row in pair_rows(self.findings.pairs, PLANNED)}

    @property
    def accuracies(self) -> dict[str, float]:
        """Balanced accuracy on test of each model, in percent, mean over seeds."""
        table = self.findings.table
        means = table["Test Balanced Accuracy"].astype(float).tolist()
        return dict(zip(table["Model"].astype(str).tolist(), means, strict=True))

    @property
    def baselines(self) -> dict[str, float]:
        """Those of the baselines, which tuning does not change."""
        return {name: mean for name, mean in self.accuracies.items() if name in BASELINES}


@dataclass(frozen=True)
class Results:
    """All that is shown.

    Attributes
    ----------
    before, after : Side or None
        metrics/verdict, and the experiment with the chosen values; None: that was not run yet.
    others : sequence of str or None
        Keys of the params in which metrics/verdict is of others than the trials, but for those of
        `_ALLOWED`; None: what it was run with is not known.
    """

    kept: Kept
    before: Side | None = None
    after: Side | None = None
    others: Sequence[str] | None = ()

    @classmethod
    def read(cls, kept: Kept, folder: Path = FOLDER, verdict: Path = VERDICT) -> Self:
        """Return what is kept with both comparisons, once the experiment was run.

        Raises
        ------
        ArtifactError
            One of them is missing or broken.
        """
        if kept.experiment is None:
            return cls(kept)
        sides = Side(exported(verdict)), Side(exported(folder))
        return cls(kept, *sides, _others(kept, verdict))

    @property
    def common(self) -> list[str]:
        """The fusions that both comparisons have, in the order of the trials."""
        if self.before is None or self.after is None:
            return []
        known = self.before.accuracies.keys() & self.after.accuracies.keys()
        return [fusion for fusion in self.kept.fusions if fusion in known]

    @property
    def rows(self) -> list[TuningRow]:
        """A row per fusion; none before the experiment was run."""
        if self.before is None or self.after is None:
            return []
        before, after = self.before.accuracies, self.after.accuracies
        ranks = [ranks_of({name: side[name] for name in self.common}) for side in (before, after)]
        found = []
        for fusion in self.kept.fusions:
            chosen = self.kept.chosen(fusion)
            default, tuned = (side.get(fusion, math.nan) for side in (before, after))
            default_rank, tuned_rank = (of_side.get(fusion, math.nan) for of_side in ranks)
            found.append(
                TuningRow(
                    fusion, *chosen.choice, self.kept.count, chosen.val_nll, default, tuned,
                    default_rank, tuned_rank, self.before.seeds, self.after.seeds,
                )
            )  # fmt: skip
        return found


def _others(kept: Kept, verdict: Path) -> list[str] | None:
    """Return in which params an exported comparison differs from those of the trials."""
    run_with = exported_params(verdict)
    if run_with is None:
        return None
    keys = differing(deciding(run_with), kept.about.get("declared", {}))
    return [key for key in keys if not key.startswith(_ALLOWED)]


def ranks_of(means: Mapping[str, float]) -> dict[str, float]:
    """Return the place of each in the order of means, the highest first; equal ones share it."""
    return {
        name: 1.0 + sum(other > mean for other in means.values()) for name, mean in means.items()
    }


def order_of(ranks: Mapping[str, float]) -> Sequence[str]:
    """Return names by their places; of equal ones in the order of the mapping."""
    return sorted(ranks, key=ranks.__getitem__)

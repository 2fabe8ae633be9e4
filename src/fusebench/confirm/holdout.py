"""The held-out samples, and what so many of them can tell, before anything answers for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from fusebench.errors import HoldoutError
from fusebench.evaluation.metrics import Metric
from fusebench.samples.manifest import HOLDOUT, Manifest
from fusebench.sealed import digest_of


@dataclass(frozen=True)
class Holdout:
    """The held-out samples.

    Attributes
    ----------
    rows : DataFrame
        With `SAMPLE_COLUMNS`; the same for every seed.
    """

    rows: pd.DataFrame

    @classmethod
    def of(cls, manifest: Manifest, seeds: Sequence[int]) -> Self:
        """Take the holdout of the manifest.

        Raises
        ------
        ArtifactError
            The manifest was drawn without one of the seeds.
        HoldoutError
            It holds no sample, or not the same for all seeds.
        """
        rows = manifest.part(seeds[0], HOLDOUT)
        if rows.empty:
            raise HoldoutError(f"{manifest.source}: no sample is held out; 'dvc repro' draws anew")
        for seed in seeds[1:]:
            if not manifest.part(seed, HOLDOUT).equals(rows):
                raise HoldoutError(
                    f"{manifest.source}: seeds {seeds[0]} and {seed} hold out other samples; "
                    "'dvc repro' draws anew"
                )
        return cls(rows)

    @property
    def digest(self) -> str:
        """What names the samples by their content, in whatever order they stand."""
        return digest_of("\n".join(sorted(self.rows["digest"])).encode())

    @property
    def counts(self) -> dict[str, int]:
        """How many samples there are of each class, by label."""
        sizes = self.rows.groupby(["label", "class"]).size()
        return {str(name): int(count) for (_, name), count in sizes.items()}

    @property
    def ids(self) -> int:
        """How many ids there are; of grouped samples, groups."""
        return int(self.rows["group"].nunique())

    @property
    def grouped(self) -> bool:
        """Whether samples belong to groups, which are drawn as one."""
        return bool((self.rows["group"] != self.rows["id"]).any())

    def worth(self, metric: Metric) -> str:
        """Return in words what one sample can change of a metric that is a mean over samples."""
        if not metric.span:
            return f"one sample has no largest share of {metric.label}: its loss has no bound"
        weights = metric.weights(self.rows["label"].to_numpy(np.int64)) * metric.span
        unit = f" {metric.difference_unit}".rstrip()
        if not metric.class_balanced:
            return f"each is worth {weights[0]:.{metric.digits}f}{unit} of {metric.label}"
        first = self.rows["class"].drop_duplicates()
        values = {
            name: weights[place]
            for name, place in zip(first, self.rows.index.get_indexer(first.index), strict=True)
        }
        (name, most), *others = sorted(values.items(), key=lambda item: -item[1])
        said = [f"one of {name} is worth {most:.{metric.digits}f}{unit} of {metric.label}"]
        said += [f"one of {name} {value:.{metric.digits}f}" for name, value in others]
        return ", ".join(said)


def counts_text(counts: dict[str, int]) -> str:
    """Return numbers of samples in words: "1,000 cubes, 75 spheres"."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())

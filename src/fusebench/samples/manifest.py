"""The manifest (data/split.csv): which sample is in which part, per seed."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fusebench.errors import REMEDY, ArtifactError
from fusebench.files import read_table
from fusebench.samples.samples import SAMPLE_COLUMNS

HOLDOUT = "holdout"
"""The part that no stage reads; `make confirm` opens it."""
PARTS = ("train", "val", "test", HOLDOUT)
UNUSED = "unused"
PART_DTYPE = pd.CategoricalDtype([*PARTS, UNUSED])
"""How a column of parts is held: a byte per sample."""


@dataclass(frozen=True)
class Manifest:
    """Which sample is in which part, per seed.

    Attributes
    ----------
    table : DataFrame
        The columns of samples.csv, then a column `seed_<n>` per seed that holds one of `PARTS` or
        `UNUSED`, by split and by `read_manifest` as categories.
    source : str
        Named at the beginning of errors: the file that was read.
    """

    table: pd.DataFrame
    source: str = "split manifest"

    @property
    def seeds(self) -> list[int]:
        """The seeds that were drawn for, in the order of the columns."""
        return [int(column.removeprefix("seed_")) for column in _seed_columns(self.table)]

    def check_samples(self, samples: pd.DataFrame) -> None:
        """Raise ArtifactError unless the manifest was drawn from this table of samples."""
        columns = list(SAMPLE_COLUMNS)
        drawn, present = self.table[columns], samples[columns]
        if len(drawn) != len(present):
            raise ArtifactError(
                f"{self.source}: has {len(drawn)} samples, samples.csv has {len(present)}; "
                "'dvc repro' draws it anew"
            )
        differs = (drawn != present).any(axis=1)
        if differs.any():
            row = int(differs.idxmax())
            raise ArtifactError(
                f"{self.source}: row {row} is {drawn.loc[row].to_dict()}, in samples.csv "
                f"{present.loc[row].to_dict()}; 'dvc repro' draws it anew"
            )

    def part(self, seed: int, part: str) -> pd.DataFrame:
        """Return the samples of one part, with `SAMPLE_COLUMNS`, in the order of the manifest.

        Raises
        ------
        ArtifactError
            The manifest was drawn without this seed.
        """
        column = f"seed_{seed}"
        if column not in self.table:
            raise ArtifactError(
                f"{self.source}: has no seed {seed}, only {sorted(self.seeds)}; "
                "'dvc repro split' draws it"
            )
        return self.table.loc[self.table[column] == part, list(SAMPLE_COLUMNS)]

    def class_counts(self, seed: int, part: str) -> dict[str, int]:
        """Return how many samples of each class a part holds, by label."""
        table = self.part(seed, part)
        counts = table.groupby(["label", "class"]).size()
        return {str(name): int(count) for (_, name), count in counts.items()}


def _seed_columns(table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if column not in SAMPLE_COLUMNS]


def read_manifest(path: Path) -> Manifest:
    """Return the manifest that stage split wrote; raise ArtifactError if missing or broken."""
    table = read_table(path, SAMPLE_COLUMNS)
    for column in _seed_columns(table):
        named = re.fullmatch(r"seed_\d+", column)
        if named is None or not table[column].isin([*PARTS, UNUSED]).all():
            raise ArtifactError(
                f"{path}: column '{column}' must be seed_<number> and hold one of "
                f"{(*PARTS, UNUSED)} in each line; {REMEDY}"
            )
    return Manifest(table.astype(dict.fromkeys(_seed_columns(table), PART_DTYPE)), str(path))

"""The manifest: which sample is in which part, per seed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from fusebench.errors import ArtifactError
from fusebench.files import replace_file
from fusebench.samples.samples import SAMPLE_COLUMNS, SampleRow, parse_rows, read_csv, write_csv

PARTS = ("train", "val", "test")
UNUSED = "unused"


def write_manifest(
    path: Path, rows: Sequence[SampleRow], parts: Mapping[int, Mapping[int, str]]
) -> None:
    """Write the manifest: the columns of samples.csv, then one column `seed_<n>` per seed."""
    header = [*SAMPLE_COLUMNS, *(f"seed_{seed}" for seed in parts)]
    lines = [[*row.cells(), *(drawn[row.row] for drawn in parts.values())] for row in rows]
    with replace_file(path) as aside:
        write_csv(aside, header, lines)


@dataclass(frozen=True)
class Manifest:
    """Which row is in which part, per seed."""

    rows: tuple[SampleRow, ...]
    parts: Mapping[int, tuple[str, ...]]

    def check_rows(self, rows: Sequence[SampleRow]) -> None:
        """Raise ArtifactError unless the manifest was drawn from these samples."""
        for drawn, held in zip_longest(self.rows, rows):
            if drawn != held:
                raise ArtifactError(
                    f"split manifest: {drawn} is {held} in samples.csv; 'dvc repro' draws it anew"
                )

    def rows_of(self, seed: int, part: str) -> list[SampleRow]:
        """Return the rows of one part in the order of the manifest.

        Raises
        ------
        ArtifactError
            The manifest was drawn without this seed.
        """
        if seed not in self.parts:
            raise ArtifactError(
                f"split manifest: has no seed {seed}, only {sorted(self.parts)}; "
                "'dvc repro split' draws it"
            )
        return [row for row, held in zip(self.rows, self.parts[seed], strict=True) if held == part]


def read_manifest(path: Path) -> Manifest:
    """Return what `write_manifest` wrote; raise ArtifactError if it is missing or broken."""
    lines = read_csv(path, SAMPLE_COLUMNS)
    rows = parse_rows(path, lines)
    columns = [name for name in (lines[0] if lines else {}) if name not in SAMPLE_COLUMNS]
    parts: dict[int, tuple[str, ...]] = {}
    for column in columns:
        number = re.fullmatch(r"seed_(\d+)", column or "")
        held = tuple(line[column] for line in lines)
        wrong = set(held) - {*PARTS, UNUSED}
        if number is None or wrong:
            raise ArtifactError(
                f"{path}: column '{column}' must be seed_<number> and hold one of "
                f"{(*PARTS, UNUSED)} in each line; 'dvc checkout' mends it"
            )
        parts[int(number[1])] = held
    return Manifest(rows, parts)

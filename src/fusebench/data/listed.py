"""A table that lists samples, in CSV or Parquet, as text."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fusebench.data.headers import shown
from fusebench.data.paths import GUIDE
from fusebench.data.unpack import BadMemberError

_MOST = 10_000_000
_Cells = Mapping[str, Sequence[str]]


def read_listed(
    content: bytes,
    name: str,
    columns: Sequence[str],
    optional: Sequence[str],
    *,
    most: int | None = None,
    gaps: bool = False,
    guide: str = GUIDE,
) -> pd.DataFrame:
    """Return columns of a CSV or Parquet file as text; others are passed over.

    Parameters
    ----------
    name : str
        Of the file: its ending tells which of the two it is.
    columns, optional : sequence of str
        Those that must be there, and those that may.
    most : int, optional
        Rows that it may have, by `data.limits.members`; by default ten million.
    gaps : bool
        Whether a cell may be empty.
    guide : str
        The page that says which columns there must be.

    Returns
    -------
    DataFrame
        `columns`, those of `optional` that are there, and `line`: of a CSV the line of the file in
        which a row ends, of Parquet the row, counted from 1.

    Raises
    ------
    BadMemberError
        It is broken, lacks a column, has too many rows, or a cell is empty.
    """
    read = _parquet if name.lower().endswith(".parquet") else _csv
    cells, lines = read(content, _Asked(columns, optional, most, guide))
    table = pd.DataFrame(cells, dtype=object).assign(line=np.asarray(lines, np.int64))
    for column in () if gaps else cells:
        empty = table[column] == ""
        if empty.any():
            line = table.loc[empty, "line"].iloc[0]
            raise BadMemberError(f"line {line}: {column} is empty")
    return table


@dataclass(frozen=True)
class _Asked:
    """As the parameters of `read_listed`."""

    columns: Sequence[str]
    optional: Sequence[str]
    limit: int | None
    guide: str

    @property
    def most(self) -> int:
        """Rows that there may be."""
        return _MOST if self.limit is None else self.limit

    @property
    def too_many(self) -> BadMemberError:
        """What is raised where there are more."""
        by = "" if self.limit is None else ", which data.limits.members allows"
        return BadMemberError(f"has more than {self.most:,} rows{by}")


def _kept(names: Sequence[str], asked: _Asked) -> list[str]:
    """Return the columns that are read of those that are there.

    Raises
    ------
    BadMemberError
        One is missing, or there twice.
    """
    columns, optional = asked.columns, asked.optional
    missing = [column for column in columns if column not in names]
    if missing:
        may = f", and may have {', '.join(optional)}" if optional else ""
        raise BadMemberError(
            f"has no column {', '.join(missing)}, but '{shown(','.join(names))}'; must have "
            f"{', '.join(columns)}{may} ({asked.guide})"
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BadMemberError(f"has column '{shown(repeated[0])}' twice")
    return [*columns, *(column for column in optional if column in names)]


def _csv(content: bytes, asked: _Asked) -> tuple[_Cells, Sequence[int]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMemberError(f"is no UTF-8 ({shown(str(error))})") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[int] = []
    try:
        head = next(reader, [])
        kept = _kept(head, asked)
        places = [head.index(column) for column in kept]
        cells: list[list[str]] = [[] for _ in kept]
        for row in reader:
            if not row:
                continue
            if len(row) != len(head):
                raise BadMemberError(
                    f"line {reader.line_num}: {len(row)} cells; must be {len(head)}, as in line 1"
                )
            if len(lines) == asked.most:
                raise asked.too_many
            for column, place in zip(cells, places, strict=True):
                column.append(row[place])
            lines.append(reader.line_num)
    except csv.Error as error:
        raise BadMemberError(f"line {reader.line_num}: {shown(str(error))}") from None
    return dict(zip(kept, cells, strict=True)), lines


def _parquet(content: bytes, asked: _Asked) -> tuple[_Cells, Sequence[int]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise BadMemberError(
            "is Parquet, and the package pyarrow is not installed; 'make setup-extras' brings it "
            "(extra parquet of pyproject.toml); or write a CSV"
        ) from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        schema = file.schema_arrow
        kept = _kept(schema.names, asked)
        for column in kept:
            _check_type(column, schema.field(column).type, pa.types)
        # A few bytes may stand for a billion rows, or for a long text in each.
        if file.metadata.num_rows > asked.most:
            raise asked.too_many
        file = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=kept)
        table = file.read(columns=kept, use_threads=False)
        cells = {column: _texts(table.column(column)) for column in kept}
    except (pa.ArrowException, OSError, ValueError, IndexError, KeyError) as error:
        raise BadMemberError(f"broken Parquet ({shown(str(error))})") from None
    return cells, range(1, table.num_rows + 1)


def _check_type(column: str, kind: Any, types: Any) -> None:
    """Refuse what is no text by itself: a time, a number with digits behind its point."""
    of_cells = kind.value_type if types.is_dictionary(kind) else kind
    allowed = (
        types.is_string, types.is_large_string, types.is_string_view, types.is_integer,
        types.is_null,
    )  # fmt: skip
    if not any(is_such(of_cells) for is_such in allowed):
        raise BadMemberError(
            f"column {column} is of type {shown(str(kind))}; must be text or whole numbers"
        )


def _texts(column: Any) -> list[str]:
    """Return the cells of a column as text, equal ones once; a missing one is empty."""
    cells: list[Any] = []
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            values = chunk.dictionary.to_pylist()
            numbers = chunk.indices.to_pylist()
            cells += [None if number is None else values[number] for number in numbers]
        else:
            cells += chunk.to_pylist()
    return ["" if cell is None else str(cell) for cell in cells]

"""Tables that studies keep in git, for the report: read with what is wrong, and how to mend it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import read_table, write_table

Row = TypeVar("Row", bound=tuple[Any, ...])

_DIGITS = 6


def write_rows(path: Path, rows: Iterable[tuple[Any, ...]], kind: type) -> None:
    """Write named tuples of a kind as a table in one step, figures to six digits."""
    kinds = get_type_hints(kind)
    table = pd.DataFrame(list(rows), columns=list(kinds)).astype(kinds)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, table.round(_DIGITS))


def read_rows(
    path: Path, kind: type[Row], key: Sequence[str], wrong: Callable[[Row], str]
) -> list[Row]:
    """Return the rows of a table that a study wrote; without a row it was not run.

    Parameters
    ----------
    kind : type
        A NamedTuple, whose fields are columns; others are left out.
    key : sequence of str
        Columns in which no two rows are alike.
    wrong : callable
        Returns what of a row cannot be; "" if all can.

    Raises
    ------
    ArtifactError
        The file is missing or broken, or says what cannot be.
    """
    remedy = f"'git restore {path}' mends it"
    kinds = get_type_hints(kind)
    try:
        table = read_table(path, kinds)
    except ArtifactError as error:
        # Its advice is for what a stage wrote.
        raise ArtifactError(f"{str(error).rpartition(';')[0]}; {remedy}") from None
    cells = table[list(kinds)].astype(object).itertuples(index=False, name=None)
    rows, known = [kind(*row) for row in cells], set()
    for line, row in enumerate(rows, start=2):
        named = tuple(getattr(row, name) for name in key)
        second = f"a second row of {', '.join(map(str, named))}" if named in known else ""
        if reason := second or wrong(row):
            raise ArtifactError(f"{path}: line {line}: {reason}; {remedy}")
        known.add(named)
    return rows

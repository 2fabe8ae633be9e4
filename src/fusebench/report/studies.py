"""Tables that studies keep in git, for the report: read with what is wrong, and how to mend it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import pandas as pd

from fusebench.errors import ArtifactError
from fusebench.files import parse_table, read_table, write_table

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
    kinds = get_type_hints(kind)
    with _advice(path):
        table = read_table(path, kinds)
    return _checked_rows(table, path, kind, key, wrong)


def parse_rows(
    text: str, path: Path, kind: type[Row], key: Sequence[str], wrong: Callable[[Row], str]
) -> list[Row]:
    """Return the rows that the text of such a table holds; see `read_rows`."""
    with _advice(path):
        table = parse_table(path, text, get_type_hints(kind))
    return _checked_rows(table, path, kind, key, wrong)


@contextmanager
def _advice(path: Path) -> Iterator[None]:
    """Advise what mends a study's table."""
    try:
        yield
    except ArtifactError as error:
        # Its advice is for what a stage wrote.
        raise ArtifactError(f"{str(error).rpartition(';')[0]}; {_remedy(path)}") from None


def _remedy(path: Path) -> str:
    return f"'git restore {path}' mends it"


def _checked_rows(
    table: pd.DataFrame,
    path: Path,
    kind: type[Row],
    key: Sequence[str],
    wrong: Callable[[Row], str],
) -> list[Row]:
    kinds = get_type_hints(kind)
    cells = table[list(kinds)].astype(object).itertuples(index=False, name=None)
    rows, known = [kind(*row) for row in cells], set()
    for line, row in enumerate(rows, start=2):
        named = tuple(getattr(row, name) for name in key)
        second = f"a second row of {', '.join(map(str, named))}" if named in known else ""
        if reason := second or wrong(row):
            raise ArtifactError(f"{path}: line {line}: {reason}; {_remedy(path)}")
        known.add(named)
    return rows

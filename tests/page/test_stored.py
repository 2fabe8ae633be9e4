"""The tables that the page reads: what may be missing, and what is wrong in one line."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.page.reader import rows_of

from fusebench.errors import ArtifactError
from fusebench.files import read_table, write_table
from fusebench.page.stored import STUDIES, TABLES, packed, read_tables

NEEDED = [name for name, stored in TABLES.items() if not stored.command]
OPTIONAL = [name for name in TABLES if name not in NEEDED]


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_was_not_run_is_a_table_without_a_row(root: Path, name: str) -> None:
    (root / TABLES[name].path).unlink(missing_ok=True)
    table = read_tables(root)[name]
    assert table.empty
    assert list(table) == list(TABLES[name].kinds)


@pytest.mark.parametrize("name", NEEDED)
def test_what_must_be_there_is_named_where_it_is_missing(root: Path, name: str) -> None:
    (root / TABLES[name].path).unlink()
    message = f"^{re.escape(TABLES[name].path)}: no such file; 'dvc repro' makes it$"
    with pytest.raises(ArtifactError, match=message):
        read_tables(root)


@pytest.mark.parametrize("name", TABLES)
def test_a_broken_table_is_named_by_its_path_from_the_root(root: Path, name: str) -> None:
    path = root / TABLES[name].path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("something\nelse\n")
    with pytest.raises(ArtifactError, match=f"^{re.escape(TABLES[name].path)}: column '"):
        read_tables(root)


def _above_all(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table.assign(**{column: 400.0})


def _doubled(table: pd.DataFrame, _: str) -> pd.DataFrame:
    return pd.concat([table, table.iloc[:1]])


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_above_all, r"line 2: {column} = 400\.0: must be between 0 and 100"),
        (_doubled, "line {last}: a second row of late"),
    ],
)
def test_a_studys_table_that_says_what_cannot_be_is_named_by_its_path_from_the_root(
    name: str, spoil: Callable[[pd.DataFrame, str], pd.DataFrame], reason: str, complete: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    root = shutil.copytree(complete, tmp_path / "root")
    stored = TABLES[name]
    table = read_table(root / stored.path, {})
    column = next(column for column in stored.kinds if column.endswith("balanced_accuracy"))
    write_table(root / stored.path, spoil(table, column))
    path, words = re.escape(stored.path), reason.format(column=column, last=len(table) + 2)
    with pytest.raises(ArtifactError, match=f"^{path}: {words}.*; 'git restore {path}' mends it$"):
        read_tables(root)


@pytest.mark.parametrize("name", STUDIES)
def test_a_studys_table_has_its_declared_columns_with_their_kinds(
    name: str, complete: Path
) -> None:
    table = read_tables(complete)[name]
    assert len(table)
    assert list(table) == list(TABLES[name].kinds)
    for column, kind in TABLES[name].kinds.items():
        assert {type(cell) for cell in table[column].tolist()} == {kind}


def test_columns_are_json_and_short() -> None:
    table = pd.DataFrame({"a": [1, 2, 3], "b": [np.nan, 1 / 3, 2.0], "c": ["x", "", "x"]})
    assert packed(table) == {
        "a": [1, 2, 3], "b": [None, 0.333333, 2],
        "c": {"names": ["x", ""], "codes": [0, 1, 0]},
    }  # fmt: skip
    assert json.dumps(packed(table), allow_nan=False)
    assert packed(table.iloc[:0]) == {"a": [], "b": [], "c": []}
    assert packed(pd.DataFrame({"a": [np.inf, -np.inf]})) == {"a": [None, None]}


@given(st.lists(st.tuples(st.text(), st.floats(-1e6, 1e6)), min_size=1))
def test_rows_come_back(rows: list[tuple[str, float]]) -> None:
    found = rows_of(packed(pd.DataFrame(rows, columns=["a", "b"])))
    assert [row["a"] for row in found] == [text for text, _ in rows]
    assert [row["b"] for row in found] == pytest.approx([figure for _, figure in rows], rel=1e-5)

"""The tables that the page reads: what may be missing, and what is wrong in one line."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fusebench.errors import ArtifactError
from fusebench.page.stored import TABLES, read_tables, records

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


def test_rows_are_json() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [np.nan, 1 / 3], "c": ["x", ""]})
    assert records(table) == [{"a": 1, "b": None, "c": "x"}, {"a": 2, "b": 0.333333, "c": ""}]
    assert records(table.iloc[:0]) == []
    assert records(pd.DataFrame({"a": [np.inf]})) == [{"a": None}]

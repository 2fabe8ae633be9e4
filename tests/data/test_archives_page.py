"""docs/archives.md: what happens with each odd archive, and the tests that hold it."""

import ast
import re
from functools import cache

import pytest
from tests.project import ROOT

from fusebench.data.settings import Limits

PAGE = ROOT / "docs/archives.md"
ANSWERS = ("no pair", "read", "**read", "passed over", "bad sample", "refused")


def rows() -> list[list[str]]:
    """The cells of each row of the table but its heads."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return [row for row in cells if not re.fullmatch(r"\*\*.*", row[0])]


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests/data" / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_row_has_an_answer_and_names_tests_that_are_there(row: list[str]) -> None:
    _, answer, tests = row
    assert answer.startswith(ANSWERS)
    assert tests
    for test in tests.split():
        file, _, name = test.partition("::")
        assert name in functions_of(file), test


def test_the_page_has_one_table_and_names_every_limit() -> None:
    text = PAGE.read_text("utf-8")
    assert sum(line.startswith("|---") for line in text.splitlines()) == 1
    for limit in Limits.model_fields:
        assert f"`{limit}`" in text

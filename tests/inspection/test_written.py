"""Values of a file of params are replaced, and nothing else of it is."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.project import ROOT

from fusebench.config import read
from fusebench.errors import ParamsError
from fusebench.inspection.written import with_values

TEXT = """\
# The head.

a:
  # Before b.
  b: 1
  # Before c, which is empty.
  c:
  # Before d.
  d:
  - 1
  - 2
  # Before e.
  e: auto
  f:
    # Before g.
    g: []
# Before h.
h: word  # behind h
"""
KEYS = ("a.b", "a.c", "a.d", "a.e", "a.f.g", "h")
VALUES = st.one_of(
    st.none(), st.integers(0, 99), st.sampled_from(("007", "a b", "-y", "no", "x: y", "ü", "#")),
    st.lists(st.sampled_from(("-y", "x", "1", "a")), max_size=3), st.floats(0, 9),
)  # fmt: skip


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


def value_at(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    return content


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_each_value_is_replaced_and_each_comment_stands_before_the_same_key(
    changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("written") / "params.yaml"
    path.write_text(TEXT, "utf-8")
    before = read(path)
    text = with_values(path, changes, {})
    path.write_text(text, "utf-8")
    for key in KEYS:
        assert value_at(read(path), key) == changes.get(key, value_at(before, key))
    lines = [line.strip() for line in text.splitlines()]
    for name in "bcdeg":
        [place] = [number for number, line in enumerate(lines) if f"Before {name}" in line]
        assert lines[place + 1].startswith(f"{name}:")
    # What stands behind a value goes with a list that takes its place.
    assert {*comments(TEXT)} - {"# behind h", "# '"} <= {*comments(text)}


def test_what_is_to_be_filled_in_says_so_behind_its_key(tmp_path: Path) -> None:
    path = tmp_path / "sensors.yaml"
    path.write_text("g: 1\na:\n  g: 2\n  # Before c.\n  c: 3\n", "utf-8")
    text = with_values(path, {"a.g": None}, {"a.g": "metres of it"})
    assert text == "g: 1\na:\n  g:  # to be filled in: metres of it\n  # Before c.\n  c: 3\n"


@pytest.mark.parametrize("name", ["default_params.yaml", "small_params.yaml", "sensors.yaml"])
def test_without_a_change_no_byte_changes(name: str) -> None:
    path = ROOT / "tests" / name
    assert with_values(path, {}, {}) == path.read_text("utf-8")


def test_a_broken_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: [", "utf-8")
    with pytest.raises(ParamsError, match="not valid YAML"):
        with_values(path, {"a": 1}, {})

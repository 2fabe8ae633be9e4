"""The numbers of docs/reliability.md are those that the tests counted."""

from pathlib import Path

import pytest
from tests import reliability
from tests.reliability import BEGIN, DOCUMENT, END, Recorder, table, write

pytest_plugins = ["pytester"]


def test_counts_of_tests_are_added_up_failed_ones_too(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    old = table({"kills": (9, 9), "bits, turned": (2000, 1999)})
    page.write_text(f"before\n{BEGIN}\n{old}\n{END}\nafter\n", "utf-8")
    monkeypatch.setattr(reliability, "DOCUMENT", page)
    pytester.makeconftest("from tests.reliability import tally")
    pytester.makepyfile("""
        def test_one(tally): tally("kills", 3, 3)
        def test_two(tally):
            tally("kills", 2, 1)
            tally("archives", 1000, 1000)
            assert False
    """)
    pytester.inline_run("-p", "no:cacheprovider", plugins=[Recorder()])
    assert page.read_text("utf-8") == (
        f"before\n{BEGIN}\n| tried | how many | as promised | not |\n|:--|--:|--:|--:|\n"
        "| archives | 1,000 | 1,000 | 0 |\n| bits, turned | 2,000 | 1,999 | 1 |\n"
        f"| kills | 5 | 4 | 1 |\n{END}\nafter\n"
    )


def test_the_page_has_a_place_for_the_numbers(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(DOCUMENT.read_text("utf-8"), "utf-8")
    text = table({"a": (1, 0)})
    write(copy, text)
    assert f"{BEGIN}\n{text}\n{END}\n" in copy.read_text("utf-8")

"""A comment is as long as its host takes, and what is left out is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusebench.comment.sections import FEWEST, LIMIT, MARKER, Section, fitted
from fusebench.errors import ParamsError

pieces = st.lists(st.tuples(st.integers(0, 3000), st.booleans()), max_size=12)


@given(pieces, st.integers(FEWEST, 9000))
def test_it_is_never_longer_than_the_host_takes(drawn: list[tuple[int, bool]], limit: int) -> None:
    sections = [
        Section(f"name {number}", f"<{number}>{'x' * length}" if length else "", folded)
        for number, (length, folded) in enumerate(drawn)
    ]
    comment = fitted(sections, limit)
    assert len(comment) <= limit
    assert comment.splitlines()[0] == MARKER
    gone = [each for each in sections if each.body and each.body not in comment]
    assert comment.count("*Left out: ") == len(gone)
    assert all(f"*Left out: {each.name}; " in comment for each in gone)
    shown = [each for each in sections if each.body and each not in gone]
    assert comment.count("<details>") == comment.count("</details>")
    assert comment.count("<details>") == sum(each.folded for each in shown)
    # What is open goes only when nothing long is folded.
    if any(not each.folded for each in gone):
        assert all(len(each.body) < 200 for each in shown if each.folded)
    # No more than needed: with the last that went, it would be too long.
    if gone:
        last = min(gone, key=lambda each: (each.folded, len(each.body)))
        assert len(comment) + len(last.body) > limit - 200


def test_the_longest_folded_section_goes_first() -> None:
    sections = [
        Section("the open one", "a" * 5000), Section("a short one", "b" * 100, folded=True),
        Section("a long one", "c" * 3000, folded=True), Section("a longer one", "d" * 3500, True),
    ]  # fmt: skip
    assert "Left out" not in fitted(sections, 20_000)
    comment = fitted(sections, 9_000)
    assert comment.count("Left out") == 1
    assert (
        "*Left out: a longer one; with it, this would be longer than 9,000 characters.*" in comment
    )
    for kept in ("a" * 5000, "<summary>a short one</summary>", "<summary>a long one</summary>"):
        assert kept in comment
    assert fitted(sections, 4_000).count("Left out") == 4


def test_a_section_without_words_is_no_section() -> None:
    assert fitted([Section("nothing", "", folded=True)]) == f"{MARKER}\n"


@pytest.mark.parametrize("limit", [0, -1, FEWEST - 1])
def test_a_limit_that_is_too_small_is_refused(limit: int) -> None:
    with pytest.raises(ParamsError, match=rf"^--limit = {limit}: must be {FEWEST} or more$"):
        fitted([], limit)


def test_too_many_sections_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"^--limit = 2000: too few for what must be said$"):
        fitted([Section("a name", "x" * 3000)] * 100, 2000)


def test_the_default_is_githubs() -> None:
    assert len(fitted([Section("long", "x" * 65_000)])) > 65_000
    assert "Left out: long" in fitted([Section("long", "x" * LIMIT)])

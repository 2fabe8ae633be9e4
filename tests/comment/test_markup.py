"""Names in Markdown: whatever they hold, they are shown letter by letter and call nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.comment.rendered import rendered

from fusebench.comment.markup import BREAK, block, code, items, table, text
from fusebench.errors import one_line

# What either host turns into a call or a link, as it stands in what is shown.
CALLS = re.compile(r"[@#!~%&$^]\w|\bGH-\d|://|\bwww\.", re.IGNORECASE)
HOSTILE = [
    "@somebody", "a|b", "`x`", "``", "<script>alert(1)</script>", "</code>", "<!-- x", "-->",
    "#12", "!12", "owner/name#1", "GH-12", "**b**", "_i_", "[x](http://a.b)", "![x](y)",
    "https://a.b", "www.a.b", "a@b.c", "&lt;", "&#64;x", "\\", "\\|", "~~x~~", "$x$", "%1",
    "line\nbreak", "/close", "</details>", "\u202eback", "\ufeff", "# h", "- i", "1. x", "+ x",
    "---", "    x", "\t", "===", "- a", "1) x", '%"v1.0"', '!"x"', ":tada:", ":+1:", "0f3a9bc",
]  # fmt: skip
# What both hosts may link, if there is a commit of that name.
COMMIT = re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{7,40}(?![0-9a-zA-Z])")
COMMITS = ["0f3a9bc", "0C65011", "1234567", "0123456789abcdef0123456789abcdef01234567"]
names = st.sampled_from(HOSTILE) | st.text(
    st.sampled_from("ab1 @#!~%&$^|`*_<>[]()\\:/.-+=\n\"'") | st.characters(), max_size=40
)


@given(names)
def test_text_is_shown_letter_by_letter_and_calls_nobody(name: str) -> None:
    seen = rendered(f"It is {text(name)} so.")
    assert seen.tags == ["p", *["code"] * len(COMMIT.findall(one_line(name)))]
    # Markdown makes one space of several, and none at the ends of a line; that is no harm.
    assert seen.text.replace(BREAK, "").split() == f"It is {one_line(name)} so.".split()
    assert not CALLS.search(seen.text)


@pytest.mark.parametrize(
    "call",
    ["@somebody", "@_a", "#12", "!12", "%1", '%"v1.0"', '~"a label"', '!"x"', ":tada:", ":+1:",
     "GH-12", "https://a.b", "www.a.b", "a@b.c"],
)  # fmt: skip
def test_a_call_is_not_as_a_host_would_find_it(call: str) -> None:
    for sentence in (call, f"see {call}, please"):
        shown = rendered(f"It is {text(sentence)}").text
        assert call not in shown
        assert call in shown.replace(BREAK, "")


@pytest.mark.parametrize("name", COMMITS)
def test_what_may_be_a_commit_is_code_and_can_be_copied(name: str) -> None:
    for sentence in (name, f"results {name}.", f"**{name}**", f"{name}, {name[:7]}"):
        seen = rendered(text(sentence))
        assert seen.tags == ["p", *["code"] * len(sentence.split(", "))]
        assert seen.text.strip() == sentence


@pytest.mark.parametrize("name", ["0f3a9b", "0f3a9bcg", "x0f3a9bc", "0" * 41, "0.123456"])
def test_what_is_no_commit_is_no_code(name: str) -> None:
    assert rendered(text(name)).tags == ["p"]


@given(names)
def test_code_is_shown_letter_by_letter_and_is_one_element(name: str) -> None:
    seen = rendered(f"It is {code(name)} so.")
    assert seen.tags == ["p", "code"]
    assert seen.text.split() == f"It is {one_line(name, 200)} so.".split()
    # Nothing in it is what Markdown, or a host that reads it, takes for its own.
    assert not set("@`*_|[]") & set(code(name))


@given(st.lists(st.tuples(names, names), min_size=1, max_size=4))
def test_a_table_keeps_its_cells(rows: list[tuple[str, str]]) -> None:
    escaped = [[text(cell) for cell in row] for row in rows]
    seen = rendered(table(("a", "b"), escaped, "lr"))
    cells = [[" ".join(cell.replace(BREAK, "").split()) for cell in row] for row in seen.rows]
    assert cells == [["a", "b"], *[[" ".join(one_line(of).split()) for of in row] for row in rows]]
    assert {*seen.tags} - {"code"} == {"table", "thead", "tbody", "tr", "th", "td"}


@given(st.lists(names, min_size=1, max_size=4))
def test_an_item_is_one_item(sentences: list[str]) -> None:
    said = [*sentences, "x"]
    seen = rendered(items(said))
    assert seen.tags.count("li") == len(said)
    assert {*seen.tags} <= {"ul", "li", "p", "code"}
    assert seen.tags.count("ul") == 1
    # GitLab obeys a line that begins with a stroke.
    assert not any(line.startswith("/") for line in items(said).splitlines())


@pytest.mark.parametrize("lines", ["plain", "```\nnot the end\n```", "`````", "<b>\n\n@x"])
def test_a_block_ends_where_it_ends(lines: str) -> None:
    seen = rendered(f"{block(lines)}\n\nafter")
    assert seen.tags == ["pre", "code", "p"]
    assert seen.text.strip() == f"{lines}\n\nafter"


def test_a_long_sentence_is_whole_and_a_long_name_is_cut() -> None:
    assert text("word " * 1000) == "word " * 1000
    assert len(code("x" * 10_000)) < 300

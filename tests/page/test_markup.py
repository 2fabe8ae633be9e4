"""What is shown is text, whatever it holds; what is data cannot end its element."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.page.reader import read

from fusebench.page.markup import Markup, details, json_script, table, tag

# A parser reads these as other line ends or as nothing.
_TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")))


@given(_TEXTS)
def test_a_text_is_shown_as_it_is(text: str) -> None:
    page = read(tag("p", text))
    assert [element.name for element in page.elements] == ["p"]
    assert page.elements[0].text == text


@given(_TEXTS)
def test_an_attribute_holds_the_text_and_nothing_else(text: str) -> None:
    (element,) = read(tag("p", title=text)).elements
    assert element.attributes == {"title": text}


@given(st.recursive(_TEXTS | st.integers() | st.none(), st.lists))
def test_data_come_back_and_cannot_end_their_element(content: object) -> None:
    script = json_script(content)
    (element,) = read(script).elements
    assert json.loads(element.text) == content
    assert not re.search(r"[<>&]", element.text)


def test_data_of_no_json_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_script([float("nan")])


def test_markup_is_not_escaped_again() -> None:
    assert tag("p", Markup("<b>a</b>"), "<b>") == "<p><b>a</b>&lt;b&gt;</p>"


def test_attributes_without_a_value_and_left_out_ones() -> None:
    assert tag("button", hidden=True, title=None, disabled=False) == "<button hidden></button>"
    assert tag("p", class_="a", data_fusion="b") == '<p class="a" data-fusion="b"></p>'


@given(st.lists(_TEXTS, min_size=2, max_size=2))
def test_cells_of_a_table_are_texts(cells: list[str]) -> None:
    page = read(table(["a", "b"], [("late", cells)], label="some"))
    (heading,) = [cell for cell in page.all("th") if cell.attributes["scope"] == "row"]
    assert [heading.text, page.all("td")[0].text] == cells
    assert page.all("tr")[1].attributes == {"data-fusion": "late"}


def test_a_table_says_what_it_is_and_can_be_scrolled_with_the_keyboard() -> None:
    box = read(table(["a"], [], label="All figures")).elements[0]
    assert box.attributes["tabindex"] == "0"
    assert (box.attributes["role"], box.attributes["aria-label"]) == ("region", "All figures")


def test_details_begin_with_their_summary() -> None:
    assert [element.name for element in read(details("More", "text")).elements] == [
        "details", "summary",
    ]  # fmt: skip

"""A page as a browser has it: elements with their attributes and texts, in their order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"br", "img", "input", "meta", "link"}


@dataclass
class Element:
    """An element: its name, attributes, and all text in it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: tuple[str, ...] = ()


@dataclass
class Read(HTMLParser):
    """All elements and comments of a text."""

    elements: list[Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside = tuple(element.name for element in self._open)
        self.elements.append(Element(tag, dict(attrs), inside=inside))
        if tag not in _VOID:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self._open, tag
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, *names: str) -> list[Element]:
        """Return the elements of some names."""
        return [element for element in self.elements if element.name in names]

    @property
    def ends_whole(self) -> bool:
        """Whether every element that was begun has ended."""
        return not self._open


def read(text: str) -> Read:
    """Read a text; elements must end in the order in which they were begun."""
    reader = Read()
    reader.feed(text)
    reader.close()
    assert reader.ends_whole
    return reader


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of packed columns, as the page's script makes them."""
    cells = {
        name: [column["names"][code] for code in column["codes"]]
        if isinstance(column, dict)
        else column
        for name, column in columns.items()
    }
    return [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]

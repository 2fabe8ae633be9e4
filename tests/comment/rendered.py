"""Markdown as a host shows it."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data


def rendered(markdown: str) -> _Seen:
    """Return what a reader gets of Markdown: elements, text, cells of tables."""
    seen = _Seen()
    seen.feed(MarkdownIt("commonmark").enable("table").render(markdown))
    return seen

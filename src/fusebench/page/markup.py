"""HTML from parts: every text is escaped, unless it is markup that was made here."""

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

# Elements without an end tag.
_VOID = ("br", "img", "input", "meta")
# What would end a script element or begin another one, and line ends that old parsers mistake.
_IN_SCRIPT = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Return a text as HTML shows it; `Markup` stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text)))


def joined(parts: Iterable[object]) -> Markup:
    """Return parts one after another; what is not `Markup` is escaped."""
    return Markup("".join(escaped(part) for part in parts))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    children : object
        `Markup` as it is, all else escaped.
    attributes : object
        By name; `class_` stands for class, `data_fusion` for data-fusion. True: without a value;
        None and False: left out.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        words.append(word if value is True else f'{word}="{escaped(str(value))}"')
    start = f"<{' '.join(words)}>"
    return Markup(start if name in _VOID else f"{start}{joined(children)}</{name}>")


def json_script(content: Any, **attributes: object) -> Markup:
    """Return data as an element that no browser runs; raise ValueError for NaN and infinity."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for letter, code in _IN_SCRIPT.items():
        text = text.replace(letter, code)
    return tag("script", Markup(text), type="application/json", **attributes)


def table(
    head: Sequence[object], rows: Iterable[tuple[str, Sequence[object]]], *, label: str
) -> Markup:
    """Return a table in a box of its own, which scrolls where the window is too narrow.

    Parameters
    ----------
    rows : iterable of (str, sequence)
        The fusion that a row speaks of ("": of none), and its cells; the first is its heading.
    label : str
        What the table holds, for those who do not see it.
    """
    body = [
        tag(
            "tr",
            tag("th", cells[0], scope="row"),
            joined(tag("td", cell) for cell in cells[1:]),
            data_fusion=fusion or None,
        )
        for fusion, cells in rows
    ]
    headings = joined(tag("th", cell, scope="col") for cell in head)
    inner = tag("table", tag("thead", tag("tr", headings)), tag("tbody", joined(body)))
    # With the keyboard, too, it can be scrolled.
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)


def paragraph(text: object, kind: str | None = None) -> Markup:
    """Return a paragraph."""
    return tag("p", text, class_=kind)


def details(summary: str, *children: object) -> Markup:
    """Return what is shown on demand."""
    return tag("details", tag("summary", summary), *children)


def bullets(sentences: Iterable[object], kind: str | None = None) -> Markup:
    """Return a list of sentences."""
    return tag("ul", joined(tag("li", sentence) for sentence in sentences), class_=kind)
